"""How the body looks: dressed in plain clothes, a grey mannequin, or as its file has it.

Clothes and the mannequin's cover are the body's own surface, laid looser: smoothed until no anatomy shows, and moved
outwards. Feet are in shoes, hands are relaxed. No `bpy` in here.

Legend: V vertices, F triangles, J joints (24). Metres, Blender's axes (z up).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from . import clothes, shoes, surface
from .surface import Surface

DRESSED, MANNEQUIN, PLAIN = "DRESSED", "MANNEQUIN", "PLAIN"
LOOKS = (DRESSED, MANNEQUIN, PLAIN)

SKIN, SHIRT, TROUSERS, SHOES, SOLES = range(5)
NAMES = ("Figure Skin", "Figure Shirt", "Figure Trousers", "Figure Shoes", "Figure Soles")
_CLOTHES = ((0.55, 0.50, 0.46), (0.13, 0.30, 0.42), (0.10, 0.11, 0.13), (0.05, 0.05, 0.055), (0.50, 0.49, 0.47))
COLOURS = {DRESSED: dict(zip(NAMES, _CLOTHES, strict=True)), MANNEQUIN: {NAMES[SKIN]: (0.50, 0.50, 0.52)}}
"""By look and name, in the order of the parts; linear RGB."""

_COVERED = ("shoulder", "collar", "spine1", "spine2", "spine3", "pelvis", "hip", "knee")
COVER_M, COVER_ROUNDS, BLENDED = 0.009, 60, 12
"""Of the mannequin: how far its cover lies off the body, how often it is smoothed, and how often its border is."""

CURL, CLOSER = np.radians(55.0), 0.45
"""How far relaxed fingers curl towards the palm, and how much closer their tips come together."""


@dataclass(frozen=True)
class Figure:
    """A body as it looks: its surface, and for each face the number of its material (F,)."""

    surface: Surface
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
    if look == PLAIN or not len(faces):
        return Figure(Surface(vertices, faces, weights), np.zeros(len(faces), dtype=int))
    for side in ("left", "right"):
        vertices = _relaxed(vertices, weights, heads, names, side)
    body = Surface(vertices, faces, weights)
    if look == MANNEQUIN:
        return Figure(Surface(_covered(body, names), faces, weights), np.zeros(len(faces), dtype=int))
    return _dressed(body, heads, names)


def _dressed(body: Surface, heads: np.ndarray, names: Sequence[str]) -> Figure:
    pieces, parts = [], []
    feet = [[heads[names.index(f"{side}_{joint}")] for joint in ("ankle", "foot")] for side in ("left", "right")]
    worn = [made for ankle, ball in feet if (made := shoes.shoe(body, ankle, ball)) is not None]
    skin, shirt, trousers = clothes.dress(body, clothes.lines(heads, names))
    if len(worn) == len(feet):
        skin = shoes.without_feet(skin, min(ankle[2] for ankle, _ in feet))
        pieces += [part for made in worn for part in (made.upper, made.sole)]
        parts += [SHOES, SOLES] * len(worn)
    pieces, parts = [skin, shirt, trousers, *pieces], [SKIN, SHIRT, TROUSERS, *parts]
    return Figure(surface.joined(pieces), np.repeat(parts, [len(piece.faces) for piece in pieces]))


def _covered(body: Surface, names: Sequence[str]) -> np.ndarray:
    """Vertices of the mannequin: trunk and limbs smoothed and moved outwards, less so towards hands, feet and head."""
    columns = [
        number for number, name in enumerate(names) if name.removeprefix("left_").removeprefix("right_") in _COVERED
    ]
    covered = body.weights[:, columns].sum(1) > 0.5
    ones, others = surface.edges(body.faces)
    smooth = clothes.smoothed(body.vertices, (ones, others), np.where(covered, COVER_ROUNDS, 0))
    count = np.maximum(np.bincount(ones, minlength=len(covered)), 1)
    off = np.where(covered, COVER_M, 0.0)
    for _ in range(BLENDED):
        off = np.where(covered, (off + np.bincount(ones, off[others], len(off)) / count) / 2, 0.0)
    return smooth + off[:, None] * surface.normals(smooth, body.faces)


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
