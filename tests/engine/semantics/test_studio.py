import json

import numpy as np
import pytest
import torch
from bvh_files import bvh_text, hanging

from engine.body.rotations import axis_angle_to_matrix, matrix_to_six
from engine.errors import ModelFileError, UsageError
from engine.protocol import parse_event
from engine.semantics.dictionary import MotionDictionary
from engine.semantics.motion_text import MotionTextSpace
from engine.semantics.motion_windows import resample, window_at
from engine.semantics.studio import add_action, listed
from engine.training.bvh_motion import joint_map_by_names, read_bvh_motion
from engine.training.figure import INDEX, JOINTS


@pytest.fixture(scope="module")
def space():
    return MotionTextSpace.from_file()


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """Still for two seconds, then the right arm swings; joints named as SMPL's."""
    angles, root = hanging(180)
    swing = 60 * np.sin(np.arange(120) / 5)
    angles[60:, INDEX["right_shoulder"], 1] += swing
    path = tmp_path_factory.mktemp("clips") / "swagger.bvh"
    text = bvh_text(angles, root)
    for name in JOINTS:
        text = text.replace(f"s_{name}\n", f"{name.title()}\n")
    path.write_text(text)
    return path


def test_an_action_is_added_listed_and_matched(clip, space, tmp_path):
    dictionary = tmp_path / "mine" / "actions.json"
    added = add_action("swagger", clip, dictionary, "walk as if one owned the place", space=space)
    assert added.window_s[0] > 1.5  # where it moves
    assert len(added.nearest) == 5
    assert all(label in space.labels for label, _ in added.nearest)
    assert added.nearest[0][1] >= added.nearest[-1][1]
    known = MotionDictionary.from_files().with_studio(dictionary)
    assert known.labels[-1] == "swagger"
    assert known.match("swagger").label == "swagger"
    assert known.match("walking as if one owned the place").label == "swagger"
    assert known.match("walk").label == "walk"
    assert known.nearest("swagger") == tuple(label for label, _ in added.nearest)
    assert ("studio", "swagger", "") in listed(dictionary)
    exemplar = known.exemplar("swagger")
    assert exemplar.shape == (60, 24, 6)
    poses, _ = read_bvh_motion(clip)
    whole = matrix_to_six(axis_angle_to_matrix(torch.from_numpy(poses).float()))
    at = window_at(torch.tensor(added.window_s[0], dtype=torch.float64))
    wanted = resample(whole, torch.arange(len(whole), dtype=torch.float64) / 30, at)[:, 1:].numpy()
    np.testing.assert_allclose(exemplar[:, 1:], wanted, atol=5e-3)
    assert known.exemplar("walk").shape == (60, 24, 6)


def test_the_space_knows_an_added_action_by_its_exemplar(clip, space, tmp_path):
    dictionary = tmp_path / "actions.json"
    add_action("swagger", clip, dictionary, space=space)
    base = MotionDictionary.from_files()
    assert space.knowing(base) is space
    known = base.with_studio(dictionary)
    more = space.knowing(known)
    exemplar = torch.from_numpy(known.exemplar("swagger"))[None]
    similarity = float((more.encode_labels(["swagger"]) * more.encode_motion(exemplar)).sum())
    assert similarity == pytest.approx(1, abs=1e-4)
    torch.testing.assert_close(more.encode_labels(["walk"]), space.encode_labels(["walk"]))
    with pytest.raises(KeyError):
        space.encode_labels(["swagger"])  # what was there is as it was


def test_more_actions_are_kept_in_order_with_their_exemplars(clip, space, tmp_path):
    dictionary = tmp_path / "actions.json"
    for label in ("swagger", "moonstep"):
        add_action(label, clip, dictionary, space=space, stretch_s=(0, 2) if label == "moonstep" else None)
    own = MotionDictionary.from_files(dictionary)
    assert own.labels == ("swagger", "moonstep")
    movement = [np.abs(np.diff(own.exemplar(label), axis=0)).mean() for label in own.labels]
    assert movement[0] > 10 * movement[1]
    assert json.loads(dictionary.read_text())["format_version"] == 2


@pytest.mark.parametrize(
    ("label", "sentence", "message"),
    [("walk", "", "'walk' is known already"), ("strut", "stroll along", "is known already"), (" ", "", "a few words")],
)
def test_what_is_known_or_nothing_is_refused(clip, space, tmp_path, label, sentence, message):
    known = MotionDictionary.from_files()
    sentence = known.paraphrases("walk")[0] if sentence else ""
    with pytest.raises(UsageError, match=message):
        add_action(label, clip, tmp_path / "a.json", sentence, space=space)
    assert list(tmp_path.iterdir()) == []


