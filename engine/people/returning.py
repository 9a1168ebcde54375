"""People who come back: which stretches of footage show the same person, however long they were away.

Stretches are linked one after the other by what people wear and, within one shot, by whether they can have come from
where they were last seen: one assignment over the whole clip. Where somebody else, who was there at the same time,
would do nearly as well, nobody is linked: people in like clothes stay apart. Proportions of bodies play no part: as the
detector measures them, one person's differ as much over a clip as two people's do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from engine.keypoints.prominence import prominence
from engine.keypoints.types import Float, PersonTrack
from engine.people.appearance import Appearance, unlikeness

_ALIKE = 9.0
"""Difference in CIELAB from which on clothes are others; the same ones differ by 1 to 7 within a clip."""
_PLACE = 0.15
_SURE = 0.3
"""How much worse any other explanation has to be, in parts of what would be somebody else."""
_REACH_SIDES_PER_S = 1.0


def may_return(tracks: Sequence[PersonTrack]) -> bool:
    """Whether anybody may be there twice: some stretch begins after another has ended."""
    return any(_follows(first, second) for first in tracks for second in tracks)


def number_people(tracks: Sequence[PersonTrack], appearances: Sequence[Appearance]) -> list[PersonTrack]:
    """The stretches with the number of the person in each: 1, 2, … by prominence. Sorted by it and by time.

    Args:
        tracks: stretches, in any order.
        appearances: what each stretch's person wears; empty where `may_return` says no.
    """
    owner = list(range(len(tracks)))
    for first, second in sorted(_links(tracks, appearances) if len(appearances) else []):
        owner = [owner[first] if one == owner[second] else one for one in owner]
    size = dict.fromkeys(owner, 0.0)
    for track, one in zip(tracks, owner, strict=True):
        size[one] += prominence(track)
    rank = {one: number for number, one in enumerate(sorted(size, key=lambda one: -size[one]), start=1)}
    numbered = [replace(track, person=rank[one]) for track, one in zip(tracks, owner, strict=True)]
    return sorted(numbered, key=lambda track: (track.person, int(track.frame_indices[0])))


def _links(tracks: Sequence[PersonTrack], appearances: Sequence[Appearance]) -> list[tuple[int, int]]:
    """Pairs of stretches of one person, the second next after the first."""
    count = len(tracks)
    costs = np.full((count, count), np.inf)
    for first in range(count):
        for second in range(count):
            if _follows(tracks[first], tracks[second]):
                costs[first, second] = _cost(tracks, appearances, first, second)
    rows, columns = linear_sum_assignment(np.minimum(costs - 1.0, 0.0))
    pairs = [(int(row), int(column)) for row, column in zip(rows, columns, strict=True) if costs[row, column] < 1.0]
    return [pair for pair in pairs if _is_sure(costs, _together(tracks), *pair)]


def _is_sure(costs: NDArray[np.float64], together: NDArray[np.bool_], first: int, second: int) -> bool:
    """Whether nobody else, who was there at the same time as either, would do nearly as well."""
    limit = costs[first, second] + _SURE
    return not (
        bool((together[first] & (costs[:, second] < limit)).any())
        or bool((together[second] & (costs[first] < limit)).any())
    )


def _together(tracks: Sequence[PersonTrack]) -> NDArray[np.bool_]:
    """(N, N) whether two stretches share frames and so show two people."""
    return np.array(
        [
            [one is not other and not (_follows(one, other) or _follows(other, one)) for other in tracks]
            for one in tracks
        ]
    )


def _follows(first: PersonTrack, second: PersonTrack) -> bool:
    return bool(first.frame_indices[-1] < second.frame_indices[0])


def _cost(tracks: Sequence[PersonTrack], appearances: Sequence[Appearance], first: int, second: int) -> float:
    """How unlikely it is that two stretches show one person: 0 the same, 1 as likely somebody else."""
    one, other = tracks[first], tracks[second]
    clothes = unlikeness(appearances[first], appearances[second]) / _ALIKE
    return clothes + (_PLACE * _far(one, other) if one.shot == other.shot else 0.0)


def _far(first: PersonTrack, second: PersonTrack) -> float:
    """0..1: how far somebody had to go to be in the second place after the first, for the time they had."""
    middles = [(box[:2] + box[2:]) / 2 for box in (first.boxes[-1], second.boxes[0])]
    side = max(float(_sides(first)[-1]), float(_sides(second)[0]))
    gap_s = float(second.timestamps[0] - first.timestamps[-1])
    return min(float(np.linalg.norm(middles[0] - middles[1])) / (side * (0.5 + _REACH_SIDES_PER_S * gap_s)), 1.0)


def _sides(track: PersonTrack) -> Float:
    """(T,) larger side of the box in pixels."""
    return np.asarray((track.boxes[:, 2:] - track.boxes[:, :2]).max(1), np.float32)
