"""BABEL's JSON files and AMASS's motions, as their sites give them."""

import json

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from engine.body.rotations import six_to_matrix
from engine.errors import ModelFileError
from engine.semantics.amass import find_amass, key_of, read_window
from engine.semantics.babel import Place, read_babel


def entry(label, start=None, end=None, raw=None, category=()):
    times = {} if start is None else {"start_t": start, "end_t": end}
    return {"proc_label": label, "raw_label": raw or label, "act_cat": list(category), "seg_id": "x", **times}


def motion(path, duration, frame=None, whole=None):
    """One motion of train.json or val.json."""
    return {
        "babel_sid": 1, "url": "", "feat_p": path, "dur": duration,
        "frame_ann": {"labels": frame, "mul_act": True} if frame is not None else None,
        "seq_ann": {"labels": whole or [], "mul_act": False},
    }  # fmt: skip


@pytest.fixture
def babel(tmp_path):
    folder = tmp_path / "babel_v1.0_release"
    folder.mkdir()
    train = {
        "12": motion(
            "KIT/KIT/317/turn_left08_poses.npz", 5.0,
            [
                entry("walk", 0, 1.5, category=["walk", "move"]),
                entry("turn left", 1.5, 5.0, "turning to the left", ["turn"]),
            ],
            [entry("walk and turn")],
        ),
        "13": motion("CMU/CMU/01/01_01_poses.npz", 3.0, None, [entry("walk", raw="walks forward", category=["walk"])]),
        "14": motion(
            "CMU/CMU/01/01_02_poses.npz", 3.0, [entry("transition", 0, 1), entry(None, 1, 2), entry("walk", 2, 2)]
        ),
    }  # fmt: skip
    several = {"frame_anns": [{"labels": [entry("jump", 0.2, 1.0)]}], "seq_anns": [{"labels": [entry("hop")]}]}
    extra = {"15": {"feat_p": "CMU/CMU/02/02_01_poses.npz", "dur": 2.0, "seq_ann": None, "frame_ann": None, **several}}
    (folder / "train.json").write_text(json.dumps(train))
    (folder / "extra_train.json").write_text(json.dumps(extra))
    (folder / "test.json").write_text("{}")
    return folder


def test_labels_are_read_with_wording_category_and_places(babel):
    found = {one.label: one for one in read_babel(babel)}
    assert list(found) == ["walk", "jump", "turn left"], "the most frequent first"
    walk = found["walk"]
    assert walk.category == "walk"
    assert walk.wordings == ("walks forward",)
    assert walk.places == (
        Place("CMU/CMU/01/01_01_poses.npz", 0.0, 3.0),
        Place("KIT/KIT/317/turn_left08_poses.npz", 0.0, 1.5),
    ), "the longest first; the label of a whole motion where there are no times"
    assert found["turn left"].wordings == ("turning to the left",)


@pytest.mark.parametrize(
    ("content", "words"),
    [("{", "not JSON"), ("[]", "no table of motions"), ('{"1": {"duration": 1}}', "another form"),
     ('{"1": {"feat_p": "x", "dur": 1, "seq_ann": {"labels": [3]}}}', "another form"), ("{}", "hold no labels")],
)  # fmt: skip
def test_other_files_are_refused(tmp_path, content, words):
    with pytest.raises(ModelFileError, match="no BABEL files in"):
        read_babel(tmp_path)
    (tmp_path / "train.json").write_text(content)
    with pytest.raises(ModelFileError, match=words):
        read_babel(tmp_path)


@pytest.mark.parametrize(
    "path", ["KIT/317/turn_left08_poses.npz", "KIT/317/turn_left08_stageii.npz", "CMU/CMU/317/Turn_Left08_poses.npz"]
)
def test_motions_are_found_whatever_the_release_calls_their_folder(tmp_path, path):
    file = tmp_path / path
    file.parent.mkdir(parents=True)
    file.write_bytes(b"")
    (file.parent / "shape.npz").write_bytes(b"")
    assert find_amass(tmp_path) == {key_of("KIT/KIT/317/turn_left08_poses.npz"): file}


def test_an_empty_or_missing_folder_is_reported(tmp_path):
    with pytest.raises(ModelFileError, match="no AMASS motions in"):
        find_amass(tmp_path)
    with pytest.raises(ModelFileError, match="does not exist"):
        find_amass(tmp_path / "nothing")


@pytest.mark.parametrize(("joints", "hands", "rate_name"), [
    (52, (22, 37), "mocap_framerate"), (55, (25, 40), "mocap_frame_rate"), (24, (22, 23), "mocap_framerate"),
])  # fmt: skip
def test_a_window_is_read_at_30_frames_a_second_with_smpls_joints(tmp_path, joints, hands, rate_name):
    random = np.random.default_rng(0)
    poses = random.normal(scale=0.5, size=(600, 3 * joints))
    np.savez(tmp_path / "a_poses.npz", poses=poses, trans=np.zeros((600, 3)), gender="male", **{rate_name: 120.0})
    six = read_window(tmp_path / "a_poses.npz", 1.0, 4.0)
    assert six.shape == (60, 24, 6)
    rotations = six_to_matrix(torch.from_numpy(six)).numpy()
    for row, frame in ((0, 180), (1, 184), (59, 416)):
        for joint, theirs in ((0, 0), (7, 7), (22, hands[0]), (23, hands[1])):
            wanted = Rotation.from_rotvec(poses[frame, 3 * theirs : 3 * theirs + 3]).as_matrix()
            np.testing.assert_allclose(rotations[row, joint], wanted, atol=1e-5)


def test_a_short_motion_is_held_at_its_ends(tmp_path):
    poses = np.random.default_rng(0).normal(size=(30, 156))
    np.savez(tmp_path / "a.npz", poses=poses, mocap_framerate=30.0)
    six = read_window(tmp_path / "a.npz", 0.0, 1.0)
    assert (six[:15] == six[0]).all()
    assert (six[45:] == six[59]).all()
    assert not (six[20] == six[21]).all()


@pytest.mark.parametrize("arrays", [
    {"poses": np.zeros((4, 156))}, {"mocap_framerate": 30.0}, {"poses": np.zeros((4, 100)), "mocap_framerate": 30.0},
    {"poses": np.full((4, 156), np.nan), "mocap_framerate": 30.0},
    {"poses": np.zeros((0, 156)), "mocap_framerate": 30.0},
    {"poses": np.zeros((4, 156)), "mocap_framerate": 0.0}, {"poses": np.array([None]), "mocap_framerate": 30.0},
])  # fmt: skip
def test_what_is_no_motion_is_refused(tmp_path, arrays):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(ModelFileError, match="AMASS motion"):
        read_window(tmp_path / "a.npz", 0, 1)


def test_a_damaged_motion_is_refused(tmp_path):
    (tmp_path / "a.npz").write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(ModelFileError, match="cannot be read as an AMASS motion"):
        read_window(tmp_path / "a.npz", 0, 1)
