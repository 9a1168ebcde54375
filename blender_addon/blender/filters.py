"""Smoothing over time without delay. Values are (T, …), widths are in frames."""

from __future__ import annotations

import numpy as np


def gaussian(values: np.ndarray, sigma: float) -> np.ndarray:
    """(T, …) smoothed with a Gaussian; the ends go on as their last value."""
    if sigma <= 0 or len(values) < 2:
        return np.array(values, dtype=np.float64)
    reach = min(int(np.ceil(3 * sigma)), 10 * len(values))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    return _convolve(values, kernel / kernel.sum(), reach)


def gaussian_turns(turns: np.ndarray, sigma: float) -> np.ndarray:
    """(T, …, 4) quaternions, whose signs go on without jumps, smoothed and of length 1."""
    mean = gaussian(turns, sigma)
    return mean / np.linalg.norm(mean, axis=-1, keepdims=True)


def widest(values: np.ndarray, reach: int) -> np.ndarray:
    """(T,) largest value within `reach` frames of each."""
    padded = np.pad(values, reach, mode="edge")
    return np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1).max(-1)


def runs(mask: np.ndarray) -> list[tuple[int, int]]:
    """First and one past the last index of every stretch of True in a (T,) mask."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _convolve(values: np.ndarray, kernel: np.ndarray, reach: int) -> np.ndarray:
    flat = np.asarray(values, dtype=np.float64).reshape(len(values), -1)
    padded = np.pad(flat, ((reach, reach), (0, 0)), mode="edge")
    columns = [np.convolve(padded[:, column], kernel, mode="valid") for column in range(flat.shape[1])]
    return np.stack(columns, axis=1).reshape(np.shape(values))
