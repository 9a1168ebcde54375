"""Error measures for 3D joints. NumPy only, all frames at once.

Legend: T frames, J joints. `valid` (T, J) bool marks the joints that are known in the truth. Lengths in, lengths out;
time in seconds. A mean over nothing is NaN.
"""

from __future__ import annotations

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


def similarity_aligned(predicted: Float, true: Float, valid: Bool) -> Float:
    """(T, J, 3) `predicted`, turned, scaled and moved in each frame to lie best on the valid joints of `true`.

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
    return np.asarray(scale[:, None, None] * (predicted - centre_p) @ np.swapaxes(rotation, 1, 2) + centre_t)


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
