"""Where somebody who may be the main person was only glimpsed, so that it has to be looked at again."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from engine.keypoints.prominence import mean_prominence, prominence
from engine.keypoints.types import Float, FrameDetections, PersonTrack

_MATTERS = 0.5
"""Share of the main person's prominence from which on somebody may turn out to be the main person: of all of it, or, at
another time, in a frame on the mean."""
_LOST_S = 0.5
"""Whoever was out of sight for so long may have been found again sooner, had everybody been looked for."""
_LEAP_FRAMES = 2
_RECENT_S = 1.5
"""How long before somebody is found it matters who else was there: the search for others is less often then."""


def overlooked(found: Sequence[FrameDetections], tracks: Sequence[PersonTrack]) -> list[int]:
    """Rows of `found` that may hold more of the people who matter than was looked for.

    Those are the main person, whoever stands out nearly as much, and whoever is there when the main person is not and
    stands out nearly as much in a frame: that may be the main person coming back.

    Args:
        found: every frame, of detection that follows only who stands out.
        tracks: of those, the most prominent first.
    """
    if not tracks:
        return []
    matter = [one for one in tracks if _matters(one, tracks[0])]
    ends = [int(one.frame_indices[-1]) for one in tracks]
    return sorted({row for one in matter for row in _unsure(found, one, ends)})


def _matters(one: PersonTrack, main: PersonTrack) -> bool:
    if prominence(one) >= _MATTERS * prominence(main):
        return True
    return not _together(one, main) and mean_prominence(one) >= _MATTERS * mean_prominence(main)


def _together(one: PersonTrack, other: PersonTrack) -> bool:
    return bool(one.frame_indices[0] <= other.frame_indices[-1] and other.frame_indices[0] <= one.frame_indices[-1])


def _unsure(found: Sequence[FrameDetections], track: PersonTrack, ends: Sequence[int]) -> set[int]:
    """Rows in which a person may have been overlooked: about glimpses, and where others were followed just before.

    A track that begins where another one ends, in `ends`, is the same person after a leap in the footage.
    """
    leapt = any(0 < int(track.frame_indices[0]) - end <= _LEAP_FRAMES for end in ends)
    first = int(track.frame_indices[0]) - found[0].index
    rows = [first + int(row) for row in np.flatnonzero(track.detected)]
    glimpsed = {row for row in rows if _is_glimpse(found[row], track.keypoints[row - first])}
    unsure = {row + 1 for row in rows[-1:] if row in glimpsed and row + 1 < len(found)}
    for before, after in itertools.pairwise([-1, *rows]):
        between = range(before + 1, after)
        if before in glimpsed or after in glimpsed:
            unsure |= set(between)
        elif (before < 0 and not leapt) or found[after].time_s - found[before].time_s > _LOST_S:
            recent = (row for row in between if found[after].time_s - found[row].time_s <= _RECENT_S)
            unsure |= {row for row in recent if len(found[row].keypoints)}
    return unsure


def _is_glimpse(frame: FrameDetections, keypoints: Float) -> bool:
    return any(np.array_equal(frame.keypoints[person], keypoints) for person in frame.glimpses)
