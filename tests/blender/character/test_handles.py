"""Handles: put on without a change, pose the character by inverse kinematics at one frame, and go again."""

import json

import bpy
import numpy as np
import pytest
from adapt_motion.blender_addon.character import handles, scene
from adapt_motion.blender_addon.export import files
from inside import joints_at
from mathutils import Vector
from synthetic import NAMES, write_person

pytestmark = pytest.mark.short
FRAME = 31


@pytest.fixture
def character(addon, tmp_path):
    bpy.context.scene.render.fps = 30
    path = write_person(tmp_path / "clip", frames=60)
    imported = scene.import_people([path], bpy.context.scene, with_camera=False)
    armature = imported.people[0].armature
    bpy.context.scene.adapt_motion.character = bpy.context.view_layer.objects.active = armature
    bpy.context.scene.frame_set(FRAME)
    return armature


def joint(name):
    return NAMES.index(name)


def test_they_change_nothing_until_they_are_moved(character):
    before = [joints_at(character, frame) for frame in (20, FRAME)]
    bpy.context.scene.frame_set(FRAME)
    assert bpy.ops.adapt_motion.add_handles() == {"FINISHED"}
    assert sorted(handles.of(character)) == sorted(handles.JOINTS)
    after = [joints_at(character, frame) for frame in (20, FRAME)]
    assert after[0] == pytest.approx(before[0], abs=1e-4)
    assert np.abs(after[1] - before[1]).max() < 0.004, "the solver begins where the pose is"
    bpy.context.scene.frame_set(FRAME)
    assert bpy.ops.adapt_motion.remove_handles() == {"FINISHED"}
    assert not handles.of(character)
    assert not any(bone.constraints for bone in character.pose.bones)
    assert not [item for item in bpy.data.objects if item.type == "EMPTY"]
    assert not character.animation_data.drivers


def test_a_hand_follows_its_handle_at_its_frame_alone_and_stays_posed(character):
    before = [joints_at(character, frame) for frame in (FRAME - 1, FRAME)]
    bpy.context.scene.frame_set(FRAME)
    bpy.ops.adapt_motion.add_handles()
    hand = handles.of(character)["left_wrist"]
    hand.location += Vector((-0.03, 0.02, -0.06))
    posed = joints_at(character, FRAME)
    moved = posed[joint("left_wrist")] - before[1][joint("left_wrist")]
    assert np.linalg.norm(moved - (-0.03, 0.02, -0.06)) < 0.02
    still = [joint(name) for name in ("pelvis", "right_wrist", "left_ankle", "right_ankle", "head")]
    assert np.abs(posed[still] - before[1][still]).max() < 0.004
    assert joints_at(character, FRAME - 1) == pytest.approx(before[0], abs=1e-4)
    bpy.ops.adapt_motion.remove_handles()
    assert joints_at(character, FRAME) == pytest.approx(posed, abs=2e-3)
    assert joints_at(character, FRAME - 1) == pytest.approx(before[0], abs=1e-4)


def test_feet_stay_where_they_are_when_the_hips_go_down(character):
    before = joints_at(character, FRAME)
    bpy.ops.adapt_motion.add_handles()
    handles.of(character)["pelvis"].location.z -= 0.05
    posed = joints_at(character, FRAME)
    assert posed[0] - before[0] == pytest.approx((0, 0, -0.05), abs=1e-3)
    feet = [joint("left_ankle"), joint("right_ankle")]
    assert np.abs(posed[feet] - before[feet]).max() < 0.02
    bpy.ops.adapt_motion.remove_handles()
    assert joints_at(character, FRAME) == pytest.approx(posed, abs=2e-3)


def test_a_knee_turns_to_its_handle(character):
    bpy.ops.adapt_motion.add_handles()
    before = joints_at(character, FRAME)
    knee = handles.of(character)["left_knee"]
    knee.location += 0.3 * (character.pose.bones["left_hip"].x_axis).normalized()
    after = joints_at(character, FRAME)
    assert np.linalg.norm(after[joint("left_knee")] - before[joint("left_knee")]) > 0.01
    assert np.abs(after[joint("left_ankle")] - before[joint("left_ankle")]).max() < 0.03


def test_the_joint_of_a_handle_is_pinned_where_it_is_posed(character):
    bpy.ops.adapt_motion.add_handles()
    hand = handles.of(character)["right_wrist"]
    hand.location.z -= 0.08
    bpy.context.view_layer.objects.active = hand
    place = joints_at(character, FRAME)[joint("right_wrist")]
    assert bpy.ops.adapt_motion.pin_joint() == {"FINISHED"}
    (pin,) = character.adapt_motion_pins
    assert json.loads(pin.entry)["positions"]["right_wrist"] == pytest.approx(place, abs=1e-4)
    assert bpy.ops.adapt_motion.pin_limb(limb="right_arm") == {"FINISHED"}
    turned = json.loads(character.adapt_motion_pins[1].entry)["rotations"]["right_shoulder"]
    bpy.ops.adapt_motion.remove_handles()
    assert bpy.context.view_layer.objects.active == character
    bpy.ops.adapt_motion.pin_limb(limb="right_arm")
    assert json.loads(character.adapt_motion_pins[1].entry)["rotations"]["right_shoulder"] == pytest.approx(
        turned, abs=5e-3
    )


def test_put_on_at_another_frame_they_leave_the_pose_of_the_first(character):
    bpy.ops.adapt_motion.add_handles()
    handles.of(character)["left_wrist"].location.z -= 0.1
    posed = joints_at(character, FRAME)
    bpy.context.scene.frame_set(45)
    bpy.ops.adapt_motion.add_handles()
    assert handles.frame_of(character) == 45
    assert len(handles.of(character)) == len(handles.JOINTS)
    assert joints_at(character, FRAME) == pytest.approx(posed, abs=2e-3)


def test_exports_know_nothing_of_handles(character, tmp_path):
    bpy.ops.adapt_motion.add_handles()
    files.export(character, tmp_path / "out.fbx", "fbx")
    assert (tmp_path / "out.fbx").stat().st_size > 10_000
    assert len(handles.of(character)) == len(handles.JOINTS), "the character keeps its own"
    assert sum(len(bone.constraints) for bone in character.pose.bones) == len(handles.CHAINS) + 1
