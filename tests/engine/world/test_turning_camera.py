"""A camera that turns in its place: the motion lands where it is for one that stands still."""

from dataclasses import replace

import numpy as np
import pytest
from synthetic_people import walk
from virtual_camera import shake

from engine.keypoints.types import PersonTrack
from engine.world.still_camera import to_world
from engine.world.turning_camera import seen_turning, steadied, turns_of


@pytest.fixture(scope="module")
def filmed(body):
    """A walk, the turns of a camera in a hand, and what a backbone would say in that camera."""
    walker = walk(body, seconds=2.0, pitch=8.0)
    turns = shake(len(walker.times), 3.0)
    prediction = walker.prediction
    rest = body.rest(prediction.betas).joints[0]
    rotations = prediction.rotations.copy()
    rotations[:, 0] = turns.transpose(0, 2, 1) @ rotations[:, 0]
    transl = np.einsum("tji,tj->ti", turns, prediction.transl + rest) - rest
    return walker, turns, replace(prediction, rotations=rotations, transl=transl.astype(np.float32))


def track_of(count, first=0):
    """A track of which only the frames count here."""
    values = dict.fromkeys(PersonTrack.__dataclass_fields__)
    return PersonTrack(**{**values, "frame_indices": np.arange(first, first + count)})


def test_the_motion_lands_where_it_is_for_a_still_camera(body, filmed):
    walker, turns, seen = filmed
    camera = replace(walker.camera, turns=turns)
    (still,) = steadied(camera, [track_of(len(turns))], [seen], body)
    np.testing.assert_allclose(still.transl, walker.prediction.transl, atol=1e-5)
    truth = to_world(walker.prediction, walker.times, body, walker.camera)
    world = seen_turning(to_world(still, walker.times, body, camera), turns)
    np.testing.assert_allclose(world.joints3d_world, truth.joints3d_world, atol=1e-3)
    np.testing.assert_allclose(world.poses, truth.poses, atol=1e-3)


def test_the_path_takes_what_the_camera_sees_to_the_world(body, filmed):
    walker, turns, seen = filmed
    (still,) = steadied(replace(walker.camera, turns=turns), [track_of(len(turns))], [seen], body)
    world = seen_turning(to_world(still, walker.times, body, walker.camera), turns)
    path = world.camera_path
    carried = np.einsum("tij,tnj->tni", path[:, :3, :3], world.joints3d_cam) + path[:, None, :3, 3]
    np.testing.assert_allclose(carried, world.joints3d_world, atol=1e-5)
    np.testing.assert_allclose(path[0], world.camera_to_world)
    rest = body.rest(seen.betas).joints[0]
    np.testing.assert_allclose(world.cam_transl + rest, world.joints3d_cam[:, 0], atol=1e-5)


def test_a_still_camera_is_left_alone(body, filmed):
    walker, turns, _ = filmed
    still = np.repeat(np.eye(3)[None], 40 + len(turns), 0)
    still[:40] = shake(40, 2.0)
    rows = np.arange(40, 40 + len(turns))
    assert turns_of(walker.camera, rows) is None
    assert turns_of(replace(walker.camera, turns=still), rows) is None
    world = to_world(walker.prediction, walker.times, body, walker.camera)
    assert seen_turning(world, None) is world
    assert world.camera_path is None
    (same,) = steadied(walker.camera, [track_of(len(turns))], [walker.prediction], body)
    assert same is walker.prediction
