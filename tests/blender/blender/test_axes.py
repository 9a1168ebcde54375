from __future__ import annotations

import numpy as np
import pytest
from adapt_motion.blender_addon.blender import axes
from synthetic import NAMES, REST_JOINTS, rotation_matrices


@pytest.mark.parametrize("name", NAMES)
def test_bone_axes_are_right_handed_signed_permutations(name):
    matrix = axes.bone_axes(name)
    assert np.linalg.det(matrix) == pytest.approx(1)
    assert set(np.abs(matrix).ravel().tolist()) == {0.0, 1.0}


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("left_")])
def test_sides_mirror_as_blender_mirrors_poses(name):
    left, right = axes.bone_axes(name), axes.bone_axes(name.replace("left", "right"))
    mirrored = np.diag([-1.0, 1, 1]) @ left @ np.diag([-1.0, 1, 1])
    assert (right == mirrored).all()


def test_rest_faces_minus_y_with_z_up_and_left_on_plus_x():
    joints = dict(zip(NAMES, axes.rest_to_blender(REST_JOINTS), strict=True))
    assert joints["head"][2] > joints["pelvis"][2] > joints["left_foot"][2]
    assert joints["left_foot"][1] < joints["left_ankle"][1]
    assert joints["left_wrist"][0] > 0 > joints["right_wrist"][0]


def test_quaternions_agree_with_rodrigues():
    axis_angle = np.random.default_rng(0).normal(size=(200, 3)) * 2
    w, x, y, z = axes.quaternions(axis_angle).T
    matrix = rotation_matrices(axis_angle)
    assert 4 * w**2 - 1 == pytest.approx(np.trace(matrix, axis1=1, axis2=2))
    assert 4 * w * x == pytest.approx(matrix[:, 2, 1] - matrix[:, 1, 2])
    assert 4 * w * z == pytest.approx(matrix[:, 1, 0] - matrix[:, 0, 1])
    assert 4 * w * y == pytest.approx(matrix[:, 0, 2] - matrix[:, 2, 0])


def test_quaternion_of_no_rotation_is_exact():
    assert axes.quaternions(np.zeros((1, 3))).tolist() == [[1, 0, 0, 0]]


def test_identity_pose_is_rest_but_for_the_root():
    rotations = axes.bone_rotations(np.zeros((1, 72)), NAMES)
    assert rotations[0, 1:] == pytest.approx(np.tile([1, 0, 0, 0], (23, 1)))
    upright = np.zeros((1, 72))
    upright[0, 0] = np.pi / 2  # SMPL's y up to the world's z up
    assert axes.bone_rotations(upright, NAMES)[0, 0] == pytest.approx([1, 0, 0, 0])


def test_camera_looks_along_z_with_y_down():
    matrix = axes.camera_matrix(np.eye(4))
    assert matrix[:3, :3] @ (0, 0, -1) == pytest.approx([0, 0, 1])
    assert matrix[:3, :3] @ (0, 1, 0) == pytest.approx([0, -1, 0])