def test_motions_that_cannot_be_used_are_refused(clip, space, tmp_path):
    with pytest.raises(UsageError, match="neither a BVH nor a motion file"):
        add_action("swagger", tmp_path / "x.fbx", tmp_path / "a.json", space=space)
    (tmp_path / "bad.bvh").write_text("HIERARCHY\nnothing")
    with pytest.raises(UsageError, match=r"bad\.bvh, line 2"):
        add_action("swagger", tmp_path / "bad.bvh", tmp_path / "a.json", space=space)
    with pytest.raises(UsageError, match="outside the motion"):
        add_action("swagger", clip, tmp_path / "a.json", stretch_s=(90, 99), space=space)


def test_a_damaged_dictionary_is_named_and_left_alone(clip, space, tmp_path):
    path = tmp_path / "a.json"
    path.write_text("{")
    with pytest.raises(ModelFileError, match="is not JSON"):
        add_action("swagger", clip, path, space=space)
    assert path.read_text() == "{"


@pytest.mark.parametrize(
    ("names", "knee", "collar"),
    [
        (
            "Hips Spine Spine1 Spine2 Neck Head LeftShoulder LeftArm LeftForeArm LeftHand RightShoulder RightArm "
            "RightForeArm RightHand LeftUpLeg LeftLeg LeftFoot LeftToeBase RightUpLeg RightLeg RightFoot RightToeBase",
            "LeftLeg",
            "LeftShoulder",
        ),
        (
            "root lfemur ltibia lfoot ltoes rfemur rtibia rfoot rtoes lowerback upperback thorax lowerneck head "
            "lclavicle lhumerus lradius lwrist lhand rclavicle rhumerus rradius rwrist rhand",
            "ltibia",
            "lclavicle",
        ),
    ],
)
def test_joints_are_known_by_common_names(names, knee, collar, tmp_path):
    prefixed = [f"mixamorig:{name}" for name in names.split()]
    for given in (names.split(), prefixed):
        found = joint_map_by_names(given, tmp_path / "x.bvh").rotations
        assert found["left_knee"].endswith(knee)
        assert found["left_collar"].endswith(collar)
        sided = [name for joint, name in found.items() if joint.startswith("left") and name]
        assert len(set(sided)) == len(sided)


def test_joints_that_nobody_knows_are_named(tmp_path):
    with pytest.raises(UsageError, match=r"x\.bvh: The joint map has no source joint for pelvis"):
        joint_map_by_names(["bone_001", "bone_002"], tmp_path / "x.bvh")


def test_the_commands(clip, run_here, tmp_path):
    own = tmp_path / "own.json"
    ran = run_here("actions", "add", "swagger", clip, "--sentence", "own the place", "--dictionary", own)
    assert ran.code == 0, ran.stderr
    assert "Added 'swagger'" in ran.stdout
    assert "Nearest by motion: " in ran.stdout
    ran = run_here("actions", "list", "--dictionary", own)
    assert "studio\tswagger" in ran.stdout
    assert "\twalk\n" in ran.stdout
    ran = run_here("actions", "add", "strut", tmp_path / "absent.bvh", "--dictionary", own)
    assert ran.code != 0


def test_an_amass_file_gives_the_same_action_as_the_clip_it_is_of(clip, space, tmp_path):
    poses, fps = read_bvh_motion(clip)
    body = poses.reshape(len(poses), 72)[:, :66]
    whole = np.concatenate([body, np.tile(poses[:, 22], 15), np.tile(poses[:, 23], 15)], axis=1)
    np.savez(tmp_path / "amass.npz", poses=whole, trans=np.zeros((len(poses), 3)), mocap_framerate=np.array(fps))
    of_clip = add_action("swagger", clip, tmp_path / "a.json", space=space)
    of_amass = add_action("swagger", tmp_path / "amass.npz", tmp_path / "b.json", space=space)
    assert of_amass.nearest[0][0] == of_clip.nearest[0][0]
    assert of_amass.window_s == pytest.approx(of_clip.window_s)
    exemplars = [MotionDictionary.from_files(tmp_path / f"{name}.json").exemplar("swagger") for name in "ab"]
    np.testing.assert_allclose(exemplars[0], exemplars[1], atol=5e-3)
    np.savez(tmp_path / "bad.npz", poses=whole)
    with pytest.raises(UsageError, match="is no motion file"):
        add_action("strut", tmp_path / "bad.npz", tmp_path / "a.json", space=space)


def test_programs_get_events(clip, run_here, tmp_path):
    words = ["actions", "add", "--events", "jsonl", "--dictionary", tmp_path / "own.json", "--", "-swagger", clip]
    ran = run_here(*words)
    assert ran.code == 0, ran.stderr
    event = parse_event(ran.stdout)
    assert (event["event"], event["label"]) == ("action", "-swagger")
    assert len(event["nearest"]) == 5
    again = run_here(*words)
    assert again.code == 2
    reported = parse_event(again.stdout.splitlines()[0])
    assert (reported["event"], reported["message"]) == ("error", "'-swagger' is known already, as '-swagger'.")
