"""A small software rasteriser for one closed mesh: depth and shading, in NumPy alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

Float = NDArray[np.float32]

_NEAREST_M = 0.05
_AMBIENT = 0.35
_LARGEST_PX = 512  # a triangle this large is one at the lens: it is left out


class MeshRasteriser:
    """Draws posed copies of one mesh.

    Args:
        faces: (F, 3) vertex indices, counter-clockwise from outside.
        vertex_count: V.
    """

    def __init__(self, faces: NDArray[np.int64], vertex_count: int) -> None:
        self._faces = faces
        columns = np.repeat(np.arange(len(faces)), 3)
        ones = np.ones(len(columns), dtype=np.float32)
        shape = (vertex_count, len(faces))
        self._faces_at_vertex = scipy.sparse.csr_matrix((ones, (faces.ravel(), columns)), shape=shape)

    def draw(
        self, points: NDArray[np.floating[Any]], camera: NDArray[np.float64], size: tuple[int, int]
    ) -> tuple[Float, Float]:
        """Depth and brightness of each pixel.

        Args:
            points: (V, 3) vertices in the camera frame (x right, y down, z away), metres.
            camera: (3, 3) intrinsics for an image of `size`; its top left pixel's centre is (0.5, 0.5).
            size: width and height in pixels.

        Returns:
            (H, W) depth in metres, infinite where the mesh is not; (H, W) brightness 0..1, lit from the camera.
        """
        depth, values = self._drawn(points, camera, size, None)
        return depth, values[..., 0]

    def paint(
        self,
        points: NDArray[np.floating[Any]],
        camera: NDArray[np.float64],
        size: tuple[int, int],
        colours: NDArray[np.floating[Any]],
    ) -> tuple[Float, Float]:
        """Depth (H, W) and shaded colour (H, W, 3); `colours` (V, 3) of the vertices, the rest as in `draw`."""
        return self._drawn(points, camera, size, colours)

    def _drawn(
        self,
        points: NDArray[np.floating[Any]],
        camera: NDArray[np.float64],
        size: tuple[int, int],
        colours: NDArray[np.floating[Any]] | None,
    ) -> tuple[Float, Float]:
        points = np.asarray(points, dtype=np.float32)
        corners = points[self._faces]
        normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        visible = (corners[:, :, 2].min(1) > _NEAREST_M) & ((normals * corners[:, 0]).sum(1) < 0)
        shade = self._brightness(points, normals)[:, None]
        if colours is not None:
            shade = shade * np.asarray(colours, np.float32)
        inverse_depth = 1 / np.maximum(points[:, 2], _NEAREST_M)
        pixels = (points[:, :2] * inverse_depth[:, None]) @ camera[:2, :2].T.astype(np.float32)
        pixels += camera[:2, 2].astype(np.float32)
        faces = self._faces[visible]
        values = np.concatenate((inverse_depth[:, None], shade), -1)[faces]  # (F, 3 corners, 1 + channels)
        return _fill(pixels[faces], values, size)

    def _brightness(self, points: Float, normals: Float) -> Float:
        """(V,) Lambert's law for a lamp at the camera, on smooth normals."""
        smooth = self._faces_at_vertex @ normals
        lengths = np.linalg.norm(smooth, axis=1) * np.linalg.norm(points, axis=1)
        facing = -(smooth * points).sum(1) / np.maximum(lengths, 1e-12)
        shade: Float = (_AMBIENT + (1 - _AMBIENT) * facing.clip(0, 1)).astype(np.float32)
        return shade


def _fill(corners: Float, values: Float, size: tuple[int, int]) -> tuple[Float, Float]:
    """Triangles (F, 3, 2) in pixels with inverse depth and other values at their corners, nearest on top."""
    width, height = size
    # first and last pixel whose centre can lie inside; most triangles are so small that there is none
    first, second, third = corners.transpose(1, 0, 2)
    low = np.ceil(np.minimum(np.minimum(first, second), third) - 0.5).clip(0).astype(np.int32)
    high = (
        np.floor(np.maximum(np.maximum(first, second), third) - 0.5).clip(-1, (width - 1, height - 1)).astype(np.int32)
    )
    extent = (high - low + 1).max(1)
    inside = (high >= low).all(1) & (extent <= _LARGEST_PX)
    pixel_parts, value_parts = [], []
    bound = 1
    while bound <= _LARGEST_PX:  # triangles of about one size go together, each tried on a square of that size
        group = np.flatnonzero(inside & (extent <= bound) & (extent > bound // 2))
        for some in np.array_split(group, max(1, len(group) * bound * bound // 1_000_000)):
            where, what = _fragments(corners[some], values[some], low[some], bound, size)
            pixel_parts.append(where)
            value_parts.append(what)
        bound *= 2
    pixels, fragments = np.concatenate(pixel_parts), np.concatenate(value_parts)
    order = np.argsort(fragments[:, 0], kind="stable")  # far to near: the last one written stays
    image = np.zeros((height * width, values.shape[-1]), dtype=np.float32)
    image[pixels[order]] = fragments[order]
    picture = image.reshape(height, width, -1)
    with np.errstate(divide="ignore"):
        depth: Float = np.float32(1) / picture[..., 0]
    return depth, picture[..., 1:]


def _fragments(
    corners: Float, values: Float, low: NDArray[np.int32], bound: int, size: tuple[int, int]
) -> tuple[NDArray[np.int32], Float]:
    """Indices (N,) of the pixels that triangles cover within `bound` pixels from `low`, and values (N, C) there."""
    offset = np.arange(bound * bound, dtype=np.int32)
    x = low[:, :1] + offset % bound  # (F, bound²)
    y = low[:, 1:] + offset // bound
    edge1, edge2 = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = edge1[:, 0] * edge2[:, 1] - edge1[:, 1] * edge2[:, 0]
    edge1, edge2 = (edge / np.where(np.abs(area) < 1e-9, np.float32(1e-9), area)[:, None] for edge in (edge1, edge2))
    away_x = x + (np.float32(0.5) - corners[:, :1, 0])
    away_y = y + (np.float32(0.5) - corners[:, :1, 1])
    second = away_x * edge2[:, 1:] - away_y * edge2[:, :1]
    third = away_y * edge1[:, :1] - away_x * edge1[:, 1:]
    lowest = np.minimum(np.minimum(second, third), 1 - second - third)
    covered = (lowest >= -1e-4) & (x < size[0]) & (y < size[1])
    face, place = np.nonzero(covered)
    second, third = second[face, place][:, None], third[face, place][:, None]
    start = values[face, 0]
    found = start + second * (values[face, 1] - start) + third * (values[face, 2] - start)
    return y[face, place] * np.int32(size[0]) + x[face, place], found.astype(np.float32)
