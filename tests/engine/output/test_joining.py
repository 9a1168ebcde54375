"""Several stretches of one person in one motion file."""

import dataclasses

import numpy as np
import pytest

from engine.output.joining import joined, joined_takes
from engine.output.motion_file import Motion, read_motion, write_motion


def motion_of(start_s, rows, camera_x=0.0, cuts_s=None):
    rng = np.random.default_rng(rows)
    camera = np.eye(4)
    camera[0, 3] = camera_x
    per_row = {
        "poses": (72,), "trans": (3,), "cam_global_orient": (3,), "cam_transl": (3,), "joints3d_cam": (24, 3),
        "joints3d_world": (24, 3), "keypoints2d": (2, 3), "label_similarity": (), "contacts": (4,),
        "initial_poses": (72,), "initial_trans": (3,),
    }  # fmt: skip
    return Motion(
        **{name: rng.normal(size=(rows, *shape)).astype(np.float32) for name, shape in per_row.items()},
        betas=np.zeros(10, np.float32),
        gender="neutral",
        surface_model_type="open-body",
        mocap_framerate=10.0,
        timestamps=start_s + np.arange(rows) / 10,
        intrinsics=np.eye(3),
        camera_to_world=camera,
        image_size=np.array([64, 48]),
        keypoints2d_origin=np.ones((rows, 2), np.uint8),
        keypoint_names=np.array(["nose", "left_eye"]),
        labels=np.array(["walk"] * rows),
        shots=None if cuts_s is None else np.array([[0, rows - 1]]),
        cuts_s=None if cuts_s is None else np.array(cuts_s),
    )


def test_one_stretch_stays_as_it_is():
    alone = motion_of(0, 4)
    again = joined([alone], [1])
    for item in dataclasses.fields(Motion):
        np.testing.assert_array_equal(getattr(alone, item.name), getattr(again, item.name), item.name)


def test_somebody_who_came_back_has_a_gap_in_time_and_no_camera_path():
    first, second = motion_of(0, 4), motion_of(3, 5)
    both = joined([first, second], [1, 1])
    assert len(both.poses) == 9
    np.testing.assert_array_equal(both.joints3d_world[4:], second.joints3d_world)
    np.testing.assert_allclose(np.diff(both.timestamps).max(), 2.7)
    assert both.camera_path is None
    assert both.shots is None


def test_each_shot_keeps_its_camera(tmp_path):
    parts = [motion_of(0, 4, 1.0, [1.0]), motion_of(0.6, 2, 1.0, [1.0]), motion_of(1, 5, 2.0, [1.0])]
    both = joined(parts, [1, 1, 2])
    assert both.shots.tolist() == [[0, 5], [6, 10]]
    np.testing.assert_array_equal(both.camera_path[:, 0, 3], [1.0] * 6 + [2.0] * 5)
    write_motion(both, tmp_path / "person_1.npz")
    again = read_motion(tmp_path / "person_1.npz")
    assert again.shots.tolist() == both.shots.tolist()
    assert again.cuts_s.tolist() == [1.0]


def test_shots_and_cuts_of_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match="shots is"):
        dataclasses.replace(motion_of(0, 4), shots=np.zeros((2, 3), np.int64))
    with pytest.raises(ValueError, match="cuts_s is"):
        dataclasses.replace(motion_of(0, 4), cuts_s=np.zeros((2, 3)))


def takes_of(rows, draws, stretches):
    return {
        "rows": np.array(rows),
        "poses": np.full((draws, len(rows), 72), rows[0], np.float16),
        "stretches": np.array(stretches, np.float64),
        **{name: np.full((len(stretches), draws), "walk") for name in ("kinds", "labels")},
        **{name: np.zeros((len(stretches), draws)) for name in ("similarity", "slide_mm", "reprojection_px")},
    }


def test_takes_belong_to_the_rows_of_the_joined_motion():
    both = joined_takes([takes_of([1, 2], 3, [(0.1, 0.2)]), {}, takes_of([0], 2, [(2, 3), (4, 5)])], [4, 6, 5])
    assert both["rows"].tolist() == [1, 2, 10]
    assert both["poses"].shape == (2, 3, 72)
    assert both["stretches"].tolist() == [[0.1, 0.2], [2, 3], [4, 5]]
    assert all(both[name].shape == (3, 2) for name in ("labels", "kinds", "similarity", "slide_mm", "reprojection_px"))
    assert joined_takes([{}, {}], [4, 5]) == {}
