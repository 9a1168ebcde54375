"""Surfaces of triangles with skinning: cut along a line, joined, smoothed. No `bpy` in here.

Legend: V vertices, F triangles, J joints (24), K edges. Metres, Blender's axes (z up).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Surface:
    """`vertices` (V, 3), `faces` (F, 3) and the `weights` (V, J) of each vertex, which sum to 1."""

    vertices: np.ndarray
    faces: np.ndarray
    weights: np.ndarray


def edges(faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both ends of every edge, each edge in both directions."""
    pairs = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).astype(np.int64)
    count = int(faces.max()) + 1
    # one number for each pair: rows of a matrix take NumPy ten times as long to sort
    numbers = np.unique(np.concatenate([pairs[:, 0] * count + pairs[:, 1], pairs[:, 1] * count + pairs[:, 0]]))
    return numbers // count, numbers % count


def spread(values: np.ndarray, ends: tuple[np.ndarray, np.ndarray], rounds: int) -> np.ndarray:
    """Values (V,) raised where those of neighbours are above them, so that they fall off evenly; none gets less.

    `ends` are both ends of each edge.
    """
    ones, others = ends
    count = np.maximum(np.bincount(ones, minlength=len(values)), 1)
    even = values
    for _ in range(rounds):
        even = np.maximum(values, np.bincount(ones, even[others], len(values)) / count)
    return even


def normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(V, 3) outward, of length 1; 0 for a vertex without a face."""
    corners = vertices[faces]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    total = [np.bincount(faces.ravel(), np.repeat(across[:, axis], 3), len(vertices)) for axis in range(3)]
    summed = np.stack(total, axis=1)
    return summed / np.maximum(np.linalg.norm(summed, axis=1, keepdims=True), 1e-12)


def chosen(surface: Surface, faces: np.ndarray) -> Surface:
    """These `faces` of a surface, with the vertices that they need and no others."""
    used, numbers = np.unique(faces, return_inverse=True)
    return Surface(surface.vertices[used], numbers.reshape(faces.shape), surface.weights[used])


def joined(surfaces: Sequence[Surface]) -> Surface:
    """Surfaces as one, each with vertices of its own."""
    starts = np.cumsum([0, *(len(one.vertices) for one in surfaces)])
    return Surface(
        np.concatenate([one.vertices for one in surfaces]),
        np.concatenate([one.faces + start for one, start in zip(surfaces, starts, strict=False)]),
        np.concatenate([one.weights for one in surfaces]),
    )


def clip(surface: Surface, values: np.ndarray) -> tuple[Surface, np.ndarray]:
    """The part of a surface where `values` (V,), straight along each edge, are above 0: faces are split there.

    Gives back the part, and the edges (K, 2) along the cut, in the direction that its faces have.
    """
    faces, inside = surface.faces, values > 0
    count = inside[faces].sum(1)
    one, two = _first(faces[count == 1], inside), _first(faces[count == 2], ~inside)
    pairs = np.concatenate([one[:, [0, 1]], one[:, [0, 2]], two[:, [1, 0]], two[:, [2, 0]]]).astype(np.int64)
    total = len(surface.vertices)
    unique, numbers = np.unique(pairs[:, 0] * total + pairs[:, 1], return_inverse=True)
    within, beyond = unique // total, unique % total
    share = (values[within] / (values[within] - values[beyond]))[:, None]
    grown = [
        np.concatenate([array, array[within] + share * (array[beyond] - array[within])])
        for array in (surface.vertices, surface.weights)
    ]
    ends = np.cumsum([len(one), len(one), len(two)])
    one_1, one_2, two_1, two_2 = np.split(numbers.ravel() + total, ends)
    border = np.concatenate([np.stack([one_1, one_2], axis=1), np.stack([two_2, two_1], axis=1)])
    parts = [
        faces[count == 3],
        np.stack([one[:, 0], one_1, one_2], axis=1),
        np.stack([two_1, two[:, 1], two[:, 2]], axis=1),
        np.stack([two_1, two[:, 2], two_2], axis=1),
    ]
    kept = np.concatenate(parts)
    used, renumbered = np.unique(kept, return_inverse=True)
    part = Surface(grown[0][used], renumbered.reshape(kept.shape), grown[1][used])
    return part, np.searchsorted(used, border)


def _first(faces: np.ndarray, which: np.ndarray) -> np.ndarray:
    """Faces of which one corner is in `which`, turned so that it is the first."""
    corner = which[faces].argmax(1)[:, None] if len(faces) else np.zeros((0, 1), dtype=int)
    return np.take_along_axis(faces, (corner + np.arange(3)) % 3, axis=1)


def hem(surface: Surface, border: np.ndarray, depth: float) -> Surface:
    """The thickness of cloth along a cut: a strip from its edges (K, 2) inwards, with vertices of its own."""
    used, numbers = np.unique(border, return_inverse=True)
    numbers = numbers.reshape(border.shape)
    inwards = surface.vertices - depth * normals(surface.vertices, surface.faces)
    first, second, far = numbers[:, 0], numbers[:, 1], len(used)
    faces = [np.stack([second, first, first + far], axis=1), np.stack([second, first + far, second + far], axis=1)]
    weights = surface.weights[used]
    vertices = np.concatenate([surface.vertices[used], inwards[used]])
    return Surface(vertices, np.concatenate(faces), np.concatenate([weights, weights]))
