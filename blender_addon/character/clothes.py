"""A shirt and trousers of the body's own surface, laid looser and cut along clean lines. No `bpy` in here.

The lines are drawn in the T-pose from the joints, so that any body of 24 joints can wear them: a round neck, sleeves
that end above the elbow, a shirt that hangs over the trousers, and trousers that end at the ankle.

Legend: V vertices, F triangles, J joints (24). Metres, Blender's axes (z up), the body looks along -y.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from . import surface
from .surface import Surface

Line = Callable[[np.ndarray], np.ndarray]
"""Of positions (V, 3): how far on the worn side of a border each is (V,)."""

SMOOTHED_SHIRT, SMOOTHED_TROUSERS = 70, 50
"""How often each is smoothed, so that no anatomy shows."""

FINE_M = 0.009
"""Edges of this length are smoothed in full, longer ones less, so that fine details go and the shape stays."""

LOOSE_SHIRT_M, LOOSE_TROUSERS_M, TUCKED_M = 0.010, 0.009, 0.004
"""How far each lies off the smoothed body, and trousers under the shirt."""

LEAST_SHIRT_M, LEAST_TROUSERS_M = 0.005, 0.002
"""How far each lies off the body as it is, at the least."""

SPREAD = 12
"""Over how many edges cloth that the body pushes out evens out."""

FLARE_M, FLARE_OVER_M = 0.005, 0.05
"""How much looser cloth hangs at its ends, and over what length."""

COLLAR_M, COLLAR_OVER_M = 0.005, 0.06
"""How far the shirt lies off at the neck, and over what length it comes off as elsewhere."""

HEM_M, UNDER_M = 0.007, 0.025
"""How thick cloth looks at its ends, and how far what is below reaches under it."""

SLEEVE, NECK_SLOPE, NECK_BOWL, NECK_UP = 0.68, 0.42, 0.85, 0.13
"""Where sleeves end (of the upper arm); the neckline: fall to the front, rise to the sides, and height, the latter two
in lengths of the neck."""

SHIRT_END, TROUSERS_END = 0.25, 0.10
"""Height of their ends: of the way from the hips up to the lowest spine joint, and from the ankles up to the knees."""


@dataclass(frozen=True)
class Lines:
    """The borders: those of the shirt, its lower end among them, and of the trousers, which go on under the shirt."""

    neck: Line
    sleeves: tuple[Line, Line]
    shirt_end: Line
    trousers_end: Line

    def shirt(self, positions: np.ndarray) -> np.ndarray:
        """How far inside the shirt each position is."""
        return np.min([line(positions) for line in (self.neck, *self.sleeves, self.shirt_end)], axis=0)


def lines(heads: np.ndarray, names: Sequence[str]) -> Lines:
    """Where the borders are on a body with these joints (J, 3) in its T-pose."""
    at = {name: heads[number] for number, name in enumerate(names)}
    neck, length = at["neck"], max(float(np.linalg.norm(at["head"] - at["neck"])), 0.05)
    hips = (at["left_hip"] + at["right_hip"]) / 2
    waist = hips[2] + SHIRT_END * (at["spine1"] - hips)[2]
    ankles, knees = (np.mean([at[f"{side}_{joint}"][2] for side in ("left", "right")]) for joint in ("ankle", "knee"))
    end = ankles + TROUSERS_END * (knees - ankles)

    def below_neck(positions: np.ndarray) -> np.ndarray:
        """A bowl about the neck, open to the front."""
        away = positions - neck
        rise = NECK_BOWL / length * (away[:, :2] ** 2).sum(1)
        return NECK_UP * length + NECK_SLOPE * away[:, 1] + rise - away[:, 2]

    def sleeve(side: str) -> Line:
        shoulder, elbow = at[f"{side}_shoulder"], at[f"{side}_elbow"]
        along = (elbow - shoulder) / max(np.linalg.norm(elbow - shoulder), 1e-9)
        end = shoulder @ along + SLEEVE * np.linalg.norm(elbow - shoulder)
        return lambda positions: end - positions @ along

    return Lines(
        below_neck,
        (sleeve("left"), sleeve("right")),
        lambda positions: positions[:, 2] - waist,
        lambda positions: positions[:, 2] - end,
    )


def dress(body: Surface, where: Lines) -> tuple[Surface, Surface, Surface]:
    """What is seen of the skin, the shirt, and the trousers."""
    shirt, legs = where.shirt(body.vertices), where.trousers_end(body.vertices)
    below = -where.shirt_end(body.vertices)
    trousers = np.minimum(legs, UNDER_M + below)
    close = np.clip(where.neck(body.vertices) / COLLAR_OVER_M, 0, 1)  # not yet loose, where the collar lies on
    rounds = np.where(trousers > -UNDER_M, SMOOTHED_TROUSERS, 0)
    rounds = np.where(shirt > -UNDER_M, np.round(SMOOTHED_SHIRT * close), rounds)
    ends = surface.edges(body.faces)
    smooth = smoothed(body.vertices, ends, rounds)
    outwards, bare = surface.normals(smooth, body.faces), surface.normals(body.vertices, body.faces)

    def laid(loose: np.ndarray, least: float) -> Surface:
        """The surface so far off, nowhere nearer to the body than `least`: limbs are smoothed thinner."""
        off = smooth + loose[:, None] * outwards
        nearer = np.maximum(least - ((off - body.vertices) * bare).sum(1), 0)
        nearer = surface.spread(nearer, ends, SPREAD)
        return Surface(off + nearer[:, None] * bare, body.faces, body.weights)

    loose = COLLAR_M + (LOOSE_SHIRT_M + _flare(shirt) - COLLAR_M) * close
    over = _piece(laid(loose, LEAST_SHIRT_M), shirt, (where.neck, *where.sleeves, where.shirt_end))
    tucked = np.clip(-below / UNDER_M + 0.5, 0, 1)
    loose = LOOSE_TROUSERS_M + (TUCKED_M - LOOSE_TROUSERS_M) * tucked + _flare(legs)
    lower = _piece(laid(loose, LEAST_TROUSERS_M), trousers, (where.trousers_end,))
    covered = np.maximum(shirt, np.minimum(legs, below + 2 * UNDER_M))
    skin = surface.chosen(body, body.faces[(covered < UNDER_M)[body.faces].any(1)])
    return skin, over, lower


def _flare(inside: np.ndarray) -> np.ndarray:
    return FLARE_M * np.exp(-np.maximum(inside, 0) / FLARE_OVER_M)


def _piece(worn: Surface, inside: np.ndarray, borders: Sequence[Line]) -> Surface:
    """Cloth cut along its borders, with hems; `inside` (V,) finds the faces that matter."""
    piece = surface.chosen(worn, worn.faces[(inside > -UNDER_M / 2)[worn.faces].any(1)])
    hems = []
    for border in borders:
        piece, cut = surface.clip(piece, border(piece.vertices))
        hems.append(surface.hem(piece, cut, HEM_M))
    return surface.joined([piece, *hems])


def smoothed(vertices: np.ndarray, ends: tuple[np.ndarray, np.ndarray], rounds: np.ndarray) -> np.ndarray:
    """Vertices moved to the mean of their neighbours, each so many `rounds` (V,); `ends` are those of each edge."""
    ones, others = ends
    chosen = rounds[ones] > 0
    ones, others = ones[chosen], others[chosen]
    count = np.maximum(np.bincount(ones, minlength=len(vertices)), 1)
    length = np.bincount(ones, np.linalg.norm(vertices[ones] - vertices[others], axis=1), len(vertices)) / count
    share = 0.5 * np.minimum(1.0, FINE_M / np.maximum(length, 1e-6)) ** 2
    smooth = vertices
    for step in range(int(rounds.max(initial=0))):
        mean = [np.bincount(ones, smooth[others, axis], len(vertices)) / count for axis in range(3)]
        moves = np.where(rounds > step, share, 0.0)
        smooth = smooth + moves[:, None] * (np.stack(mean, axis=1) - smooth)
    return smooth
