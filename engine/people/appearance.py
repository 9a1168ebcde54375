"""What people wear: colours of the parts of the body, from pixels that keypoints place. Faces play no part.

A part's colours are described by quantiles of its pixels in CIELAB, each channel by itself, so that stripes and prints
count as well as plain cloth. Brightness counts for less than hue, as light changes from place to place and shot to
shot.

Legend: R parts, Q quantiles.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.footage.decoding import Frame
from engine.keypoints.types import SEEN_CONFIDENCE, Float, PersonTrack

Appearance = NDArray[np.float32]
"""(R, Q, 3) quantiles of CIELAB's L, a and b; NaN for parts that were not seen."""

_LIMBS = {"upper arms": ("shoulder", "elbow"), "thighs": ("hip", "knee"), "shins": ("knee", "ankle")}
PARTS = ("trunk", *_LIMBS)
_WEIGHTS = np.array([1.0, 0.5, 1.0, 0.7])
"""Of `PARTS`: sleeves and trouser legs are often bare, which tells little."""
_CHANNELS = np.array([0.35, 1.0, 1.0])
_QUANTILES = np.linspace(0.1, 0.9, 5)
_ROWS = 8
_LEAST_PIXELS = 30
_INSET = np.linspace(0.2, 0.8, 7)
_HALF_WIDTH = 0.07
"""Of a limb's strip, over the length of the trunk."""


def chosen_rows(track: PersonTrack) -> list[int]:
    """Rows, spread over the track, in which most of the trunk and the limbs are seen."""
    names = list(track.keypoint_names)
    points = [
        names.index(f"{side}_{part}") for part in ("shoulder", "elbow", "hip", "knee", "ankle") for side in _SIDES
    ]
    sure = np.where(track.detected, track.keypoints[:, points, 2].mean(1), -1.0)
    parts = np.array_split(np.arange(len(sure)), min(_ROWS, len(sure)))
    rows = [int(part[sure[part].argmax()]) for part in parts]
    return [row for row in rows if sure[row] >= SEEN_CONFIDENCE]


def describe(tracks: Sequence[PersonTrack], frames: Iterable[Frame]) -> list[Appearance]:
    """What each of the tracks' people wears.

    Args:
        tracks: stretches of people.
        frames: the footage that they were found in; it is read no further than the last frame that is needed.
    """
    wanted: dict[int, list[tuple[int, int]]] = {}
    for number, track in enumerate(tracks):
        for row in chosen_rows(track):
            wanted.setdefault(int(track.frame_indices[row]), []).append((number, row))
    pixels: list[list[list[Float]]] = [[[] for _ in PARTS] for _ in tracks]
    last = max(wanted, default=-1)
    for frame in frames:
        for number, row in wanted.get(frame.index, ()):
            for part, found in zip(pixels[number], _part_pixels(tracks[number], row, frame.rgb), strict=True):
                part.append(found)
        if frame.index >= last:
            break
    return [np.stack([_quantiles(part) for part in of_one]) for of_one in pixels]


def unlikeness(first: Appearance, second: Appearance) -> float:
    """Mean difference of the parts that were seen of both, in units of CIELAB; inf where that is too few to tell."""
    apart = (np.abs(first - second) * _CHANNELS).sum(-1).mean(-1)
    both = np.isfinite(apart)
    if not both[0] or np.count_nonzero(both) < 2:
        return float("inf")
    return float((apart[both] * _WEIGHTS[both]).sum() / _WEIGHTS[both].sum())


_SIDES = ("left", "right")


def _part_pixels(track: PersonTrack, row: int, rgb: NDArray[np.uint8]) -> list[Float]:
    """(N, 3) CIELAB values of each of `PARTS`; none where it is not seen."""
    names = list(track.keypoint_names)
    points = {name: track.keypoints[row, names.index(name)] for name in names}
    corners = [points[f"{side}_{part}"] for part in ("shoulder", "hip") for side in _SIDES]
    middles = [(corners[0] + corners[1])[:2] / 2, (corners[2] + corners[3])[:2] / 2]
    trunk_px = float(np.linalg.norm(middles[0] - middles[1]))
    places = [_trunk(np.array(corners))]
    for upper, lower in _LIMBS.values():
        strips = [_strip(points[f"{side}_{upper}"], points[f"{side}_{lower}"], trunk_px) for side in _SIDES]
        places.append(np.concatenate(strips))
    return [_colours(rgb, one) for one in places]


def _trunk(corners: Float) -> Float:
    """(N, 2) places in the trunk whose `corners` (4, 3) are the shoulders, then the hips."""
    if (corners[:, 2] < SEEN_CONFIDENCE).any():
        return np.zeros((0, 2), np.float32)
    across, down = (grid.reshape(-1, 1) for grid in np.meshgrid(_INSET, _INSET))
    upper = corners[0, :2] + across * (corners[1, :2] - corners[0, :2])
    lower = corners[2, :2] + across * (corners[3, :2] - corners[2, :2])
    return np.asarray(upper + down * (lower - upper), np.float32)


def _strip(upper: Float, lower: Float, trunk_px: float) -> Float:
    """(N, 2) places along a limb."""
    if min(upper[2], lower[2]) < SEEN_CONFIDENCE:
        return np.zeros((0, 2), np.float32)
    along = lower[:2] - upper[:2]
    across = np.array([-along[1], along[0]]) / max(float(np.linalg.norm(along)), 1.0) * _HALF_WIDTH * trunk_px
    steps, sides = (grid.reshape(-1, 1) for grid in np.meshgrid(_INSET, (-1.0, 0.0, 1.0)))
    return np.asarray(upper[:2] + steps * along + sides * across, np.float32)


def _colours(rgb: NDArray[np.uint8], places: Float) -> Float:
    """(N, 3) CIELAB values at the places that lie in the picture."""
    columns, rows = np.floor(places).astype(int).T
    inside = (columns >= 0) & (rows >= 0) & (columns < rgb.shape[1]) & (rows < rgb.shape[0])
    found = rgb[rows[inside], columns[inside]][None].astype(np.float32) / 255
    if not inside.any():
        return np.zeros((0, 3), np.float32)
    return np.asarray(cv2.cvtColor(found, cv2.COLOR_RGB2LAB)[0], np.float32)


def _quantiles(pixels: Sequence[Float]) -> Float:
    together = np.concatenate(pixels) if pixels else np.zeros((0, 3), np.float32)
    if len(together) < _LEAST_PIXELS:
        return np.full((len(_QUANTILES), 3), np.nan, np.float32)
    return np.asarray(np.quantile(together, _QUANTILES, axis=0), np.float32)
