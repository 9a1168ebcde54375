"""The world frame: gravity, floor, contacts, and that both frames tell the same motion."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from synthetic_people import camera_pose, stand, walk

from engine.body.landmarks import JOINT_NAMES
from engine.body.rotations import axis_angle_to_matrix
from engine.world.gravity import up_of
from engine.world.grounding import contact_probability, floor_height, steady_depth
from engine.world.still_camera import to_world

FEET = [JOINT_NAMES.index(name) for name in ("left_ankle", "left_foot", "right_ankle", "right_foot")]


def world_of(body, who):
    return to_world(who.prediction, who.times, body, who.camera)


def tilt_error_degrees(world, who):
    return np.degrees(np.arccos(np.clip(-world.gravity_cam @ who.up, -1, 1)))


def soles(body, world, who):
    """Heights (T,) of the lowest vertex over z = 0."""
    rotations = axis_angle_to_matrix(torch.as_tensor(world.poses).reshape(-1, 24, 3))
    vertices = body.vertices(rotations, torch.as_tensor(who.prediction.betas), torch.as_tensor(world.trans))
    return vertices[..., 2].amin(1).numpy()


@pytest.fixture(scope="module")
def walker(body):
    return walk(body, seconds=2.0, pitch=12.0, roll=2.0)


@pytest.fixture(scope="module")
def walk_world(body, walker):
    return world_of(body, walker)


def test_both_frames_tell_the_same_motion(body, walker, walk_world):
    world, rows = walk_world, len(walker.times)
    matrix = world.camera_to_world
    assert matrix.shape == (4, 4)
    assert matrix[3].tolist() == [0, 0, 0, 1]
    assert np.allclose(matrix[:3, :3] @ matrix[:3, :3].T, np.eye(3), atol=1e-9)
    assert np.linalg.det(matrix[:3, :3]) == pytest.approx(1)
    assert np.allclose(matrix[:3, :3] @ world.gravity_cam, [0, 0, -1], atol=1e-9)
    carried = world.joints3d_cam @ matrix[:3, :3].T + matrix[:3, 3]
    assert np.allclose(carried, world.joints3d_world, atol=1e-5)
    for poses, trans, joints in (
        (world.poses, world.trans, world.joints3d_world),
        (np.concatenate((world.cam_global_orient, world.poses[:, 3:]), 1), world.cam_transl, world.joints3d_cam),
    ):
        rotations = axis_angle_to_matrix(torch.as_tensor(poses).reshape(rows, 24, 3))
        posed = body.joints(rotations, torch.as_tensor(walker.prediction.betas), torch.as_tensor(trans))
        assert np.allclose(posed.numpy(), joints, atol=1e-4)


def test_the_origin_is_under_the_first_pelvis_and_the_camera_looks_along_y(walk_world):
    assert np.allclose(walk_world.joints3d_world[0, 0, :2], 0, atol=1e-6)
    view = walk_world.camera_to_world[:3, :3] @ [0, 0, 1]
    assert view[0] == pytest.approx(0, abs=1e-9)
    assert view[1] > 0.9
    right = walk_world.camera_to_world[:3, :3] @ [1, 0, 0]
    assert right[0] > 0.9


@pytest.mark.parametrize(("pitch", "roll"), [(0, 0), (12, 2), (25, -4), (-8, 3)])
def test_the_cameras_tilt_is_found(body, pitch, roll):
    who = walk(body, seconds=2.0, pitch=pitch, roll=roll)
    assert tilt_error_degrees(world_of(body, who), who) < 5


def test_up_of_pitch_and_roll_is_the_cameras_up():
    expected = camera_pose(20, 7) @ [0, 1, 0]
    assert np.allclose(up_of(np.radians([20, -7])), expected) or np.allclose(up_of(np.radians([20, 7])), expected)


def test_a_second_person_shares_the_first_ones_world(body, walk_world):
    other = stand(body, seconds=1.0, pitch=12.0, roll=2.0)
    alone = world_of(body, other)
    world = to_world(other.prediction, other.times, body, other.camera, walk_world.camera_to_world)
    shared, own = walk_world.camera_to_world, world.camera_to_world
    assert np.array_equal(own[:3, :3], shared[:3, :3])
    assert np.array_equal(own[:2, 3], shared[:2, 3])
    assert not np.allclose(alone.camera_to_world[:2, 3], shared[:2, 3])  # the test would be empty
    assert np.abs(soles(body, world, other)).max() < 0.03
    carried = world.joints3d_cam @ own[:3, :3].T + own[:3, 3]
    assert np.allclose(carried, world.joints3d_world, atol=1e-5)


def test_feet_are_on_the_floor(body, walker, walk_world):
    heights = soles(body, walk_world, walker)
    assert abs(np.median(heights)) < 0.015
    assert heights.min() > -0.03
    assert heights.max() < 0.05


def test_planted_feet_hardly_slide(body):
    who = stand(body, seconds=1.5)
    drift = np.random.default_rng(0).normal(0, 0.006, (len(who.times), 3)).cumsum(0) * [0.1, 0.1, 1]
    prediction = replace(who.prediction, transl=who.prediction.transl + drift.astype(np.float32))
    world = to_world(prediction, who.times, body, who.camera)
    before = np.linalg.norm(np.diff(drift, axis=0), axis=1).mean()
    after = np.linalg.norm(np.diff(world.joints3d_world[:, FEET], axis=0), axis=-1).mean()
    assert after < before / 3
    moved = world.joints3d_cam[:, 0] - (who.joints[:, 0] + drift)
    assert np.abs(moved[:, :2]).max() < 0.1


def test_a_jump_leaves_the_ground(body):
    who = stand(body, seconds=1.6, hop_m=0.4)
    world = world_of(body, who)
    heights = soles(body, world, who)
    assert heights.max() == pytest.approx(0.4, abs=0.06)
    assert abs(np.median(heights)) < 0.02
    top = heights.argmax()
    assert world.contacts[top].max() < 0.05
    assert world.contacts[3].min() > 0.6
    assert world.contacts[-4].min() > 0.6


def test_a_leap_to_a_lower_floor_is_left_there(body):
    who = stand(body, seconds=2.0)
    drop = np.clip((who.times - 1.5) / 0.3, 0, 1)[:, None] * -1.5 * who.up
    prediction = replace(who.prediction, transl=(who.prediction.transl + drop).astype(np.float32))
    world = to_world(prediction, who.times, body, who.camera)
    assert np.linalg.norm(world.cam_transl - prediction.transl, axis=1).max() < 0.15


def test_twice_the_rate_gives_the_same_world(body):
    slow, fast = (world_of(body, walk(body, seconds=1.0, rate=rate, pitch=10)) for rate in (25.0, 50.0))
    assert np.allclose(slow.gravity_cam, fast.gravity_cam, atol=0.02)
    assert np.linalg.norm(slow.joints3d_world - fast.joints3d_world[::2], axis=-1).mean() < 0.03


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_hardly_any_frames(body, walker, rows):
    few = {name: getattr(walker.prediction, name)[:rows] for name in ("rotations", "transl", "joint_confidence")}
    world = to_world(replace(walker.prediction, **few), walker.times[:rows], body, walker.camera)
    for name in set(world.__dataclass_fields__) - {"camera_path"}:
        assert np.isfinite(getattr(world, name)).all(), name
    assert world.poses.shape == (rows, 72)
    assert world.contacts.shape == (rows, 4)
    assert soles(body, world, walker).min() == pytest.approx(0, abs=0.06)


@pytest.mark.parametrize("pitch", [85, -85])
def test_a_camera_that_looks_straight_down_or_up_has_its_picture_ahead(body, pitch):
    """The top of the picture lies ahead of one that looks down, the bottom of one that looks up."""
    up = up_of(np.radians([pitch, 0]))
    who = stand(body, seconds=0.2)
    shared = np.eye(4)
    shared[2, :3] = up
    matrix = to_world(who.prediction, who.times, body, who.camera, shared).camera_to_world[:3, :3]
    assert matrix @ matrix.T == pytest.approx(np.eye(3), abs=1e-9)
    assert matrix @ up == pytest.approx([0, 0, 1], abs=1e-9)
    assert matrix @ [1, 0, 0] == pytest.approx([1, 0, 0], abs=1e-9), "right stays right"
    assert (matrix @ [0, -np.sign(pitch), 0])[1] > 0.9


def test_long_clips_are_posed_in_pieces(body, walker, walk_world, monkeypatch):
    monkeypatch.setattr("engine.world.still_camera._ROWS_AT_ONCE", 7)
    pieces = world_of(body, walker)
    assert pieces.joints3d_world == pytest.approx(walk_world.joints3d_world, abs=1e-5)
    assert pieces.contacts == pytest.approx(walk_world.contacts, abs=1e-4)


def test_a_body_without_landmarks_stands_on_its_joints(body, walker, walk_world):
    class Bare:
        landmark_names = ()

        def __getattr__(self, name):
            return getattr(body, name)

    bare = to_world(walker.prediction, walker.times, Bare(), walker.camera)
    assert abs(np.median(soles(body, bare, walker))) < 0.03
    assert np.abs(bare.contacts - walk_world.contacts).mean() < 0.2


def test_wrong_number_of_times(body, walker):
    with pytest.raises(ValueError, match="timestamps"):
        to_world(walker.prediction, walker.times[:-1], body, walker.camera)


def test_depth_is_steadied_along_the_ray():
    times = np.arange(90) / 30
    truth = np.stack((0.3 * np.sin(times), np.zeros(90), 4 + 0.5 * times), 1)
    noisy = truth * (1 + np.random.default_rng(0).normal(0, 0.01, (90, 1)))
    steady = steady_depth(noisy, times, np.ones(90))
    assert np.allclose(steady[:, :2] / steady[:, 2:], noisy[:, :2] / noisy[:, 2:])
    assert np.abs(steady - truth)[:, 2].mean() < 0.6 * np.abs(noisy - truth)[:, 2].mean()


def test_floor_and_contacts():
    times = np.arange(60) / 30
    heights = np.full((60, 4), 0.1)
    heights[20:30] = 0.6
    assert floor_height(heights, times) == pytest.approx(0.1)
    feet = np.zeros((60, 4, 3))
    feet[:, 1, 0] = times
    contacts = contact_probability(feet, heights - 0.1, times)
    assert (contacts[:15, 0] > 0.9).all()
    assert (contacts[:, 1] < 0.1).all()
    assert (contacts[20:30] < 0.05).all()
