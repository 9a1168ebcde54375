"""Error measures for joints, meshes and keypoints, and how sure their means are. NumPy only, all frames at once.

Legend: T frames, J joints, V vertices, K keypoints. `valid` (T, J) bool marks the joints that are known in the truth.
Lengths in, lengths out; time in seconds. A mean over nothing is NaN.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
Bool = NDArray[np.bool_]


def mean_over(values: Float, mask: Bool) -> float:
    """Mean of the marked values; NaN if none is marked."""
    return float(values[mask].mean()) if mask.any() else float("nan")


def joint_errors(predicted: Float, true: Float, roots: tuple[int, ...]) -> Float:
    """(T, J) distances after the mean of the joints `roots` is put together (MPJPE before taking the mean).

    Args:
        predicted, true: (T, J, 3).
        roots: indices of the joints whose mean is the root, such as both hips.
    """
    return np.asarray(np.linalg.norm(relative(predicted, roots) - relative(true, roots), axis=-1))


def relative(joints: Float, roots: tuple[int, ...]) -> Float:
    """(T, J, 3) joints relative to the mean of the joints `roots`."""
    return np.asarray(joints - joints[:, list(roots)].mean(axis=1, keepdims=True))


class Similarity(NamedTuple):
    """Turns, scales and moves points: one for each of T sets.

    Attributes:
        scale: (T,).
        rotation: (T, 3, 3).
        before, after: (T, 1, 3) a point, and where it goes.
    """

    scale: Float
    rotation: Float
    before: Float
    after: Float

    def of(self, points: Float) -> Float:
        """(T, N, 3) where points go."""
        turned = self.scale[:, None, None] * (points - self.before) @ np.swapaxes(self.rotation, 1, 2)
        return np.asarray(turned + self.after)


def similarity_aligned(predicted: Float, true: Float, valid: Bool) -> Float:
    """(T, J, 3) `predicted`, turned, scaled and moved in each frame to lie best on the valid joints of `true`."""
    return similarity(predicted, true, valid).of(predicted)


def similarity(predicted: Float, true: Float, valid: Bool) -> Similarity:
    """What brings `predicted` (T, N, 3) nearest to the valid points of `true`, for each of the T sets.

    The closed form of Umeyama, "Least-squares estimation of transformation parameters between two point patterns"
    (1991): a reflection is never used.
    """
    weight = valid[..., None].astype(np.float64)
    count = np.maximum(weight.sum(axis=1, keepdims=True), 1)
    true = np.where(valid[..., None], true, 0.0)
    centre_p, centre_t = ((points * weight).sum(axis=1, keepdims=True) / count for points in (predicted, true))
    p, t = (predicted - centre_p) * weight, (true - centre_t) * weight
    left, stretch, right = np.linalg.svd(np.swapaxes(t, 1, 2) @ p)
    sign = np.ones_like(stretch)
    sign[:, 2] = np.sign(np.linalg.det(left @ right))
    rotation = (left * sign[:, None]) @ right
    scale = (stretch * sign).sum(axis=1) / np.maximum((p**2).sum(axis=(1, 2)), 1e-12)
    return Similarity(scale, rotation, centre_p, centre_t)


def aligned_errors(predicted: Float, true: Float, valid: Bool) -> Float:
    """(T, J) distances after a similarity alignment of each frame (PA-MPJPE before taking the mean)."""
    return np.asarray(np.linalg.norm(similarity_aligned(predicted, true, valid) - true, axis=-1))


def evenly_spaced(times: Float, steps: int) -> Bool:
    """(T - steps,) bool: from each frame on, that many steps are as long as most of the clip's are, within 10 %."""
    step = np.diff(times)
    even = np.abs(step - np.median(step)) < 0.1 * np.median(step)
    return np.asarray(np.lib.stride_tricks.sliding_window_view(even, steps).all(axis=1))


def derivative_norms(joints: Float, times: Float, order: int) -> Float:
    """(T - order, J) size of the joints' derivative by time: 2 acceleration, 3 jerk."""
    return np.asarray(np.linalg.norm(np.diff(joints, order, axis=0), axis=-1) / np.median(np.diff(times)) ** order)


def vertex_errors(predicted: Float, true: Float, predicted_root: Float, true_root: Float) -> Float:
    """(T,) mean distance of the vertices (T, V, 3) of two meshes after their roots (T, 3) are put together (MPVPE)."""
    return np.asarray(np.linalg.norm(predicted - true - (predicted_root - true_root)[:, None], axis=-1).mean(axis=1))


def correct_share(points: Float, true: Float, within: Float, mask: Bool) -> float:
    """Percent of the marked points (T, K, 2) that lie within `within` (T,) of the true ones (PCK); NaN if none is."""
    near = np.linalg.norm(points - true, axis=-1) <= within[:, None]
    return 100 * mean_over(near.astype(np.float64), mask)


@dataclass(frozen=True)
class Interval:
    """A mean over clips, and the 95 % bootstrap confidence interval about it. NaN where there is nothing."""

    mean: float
    low: float
    high: float

    @property
    def below_zero(self) -> bool:
        """Whether the whole interval is: a difference that chance does not explain."""
        return self.high < 0


def bootstrap(values: Float, groups: Sequence[str], seed: int = 0, draws: int = 10_000) -> Interval:
    """Mean of the means of the groups, with the percentile interval of Efron and Tibshirani (1993, chapter 13).

    Whole groups are drawn with replacement, since cases of one clip are not independent. Paired rows: give it their
    differences.

    Args:
        values: (N,) one a case; NaN ones do not count.
        groups: N names; cases of one name belong together.
        seed: of the draws.
        draws: how many samples of groups.
    """
    by_group: dict[str, list[float]] = {}
    for value, group in zip(values, groups, strict=True):
        if np.isfinite(value):
            by_group.setdefault(group, []).append(float(value))
    if not by_group:
        return Interval(math.nan, math.nan, math.nan)
    means = np.array([np.mean(by_group[group]) for group in sorted(by_group)])
    picked = np.random.default_rng(seed).integers(len(means), size=(draws, len(means)))
    low, high = np.percentile(means[picked].mean(axis=1), (2.5, 97.5))
    return Interval(float(means.mean()), float(low), float(high))
