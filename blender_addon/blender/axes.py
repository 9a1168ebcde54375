"""Every change of axes between SMPL, the motion file and Blender. No other module knows about axes.

* SMPL at rest: x to the person's left, y up, z to the front; metres.
* Blender at rest (armature space): x to the person's left, z up, facing -y, so (x, y, z) of SMPL is (x, -z, y).
* World of the motion file: right-handed, z up, as in Blender: taken as it is.
* Camera of the motion file: x right, y down, z away. Blender's camera: x right, y up, looking along -z.

SMPL joint j turns by R_j in its parent's axes, all of which lie like the axes at rest. A bone of ours has axes of its
own (`bone_axes`), so that it lies along the limb (Blender's bones point along their y). They are signed permutations
of SMPL's and the same for every body shape: conversion is exact, and a motion fits every person's armature. With M a
bone's axes in armature space and A the matrix from SMPL's to armature space, the bone's own rotation is
(A^T M)^T R_j (A^T M). The pelvis also takes SMPL's world rotation from the y-up rest into the z-up world:
M^T R_0 A^T M.
"""

from __future__ import annotations

import numpy as np

SMPL_TO_BLENDER = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
"""A: SMPL's rest axes to armature space, for column vectors."""

CV_TO_BLENDER_CAMERA = np.diag([1.0, -1.0, -1.0, 1.0])
"""Blender's camera axes to the motion file's; multiplied from the right to a camera-to-world matrix."""

_UP = ((1, 0, 0), (0, 0, 1), (0, -1, 0))  # rows: the bone's x, y (along it) and z in armature space
_DOWN = ((1, 0, 0), (0, 0, -1), (0, 1, 0))
_FORWARD = ((-1, 0, 0), (0, -1, 0), (0, 0, 1))
_LEFT = ((0, -1, 0), (1, 0, 0), (0, 0, 1))
_RIGHT = ((0, 1, 0), (-1, 0, 0), (0, 0, 1))  # mirror of _LEFT as Blender mirrors: x turned round


def bone_axes(name: str) -> np.ndarray:
    """(3, 3) axes of the bone of SMPL joint `name` at rest, as columns, in armature space.

    Spine and head point up, legs down, feet and toes forward, arms sideways. Knees bend about +x.
    """
    side, _, part = name.partition("_")
    if part in ("hip", "knee"):
        rows = _DOWN
    elif part in ("ankle", "foot"):
        rows = _FORWARD
    elif side == "left":
        rows = _LEFT
    elif side == "right":
        rows = _RIGHT
    else:
        rows = _UP
    return np.array(rows, dtype=np.float64).T


def rest_to_blender(points: np.ndarray) -> np.ndarray:
    """(N, 3) points of SMPL's rest body in armature space, not yet moved onto the floor."""
    return np.asarray(points, dtype=np.float64) @ SMPL_TO_BLENDER.T


def quaternions(axis_angle: np.ndarray) -> np.ndarray:
    """(..., 3) axis-angle in radians to (..., 4) unit quaternions (w, x, y, z)."""
    axis_angle = np.asarray(axis_angle, dtype=np.float64)
    half = np.linalg.norm(axis_angle, axis=-1, keepdims=True) / 2
    # sin(half) / (2 half), by np.sinc so that it holds at 0
    return np.concatenate([np.cos(half), axis_angle * np.sinc(half / np.pi) / 2], axis=-1)


def multiply(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Product of (..., 4) quaternions."""
    left_w, left_v = left[..., :1], left[..., 1:]
    right_w, right_v = right[..., :1], right[..., 1:]
    w = left_w * right_w - (left_v * right_v).sum(-1, keepdims=True)
    return np.concatenate([w, left_w * right_v + right_w * left_v + np.cross(left_v, right_v)], axis=-1)


def bone_rotations(poses: np.ndarray, names: list[str]) -> np.ndarray:
    """Rotations of the bones from SMPL poses.

    Args:
        poses: (T, 72) axis-angle in radians, root first and in the world frame.
        names: the 24 joint names in SMPL's order.

    Returns:
        (T, 24, 4) quaternions (w, x, y, z) of the pose bones, signs as they come.
    """
    rotations = quaternions(np.asarray(poses).reshape(len(poses), len(names), 3))
    for index, name in enumerate(names):
        to_bone = SMPL_TO_BLENDER.T @ bone_axes(name)  # the bone's axes in SMPL's
        if index:
            rotations[:, index, 1:] = rotations[:, index, 1:] @ to_bone
        else:
            into_world = quaternions(_axis_angle(bone_axes(name).T))
            rotations[:, 0] = multiply(multiply(into_world, rotations[:, 0]), quaternions(_axis_angle(to_bone)))
    return rotations


def poses(rotations: np.ndarray, names: list[str]) -> np.ndarray:
    """The other way: (T, 24, 3) axis-angle of SMPL's joints, the root's in the world frame, of (T, 24, 4) rotations of
    the bones."""
    turns = np.array(rotations, dtype=np.float64)
    for index, name in enumerate(names):
        to_bone = SMPL_TO_BLENDER.T @ bone_axes(name)
        if index:
            turns[:, index, 1:] = turns[:, index, 1:] @ to_bone.T
        else:
            into_world = quaternions(_axis_angle(bone_axes(name).T)) * (1, -1, -1, -1)
            turns[:, 0] = multiply(
                multiply(into_world, turns[:, 0]), quaternions(_axis_angle(to_bone)) * (1, -1, -1, -1)
            )
    turns = np.where(turns[..., :1] < 0, -turns, turns)
    length = np.linalg.norm(turns[..., 1:], axis=-1, keepdims=True)
    angle = 2 * np.arctan2(length, turns[..., :1])
    return turns[..., 1:] * np.where(length > 1e-9, angle / np.maximum(length, 1e-9), 2.0)


def pelvis_locations(pelvis_world: np.ndarray, pelvis_rest: np.ndarray, name: str) -> np.ndarray:
    """(T, 3) location of the pelvis bone that brings its head from `pelvis_rest` (armature space) to `pelvis_world`."""
    return (np.asarray(pelvis_world, dtype=np.float64) - pelvis_rest) @ bone_axes(name)


def camera_matrix(camera_to_world: np.ndarray) -> np.ndarray:
    """(4, 4) `matrix_world` of the Blender camera that stands where the footage's camera stood."""
    return np.asarray(camera_to_world, dtype=np.float64) @ CV_TO_BLENDER_CAMERA


def camera_to_world(matrix_world) -> np.ndarray:
    """(4, 4) camera (x right, y down, z away) to world of a Blender camera at `matrix_world`."""
    return np.array(matrix_world, dtype=np.float64) @ CV_TO_BLENDER_CAMERA


def _axis_angle(rotation: np.ndarray) -> np.ndarray:
    """(3,) axis-angle of a (3, 3) rotation by less than half a turn."""
    axis = np.array([rotation[2, 1] - rotation[1, 2], rotation[0, 2] - rotation[2, 0], rotation[1, 0] - rotation[0, 1]])
    length = np.linalg.norm(axis)
    if length < 1e-12:
        return np.zeros(3)
    return axis / length * np.arctan2(length, np.trace(rotation) - 1)
