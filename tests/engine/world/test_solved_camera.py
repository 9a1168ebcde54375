"""Scale, up and floor of a solved path come from the person in it."""

import numpy as np
import pytest
from filmed_people import filmed_person
from synthetic_people import stand

from engine.camera.solve import SolvedShot
from engine.keypoints.types import PersonTrack
from engine.world.moving_camera import rows_of, to_moving_world
from engine.world.solved_camera import metric_path

UNIT = 0.07
"""Units of the solve in a metre."""


@pytest.fixture(scope="module")
def filmed(body):
    """See `filmed_person`: feet that stand, while the camera goes 1.3 m."""
    return filmed_person(body, stand(body, seconds=2.0, pitch=8.0))


def track_of(times):
    """A track of as many frames, without keypoints: only its frames and times count here."""
    count = len(times)
    return PersonTrack(
        person=1,
        frame_indices=np.arange(count),
        timestamps=times,
        keypoints=np.zeros((count, 1, 3), np.float32),
        landmarks3d=np.zeros((count, 1, 3), np.float32),
        boxes=np.zeros((count, 4), np.float32),
        detected=np.ones(count, bool),
        keypoint_names=("nose",),
        image_size=(640, 400),
    )


def solved(poses, depth_m=6.0):
    """The same path as a solve has it: from the first camera, in units of its own."""
    relative = np.linalg.inv(poses[0]) @ poses
    relative[:, :3, 3] *= UNIT
    return SolvedShot(np.arange(len(poses)), relative, depth_m * UNIT)


def test_the_path_gets_its_metres_from_the_feet_and_its_up_from_the_body(body, filmed):
    walker, _, poses, seen = filmed
    path = metric_path([solved(poses)], [track_of(walker.times)], [seen], body)
    moved, true = (np.linalg.norm(one[-1, :3, 3] - one[0, :3, 3]) for one in (path, poses))
    assert moved == pytest.approx(true, rel=0.05)
    tilt = np.degrees(
        np.arccos((path[:, :3, :3].transpose(0, 2, 1) @ [0, 0, 1] * (poses[:, 2, :3])).sum(1).clip(-1, 1))
    )
    assert tilt.max() < 3


def test_who_stands_stays_in_place_with_the_feet_on_the_floor(body, filmed):
    walker, _, poses, seen = filmed
    path = metric_path([solved(poses)], [track_of(walker.times)], [seen], body)
    world = to_moving_world(seen, walker.times, body, rows_of(path, np.arange(len(path))), path[0])
    assert np.linalg.norm(world.joints3d_world - world.joints3d_world[:1], axis=-1).max() < 0.05
    assert abs(world.joints3d_world[:, [10, 11], 2].min()) < 0.08


def test_a_camera_that_stays_in_its_place_needs_no_scale(body, filmed):
    walker, _, poses, seen = filmed
    turns = np.repeat(np.eye(4)[None], len(poses), 0)
    turns[:, :3, :3] = solved(poses).poses[:, :3, :3]
    path = metric_path([SolvedShot(np.arange(len(poses)), turns, 0.0)], [track_of(walker.times)], [seen], body)
    assert np.ptp(path[:, :3, 3], axis=0).max() == 0
