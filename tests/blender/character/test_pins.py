"""Pins: what is posed becomes the engine's corrections, and a result is keyed without touching what lies elsewhere."""

import dataclasses
import json

import bpy
import numpy as np
import pytest
from adapt_motion.blender_addon.blender import axes, compat
from adapt_motion.blender_addon.character import motion_io, pin_keys, pins, scene
from adapt_motion.blender_addon.errors import UserError
from addon_fixtures import refused
from mathutils import Quaternion
from synthetic import write_person

pytestmark = pytest.mark.short


@pytest.fixture
def character(addon, tmp_path):
    bpy.context.scene.render.fps = 30
    path = write_person(tmp_path / "clip", frames=90)
    imported = scene.import_people([path], bpy.context.scene, with_mesh=False, with_camera=False)
    bpy.context.scene.adapt_motion.character = imported.people[0].armature
    bpy.context.view_layer.objects.active = imported.people[0].armature
    return imported.people[0].armature, motion_io.read_motion(path)


def at(frame):
    bpy.context.scene.frame_set(frame)
    bpy.context.view_layer.update()


def values(armature):
    """Keys of all curves: path and index to (N, 2)."""
    return {
        (curve.data_path, curve.array_index): np.array([point.co[:] for point in curve.keyframe_points])
        for curve in compat.curves_of(armature)
    }


def test_rotations_go_to_bones_and_back():
    names = motion_io.read_skeleton().names
    poses = np.random.default_rng(0).normal(0, 0.7, (20, 24, 3))
    back = axes.poses(axes.bone_rotations(poses.reshape(20, 72), names), names)
    assert back == pytest.approx(poses, abs=1e-6)


def test_a_pinned_pose_is_the_motion_files_own(character):
    armature, motion = character
    at(31)
    bpy.ops.adapt_motion.pin_pose()
    (pin,) = armature.adapt_motion_pins
    row = int(np.abs(motion.timestamps - pin.time_s).argmin())
    assert row == 30
    entry = json.loads(pin.entry)
    for number, (name, turn) in enumerate(entry["rotations"].items()):
        pair = axes.quaternions(np.array([turn, motion.poses[row].reshape(24, 3)[number]]))
        assert abs(pair[0] @ pair[1]) == pytest.approx(1, abs=1e-5), name
    assert entry["positions"]["pelvis"] == pytest.approx(motion.joints3d_world[row, 0], abs=1e-3)
    kinds = {point.type for curve in compat.curves_of(armature) for point in curve.keyframe_points if point.co[0] == 31}
    assert pins.KEY_TYPE in kinds


def test_a_limb_that_was_posed_is_pinned_and_stays_posed(character):
    armature, motion = character
    at(31)
    bone = armature.pose.bones["left_elbow"]
    bone.rotation_quaternion = bone.rotation_quaternion @ Quaternion((1, 0, 0), 0.5)
    bpy.context.view_layer.update()
    bpy.ops.adapt_motion.pin_limb(limb="left_arm")
    entry = json.loads(armature.adapt_motion_pins[0].entry)
    assert set(entry["rotations"]) == set(pins.LIMBS["left_arm"])
    row = int(np.abs(motion.timestamps - entry["time_s"]).argmin())
    before = motion.poses[row].reshape(24, 3)[motion_io.read_skeleton().names.index("left_elbow")]
    assert np.linalg.norm(np.array(entry["rotations"]["left_elbow"]) - before) > 0.2
    posed = bone.rotation_quaternion.copy()
    at(40)
    at(31)
    assert bone.rotation_quaternion.rotation_difference(posed).angle < 1e-3


def test_a_joint_is_pinned_to_where_it_is(character):
    armature, motion = character
    armature.data.bones.active = armature.data.bones["right_wrist"]
    at(31)
    bpy.ops.adapt_motion.pin_joint()
    entry = json.loads(armature.adapt_motion_pins[0].entry)
    row = int(np.abs(motion.timestamps - entry["time_s"]).argmin())
    wrist = motion_io.read_skeleton().names.index("right_wrist")
    assert entry["positions"]["right_wrist"] == pytest.approx(motion.joints3d_world[row, wrist], abs=5e-3)


