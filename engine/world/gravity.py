"""Which way is up in the camera's frame, from how people stand and where their feet are.

Three cues, each with its usual error, go into one least-squares problem over the camera's pitch and roll: cameras are
held level, more so sideways; people who stand or walk are upright on average; feet that carry them are on one plane.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from engine.body.landmarks import JOINT_NAMES

Array = NDArray[np.float64]

_USUAL_PITCH, _USUAL_ROLL = np.radians(25.0), np.radians(6.0)
_USUAL_PITCH_DOWN = np.radians(5.0)
# what a body's mean lean may differ from upright: more along the view, where the pose estimate itself leans
_LEAN_ACROSS, _LEAN_ALONG = np.radians(4.5), np.radians(6.0)
_STANDING_LEAN = np.radians(20.0)
_FLOOR_ERROR_M = 0.04
_SUPPORTS_PER_S, _MOST_SUPPORTS = 2.0, 20.0
_STANDING_S = 0.5  # of standing for the upright cue to count in full


def estimate_up(joints: Array, feet: Array, times: Array) -> Array:
    """Unit vector (3,), up, in the camera frame (x right, y down, z away).

    Args:
        joints: (T, 24, 3) SMPL joints, camera frame, metres.
        feet: (T, 4, 3) soles, camera frame.
        times: (T,) seconds.
    """
    axis, standing = _body_axis(joints, times)
    angles = _solve(np.zeros(2), axis, standing, np.zeros((0, 3)), np.zeros(0))
    for _ in range(2):
        points, weights = _supports(feet, up_of(angles), times)
        angles = _solve(angles, axis, standing, points, weights)
    return up_of(angles)


def up_of(angles: Array) -> Array:
    """Up of a camera with pitch (positive: it looks down) and roll (positive: it is turned clockwise), radians."""
    pitch, roll = angles
    return np.array([-np.sin(roll) * np.cos(pitch), -np.cos(roll) * np.cos(pitch), -np.sin(pitch)])


def _body_axis(joints: Array, times: Array) -> tuple[Array, float]:
    """Mean direction (3,) from feet to head over the frames in which the person stands, and how much of them (0..1)."""
    at = {name: joints[:, index] for index, name in enumerate(JOINT_NAMES)}
    # ankles and balls of the feet together: people balance over the middle of their feet
    base = sum(at[f"{side}_{part}"] for side in ("left", "right") for part in ("ankle", "foot")) / 4
    whole, trunk, legs = (_unit(v) for v in (at["head"] - base, at["neck"] - at["pelvis"], at["pelvis"] - base))
    weights = 1 / (1 + (_angle(trunk, legs) / _STANDING_LEAN) ** 2) ** 2
    axis = np.array([0.0, -1.0, 0.0])
    for _ in range(10):
        robust = weights / (1 + (_angle(whole, axis) / (2 * _STANDING_LEAN)) ** 2) ** 2
        axis = _unit((robust[:, None] * whole).sum(0))
    step = float(np.median(np.diff(times))) if len(times) > 1 else 1 / 30
    return axis, min(1.0, float(robust.sum()) * step / _STANDING_S)


def _supports(feet: Array, up: Array, times: Array) -> tuple[Array, Array]:
    """Soles (N, 3) that may carry the body, one a frame: the lowest point, unless it moves up or down fast; and their
    weights, in numbers of independent supports."""
    heights = feet @ up
    lowest = heights.argmin(1)
    rows = np.arange(len(feet))
    height = heights[rows, lowest]
    if len(times) < 3:
        return np.zeros((0, 3)), np.zeros(0)
    speed = np.abs(np.gradient(heights, times, axis=0))[rows, lowest]
    level = np.median(height)
    spread = max(0.05, 1.5 * float(np.median(np.abs(height - level))))
    weights = 1 / (1 + (speed / 0.3) ** 2) ** 2 / (1 + ((height - level) / (3 * spread)) ** 2) ** 2
    count = min(_MOST_SUPPORTS, _SUPPORTS_PER_S * float(times[-1] - times[0]))
    share: Array = weights * (count / len(weights))
    return feet[rows, lowest], share


def _solve(start: Array, axis: Array, standing: float, points: Array, weights: Array) -> Array:
    """Pitch and roll (2,)."""

    def residuals(angles: Array) -> Array:
        up = up_of(angles)
        across = np.array([np.cos(angles[1]), -np.sin(angles[1]), 0.0])
        along = np.cross(across, up)
        lean = np.array([axis @ across / _LEAN_ACROSS, axis @ along / _LEAN_ALONG]) * np.sqrt(standing)
        usual = np.array([(angles[0] - _USUAL_PITCH_DOWN) / _USUAL_PITCH, angles[1] / _USUAL_ROLL])
        parts = [usual, lean]
        if weights.sum() > 0:
            heights = points @ up
            off = (heights - np.average(heights, weights=weights)) / _FLOOR_ERROR_M
            off = np.sign(off) * np.sqrt(2 * (np.sqrt(1 + off**2) - 1))  # a few points may lie elsewhere: pseudo-Huber
            parts.append(off * np.sqrt(weights))
        return np.concatenate(parts)

    limit = np.radians(80.0)
    solution: Array = least_squares(residuals, start, bounds=(-limit, limit)).x
    return solution


def _unit(vectors: Array) -> Array:
    unit: Array = vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)
    return unit


def _angle(first: Array, second: Array) -> Array:
    angle: Array = np.arccos(np.clip((first * second).sum(-1), -1, 1))
    return angle
