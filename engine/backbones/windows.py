"""Long clips in overlapping windows that are blended where they meet."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from engine.backbones.evidence import Evidence

_SHAPE_WINDOWS = 3
_SHAPE_S = 4.0


def spans(times: Tensor, window_s: float, overlap_s: float) -> list[slice]:
    """Rows of each window: as few windows as cover `times` (S,) and overlap by `overlap_s`, all about as long."""
    duration = float(times[-1] - times[0])
    overlap_s = min(overlap_s, window_s / 2)
    count = 1 if duration <= window_s else math.ceil((duration - overlap_s) / (window_s - overlap_s))
    stride = (duration - overlap_s) / count
    edges = torch.tensor([[k * stride, (k + 1) * stride + overlap_s] for k in range(count)]).double() + times[0]
    first = torch.searchsorted(times, edges[:, 0] - 1e-4).tolist()
    last = torch.searchsorted(times, edges[:, 1] + 1e-4).tolist()
    first[0], last[-1] = 0, len(times)
    return [slice(start, end) for start, end in zip(first, last, strict=True) if end > start]


def shape_spans(evidence: Evidence, windows: Sequence[slice]) -> list[slice]:
    """Rows from which the shape is got before all windows are fitted with it: the best seen ones, far apart. None for a
    clip of one window, whose shape is fitted with its motion."""
    if len(windows) < 2:
        return []
    score = evidence.weights.sum(1)
    chosen = []
    for part in torch.arange(len(score)).tensor_split(_SHAPE_WINDOWS):
        begin, end = int(part[0]), int(part[-1]) + 1
        length = max(1, int(torch.searchsorted(evidence.times[begin:end], evidence.times[begin] + _SHAPE_S)))
        total = torch.nn.functional.pad(score[begin:end].cumsum(0), (1, 0))
        start = begin + int((total[length:] - total[:-length]).argmax())
        if float(score[start : start + length].sum()) > 0:
            chosen.append(slice(start, start + length))
    return chosen


def blend(pieces: Sequence[tuple[slice, Tensor]], rows: int) -> Tensor:
    """(rows, C) from windows' (S, C), each faded in and out linearly where it meets its neighbours."""
    total = torch.zeros(rows, pieces[0][1].shape[1], dtype=torch.float64)
    weight = torch.zeros(rows, 1, dtype=torch.float64)
    for number, (span, values) in enumerate(pieces):
        share = torch.ones(span.stop - span.start, 1, dtype=torch.float64)
        if number:
            share *= _ramp(len(share), pieces[number - 1][0].stop - span.start)
        if number + 1 < len(pieces):
            share *= _ramp(len(share), span.stop - pieces[number + 1][0].start).flip(0)
        total[span] += share * values
        weight[span] += share
    return (total / weight).float()


def _ramp(length: int, overlap: int) -> Tensor:
    """(length, 1) from near 0 to 1 over the first `overlap` rows, with level ends."""
    u = ((torch.arange(length, dtype=torch.float64) + 0.5) / max(overlap, 1)).clamp(max=1)
    return (u * u * (3 - 2 * u))[:, None].clamp(min=1e-9)
