"""The motion file."""

import dataclasses

import numpy as np
import pytest

from engine.errors import OutputError, UsageError
from engine.files.atomic import write_arrays
from engine.output.motion_file import Motion, read_motion, write_motion

T, K = 4, 2


@pytest.fixture
def motion():
    rng = np.random.default_rng(0)

    def rows(*shape):
        return rng.normal(size=(T, *shape)).astype(np.float32)

    return Motion(
        poses=rows(72),
        trans=rows(3),
        betas=np.zeros(10, np.float32),
        gender="neutral",
        surface_model_type="open-body",
        mocap_framerate=30000 / 1001,
        timestamps=np.arange(T) * 1001 / 30000,
        cam_global_orient=rows(3),
        cam_transl=rows(3),
        joints3d_cam=rows(24, 3),
        joints3d_world=rows(24, 3),
        intrinsics=np.eye(3),
        camera_to_world=np.eye(4),
        image_size=np.array([1920, 1080]),
        keypoints2d=rows(K, 3),
        keypoints2d_origin=np.ones((T, K), np.uint8),
        keypoint_names=np.array(["nose", "left_eye"]),
        labels=np.array(["", "läuft", "läuft", ""]),
        label_similarity=rows(),
        contacts=rows(4),
        initial_poses=rows(72),
        initial_trans=rows(3),
    )


def test_a_motion_comes_back_bit_by_bit(motion, tmp_path):
    path = tmp_path / "später" / "person_1.npz"
    write_motion(motion, path)
    again = read_motion(path)
    for item in dataclasses.fields(Motion):
        one, other = getattr(motion, item.name), getattr(again, item.name)
        assert np.array_equal(one, other), item.name
        assert np.asarray(one).dtype == np.asarray(other).dtype, item.name
    assert again.mocap_framerate == 30000 / 1001
    assert [file.name for file in path.parent.iterdir()] == ["person_1.npz"]


def test_other_tools_read_it_without_pickle(motion, tmp_path):
    write_motion(motion, tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz", allow_pickle=False) as archive:
        assert archive["poses"].shape == (T, 72)
        assert str(archive["gender"]) == "neutral"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"trans": np.zeros((T + 1, 3))}, r"trans is \(5, 3\), not \(4, 3\)"),
        ({"betas": np.zeros(16)}, "betas"),
        ({"poses": np.full((T, 72), np.nan)}, "poses has values that are not finite"),
        ({"timestamps": np.zeros(T)}, "timestamps do not increase"),
        ({"mocap_framerate": 0.0}, "mocap_framerate is 0"),
        ({"keypoints2d": np.zeros((T, K + 1, 3))}, "keypoints2d"),
        ({"labels": np.array([None] * T)}, "labels has type object"),
        ({"format_version": 99}, "newer than this version"),
    ],
)
def test_what_makes_no_sense_is_refused(motion, change, sentence):
    with pytest.raises(ValueError, match=sentence):
        dataclasses.replace(motion, **change)


def test_files_that_are_no_motion_are_refused(motion, tmp_path):
    path = tmp_path / "a.npz"
    with pytest.raises(UsageError, match="cannot be read"):
        read_motion(path)
    path.write_text("text")
    with pytest.raises(UsageError, match="cannot be read"):
        read_motion(path)
    write_arrays(path, {"poses": np.zeros((T, 72))})
    with pytest.raises(UsageError, match="lacks trans"):
        read_motion(path)
    write_motion(motion, path)
    arrays = dict(np.load(path))
    write_arrays(path, arrays | {"trans": np.zeros((1, 3))})
    with pytest.raises(UsageError, match="no valid motion file"):
        read_motion(path)
    write_arrays(path, arrays | {"more": np.zeros(1)})
    assert read_motion(path).mocap_framerate == motion.mocap_framerate
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(UsageError, match="cannot be read"):
        read_motion(path)


def test_a_file_in_place_of_the_folder_is_reported(motion, tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(OutputError, match="could not be written") as caught:
        write_motion(motion, tmp_path / "out" / "person_1.npz")
    assert caught.value.hint
