"""Takes that a corpus has twice, found by comparing joint angles.

The angles of hips, knees, shoulders and elbows do not depend on the place, the heading or the size of the person. From
every clip the stretches of most movement are looked up among all stretches of all clips at once; what is found is then
compared over the whole overlap. The cost grows with the number of clips times the number of frames: seconds for
two hours of motion. Legend: N clips, T frames, W windows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from engine.training.figure import INDEX

_LIMBS = tuple(INDEX[f"{side}_{name}"] for name in ("hip", "knee", "shoulder", "elbow") for side in ("left", "right"))
_WINDOW, _STEP = 24, 2
"""Frames of a stretch, and every which of them counts."""
_QUERIES = 2
_LEAST_MOVEMENT = np.radians(5.0)
"""Standard deviation of the angles under which a stretch is too still to tell takes apart."""
_CANDIDATE, _SAME = np.radians(4.0), np.radians(1.1)
"""Root mean square differences, means taken off: of a stretch worth a second look, and of one take kept twice.

Of 57 takes known to be there twice, on other skeletons, 56 differ by 0.0 to 0.8 degrees and one (keyed at 24 frames a
second) by 1.6; two walks of one person differ by 1.4 and more.
"""
_LEAST_OVERLAP = 0.6
"""Share of the shorter clip that has to lie in the other."""
_CHUNK = 40_000


@dataclass(frozen=True)
class Duplicate:
    """Two clips of one take."""

    first: int
    """Row of the clip that comes first."""
    second: int
    """Row of the other."""
    shift: int
    """Frame of the first clip at which the second begins; may be under 0."""
    degrees: float
    """Root mean square difference of the joint angles over the overlap, the mean of each angle taken off: conversions
    of one take to other skeletons differ in it."""


def limb_angles(poses: NDArray[np.float32]) -> NDArray[np.float32]:
    """(T, 8) radians by which hips, knees, shoulders and elbows are turned, from poses (T, 72) axis-angle."""
    angles: NDArray[np.float32] = np.linalg.norm(poses.reshape(-1, 24, 3)[:, list(_LIMBS)], axis=2).astype(np.float32)
    return angles


def find_duplicates(poses: Sequence[NDArray[np.float32]]) -> list[Duplicate]:
    """Pairs of clips that are one take, each pair once.

    Args:
        poses: (T, 72) axis-angle of each clip, all at one rate and on the SMPL skeleton. Clips that are still
            throughout, or shorter than a second, are never found.

    Returns:
        The pairs, those of the earliest clips first.
    """
    angles = [limb_angles(clip) for clip in poses]
    windows, owners, starts = _windows(angles)
    if not len(windows):
        return []
    squares = (windows**2).sum(1)
    queries = _queries(windows, owners)
    pairs: dict[tuple[int, int], set[int]] = {}
    limit = _CANDIDATE**2 * windows.shape[1]
    for begin in range(0, len(windows), _CHUNK):
        part = slice(begin, begin + _CHUNK)
        distance = squares[queries, None] + squares[None, part] - 2 * windows[queries] @ windows[part].T
        for query, found in zip(*np.nonzero(distance < limit), strict=True):
            a, b = queries[query], begin + found
            if owners[a] != owners[b]:
                first, second = sorted((int(owners[a]), int(owners[b])))
                shift = int(starts[a] - starts[b])
                pairs.setdefault((first, second), set()).add(shift if owners[a] == first else -shift)
    found_pairs = (_compared(angles, first, second, shifts) for (first, second), shifts in sorted(pairs.items()))
    return [pair for pair in found_pairs if pair]


def _windows(
    angles: Sequence[NDArray[np.float32]],
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]:
    """All stretches (W, K) that move, the clip of each and its first frame."""
    rows, owners, starts = [], [], []
    for clip, course in enumerate(angles):
        if len(course) < _WINDOW:
            continue
        views = sliding_window_view(course, _WINDOW, axis=0)[..., ::_STEP]
        moving = np.flatnonzero(views.std(2).mean(1) > _LEAST_MOVEMENT)
        views = views - views.mean(2, keepdims=True)
        rows.append(views[moving].reshape(len(moving), len(_LIMBS) * _WINDOW // _STEP))
        owners.append(np.full(len(moving), clip))
        starts.append(moving)
    if not rows:
        return np.zeros((0, 1), np.float32), np.zeros(0, np.int64), np.zeros(0, np.int64)
    return np.concatenate(rows), np.concatenate(owners), np.concatenate(starts)


def _queries(windows: NDArray[np.float32], owners: NDArray[np.int64]) -> NDArray[np.int64]:
    """The stretches of most movement of each clip: one of its first half and one of its second."""
    spread = windows.reshape(len(windows), len(_LIMBS), -1).std(2).mean(1)
    chosen = []
    for clip in np.unique(owners):
        own = np.flatnonzero(owners == clip)
        chosen += [int(part[spread[part].argmax()]) for part in np.array_split(own, _QUERIES) if len(part)]
    return np.array(chosen)


def _compared(angles: Sequence[NDArray[np.float32]], first: int, second: int, shifts: set[int]) -> Duplicate | None:
    """The pair at its best shift, if the clips are one take."""
    a, whole = angles[first], angles[second]
    half = (whole[:-1] + whole[1:]) / 2  # rates that do not divide put samples between frames
    best = (_SAME, 0)
    for shift in sorted({near + by for near in shifts for by in (-1, 0, 1)}):
        for b in (whole, half):
            start, end = max(0, shift), min(len(a), len(b) + shift)
            if end - start >= max(_WINDOW, _LEAST_OVERLAP * min(len(a), len(b))):
                apart = a[start:end] - b[start - shift : end - shift]
                best = min(best, (float((apart - apart.mean(0)).std()), shift))
    return Duplicate(first, second, best[1], float(np.degrees(best[0]))) if best[0] < _SAME else None
