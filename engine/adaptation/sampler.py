"""Segments: the stretches of a track that adaptation learns from, and how they are drawn.

A segment is what the paper calls 60 frames: two seconds of footage of any rate. Footage faster than 30 frames a second
is taken at every n-th row, at a phase that changes from segment to segment. The motion-text space gets each segment's
part of one label, brought to 60 frames at 30 frames a second.

Legend: N segments, S rows each, T rows of the track.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.semantics.types import RATE, WINDOW

SEGMENT_S = WINDOW / RATE
_SHORTEST_S = 0.25
"""No motion can be recognised in less than this."""


@dataclass(frozen=True)
class Segments:
    """All segments of a track.

    Attributes:
        rows: (N, S) int64 rows of the track.
        labels: N labels, '' for segments that are left out of the alignment.
        before, after: (N, 60) int64 places within the segment between which the resampled frames lie.
        share: (N, 60) how far from the one to the other.
        span: (N, 2) int64 first row of the track that the label's part covers, and the row after its last.
    """

    rows: Tensor
    labels: tuple[str, ...]
    before: Tensor
    after: Tensor
    share: Tensor
    span: Tensor

    @property
    def labelled(self) -> Tensor:
        """(N,) bool: which take part in the alignment."""
        return torch.tensor([bool(label) for label in self.labels], device=self.rows.device)

    def to(self, device: torch.device) -> Segments:
        """The same on another device."""
        moved = (part.to(device) for part in (self.before, self.after, self.share, self.span))
        return Segments(self.rows.to(device), self.labels, *moved)


def stride_of(times: NDArray[np.float64]) -> int:
    """Rows from one to the next that is used, so that there are about 30 a second."""
    if len(times) < 2:
        return 1
    return max(1, round(1 / float(np.median(np.diff(times))) / RATE))


def cut(times: NDArray[np.float64], labels: NDArray[np.str_], step_s: float, least_label_s: float) -> Segments:
    """Segments that cover the whole track.

    Args:
        times: (T,) seconds, increasing.
        labels: (T,) label of each row, '' for none.
        step_s: seconds from one start to the next.
        least_label_s: a segment of mixed labels takes part in the alignment with the longest of them if that lasts so
            long; a segment of one label always does.
    """
    frame_s = float(np.median(np.diff(times))) if len(times) > 1 else 1 / RATE
    stride = stride_of(times)
    length = max(1, round(SEGMENT_S / (frame_s * stride)))
    length = min(length, (len(times) - 1) // stride + 1)
    span = (length - 1) * stride + 1
    step = max(1, round(step_s / frame_s))
    step += stride > 1 and step % stride == 0  # or all the segments would take the same rows
    last = len(times) - span
    starts = np.unique([*range(0, last + 1, step), last])
    rows = starts[:, None] + stride * np.arange(length)
    runs = _runs(labels)
    parts = [_labelled_part(times, part, runs, labels, frame_s, least_label_s) for part in rows]
    pieces = [_resampling(times[part[first:end]]) for part, (_, first, end) in zip(rows, parts, strict=True)]
    before, after = (np.stack([piece[side] for piece in pieces]) for side in (0, 1))
    offsets = np.array([first for _, first, _ in parts])[:, None]
    spans = [(part[first], part[end - 1] + 1) for part, (_, first, end) in zip(rows, parts, strict=True)]
    return Segments(
        rows=torch.from_numpy(rows),
        labels=tuple(label for label, _, _ in parts),
        before=torch.from_numpy(before + offsets),
        after=torch.from_numpy(after + offsets),
        share=torch.from_numpy(np.stack([piece[2] for piece in pieces])).float(),
        span=torch.tensor(np.array(spans), dtype=torch.long),
    )


def _runs(labels: NDArray[np.str_]) -> list[tuple[int, int]]:
    """First row and the row after the last of every stretch of one label."""
    edges = [0, *(np.flatnonzero(labels[1:] != labels[:-1]) + 1).tolist(), len(labels)]
    return list(itertools.pairwise(edges))


def _labelled_part(
    times: NDArray[np.float64],
    rows: NDArray[np.int64],
    runs: Sequence[tuple[int, int]],
    labels: NDArray[np.str_],
    frame_s: float,
    least_label_s: float,
) -> tuple[str, int, int]:
    """Label of a segment, and the places in it, first and after the last, that have this label."""
    inside = [(max(begin, rows[0]), min(end, rows[-1] + 1)) for begin, end in runs]
    begin, end = max(inside, key=lambda run: run[1] - run[0])
    first, after = (int(place) for place in np.searchsorted(rows, [begin, end]))
    if after <= first:
        return "", 0, len(rows)
    lasts = float(times[rows[after - 1]] - times[rows[first]]) + frame_s
    whole = first == 0 and after == len(rows)
    label = str(labels[rows[first]])
    if not label or lasts < _SHORTEST_S or (not whole and lasts < least_label_s - 1e-6):
        return "", 0, len(rows)
    return label, first, after


def _resampling(times: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Places before and after each of 60 frames at 30 frames a second, and the share of the second.

    What is shorter than that runs to and fro, so that it does not seem to stand still.
    """
    length = float(times[-1] - times[0])
    wanted = np.arange(WINDOW) / RATE
    if length < wanted[-1] - 2 / RATE and length > 0:
        wanted = length - np.abs(length - wanted % (2 * length))
    wanted = times[0] + wanted
    after = np.searchsorted(times, wanted).clip(min(1, len(times) - 1), len(times) - 1)
    before = np.maximum(after - 1, 0)
    gap = times[after] - times[before]
    share = np.where(gap > 0, (wanted - times[before]) / np.where(gap > 0, gap, 1), 0.0).clip(0, 1)
    return before.astype(np.int64), after.astype(np.int64), share


