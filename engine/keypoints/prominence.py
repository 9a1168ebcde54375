"""How much a person stands out: whose motion the footage is about."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.keypoints.types import PersonTrack

_MISSING_S = 0.25
"""Gaps in a track up to this long count as if the person had been seen: nobody may have looked."""


def prominence_of(boxes: NDArray[Any], size: tuple[int, int]) -> Any:
    """(...) how much somebody with these boxes (..., 4) stands out in a picture of `size` (width, height).

    That is their size (parts of the picture's diagonal), counted in full in the middle of the picture, by half at half
    the way to a corner, by a fifth in the corner.
    """
    sides = np.asarray(size, np.float32)
    left_top, right_bottom = (np.clip(boxes[..., part], 0, sides) for part in (slice(0, 2), slice(2, 4)))
    half = float(np.linalg.norm(sides)) / 2
    aside = np.linalg.norm((left_top + right_bottom) / 2 - sides / 2, axis=-1) / half
    return (right_bottom - left_top).max(-1) / (2 * half) / (1 + (2 * aside) ** 2)


def prominence(track: PersonTrack) -> float:
    """The sum of `prominence_of` over the frames in which a person is seen, short gaps among them."""
    return float(_in_frames(track).sum())


def mean_prominence(track: PersonTrack) -> float:
    """The mean of `prominence_of` over the frames in which a person is seen, short gaps among them; 0 if in none."""
    shown = _in_frames(track)
    return float(shown.mean()) if len(shown) else 0.0


def _in_frames(track: PersonTrack) -> NDArray[Any]:
    rows, times = np.flatnonzero(track.detected), np.asarray(track.timestamps)
    counted = np.array(track.detected, bool)
    for before, after in itertools.pairwise(rows):
        if after - before > 1 and times[after] - times[before] <= _MISSING_S:
            counted[before:after] = True
    shown: NDArray[Any] = prominence_of(track.boxes, track.image_size)[counted]
    return shown