def test_the_file_for_the_engine_has_what_is_ticked(character):
    armature, _ = character
    at(31)
    bpy.ops.adapt_motion.pin_pose()
    bpy.ops.adapt_motion.pin_wrong(limb="left_arm", first=5, last=20)
    bpy.ops.adapt_motion.pin_contact(part="left_foot", first=5, last=20)
    bpy.ops.adapt_motion.pin_swap(limbs="legs", first=5, last=20)
    armature.adapt_motion_pins[0].use = False
    found = pins.corrections(armature)
    assert [one["kind"] for one in found["corrections"]] == ["ignore", "contact", "swap"]
    assert {one["person"] for one in found["corrections"]} == {1}
    for pin in armature.adapt_motion_pins:
        pin.use = False
    with pytest.raises(UserError, match="Nothing is pinned"):
        pins.corrections(armature)


def test_pinning_twice_replaces_and_a_pin_is_removed_and_gone_to(character):
    armature, _ = character
    for frame in (31, 31, 50):
        at(frame)
        bpy.ops.adapt_motion.pin_pose()
    assert len(armature.adapt_motion_pins) == 2
    armature.adapt_motion_pin_index = 0
    bpy.ops.adapt_motion.go_to_pin()
    assert bpy.context.scene.frame_current == 31
    bpy.ops.adapt_motion.remove_pin()
    assert len(armature.adapt_motion_pins) == 1


def test_pins_are_saved_with_the_file(character, tmp_path):
    armature, _ = character
    name = armature.name
    at(31)
    bpy.ops.adapt_motion.pin_limb(limb="right_leg")
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "pinned.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "pinned.blend"))
    (pin,) = bpy.data.objects[name].adapt_motion_pins
    assert json.loads(pin.entry)["kind"] == "pose"


def test_changed_keys_are_found_by_comparison(character):
    armature, motion = character
    with pytest.raises(RuntimeError, match="No key was changed"):
        bpy.ops.adapt_motion.pin_from_keys()
    at(31)
    bone = armature.pose.bones["left_knee"]
    bone.rotation_quaternion = bone.rotation_quaternion @ Quaternion((1, 0, 0), 0.4)
    bone.keyframe_insert("rotation_quaternion", frame=31)
    bpy.ops.adapt_motion.pin_from_keys()
    (pin,) = armature.adapt_motion_pins
    assert list(json.loads(pin.entry)["rotations"]) == ["left_knee"]
    assert pin.time_s == pytest.approx(motion.timestamps[30], abs=1e-3)


def test_renamed_bones_are_named(character):
    armature, _ = character
    armature.data.bones["left_knee"].name = "Knee.L"
    with pytest.raises(RuntimeError, match="no bone left_knee: its bones were renamed"):
        bpy.ops.adapt_motion.pin_pose()


def test_a_rig_that_is_not_the_character_is_named_and_a_renamed_character_is_not(character):
    armature, _ = character
    rig = bpy.data.objects.new("my rig", bpy.data.armatures.new("my rig"))
    bpy.context.collection.objects.link(rig)
    bpy.context.view_layer.objects.active = rig
    assert "my rig is not the character that was adapted" in refused(bpy.ops.adapt_motion.pin_pose)
    assert not armature.adapt_motion_pins
    bpy.context.view_layer.objects.active = armature
    armature.name = "somebody else"
    assert bpy.ops.adapt_motion.pin_pose() == {"FINISHED"}


def test_a_result_changes_the_keys_of_its_frames_alone(character):
    armature, motion = character
    poses = motion.poses.copy()
    elbow = motion_io.read_skeleton().names.index("left_elbow")
    poses[40:50, 3 * elbow + 1] -= 0.5
    after = dataclasses.replace(motion, poses=poses)
    edited = armature.pose.bones["right_knee"]
    at(70)
    edited.rotation_quaternion = edited.rotation_quaternion @ Quaternion((1, 0, 0), 0.3)
    edited.keyframe_insert("rotation_quaternion", frame=70)
    before = values(armature)
    assert pin_keys.changed_rows(motion, after).tolist() == list(range(40, 50))
    assert pin_keys.apply(armature, motion, after) == 10
    now = values(armature)
    assert before.keys() == now.keys()
    frames = now['pose.bones["left_elbow"].rotation_quaternion', 0][:, 0]
    inside = (frames >= frames[0] + 40) & (frames < frames[0] + 50)
    for key, points in now.items():
        if "rotation_quaternion" in key[0] and len(points) == len(frames):
            assert np.array_equal(points[~inside], before[key][~inside]), key
            if "left_elbow" not in key[0]:
                assert points == pytest.approx(before[key], abs=1e-4)
    turned = axes.bone_rotations(poses, motion_io.read_skeleton().names)[45, elbow]
    got = [now['pose.bones["left_elbow"].rotation_quaternion', index][45, 1] for index in range(4)]
    assert abs(np.dot(turned, got)) == pytest.approx(1, abs=1e-4)
