"""Feet and the floor: where the floor is, which foot points stand on it, and how the root has to move for that.

Legend: T frames. Foot points (4): left heel, left toe, right heel, right toe.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import spsolve

Array = NDArray[np.float64]

_DEPTH_SMOOTHING_S = 0.06
_NEAR_FLOOR_M, _NEAR_FLOOR_SOFT_M = 0.06, 0.015
_AT_REST_M_S, _AT_REST_SOFT_M_S = 0.45, 0.12
_SPEED_S = 0.1  # over which speeds are measured
_FLOOR_REACH_M = 0.08
_LOWER_FLOOR_M = 0.25

# Usual sizes, in the sense of least squares, of what the correction may do.
_ALONG_RAY_M, _ACROSS_RAY_M = 0.15, 0.02
_FOOT_HEIGHT_M, _FOOT_SLIDE_M_S = 0.01, 0.05
_CORRECTION_ACCELERATION = 3.0  # m/s²


def steady_depth(roots: Array, times: Array, confidence: Array) -> Array:
    """Root positions (T, 3), camera frame, with the depth of each smoothed over time along its viewing ray.

    Args:
        roots: (T, 3) metres.
        times: (T,) seconds.
        confidence: (T,) 0..1; where nothing was seen the depth follows its neighbours.
    """
    if len(times) < 3:
        return roots
    depth = np.log(np.maximum(roots[:, 2], 1e-3))
    bend = second_differences(times)
    weights = sparse.diags(0.05 + np.clip(confidence, 0, 1))
    smooth = spsolve((weights + _DEPTH_SMOOTHING_S**4 * bend.T @ bend).tocsc(), weights @ depth)
    steady: Array = roots * np.exp(smooth - depth)[:, None]
    return steady


def second_differences(times: Array) -> sparse.csr_matrix:
    """(T - 2, T) second derivative per s² at times (T,)."""
    steps = np.diff(times)
    before, after = steps[:-1], steps[1:]
    middle = (before + after) / 2
    values = np.stack((1 / (before * middle), -(1 / before + 1 / after) / middle, 1 / (after * middle)))
    return sparse.diags(list(values), [0, 1, 2], shape=(len(times) - 2, len(times))).tocsr()


def floor_height(heights: Array, times: Array) -> float:
    """Height of the floor from the heights (T, 4) of the soles: where the lowest one mostly is while it is slow.

    Whoever jumps from a roof has two floors; the one with more frames is z = 0, and the other one is left where it is.
    """
    lowest = heights.min(1)
    if len(times) > 2:
        speed = np.abs(np.gradient(lowest, times))
        slow = speed <= max(0.1, float(np.quantile(speed, 0.5)))
        lowest = lowest[slow]
    ordered = np.sort(lowest)
    company = np.searchsorted(ordered, ordered + _FLOOR_REACH_M) - np.searchsorted(ordered, ordered - _FLOOR_REACH_M)
    level = ordered[company.argmax()]
    return float(np.median(ordered[np.abs(ordered - level) <= _FLOOR_REACH_M]))


def contact_probability(feet: Array, heights: Array, times: Array) -> Array:
    """Probability (T, 4) that each sole stands on the floor: it is near it and hardly moves.

    Args:
        feet: (T, 4, 3) metres.
        heights: (T, 4) over the floor.
        times: (T,) seconds.
    """
    near = _sigmoid((_NEAR_FLOOR_M - heights) / _NEAR_FLOOR_SOFT_M) * _same_floor(heights)
    return near * _sigmoid((_AT_REST_M_S - _speed(feet, times)) / _AT_REST_SOFT_M_S)


def _speed(points: Array, times: Array) -> Array:
    """(T, N) metres per second of points (T, N, 3), over about a tenth of a second."""
    if len(times) < 2:
        return np.zeros(points.shape[:2])
    step = float(np.median(np.diff(times)))
    reach = max(1, round(_SPEED_S / step / 2))
    rows = np.arange(len(times))
    first, last = np.maximum(rows - reach, 0), np.minimum(rows + reach, len(times) - 1)
    moved: Array = np.linalg.norm(points[last] - points[first], axis=-1) / (times[last] - times[first])[:, None]
    return moved


def _sigmoid(value: Array) -> Array:
    result: Array = 1 / (1 + np.exp(-np.clip(value, -50, 50)))
    return result


def root_correction(feet: Array, heights: Array, contacts: Array, up: Array, roots: Array, times: Array) -> Array:
    """Smooth shift (T, 3) of the whole body that puts supporting feet on the floor and keeps planted feet in place.

    It is a linear least-squares problem. Shifts along the viewing ray cost little, as the picture hardly changes, and
    shifts across it much. Feet in the air are free, so that jumps stay jumps; feet below the floor are not.

    Args:
        feet: (T, 4, 3) soles, camera frame.
        heights: (T, 4) over the floor.
        contacts: (T, 4) probabilities.
        up: (3,) unit vector.
        roots: (T, 3) pelvis, camera frame.
        times: (T,) seconds.
    """
    count = len(times)
    ray = roots / np.linalg.norm(roots, axis=1, keepdims=True)
    steps = np.diff(times)
    shift = np.zeros((count, 3))
    climb = np.abs(np.gradient(heights.min(1), times)) if count > 1 else np.zeros(count)
    for _ in range(3):
        now = heights + (shift @ up)[:, None]
        # what is below the floor is lifted onto it, unless it is falling past it
        sinks = _same_floor(now.min(1)) * _sigmoid((_AT_REST_M_S - climb) / _AT_REST_SOFT_M_S)
        system = _stay(ray)
        right = np.zeros(3 * count)
        for point in range(feet.shape[1]):
            weight = np.maximum(contacts[:, point], sinks * (now[:, point] < 0)) * _lowest(now, point)
            rows = sparse.diags(weight / _FOOT_HEIGHT_M**2)
            system = system + sparse.kron(rows, np.outer(up, up))
            right -= ((weight / _FOOT_HEIGHT_M**2 * heights[:, point])[:, None] * up).ravel()
        if count > 1:
            slide, pull = _planted(feet, contacts, steps)
            system, right = system + slide, right + pull
        if count > 2:
            bend = sparse.kron(second_differences(times), sparse.eye(3)) / _CORRECTION_ACCELERATION
            system = system + bend.T @ bend
        shift = spsolve(system.tocsc(), right).reshape(count, 3)
    return shift


def _stay(ray: Array) -> sparse.csr_matrix:
    """Cost (3 T, 3 T) of leaving the place that the picture gives."""
    blocks = np.eye(3) / _ACROSS_RAY_M**2 + ray[:, :, None] * ray[:, None] * (
        1 / _ALONG_RAY_M**2 - 1 / _ACROSS_RAY_M**2
    )
    return sparse.block_diag(list(blocks)).tocsr()


def _lowest(heights: Array, point: int) -> Array:
    """(T,) how much the foot point is among the lowest, which are those that carry weight."""
    return _sigmoid((0.03 - (heights[:, point] - heights.min(1))) / 0.01)


def _same_floor(heights: Array) -> Array:
    """Near 1 for soles that are below the floor by error, near 0 for those that stand on a lower one."""
    return _sigmoid((_LOWER_FLOOR_M + heights) / 0.03)


def _planted(feet: Array, contacts: Array, steps: Array) -> tuple[sparse.csr_matrix, Array]:
    """Cost and pull of feet that move from one frame to the next though they stand."""
    count = len(feet)
    difference = sparse.diags([-np.ones(count - 1), np.ones(count - 1)], [0, 1], shape=(count - 1, count))
    system = sparse.csr_matrix((3 * count, 3 * count))
    right = np.zeros(3 * count)
    for point in range(feet.shape[1]):
        weight = contacts[1:, point] * contacts[:-1, point] / (_FOOT_SLIDE_M_S * steps) ** 2
        scaled = difference.T @ sparse.diags(weight)
        system = system + sparse.kron(scaled @ difference, sparse.eye(3))
        right -= (scaled @ np.diff(feet[:, point], axis=0)).ravel()
    return system, right
