"""A small software rasteriser for one closed mesh: depth and shading, in NumPy alone."""

from __future__ import annotations

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

    def draw(self, points: Float, camera: NDArray[np.float64], size: tuple[int, int]) -> tuple[Float, Float]:
        """Depth and brightness of each pixel.

        Args:
            points: (V, 3) vertices in the camera frame (x right, y down, z away), metres.
            camera: (3, 3) intrinsics for an image of `size`; its top left pixel's centre is (0.5, 0.5).
            size: width and height in pixels.

        Returns:
            (H, W) depth in metres, infinite where the mesh is not; (H, W) brightness 0..1, lit from the camera.
        """
        points = np.asarray(points, dtype=np.float32)
        corners = points[self._faces]
        normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        visible = (corners[:, :, 2].min(1) > _NEAREST_M) & ((normals * corners[:, 0]).sum(1) < 0)
        brightness = self._brightness(points, normals)
        inverse_depth = 1 / np.maximum(points[:, 2], _NEAREST_M)
        pixels = (points[:, :2] * inverse_depth[:, None]) @ camera[:2, :2].T.astype(np.float32)
        pixels += camera[:2, 2].astype(np.float32)
        faces = self._faces[visible]
        values = np.stack((inverse_depth, brightness), -1)[faces]  # (F, 3 corners, 2)
        return _fill(pixels[faces], values, size)

    def _brightness(self, points: Float, normals: Float) -> Float:
        """(V,) Lambert's law for a lamp at the camera, on smooth normals."""
        smooth = self._faces_at_vertex @ normals
        lengths = np.linalg.norm(smooth, axis=1) * np.linalg.norm(points, axis=1)
        facing = -(smooth * points).sum(1) / np.maximum(lengths, 1e-12)
        shade: Float = (_AMBIENT + (1 - _AMBIENT) * facing.clip(0, 1)).astype(np.float32)
        return shade


def _fill(corners: Float, values: Float, size: tuple[int, int]) -> tuple[Float, Float]:
    """Triangles (F, 3, 2) in pixels with (inverse depth, brightness) at their corners, nearest on top."""
    width, height = size
    low = np.floor(corners.min(1) - 0.5).astype(np.int64).clip(0)
    high = np.minimum(np.ceil(corners.max(1) - 0.5).astype(np.int64), (width - 1, height - 1))
    extent = (high - low + 1).max(1)
    inside = (high >= low).all(1) & (extent <= _LARGEST_PX)
    pixel_parts, value_parts = [], []
    bound = 2
    while bound <= _LARGEST_PX:  # triangles of about one size go together, each tried on a square of that size
        group = np.flatnonzero(inside & (extent <= bound) & ((extent > bound // 2) | (bound == 2)))
        for some in np.array_split(group, max(1, len(group) * bound * bound // 2_000_000)):
            where, what = _fragments(corners[some], values[some], low[some], high[some], bound)
            pixel_parts.append(where[:, 1] * width + where[:, 0])
            value_parts.append(what)
        bound *= 2
    pixels, fragments = np.concatenate(pixel_parts), np.concatenate(value_parts)
    order = np.argsort(fragments[:, 0], kind="stable")  # far to near: the last one written stays
    image = np.zeros((height * width, 2), dtype=np.float32)
    image[pixels[order]] = fragments[order]
    inverse_depth, brightness = image.reshape(height, width, 2).transpose(2, 0, 1)
    with np.errstate(divide="ignore"):
        depth: Float = np.float32(1) / inverse_depth
    return depth, brightness


def _fragments(
    corners: Float, values: Float, low: NDArray[np.int64], high: NDArray[np.int64], bound: int
) -> tuple[NDArray[np.int64], Float]:
    """Pixels (N, 2) that triangles cover within a square of `bound` pixels from `low`, and values (N, 2) there."""
    step = np.arange(bound)
    offsets = np.stack(np.meshgrid(step, step), -1).reshape(1, -1, 2)
    pixels = low[:, None] + offsets  # (F, bound², 2)
    edge1, edge2 = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = edge1[:, 0] * edge2[:, 1] - edge1[:, 1] * edge2[:, 0]
    area = np.where(np.abs(area) < 1e-9, np.float32(1e-9), area)[:, None]
    away = (pixels + 0.5 - corners[:, None, 0]).astype(np.float32)
    second = (away[..., 0] * edge2[:, None, 1] - away[..., 1] * edge2[:, None, 0]) / area
    third = (edge1[:, None, 0] * away[..., 1] - edge1[:, None, 1] * away[..., 0]) / area
    first = 1 - second - third
    slack = -1e-4
    covered = (first >= slack) & (second >= slack) & (third >= slack) & (pixels <= high[:, None]).all(-1)
    face, _ = np.nonzero(covered)
    weights = np.stack((first[covered], second[covered], third[covered]), -1)
    return pixels[covered], np.einsum("nc,ncv->nv", weights, values[face])
