import json
import os

import numpy as np
import pytest

from engine.errors import UsageError
from engine.footage.decoding import Frame
from engine.keypoints.joint_sets import BODY_25, COCO_18
from engine.keypoints.openpose_json import MOST_PEOPLE, OpenPoseJson


def some_frames(count=4, first=0):
    return [Frame(first + n, (first + n) / 30, np.zeros((100, 200, 3), np.uint8)) for n in range(count)]


def person(keypoints, start=10.0):
    return {"pose_keypoints_2d": [value for n in range(keypoints) for value in (start + n, 20.0 + n, 0.9)]}


def write(folder, people_by_number, name="clip_{:012d}_keypoints.json"):
    folder.mkdir(exist_ok=True)
    for number, people in people_by_number.items():
        (folder / name.format(number)).write_text(json.dumps({"version": 1.3, "people": people}))
    return folder


@pytest.mark.parametrize(("count", "names"), [(25, BODY_25), (18, COCO_18)])
def test_people_of_each_frame_are_read(tmp_path, count, names):
    folder = write(tmp_path / "ключи", {0: [person(count)], 1: [], 2: [person(count), person(count, 50)]})
    detector = OpenPoseJson(folder)
    assert tuple(detector.keypoint_names) == names
    found = list(detector.detect(some_frames(4)))
    assert [one.keypoints.shape for one in found] == [(people, count, 3) for people in (1, 0, 2, 0)]
    assert [one.index for one in found] == [0, 1, 2, 3]
    assert found[2].time_s == pytest.approx(2 / 30)
    np.testing.assert_allclose(found[2].keypoints[1, 3], [53, 23, 0.9])
    assert np.isnan(found[0].landmarks3d).all()
    assert found[0].landmarks3d.shape == found[0].keypoints.shape


def test_numbers_need_not_start_at_zero_and_may_have_gaps(tmp_path):
    folder = write(tmp_path / "keys", {1001: [person(25)], 1003: [person(25, 50)]})
    found = list(OpenPoseJson(folder).detect(some_frames(3)))
    assert [len(one.keypoints) for one in found] == [1, 0, 1]


def test_a_range_of_footage_gets_the_files_of_its_frames(tmp_path):
    folder = write(tmp_path / "keys", {n: [person(25, 10 + n)] for n in range(6)})
    found = list(OpenPoseJson(folder).detect(some_frames(2, first=3)))
    assert [one.keypoints[0, 0, 0] for one in found] == [13, 14]


def test_files_without_numbers_are_in_order_of_their_names(tmp_path):
    folder = tmp_path / "keys"
    write(folder, {"a": [person(25, 1)], "b": [person(25, 2)]}, name="{}_keypoints.json")
    assert [one.keypoints[0, 0, 0] for one in OpenPoseJson(folder).detect(some_frames(2))] == [1, 2]


def test_keypoints_outside_of_the_frame_claim_no_confidence(tmp_path):
    far = person(25)
    far["pose_keypoints_2d"][0:3] = [250.0, 20.0, 0.9]
    far["pose_keypoints_2d"][3:6] = [20.0, -3.0, 0.9]
    far["pose_keypoints_2d"][6:9] = [20.0, 30.0, 1.4]
    (found,) = OpenPoseJson(write(tmp_path / "keys", {0: [far]})).detect(some_frames(1))
    np.testing.assert_allclose(found.keypoints[0, :4, 2], [0, 0, 1, 0.9])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "is damaged"),
        ("[1, 2]", "no list of people"),
        ('{"people": 3}', "no list of people"),
        ('{"people": [3]}', "keypoints are not 75, 54, 51 numbers"),
        ('{"people": [{"pose_keypoints_2d": [1, 2, 3]}]}', "keypoints are not 75, 54, 51 numbers"),
        (json.dumps({"people": [{"pose_keypoints_2d": ["x"] * 75}]}), "not a number"),
        (json.dumps({"people": [{"pose_keypoints_2d": [float("nan")] * 75}]}), "not a number"),
        ("\x00\xff", "is damaged"),
        (json.dumps({"people": [{"pose_keypoints_2d": [1e30] * 75}]}), "beyond every picture"),
        (json.dumps({"people": [{"pose_keypoints_2d": [-1e300] * 75}]}), "beyond every picture"),
        (json.dumps({"people": [{"pose_keypoints_2d": [10**400] * 75}]}), "beyond every picture"),
        ("[" * 10_000, "is damaged"),
        ('{"people":' + "[" * 10_000 + "]" * 10_000 + "}", "is damaged"),
        (json.dumps({"people": [{}] * 3000}), "a list of 3000 people"),
    ],
)
def test_malformed_files_are_named(tmp_path, text, sentence):
    folder = write(tmp_path / "keys", {0: [person(25)]})
    broken = folder / "clip_000000000001_keypoints.json"
    broken.write_text(text, encoding="latin-1")
    with pytest.raises(UsageError, match=sentence) as caught:
        list(OpenPoseJson(folder).detect(some_frames(2)))
    assert str(broken) in caught.value.message
    assert "--write_json" in caught.value.hint


def test_a_pipe_among_the_files_is_not_waited_for(tmp_path):
    if not hasattr(os, "mkfifo"):
        pytest.skip("this system has no pipes with names")
    folder = write(tmp_path / "keys", {0: [person(25)]})
    os.mkfifo(folder / "clip_000000000001_keypoints.json")
    with pytest.raises(UsageError, match="is damaged"):
        list(OpenPoseJson(folder).detect(some_frames(2)))


def test_of_a_crowd_the_largest_are_taken(tmp_path):
    crowd = []
    for size in range(100):
        one = person(25)
        high = (size + 1) / 2
        one["pose_keypoints_2d"] = [value for k in range(25) for value in (k / 24 * high, k / 24 * high, 0.9)]
        crowd.append(one)
    (found,) = OpenPoseJson(write(tmp_path / "keys", {0: crowd})).detect(some_frames(1))
    assert len(found.keypoints) == MOST_PEOPLE
    assert np.ptp(found.keypoints[..., 0], axis=1).min() > (100 - MOST_PEOPLE) / 2


def test_mixed_models_are_refused(tmp_path):
    folder = write(tmp_path / "keys", {0: [person(25)], 1: [person(18)]})
    with pytest.raises(UsageError, match="other keypoints"):
        list(OpenPoseJson(folder).detect(some_frames(2)))


def test_a_folder_without_such_files(tmp_path):
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(UsageError, match="no OpenPose files"):
            OpenPoseJson(folder)
