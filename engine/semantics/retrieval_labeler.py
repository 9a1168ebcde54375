"""Labels from the motion itself: the first prediction against the dictionary, off unless requested.

Windows of two seconds are compared with all labels; the path of labels through time that fits best, with a price on
every change, gives the change points. What fits no label well gets none: a wrong label pulls at the motion, no label
does not. Legend: T rows, C cells of a quarter of a second, N labels.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from engine.body.rotations import axis_angle_to_matrix, matrix_to_six
from engine.runtime.progress import Progress
from engine.semantics.motion_text import MotionTextSpace
from engine.semantics.motion_windows import centred_window, resample, window_at
from engine.semantics.types import RATE, WINDOW

_CELL_S = 0.25
_LENGTH_S = WINDOW / RATE
_WINDOWS_AT_ONCE = 64
_SHORT_S = 0.7
"""A shorter track shows too little of an action."""


@dataclass(frozen=True)
class RetrievalSettings:
    """When a label is given."""

    least: float = 0.8
    """Least similarity, mean over a stretch. The higher it is, the fewer labels are given and the more of them are
    right; the two settings below hardly matter."""
    nothing: float = 0.45
    """Similarity at which it is as good to give no label."""
    change: float = 0.5
    """Price of a change of label, in units of similarity times cells."""


def retrieve_labels(
    poses: NDArray[np.float32],
    times: NDArray[np.float64],
    space: MotionTextSpace,
    progress: Progress,
    settings: RetrievalSettings | None = None,
) -> NDArray[np.str_]:
    """What somebody does.

    Args:
        poses: (T, 72) axis-angle, root in a world with z up.
        times: (T,) seconds, increasing.
        space: the motion-text space, on the CPU.
        progress: called after every batch of windows.
        settings: when a label is given.

    Returns:
        (T,) label of each row, '' where it is not sure.
    """
    settings = settings or RetrievalSettings()
    nothing = np.zeros(len(times), dtype=f"<U{max(len(label) for label in space.labels)}")
    if len(times) < 2 or times[-1] - times[0] < _SHORT_S:
        return nothing
    similar, cell_times = _cells(_six(poses), torch.from_numpy(np.asarray(times, np.float64)), space, progress)
    path = _sure(_best_path(similar, settings), similar, settings)
    names = np.array([*space.labels, ""])[path]
    return names[np.clip(np.searchsorted(cell_times, times, "right") - 1, 0, len(names) - 1)].astype(nothing.dtype)


def fill_in(
    typed: NDArray[np.str_],
    poses: NDArray[np.float32],
    times: NDArray[np.float64],
    space: MotionTextSpace,
    progress: Progress,
) -> NDArray[np.str_]:
    """Labels (T,) with what the motion shows where nothing is typed: typed labels always win.

    Arguments as of `retrieve_labels`, and typed labels (T,), '' for none.
    """
    if bool((typed != "").all()):
        return typed
    found = retrieve_labels(poses, times, space, progress)
    return np.where(typed == "", found, typed)


def label_similarity(
    poses: NDArray[np.float32],
    times: NDArray[np.float64],
    labels: NDArray[np.str_],
    space: MotionTextSpace,
) -> NDArray[np.float32]:
    """How well motion and label agree (eq. 3), mean over the windows about each row; 0 without a label of the space.

    Arguments as of `retrieve_labels`, and labels (T,). Returns (T,).
    """
    similarity = np.zeros(len(times), np.float32)
    edges = [0, *(np.flatnonzero(labels[1:] != labels[:-1]) + 1).tolist(), len(labels)]
    for first, last in itertools.pairwise(edges):
        if labels[first] not in space.labels:
            continue
        rows = slice(first, last)
        similar, cells = _cells(_six(poses[rows]), torch.from_numpy(np.asarray(times[rows], np.float64)), space, None)
        own = similar[:, space.labels.index(str(labels[first]))]
        similarity[rows] = own[np.clip(np.searchsorted(cells, times[rows], "right") - 1, 0, len(own) - 1)]
    return similarity


def _six(poses: NDArray[np.float32]) -> Tensor:
    return matrix_to_six(axis_angle_to_matrix(torch.from_numpy(np.asarray(poses)).reshape(-1, 24, 3)))


def _cells(
    six: Tensor, times: Tensor, space: MotionTextSpace, progress: Progress | None
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Similarity (C, N) of cells with all labels, by the windows about each, and when the cells begin (C,)."""
    begin, end = float(times[0]), float(times[-1])
    count = max(1, int(np.ceil((end - begin) / _CELL_S)))
    cells = np.array([begin + _CELL_S * cell for cell in range(count)], np.float64)
    with torch.no_grad():
        if end - begin < _LENGTH_S:
            at = centred_window(begin, end)[None]
            points = space.encode_motion(resample(six, times, at).float()).expand(len(cells), -1)
        else:
            points = _about_cells(six, times, cells, space, progress)
        similar: NDArray[np.float32] = (points @ space.label_points.T).numpy()
    return similar, cells


def _about_cells(
    six: Tensor, times: Tensor, cells: NDArray[np.float64], space: MotionTextSpace, progress: Progress | None
) -> Tensor:
    """Points (C, D) of the cells: the mean of the windows whose middles are near."""
    begin, last = float(times[0]), float(times[-1]) - _LENGTH_S
    starts = np.append(np.arange(begin, last, _CELL_S), last)
    found = []
    for first in range(0, len(starts), _WINDOWS_AT_ONCE):
        some = torch.from_numpy(starts[first : first + _WINDOWS_AT_ONCE])
        found.append(space.encode_motion(resample(six, times, window_at(some)).float()))
        if progress is not None:
            progress(min(first + _WINDOWS_AT_ONCE, len(starts)), len(starts))
    middles = np.clip(cells + _CELL_S / 2, begin + _LENGTH_S / 2, last + _LENGTH_S / 2)
    away = np.abs(middles[:, None] - starts[None] - _LENGTH_S / 2)
    weights = np.clip(1 - away / (_LENGTH_S / 4), 0, None) + 1e-6
    mean = torch.from_numpy(weights / weights.sum(1, keepdims=True)).float() @ torch.cat(found)
    return functional.normalize(mean, dim=-1)


def _best_path(similar: NDArray[np.float32], settings: RetrievalSettings) -> NDArray[np.int64]:
    """(C,) the row of the label of each cell, N for none: the most similar path, less the price of its changes."""
    gains = np.concatenate((similar, np.full((len(similar), 1), settings.nothing)), 1)
    best, came = gains[0].copy(), np.zeros(gains.shape, np.int64)
    for cell in range(1, len(gains)):
        other = int(best.argmax())
        changed = best[other] - settings.change > best
        came[cell] = np.where(changed, other, np.arange(gains.shape[1]))
        best = np.where(changed, best[other] - settings.change, best) + gains[cell]
    path = np.zeros(len(gains), np.int64)
    path[-1] = int(best.argmax())
    for cell in range(len(gains) - 1, 0, -1):
        path[cell - 1] = came[cell, path[cell]]
    return path


def _sure(path: NDArray[np.int64], similar: NDArray[np.float32], settings: RetrievalSettings) -> NDArray[np.int64]:
    """The path (C,) without the stretches that are not clear enough."""
    none = similar.shape[1]
    sure = path.copy()
    edges = [0, *(np.flatnonzero(path[1:] != path[:-1]) + 1).tolist(), len(path)]
    for first, last in itertools.pairwise(edges):
        row = int(path[first])
        if row != none and similar[first:last, row].mean() < settings.least:
            sure[first:last] = none
    return sure
