"""What was seen and what was filled in, as types of keys and as confidence over time."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
import synthetic
from adapt_motion.blender_addon.blender import compat
from adapt_motion.blender_addon.character import evidence, keying, motion_io, scene
from inside import joints_at


@pytest.fixture
def motion(tmp_path):
    return motion_io.read_motion(synthetic.write_person(tmp_path / "clip", hidden=(10, 20)))


def test_bones_are_seen_where_their_far_end_is(motion):
    seen = evidence.seen_bones(motion, synthetic.NAMES)
    filled = {name for name, column in zip(synthetic.NAMES, seen.T, strict=True) if not column.all()}
    assert filled == {"left_shoulder", "left_elbow", "left_wrist", "left_hand"}
    assert np.flatnonzero(~seen[:, synthetic.NAMES.index("left_elbow")]).tolist() == list(range(10, 20))


def test_confidence_of_each_limb(motion):
    found = evidence.limb_confidence(motion)
    assert set(found) == {"trunk", "left arm", "right arm", "left leg", "right leg"}, "no keypoints of the head"
    assert all(values.shape == (40,) and values == pytest.approx(0.9) for values in found.values())


def test_without_keypoints_everything_counts_as_seen(tmp_path):
    path = synthetic.write_person(tmp_path)
    with np.load(path) as archive:
        arrays = {key: archive[key] for key in archive.files if not key.startswith("keypoint")}
    np.savez(path, **arrays)
    motion = motion_io.read_motion(path)
    assert evidence.seen_bones(motion, synthetic.NAMES).all()
    assert evidence.limb_confidence(motion) == {}


def test_keys_that_were_filled_in_are_of_another_type(blank, tmp_path):
    blank.render.fps = 30
    person = scene.import_people([synthetic.write_person(tmp_path / "clip", hidden=(10, 20))], blank).people[0]
    kinds = {}
    for curve in compat.curves_of(person.armature):
        kinds.setdefault(curve.data_path, []).append([key.type for key in curve.keyframe_points])
    wanted = ["KEYFRAME"] * 10 + ["JITTER"] * 10 + ["KEYFRAME"] * 20
    assert keying.FILLED_IN == "JITTER"
    assert kinds['pose.bones["left_elbow"].rotation_quaternion'] == [wanted] * 4
    assert kinds['pose.bones["right_elbow"].rotation_quaternion'] == [["KEYFRAME"] * 40] * 4
    assert kinds['pose.bones["pelvis"].location'] == [["KEYFRAME"] * 40] * 3


def test_confidence_is_a_property_with_a_curve(blank, tmp_path):
    blank.render.fps = 30
    path = synthetic.write_person(tmp_path / "clip")
    with np.load(path) as archive:
        arrays = {key: archive[key] for key in archive.files}
    wrist = synthetic.KEYPOINTS.index("right_wrist")
    arrays["keypoints2d"][30:, wrist, 2] = 0.1
    arrays["keypoints2d_origin"][30:, wrist] = 0
    np.savez(path, **arrays)
    armature = scene.import_people([path], blank).people[0].armature
    limits = armature.id_properties_ui("Confidence Right Arm").as_dict()
    assert (limits["min"], limits["max"]) == (0.0, 1.0)
    for frame, wanted in ((5, 0.9), (35, 0.45)):
        blank.frame_set(frame)
        assert armature["Confidence Right Arm"] == pytest.approx(wanted, abs=1e-3)
        assert armature["Confidence Left Arm"] == pytest.approx(0.9, abs=1e-3)


def test_evidence_does_not_change_the_motion(blank, tmp_path):
    blank.render.fps = 30
    person = scene.import_people([synthetic.write_person(tmp_path / "clip", hidden=(0, 40))], blank).people[0]
    assert np.abs(joints_at(person.armature, 15) - person.motion.joints3d_world[14]).max() < 1e-4
    assert bpy.data.actions[person.action.name] == person.action
