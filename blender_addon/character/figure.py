"""How the body looks: dressed in plain clothes, a grey mannequin, or as its file has it.

Clothes are the body's own surface, laid looser: smoothed until no anatomy shows, and moved outwards. Which part of the
body a face belongs to follows from its skinning, so that any body of 24 joints can wear them. No `bpy` in here.

Legend: V vertices, F triangles, J joints (24). Metres, Blender's axes (z up).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

DRESSED, MANNEQUIN, PLAIN = "DRESSED", "MANNEQUIN", "PLAIN"
LOOKS = (DRESSED, MANNEQUIN, PLAIN)

SKIN, SHIRT, TROUSERS = range(3)
NAMES = ("Figure Skin", "Figure Shirt", "Figure Trousers")
COLOURS = {
    DRESSED: ((0.55, 0.50, 0.46), (0.13, 0.30, 0.42), (0.10, 0.11, 0.13)),
    MANNEQUIN: ((0.50, 0.50, 0.52),) * 3,
}
"""Of skin, shirt and trousers; linear RGB."""

_WORN = {
    "shoulder": SHIRT, "collar": SHIRT, "spine1": SHIRT, "spine2": SHIRT, "spine3": SHIRT,
    "pelvis": TROUSERS, "hip": TROUSERS, "knee": TROUSERS,
}  # fmt: skip

LOOSE_M = (0.0, 0.010, 0.009)
SMOOTHED = (0, 70, 50)
"""How far each part lies off the body, and how often it is smoothed."""

FINE_M = 0.009
"""Edges of this length are smoothed in full, longer ones less, so that fine details go and the shape stays."""

CURL, CLOSER = np.radians(55.0), 0.45
"""How far relaxed fingers curl towards the palm, and how much closer their tips come together."""


@dataclass(frozen=True)
class Figure:
    """A body as it looks: `vertices` (V, 3) and for each face the number of its material (F,)."""

    vertices: np.ndarray
    parts: np.ndarray


def figure(
    vertices: np.ndarray, faces: np.ndarray, weights: np.ndarray, heads: np.ndarray, names: Sequence[str], look: str
) -> Figure:
    """Dress a body.

    Args:
        vertices: (V, 3) at rest in a T-pose, on the floor.
        faces: (F, 3).
        weights: (V, J) skinning.
        heads: (J, 3) joints.
        names: of the joints.
        look: one of `LOOKS`.
    """
    worn = np.array([_WORN.get(name.removeprefix("left_").removeprefix("right_"), SKIN) for name in names])
    parts = np.stack([weights[:, worn == part].sum(1) for part in range(len(NAMES))], axis=1)
    of_face = parts[faces].sum(1).argmax(1) if len(faces) else np.zeros(0, dtype=int)
    if look == PLAIN or not len(faces):
        return Figure(vertices, np.zeros(len(faces), dtype=int))
    placed = vertices
    for side in ("left", "right"):
        placed = _relaxed(placed, weights, heads, names, side)
    return Figure(_loosened(placed, faces, of_face), of_face)


def _loosened(vertices: np.ndarray, faces: np.ndarray, of_face: np.ndarray) -> np.ndarray:
    """Vertices with the clothes' smoothed and moved outwards."""
    cloth = np.zeros(len(vertices), dtype=int)
    for part in (TROUSERS, SHIRT):  # where they meet, the upper lies over the lower
        cloth[faces[of_face == part].ravel()] = part
    ones, others = _edges(faces)
    count = np.maximum(np.bincount(ones, minlength=len(vertices)), 1)
    length = np.bincount(ones, np.linalg.norm(vertices[ones] - vertices[others], axis=1), len(vertices)) / count
    share = 0.5 * np.minimum(1.0, FINE_M / np.maximum(length, 1e-6)) ** 2
    smooth = vertices
    for step in range(max(SMOOTHED)):
        mean = [np.bincount(ones, smooth[others, axis], len(vertices)) / count for axis in range(3)]
        moves = np.where(np.asarray(SMOOTHED)[cloth] > step, share, 0.0)
        smooth = smooth + moves[:, None] * (np.stack(mean, axis=1) - smooth)
    return smooth + np.asarray(LOOSE_M)[cloth][:, None] * _normals(smooth, faces)


def _edges(faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both ends of every edge, each edge in both directions."""
    pairs = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).astype(np.int64)
    count = int(faces.max()) + 1
    # one number for each pair: rows of a matrix take NumPy ten times as long to sort
    numbers = np.unique(np.concatenate([pairs[:, 0] * count + pairs[:, 1], pairs[:, 1] * count + pairs[:, 0]]))
    return numbers // count, numbers % count


def _normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    corners = vertices[faces]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    total = np.zeros_like(vertices)
    for corner in range(3):
        np.add.at(total, faces[:, corner], across)
    return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)


def _relaxed(
    vertices: np.ndarray, weights: np.ndarray, heads: np.ndarray, names: Sequence[str], side: str
) -> np.ndarray:
    """Vertices with the fingers of a hand, palm down in the T-pose, a little curled and closed."""
    numbers = [names.index(f"{side}_{joint}") for joint in ("wrist", "hand")]
    wrist, knuckles = heads[numbers]
    along = knuckles - wrist
    along /= max(np.linalg.norm(along), 1e-9)
    across = np.cross(along, [0.0, 0.0, 1.0])
    down = np.cross(across, along) * -1.0
    of_hand = weights[:, numbers].sum(1)
    from_knuckles = vertices - knuckles
    out, aside, below = (from_knuckles @ axis for axis in (along, across, down))
    fingers = (of_hand > 0.5) & (out > 0)
    if not fingers.any():
        return vertices
    longest = out[fingers].max()
    share = np.clip(out / longest, 0, 1)
    middle = np.median(aside[fingers])
    aside = middle + (aside - middle) * (1 - CLOSER * share)
    angle = CURL * share
    # an arc: the direction turns evenly from along to down
    radius = longest / CURL
    reach, drop = radius * np.sin(angle), radius * (1 - np.cos(angle))
    bent = knuckles + (reach - below * np.sin(angle))[:, None] * along + aside[:, None] * across
    bent += (drop + below * np.cos(angle))[:, None] * down
    return np.where(fingers[:, None], bent, vertices)
