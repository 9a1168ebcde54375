"""Figures of the motion-text space: do clips of unknown performers find their own label among all labels?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from engine.body.rotations import axis_angle_to_matrix, matrix_to_six
from engine.errors import UsageError
from engine.semantics.motion_text import MotionTextSpace
from engine.semantics.motion_windows import centred_window, resample, window_at
from engine.semantics.types import ALIGNED, RATE, WINDOW
from engine.training.corpus import CorpusClip, performers_by_label

_STRIDE = 15


@dataclass(frozen=True)
class MotionTextScore:
    """Figures over labelled intervals of held-out performers, of labels that have at least two performers."""

    clips: int
    """Labelled intervals."""
    top1: float
    """Share whose nearest label of the whole dictionary is their own."""
    top3: float
    """Share whose own label is among the nearest three."""
    top1_of_labels: float
    """Mean over labels of the share of each label's intervals."""
    top3_of_labels: float
    right: float
    """Mean similarity with the own label."""
    wrong: float
    """Mean similarity with all the other labels."""
    aligned: float
    """Share whose similarity with the own label is above eq. 6's threshold."""
    wrongly_aligned: float
    """Share of pairs with other labels above the threshold."""


@dataclass(frozen=True)
class MotionTextScores:
    """The figures of captured and authored clips, and of both."""

    captured: MotionTextScore
    authored: MotionTextScore
    both: MotionTextScore


@dataclass(frozen=True)
class Interval:
    """A labelled interval, where it lies in the space."""

    clip: CorpusClip
    label: str
    point: Tensor
    """(D,) unit vector: the mean over its windows."""


def interval_points(space: MotionTextSpace, clips: Sequence[CorpusClip]) -> list[Interval]:
    """Where the labelled intervals of clips lie: the mean of windows that begin every half second.

    An interval shorter than a window lies in its middle, its ends held.
    """
    return [
        Interval(clip, row.label, _point(space, clip, row.start, min(row.end, len(clip.poses))))
        for clip in clips
        for row in clip.labels
        if row.start < len(clip.poses)
    ]


def _point(space: MotionTextSpace, clip: CorpusClip, start: int, end: int) -> Tensor:
    poses = torch.from_numpy(clip.poses[start:end]).reshape(-1, 24, 3)
    six, times = matrix_to_six(axis_angle_to_matrix(poses)), torch.arange(end - start) / clip.fps
    last = float(times[-1])
    if last < (WINDOW - 1) / RATE:
        at = centred_window(0.0, last, times.dtype)[None]
    else:
        at = window_at(torch.arange(0, last - (WINDOW - 1) / RATE + 1e-6, _STRIDE / RATE))
    with torch.no_grad():
        return functional.normalize(space.encode_motion(resample(six, times, at)).mean(0), dim=-1)


def check_scorable(clips: Sequence[CorpusClip], labels: Sequence[str]) -> frozenset[str]:
    """Labels of the dictionary that have at least two performers, one of them held out. Raises UsageError for none."""
    shared = {label for label, counts in performers_by_label(clips).items() if len(counts) > 1}
    scored = shared & set(labels) & {row.label for clip in clips if clip.held_out for row in clip.labels}
    if not scored:
        raise UsageError("No held-out clip has a label of the dictionary.", "Build the corpus from all the clips.")
    return frozenset(scored)


def score_motion_text(space: MotionTextSpace, clips: Sequence[CorpusClip]) -> MotionTextScores:
    """Score on the held-out performers.

    Args:
        space: on the CPU, frozen.
        clips: the whole corpus: it tells which labels have at least two performers.

    Raises:
        UsageError: there is no held-out clip to score.
    """
    scored = check_scorable(clips, space.labels)
    held_out = [found for found in interval_points(space, [c for c in clips if c.held_out]) if found.label in scored]

    def part(chosen: Callable[[Interval], bool]) -> MotionTextScore:
        return _score(space, [found for found in held_out if chosen(found)])

    return MotionTextScores(
        captured=part(lambda found: not found.clip.synthetic),
        authored=part(lambda found: found.clip.synthetic),
        both=part(lambda found: True),
    )


def _score(space: MotionTextSpace, intervals: Sequence[Interval]) -> MotionTextScore:
    if not intervals:
        return MotionTextScore(0, *[float("nan")] * 8)
    own = np.array([space.labels.index(found.label) for found in intervals])
    similar = similarities(space, intervals)
    right = similar[np.arange(len(own)), own]
    rank = (similar > right[:, None]).sum(1)
    others = np.ones_like(similar, bool)
    others[np.arange(len(own)), own] = False
    return MotionTextScore(
        clips=len(own),
        top1=float((rank < 1).mean()),
        top3=float((rank < 3).mean()),
        top1_of_labels=_over_labels(own, rank < 1),
        top3_of_labels=_over_labels(own, rank < 3),
        right=float(right.mean()),
        wrong=float(similar[others].mean()),
        aligned=float((right > ALIGNED).mean()),
        wrongly_aligned=float((similar[others] > ALIGNED).mean()),
    )


def similarities(space: MotionTextSpace, intervals: Sequence[Interval]) -> NDArray[np.float32]:
    """(I, N) similarity of intervals with all labels."""
    points = torch.stack([found.point for found in intervals])
    table: NDArray[np.float32] = (points @ space.encode_labels(space.labels).T).numpy()
    return table


def _over_labels(own: NDArray[np.int64], good: NDArray[np.bool_]) -> float:
    by_label: dict[int, list[bool]] = defaultdict(list)
    for row, hit in zip(own.tolist(), good.tolist(), strict=True):
        by_label[row].append(hit)
    return float(np.mean([np.mean(hits) for hits in by_label.values()]))