def resampled(six: Tensor, segments: Segments, chosen: Tensor) -> Tensor:
    """Motion of segments as the motion-text space wants it.

    Args:
        six: (B, S, 24, 6) rotations of the rows of the chosen segments; gradients reach it.
        segments: all segments.
        chosen: (B,) which of them.

    Returns:
        (B, 60, 24, 6), linear between frames.
    """
    batch = torch.arange(len(chosen), device=six.device)[:, None]
    share = segments.share[chosen][..., None, None].to(six.dtype)
    return torch.lerp(six[batch, segments.before[chosen]], six[batch, segments.after[chosen]], share)


def draw(similarity: Tensor, labelled: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Segments of an epoch, drawn with weight 1 - similarity: what agrees least with its label is seen most.

    Segments without a label of their own are drawn as often as the mean of the others.

    Args:
        similarity: (N,) of eq. 3, at the end of the last epoch.
        labelled: (N,) bool.
        count: how many, one segment maybe more than once.
        generator: on the CPU.

    Returns:
        (count,) int64 on the CPU.
    """
    weight = (1 - similarity.detach().float().cpu()).clamp(min=1e-3)
    known = labelled.cpu()
    usual = weight[known].mean() if bool(known.any()) else torch.ones(())
    return torch.multinomial(torch.where(known, weight, usual), count, replacement=True, generator=generator)


def per_row(similarity: Tensor, segments: Segments, rows: int) -> Tensor:
    """(T,) mean similarity of the segments whose label's part covers each row; 0 where none does.

    Args:
        similarity: (N,) of the segments.
        segments: all of them.
        rows: T.
    """
    total, times = (torch.zeros(rows, device=similarity.device) for _ in range(2))
    for number, (first, end) in enumerate(segments.span.tolist()):
        if segments.labels[number]:
            total[first:end] += similarity[number].float()
            times[first:end] += 1
    return torch.where(times > 0, total / times.clamp(min=1), torch.zeros_like(total))
