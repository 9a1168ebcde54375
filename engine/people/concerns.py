"""What may be wrong with who was followed: somebody else who counts nearly as much, backs taken for fronts, jumps onto
somebody else."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.keypoints.prominence import prominence
from engine.keypoints.types import SEEN_CONFIDENCE, PersonTrack

NEARLY = 0.7
"""Share of the main person's prominence from which on somebody else may be meant."""

_FACING = 0.3
_INSTANT_S = 0.12
_NEAR_FRAMES = 2
"""Whoever turns their back within so short a time was seen wrongly: shoulders and hips are at least `_FACING` of the
trunk's length wide on either side of it."""

_LEAST_JUMP = 0.4
_FASTEST = 20.0
"""Trunks that leap by so many of their lengths from one frame to the next, and go as many a second (some 10 m/s), are
somebody else's."""


def rivals(tracks: Sequence[PersonTrack]) -> list[int]:
    """Numbers of the people who are nearly as prominent as the main person, the most prominent first."""
    sums: dict[int, float] = {}
    for track in tracks:
        sums[track.person] = sums.get(track.person, 0.0) + prominence(track)
    if not sums:
        return []
    main = tracks[0].person
    near = [one for one, value in sums.items() if one != main and value >= NEARLY * sums[main]]
    return sorted(near, key=lambda one: -sums[one])


def describe_rivals(main: int, others: Sequence[int]) -> str:
    """A sentence for the user: who was taken, and who else may be meant."""
    if len(others) == 1:
        who = f"Person {others[0]} is"
    else:
        who = f"People {', '.join(map(str, others[:-1]))} and {others[-1]} are"
    return f"{who} nearly as large and central as person {main}, who was taken. If that is wrong, choose by number."


def of_tracks(tracks: Sequence[PersonTrack]) -> list[tuple[str, str]]:
    """Code and sentence of each warning about people who flip or leap, person by person."""
    found = []
    for person in dict.fromkeys(track.person for track in tracks):
        own = [track for track in tracks if track.person == person]
        if times := [time for track in own for time in flips_s(track)]:
            found.append(("front_back", describe_flips(person, times)))
        if times := [time for track in own for time in jumps_s(track)]:
            found.append(("jump", describe_jumps(person, times)))
    return found


def flips_s(track: PersonTrack) -> list[float]:
    """Seconds at which a person turns from front to back, or back to front, faster than anybody can."""
    wide = _facing(track)
    rows = np.flatnonzero(np.isfinite(wide))
    times, wide = track.timestamps[rows], wide[rows]
    found: list[float] = []
    for row in range(1, len(rows)):
        before = wide[(times < times[row]) & (times >= times[row] - _INSTANT_S)]
        after = wide[(times >= times[row]) & (times < times[row] + _INSTANT_S)]
        if min(len(before), len(after)) < _NEAR_FRAMES:
            continue
        sides = float(np.median(before)), float(np.median(after))
        turned = sides[0] * sides[1] < 0 and min(map(abs, sides)) >= _FACING
        if turned and (not found or times[row] - found[-1] > 2 * _INSTANT_S):
            found.append(float(times[row]))
    return found


def describe_flips(person: int, times_s: Sequence[float]) -> str:
    """A sentence for the user about the flips of a person."""
    seen = f"Person {person} seems to turn front to back in an instant, at {_listed(times_s)} s."
    return f"{seen} Front and back may be mistaken there."


def jumps_s(track: PersonTrack) -> list[float]:
    """Seconds at which a person's trunk leaps farther in the picture than anybody moves."""
    corners, trunk, seen = _trunk(track)
    rows = np.flatnonzero(seen)
    times, middles = track.timestamps[rows], corners[rows, :, :2].mean(1)
    steps = np.diff(times)
    leaps = np.linalg.norm(np.diff(middles, axis=0), axis=1) / np.maximum(trunk[rows][1:], trunk[rows][:-1])
    far = (steps <= _INSTANT_S) & (leaps > np.maximum(_LEAST_JUMP, _FASTEST * steps))
    found: list[float] = []
    for time in times[1:][far]:
        if not found or time - found[-1] > _INSTANT_S:
            found.append(float(time))
    return found


def describe_jumps(person: int, times_s: Sequence[float]) -> str:
    """A sentence for the user about the jumps of a person."""
    seen = f"Person {person} seems to jump in the picture, at {_listed(times_s)} s."
    return f"{seen} Somebody else close by may be followed there for a moment."


def _listed(times_s: Sequence[float]) -> str:
    return ", ".join(f"{time:.2f}" for time in times_s[:6]) + (" …" if len(times_s) > 6 else "")


def _facing(track: PersonTrack) -> NDArray[np.float64]:
    """(T,) how far left shoulder and hip lie right of the other side in the picture, in parts of the trunk's length:
    positive where the person faces the camera, negative where they face away, NaN where that is not seen."""
    points, trunk, seen = _trunk(track)
    across = (points[:, 0, 0] - points[:, 1, 0] + points[:, 2, 0] - points[:, 3, 0]) / 2
    return np.where(seen, across / np.maximum(trunk, 1), np.nan)


def _trunk(track: PersonTrack) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """(T, 4, 3) shoulders and hips, left and right, in pixels with their confidence; (T,) the trunk's length; (T,)
    whether all four are seen."""
    names = track.keypoint_names
    corners = [names.index(f"{side}_{part}") for part in ("shoulder", "hip") for side in ("left", "right")]
    points = track.keypoints[:, corners].astype(np.float64)
    trunk = np.linalg.norm(points[:, :2, :2].mean(1) - points[:, 2:, :2].mean(1), axis=1)
    return points, trunk, track.detected & (points[..., 2] >= SEEN_CONFIDENCE).all(1) & (trunk > 1)
