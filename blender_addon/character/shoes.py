"""Plain shoes, laid around the feet in rings from a flat sole up to the ankle. No `bpy` in here.

Each ring is the outline of what is left of the foot at its height and above, without dents, so that toes come together.
Legend: V vertices, F triangles, J joints (24), D directions, R points of a ring. Metres, Blender's axes (z up).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .surface import Surface, chosen

COLLAR = 1.2
"""Height of a shoe's upper end, of the ankle's."""

LOW, LEAST_POINTS = 0.4, 60
"""What of a shoe's height shows where a foot points; with fewer vertices below, it wears none."""

DIRECTIONS, HALF = 72, 18
"""In how many directions an outline is measured, and how many edges a ring has on either side."""

SOLE = ((0.0, 0.002), (0.04, 0.005), (0.20, 0.006), (0.205, 0.001))
"""Rings of the sole's edge: height of the shoe's, and metres off the outline of the whole foot."""

UPPER = (
    (0.20, 0.00, 0.0025), (0.26, 0.04, 0.0030), (0.32, 0.11, 0.0020), (0.375, 0.19, 0.0005), (0.42, 0.26, 0.0005),
    (0.50, 0.34, 0.002), (0.60, 0.45, 0.003), (0.70, 0.55, 0.004), (0.80, 0.66, 0.005), (0.90, 0.77, 0.005),
    (1.00, 0.86, 0.005), (1.00, 0.88, -0.001), (0.93, 0.88, -0.004),
)  # fmt: skip
"""Rings of the upper: height, height on the foot whose outline is taken, and metres off that; the last two turn in."""

NEAREST, BLUR_M, MOST_POINTS = 12, 0.012, 2000
"""How many vertices of the foot each vertex follows, below what distance they count alike, and of how many at most."""


HIDDEN_M = 0.002
"""How far skin goes on inside a shoe."""


@dataclass(frozen=True)
class Shoe:
    """A shoe's `upper` and its `sole`."""

    upper: Surface
    sole: Surface


def shoe(body: Surface, ankle: np.ndarray, ball: np.ndarray) -> Shoe | None:
    """A shoe for the foot between these joints (3,) of a body in its T-pose on the floor; None for no foot."""
    height = COLLAR * ankle[2]
    near = np.abs(body.vertices[:, 0] - ankle[0]) < abs(ankle[0]) + 0.1
    near &= (np.sign(body.vertices[:, 0]) == np.sign(ankle[0])) & (body.vertices[:, 2] < 1.4 * height)
    foot = body.vertices[near]
    if height <= 0 or (foot[:, 2] < LOW * height).sum() < LEAST_POINTS:
        return None
    directions = _directions(foot, ball - ankle, height)
    whole = [(up, 0.0, off) for up, off in SOLE]
    rings = [
        [_ring(foot, directions, height * up, height * of, off) for up, of, off in ends] for ends in (whole, UPPER)
    ]
    bottom = rings[0][0].copy()
    surfaces = []
    for points, faces in (
        (np.concatenate([*rings[0], bottom]), np.concatenate([_walls(len(SOLE)), _bottom(len(SOLE) * 2 * HALF)])),
        (np.concatenate(rings[1]), _walls(len(UPPER))),
    ):
        surfaces.append(Surface(points, faces, _weights(points, foot, body.weights[near])))
    return Shoe(surfaces[1], surfaces[0])


def without_feet(skin: Surface, ankle: float) -> Surface:
    """What of the skin is seen above shoes; `ankle` is the joint's height."""
    hidden = skin.vertices[:, 2] < COLLAR * ankle - HIDDEN_M
    return chosen(skin, skin.faces[~hidden[skin.faces].all(1)])


def _directions(foot: np.ndarray, forward: np.ndarray, height: float) -> np.ndarray:
    """(D, 2) around the foot, from its heel on and counter-clockwise from above."""
    low = foot[foot[:, 2] < LOW * height, :2]
    axis = np.linalg.svd(low - low.mean(0), full_matrices=False)[2][0]
    back = -axis * np.sign(axis @ forward[:2] or 1.0)
    angle = np.arctan2(back[1], back[0]) + 2 * np.pi / DIRECTIONS * np.arange(DIRECTIONS)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def _ring(foot: np.ndarray, directions: np.ndarray, up: float, of: float, off: float) -> np.ndarray:
    """(R, 3) at height `up`: the outline, without dents, of the foot from height `of` on, moved `off` outwards."""
    reach = (foot[foot[:, 2] >= min(of, foot[:, 2].max()), :2] @ directions.T).max(0)
    reach = (np.roll(reach, 1) + 2 * reach + np.roll(reach, -1)) / 4 + off
    step = 2 * np.pi / DIRECTIONS
    aside = np.stack([-directions[:, 1], directions[:, 0]], axis=1)
    slide = (np.roll(reach, -1) - reach * np.cos(step)) / np.sin(step)
    corners = reach[:, None] * directions + slide[:, None] * aside  # where this side meets the next
    heel, toe = (corners[[side, side - 1]].mean(0) for side in (0, DIRECTIONS // 2))
    half = DIRECTIONS // 2
    sides = (np.vstack([heel, corners[:half], toe]), np.vstack([toe, corners[half:], heel]))
    plan = np.concatenate([_evenly(side)[:-1] for side in sides])
    return np.column_stack([plan, np.full(len(plan), up)])


def _evenly(path: np.ndarray) -> np.ndarray:
    """(HALF + 1, 2) points at equal distances along a path (N, 2)."""
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    wanted = np.linspace(0, along[-1], HALF + 1)
    return np.stack([np.interp(wanted, along, path[:, axis]) for axis in range(2)], axis=1)


def _walls(rings: int) -> np.ndarray:
    """(F, 3) between `rings` that lie on one another."""
    number = np.arange(rings * 2 * HALF).reshape(rings, 2 * HALF)
    low, high = number[:-1], number[1:]
    after_low, after_high = np.roll(low, -1, axis=1), np.roll(high, -1, axis=1)
    faces = [np.stack([low, after_low, after_high], axis=-1), np.stack([low, after_high, high], axis=-1)]
    return np.concatenate(faces).reshape(-1, 3)


def _bottom(first: int) -> np.ndarray:
    """(F, 3) that close a ring, straight across from one side to the other, seen from below."""
    one = first + np.arange(HALF + 1)
    other = first + np.arange(2 * HALF, HALF - 1, -1) % (2 * HALF)
    faces = [np.stack([one[:-1], other[1:], one[1:]], axis=1), np.stack([one[:-1], other[:-1], other[1:]], axis=1)]
    faces = np.concatenate(faces)
    return faces[(faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])]


def _weights(points: np.ndarray, foot: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(V, J) of points: a mean of the nearest vertices of the foot."""
    every = -(-len(foot) // MOST_POINTS)
    foot, weights = foot[::every], weights[::every]
    far = ((points[:, None] - foot) ** 2).sum(-1)
    nearest = np.argpartition(far, NEAREST, axis=1)[:, :NEAREST]
    counts = 1 / (np.take_along_axis(far, nearest, axis=1) + BLUR_M**2)
    mean = (counts[..., None] * weights[nearest]).sum(1)
    mean[mean < 0.01 * mean.sum(1, keepdims=True)] = 0.0
    return mean / mean.sum(1, keepdims=True)
