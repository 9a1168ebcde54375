"""Rotations of many bones over many frames: quaternions (w, x, y, z), matrices for column vectors, Euler angles.

All arrays are NumPy, all angles radians; leading axes are kept as they come.
"""

from __future__ import annotations

import numpy as np

from .axes import quaternions

_AXES = {"X": 0, "Y": 1, "Z": 2}


def cross(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """(..., 3) cross product; several times faster than NumPy's."""
    (ax, ay, az), (bx, by, bz) = np.moveaxis(left, -1, 0), np.moveaxis(right, -1, 0)
    return np.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], axis=-1)


def multiply(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Product of (..., 4) quaternions: first `right`, then `left`."""
    (aw, ax, ay, az), (bw, bx, by, bz) = np.moveaxis(left, -1, 0), np.moveaxis(right, -1, 0)
    return np.stack(
        [
            aw * bw - ax * bx - ay * by - az * bz,
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
        ],
        axis=-1,
    )


def inverse(rotation: np.ndarray) -> np.ndarray:
    """The opposite turn of (..., 4) unit quaternions."""
    return rotation * np.array([1.0, -1.0, -1.0, -1.0])


def turn(rotation: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """(..., 3) vectors turned by (..., 4) unit quaternions."""
    axis = rotation[..., 1:]
    twice = 2 * cross(axis, vector)
    return vector + rotation[..., :1] * twice + cross(axis, twice)


def unit(rotation: np.ndarray) -> np.ndarray:
    """(..., 4) quaternions of length 1; zeros become no rotation."""
    length = np.linalg.norm(rotation, axis=-1, keepdims=True)
    return np.where(length > 1e-12, rotation / np.maximum(length, 1e-12), np.array([1.0, 0, 0, 0]))


def angle(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """(...) angle between (..., 4) unit quaternions, 0 to pi; exact for small angles too."""
    between = multiply(inverse(left), right)
    return 2 * np.arctan2(np.linalg.norm(between[..., 1:], axis=-1), np.abs(between[..., 0]))


def to_matrices(rotation: np.ndarray) -> np.ndarray:
    """(..., 4) unit quaternions to (..., 3, 3)."""
    columns = [turn(rotation, np.broadcast_to(axis, (*rotation.shape[:-1], 3))) for axis in np.eye(3)]
    return np.stack(columns, axis=-1)


def from_matrices(matrices: np.ndarray) -> np.ndarray:
    """(..., 3, 3) rotations to (..., 4) unit quaternions, by the largest of four forms, so that none is near 0/0."""
    m = np.asarray(matrices, dtype=np.float64)
    trace = m[..., 0, 0] + m[..., 1, 1] + m[..., 2, 2]
    forms = [np.stack([1 + trace, *(m[..., i, j] - m[..., j, i] for i, j in ((2, 1), (0, 2), (1, 0)))], axis=-1)]
    for i in range(3):
        j, k = (i + 1) % 3, (i + 2) % 3
        parts: list = [m[..., k, j] - m[..., j, k], 0, 0, 0]
        parts[1 + i] = 1 + 2 * m[..., i, i] - trace
        parts[1 + j], parts[1 + k] = m[..., i, j] + m[..., j, i], m[..., i, k] + m[..., k, i]
        forms.append(np.stack(parts, axis=-1))
    stacked = np.stack(forms, axis=-2)
    sizes = np.stack([stacked[..., i, i] for i in range(4)], axis=-1)
    best = sizes.argmax(-1)[..., None, None]
    return unit(np.take_along_axis(stacked, best, axis=-2)[..., 0, :])


def between(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """(..., 4) shortest turn from direction `start` to direction `end` (..., 3), of any length."""
    start = start / np.linalg.norm(start, axis=-1, keepdims=True)
    end = end / np.linalg.norm(end, axis=-1, keepdims=True)
    axis = cross(start, end)
    cosine = (start * end).sum(-1, keepdims=True)
    aside = cross(start, np.where(np.abs(start[..., :1]) < 0.7, [1.0, 0, 0], [0, 1.0, 0]))
    opposite = np.concatenate([np.zeros_like(cosine), aside], axis=-1)
    return unit(np.where(cosine < -1 + 1e-9, opposite, np.concatenate([1 + cosine, axis], axis=-1)))


def log(rotation: np.ndarray) -> np.ndarray:
    """(..., 3) axis times angle of (..., 4) unit quaternions, by at most half a turn."""
    rotation = np.where(rotation[..., :1] < 0, -rotation, rotation)
    sine = np.linalg.norm(rotation[..., 1:], axis=-1, keepdims=True)
    half = np.arctan2(sine, rotation[..., :1])
    return rotation[..., 1:] * np.where(sine > 1e-9, 2 * half / np.maximum(sine, 1e-9), 2.0)


def part_of(rotation: np.ndarray, share: np.ndarray) -> np.ndarray:
    """(..., 4) `share` (...) of each turn, along the shortest way."""
    return quaternions(log(rotation) * np.asarray(share)[..., None])


def yaw(rotation: np.ndarray) -> np.ndarray:
    """(...) angle about z of the turn about z that comes nearest to each quaternion."""
    return 2 * np.arctan2(rotation[..., 3], rotation[..., 0])


def about_z(angles: np.ndarray) -> np.ndarray:
    """(..., 4) turns about z by (...)."""
    zero = np.zeros_like(angles)
    return np.stack([np.cos(angles / 2), zero, zero, np.sin(angles / 2)], axis=-1)


def from_euler(angles: np.ndarray, order: str) -> np.ndarray:
    """(..., 3) angles about x, y, z to quaternions; Blender's `XYZ` turns about x first, in fixed axes."""
    result = np.broadcast_to(np.array([1.0, 0, 0, 0]), (*angles.shape[:-1], 4))
    for letter in order:
        axis = np.zeros(3)
        axis[_AXES[letter]] = 1
        result = multiply(quaternions(angles[..., _AXES[letter], None] * axis), result)
    return result


def to_euler(rotation: np.ndarray, order: str) -> np.ndarray:
    """(T, 4) quaternions in time to (T, 3) angles about x, y, z without jumps.

    Of the two ways to write each rotation, and of whole turns more or less, the one nearest to the frame before.
    """
    i, j, k = (_AXES[letter] for letter in order)
    sign = 1.0 if (i, j, k) in ((0, 1, 2), (1, 2, 0), (2, 0, 1)) else -1.0
    m = to_matrices(unit(np.asarray(rotation, dtype=np.float64)))
    middle = np.arctan2(-sign * m[:, k, i], np.hypot(m[:, i, i], m[:, j, i]))
    first = np.arctan2(sign * m[:, k, j], m[:, k, k])
    last = np.arctan2(sign * m[:, j, i], m[:, i, i])
    locked = np.hypot(m[:, i, i], m[:, j, i]) < 1e-6  # first and last turn about the same axis: give all to the first
    first = np.where(locked, np.arctan2(-sign * m[:, j, k], m[:, j, j]), first)
    last = np.where(locked, 0.0, last)
    ways = np.empty((2, len(m), 3))
    ways[0][:, [i, j, k]] = np.stack([first, middle, last], axis=1)
    ways[1][:, [i, j, k]] = np.stack([first + np.pi, np.pi - middle, last + np.pi], axis=1)
    return _nearest_in_time(ways)


def _nearest_in_time(ways: np.ndarray) -> np.ndarray:
    """(T, 3): of two ways (2, T, 3) the one that goes on from the frame before, in whole turns from it."""
    result = np.empty(ways.shape[1:])
    before = np.zeros(3)
    for index in range(len(result)):
        here = ways[:, index] + 2 * np.pi * np.round((before - ways[:, index]) / (2 * np.pi))
        before = here[np.abs(here - before).sum(-1).argmin()]
        result[index] = before
    return result
