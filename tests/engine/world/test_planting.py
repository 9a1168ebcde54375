"""Standing feet are at rest, and nothing else is changed more than that takes."""

import numpy as np
import pytest
import torch

from engine.body.landmarks import JOINT_NAMES
from engine.body.model import load_body
from engine.body.rotations import axis_angle_to_matrix
from engine.world.planting import planted

ROWS = 60
TIMES = np.arange(ROWS) / 30
UP = np.array([0.0, 1.0, 0.0])
ANKLE, KNEE, HIP = (JOINT_NAMES.index(f"left_{part}") for part in ("ankle", "knee", "hip"))


@pytest.fixture(scope="module")
def body():
    return load_body(None)


def standing(body, slide, bend=0.3):
    """Somebody in a squat who slides by `slide` (T, 3) metres, the left foot flat: pose, joints and soles."""
    turns = torch.zeros(ROWS, 24, 3)
    turns[:, [HIP, HIP + 1], 0] = -bend
    turns[:, [KNEE, KNEE + 1], 0] = 2 * bend
    turns[:, [ANKLE, ANKLE + 1], 0] = -bend
    rotations = axis_angle_to_matrix(turns)
    joints = body.joints(rotations, torch.zeros(10), torch.from_numpy(slide).float()).double().numpy()
    heels = joints[:, [ANKLE, ANKLE + 1]] - (0, 0.08, 0)
    feet = np.stack((heels[:, 0], heels[:, 0] + (0, 0, 0.2), heels[:, 1], heels[:, 1] + (0, 0, 0.2)), 1)
    return rotations.double().numpy(), joints, feet


def rebuilt(body, rotations, joints):
    """Joints of the pose, put where the pelvis is."""
    posed = body.joints(torch.from_numpy(rotations).float(), torch.zeros(10), torch.zeros(ROWS, 3)).double().numpy()
    return posed + (joints[:, :1] - posed[:, :1])


def test_a_foot_that_stands_is_at_rest_and_the_pose_is_that_of_the_joints(body):
    slide = np.zeros((ROWS, 3))
    slide[:, 0] = 0.02 * np.sin(2 * np.pi * TIMES)
    slide[:, 2] = 0.02 * np.cos(3 * TIMES)
    rotations, joints, feet = standing(body, slide)
    contacts = np.zeros((ROWS, 4))
    contacts[15:45, :2] = 0.95
    new_rotations, new_joints, new_feet = planted(rotations, joints, feet, contacts, UP, TIMES)
    before, after = (np.abs(np.diff(some[15:45, :2], axis=0)).max() for some in (feet, new_feet))
    assert before > 0.003
    assert after < 0.0005
    assert np.abs(rebuilt(body, new_rotations, joints) - new_joints).max() < 1e-5
    assert np.array_equal(new_joints[:, HIP + 1 :: 3], joints[:, HIP + 1 :: 3]), "the other leg"
    assert np.array_equal(new_joints[:, 0], joints[:, 0])
    assert np.array_equal(new_feet[..., 1], feet[..., 1]), "heights"
    step = np.diff(new_joints[:, KNEE], n=2, axis=0) * 30**2
    assert np.linalg.norm(step, axis=1).max() < 3, "no pop at either end, m/s2"


def test_a_foot_that_turns_on_the_spot_points_one_way(body):
    rotations, joints, feet = standing(body, np.zeros((ROWS, 3)))
    angle = 0.1 * np.sin(4 * TIMES)
    turn = axis_angle_to_matrix(torch.from_numpy(angle)[:, None] * torch.from_numpy(UP)).numpy()
    feet[:, 1] = feet[:, 0] + np.einsum("tij,tj->ti", turn, feet[:, 1] - feet[:, 0])
    contacts = np.zeros((ROWS, 4))
    contacts[:, :2] = 0.95
    _, _, after = planted(rotations, joints, feet, contacts, UP, TIMES)
    assert np.ptp(feet[:, 1], axis=0).max() > 0.03
    assert np.ptp(after[:, 1], axis=0).max() < 0.002


def test_who_slides_far_and_who_stands_nowhere_is_left_alone(body):
    slide = np.zeros((ROWS, 3))
    slide[:, 0] = 0.3 * TIMES
    motion = standing(body, slide)
    for contacts in (np.zeros((ROWS, 4)), np.full((ROWS, 4), 0.9)):
        for one, other in zip(planted(*motion, contacts, UP, TIMES), motion, strict=True):
            assert np.allclose(one, other, atol=1e-9)


def test_a_straight_leg_does_not_reach_farther_than_it_is_long(body):
    slide = np.zeros((ROWS, 3))
    slide[:, 2] = 0.06 * np.sin(2 * np.pi * TIMES)
    rotations, joints, feet = standing(body, slide, bend=0.0)
    contacts = np.full((ROWS, 4), 0.95)
    new_rotations, new_joints, _ = planted(rotations, joints, feet, contacts, UP, TIMES)
    assert np.isfinite(new_rotations).all()
    bones = sum(np.linalg.norm(joints[0, end] - joints[0, start]) for start, end in ((HIP, KNEE), (KNEE, ANKLE)))
    assert np.linalg.norm(new_joints[:, ANKLE] - new_joints[:, HIP], axis=1).max() < bones
    assert np.abs(new_joints - joints).max() > 0.01
