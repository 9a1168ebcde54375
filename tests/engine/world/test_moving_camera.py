"""A camera that moves on a known path: the motion lands where it was, in the world of the path."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from filmed_people import filmed_person, path_of
from synthetic_people import walk

from engine.body.rotations import axis_angle_to_matrix
from engine.errors import UsageError
from engine.world.moving_camera import rows_of, to_moving_world
from engine.world.still_camera import to_world


@pytest.fixture(scope="module")
def filmed(body):
    """See `filmed_person`."""
    return filmed_person(body, walk(body, seconds=2.0, pitch=8.0))


def test_the_motion_lands_where_it_was_though_the_camera_moves(body, filmed):
    walker, truth, poses, seen = filmed
    moved = np.linalg.norm(poses[-1, :3, 3] - poses[0, :3, 3])
    assert moved > 1.0, "the test would be empty"
    world = to_moving_world(seen, walker.times, body, poses, poses[0])
    apart = np.linalg.norm(world.joints3d_world - truth.joints3d_world, axis=-1)
    assert apart.mean() < 0.03
    assert apart.max() < 0.08, "at the ends, along the viewing ray, which the picture hardly tells"
    assert np.abs(world.contacts - truth.contacts).mean() < 0.1
    as_if_still = to_world(seen, walker.times, body, walker.camera, truth.camera_to_world)
    assert np.abs(as_if_still.joints3d_world - truth.joints3d_world).max() > 0.3, "what it is good for"


def test_depth_that_flickers_is_steadied_along_the_rays(body, filmed):
    walker, truth, poses, seen = filmed
    flicker = 1 + 0.02 * np.random.default_rng(0).normal(size=(len(poses), 1)).astype(np.float32)
    world = to_moving_world(replace(seen, transl=seen.transl * flicker), walker.times, body, poses, poses[0])
    apart = np.linalg.norm(world.joints3d_world - truth.joints3d_world, axis=-1)
    assert np.linalg.norm(seen.transl * (flicker - 1), axis=-1).mean() > 0.05, "the test would be empty"
    assert apart.mean() < 0.05
    jitter = np.abs(np.diff(world.joints3d_world[:, 0] - truth.joints3d_world[:, 0], n=2, axis=0))
    assert jitter.mean() < 0.005


def test_both_frames_tell_the_same_motion(body, filmed):
    walker, _, poses, seen = filmed
    world = to_moving_world(seen, walker.times, body, poses, poses[0])
    carried = np.einsum("tij,tnj->tni", poses[:, :3, :3], world.joints3d_cam) + poses[:, None, :3, 3]
    assert carried == pytest.approx(world.joints3d_world, abs=1e-4)
    assert np.array_equal(world.camera_to_world, poses[0])
    assert world.gravity_cam == pytest.approx(poses[0, :3, :3].T @ [0, 0, -1])
    for turned, trans, joints in (
        (world.poses, world.trans, world.joints3d_world),
        (np.concatenate((world.cam_global_orient, world.poses[:, 3:]), 1), world.cam_transl, world.joints3d_cam),
    ):
        rotations = axis_angle_to_matrix(torch.as_tensor(turned).reshape(-1, 24, 3))
        posed = body.joints(rotations, torch.as_tensor(walker.prediction.betas), torch.as_tensor(trans))
        assert posed.numpy() == pytest.approx(joints, abs=1e-4)


def test_a_floor_that_was_set_is_kept_and_another_world_is_left_alone(body, filmed):
    walker, _, poses, seen = filmed
    low = poses.copy()
    low[:, 2, 3] -= 0.08  # the solve's floor is off by 8 cm: the body comes onto it
    world = to_moving_world(seen, walker.times, body, low, low[0])
    assert abs(np.median(world.joints3d_world[:, [10, 11], 2].min(1)) - 0.05) < 0.05
    high = poses.copy()
    high[:, 2, 3] += 5.0
    world = to_moving_world(seen, walker.times, body, high, high[0])
    assert world.joints3d_world[:, [10, 11], 2].min() > 4.8


def test_rows_of_a_path():
    path = np.tile(np.eye(4), (5, 1, 1))
    path[:, 0, 3] = np.arange(5)
    assert rows_of(path, np.array([2, 3]))[:, 0, 3].tolist() == [2, 3]
    assert rows_of(path[:1], np.array([2, 9])).shape == (2, 4, 4)
    with pytest.raises(UsageError, match="poses for 5 frames, and frame 6 needs one"):
        rows_of(path, np.array([4, 5]))


def test_another_number_of_rows_is_refused(body, filmed):
    walker, _, poses, seen = filmed
    with pytest.raises(ValueError, match="poses"):
        to_moving_world(seen, walker.times, body, poses[:-1], poses[0])


def test_a_run_with_a_moving_camera_tells_its_path(copied_run, run_here, quick, tmp_path):
    import json

    from engine.output.motion_file import read_motion

    before = read_motion(copied_run.folder / "person_1.npz")
    poses = path_of(before.camera_to_world, np.arange(21) / 60)
    values = {"intrinsics": before.intrinsics.tolist(), "camera_to_world": poses.tolist()}
    (tmp_path / "camera.json").write_text(json.dumps(values))
    words = ("run", copied_run.clip, "-o", copied_run.out, "--resume", "--camera", tmp_path / "camera.json", *quick)
    ran = run_here(*words)
    assert ran.code == 0, ran.stderr
    motion = read_motion(copied_run.folder / "person_1.npz")
    assert motion.camera_path == pytest.approx(poses)
    assert before.camera_path is None
    carried = np.einsum("tij,tnj->tni", poses[:, :3, :3], motion.joints3d_cam) + poses[:, None, :3, 3]
    assert carried == pytest.approx(motion.joints3d_world, abs=2e-3)
