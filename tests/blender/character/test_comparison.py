"""Before adaptation and adapted: two actions, one slider."""

from __future__ import annotations

from fractions import Fraction

import bpy
import numpy as np
import pytest
import synthetic
from adapt_motion.blender_addon.blender import compat, timing
from adapt_motion.blender_addon.character import comparison, motion_io, scene
from adapt_motion.blender_addon.export import files
from adapt_motion.blender_addon.ui import panels
from inside import joints_at
from recorder import draw


@pytest.fixture
def person(blank, tmp_path):
    blank.render.fps = 30
    return scene.import_people([synthetic.write_person(tmp_path / "clip", adapted=True)], blank).people[0]


def initial_joints(motion):
    return synthetic.forward(motion.initial_poses, motion.initial_pelvis_world)


def test_the_slider_goes_from_one_to_the_other(person):
    animation = person.armature.animation_data
    assert [track.name for track in animation.nla_tracks] == [comparison.TRACK]
    (strip,) = animation.nla_tracks[0].strips
    assert strip.action.name.endswith("before adaptation")
    assert animation.action == person.action
    assert comparison.has(person.armature)
    for frame in (1, 17, 40):
        animation.action_influence = 1.0
        assert np.abs(joints_at(person.armature, frame) - person.motion.joints3d_world[frame - 1]).max() < 1e-4
        animation.action_influence = 0.0
        before = initial_joints(person.motion)[frame - 1]
        assert np.abs(joints_at(person.armature, frame) - before).max() < 1e-4
        animation.action_influence = 0.5
        middle = joints_at(person.armature, frame)[0]
        assert middle == pytest.approx((before[0] + person.motion.joints3d_world[frame - 1, 0]) / 2, abs=1e-4)


def test_nothing_to_compare_where_nothing_was_adapted(blank, tmp_path):
    armature = scene.import_people([synthetic.write_person(tmp_path)], blank).people[0].armature
    assert not comparison.has(armature)
    assert not armature.animation_data.nla_tracks
    assert not comparison.has(None)


def test_both_follow_another_frame_rate(blank, person):
    timing.set_scene_rate(blank, Fraction(60))
    person.action["adapt_motion_clip_rate"] = "60"  # as if the clip ran at 60: keys move twice as far apart
    scene.set_clip_rate(blank, person.armature)
    animation = person.armature.animation_data
    (strip,) = animation.nla_tracks[0].strips
    assert (strip.frame_start, strip.frame_end) == (1, 79)
    animation.action_influence = 0.0
    assert np.abs(joints_at(person.armature, 21) - initial_joints(person.motion)[10]).max() < 1e-4


def test_exports_write_the_adapted_motion_whatever_the_slider_says(person, tmp_path):
    from inside import worst_distance
    from reading_back import key_frames, reimport

    wanted = person.motion.joints3d_world.copy()
    person.armature.animation_data.action_influence = 0.0
    path = files.export(person.armature, tmp_path / "out.fbx", "fbx")
    assert person.armature.animation_data.action_influence == 0.0
    assert len(person.armature.animation_data.nla_tracks) == 1
    armature = reimport(path, "fbx")
    assert worst_distance(armature, key_frames(armature), wanted) < 0.002


def test_the_panel_has_the_slider_and_the_confidence(addon, tmp_path):
    path = synthetic.write_person(tmp_path / "clip", adapted=True)
    bpy.ops.adapt_motion.import_motion(filepath=str(path))
    assert "After Adaptation" in draw(panels.ADAPT_MOTION_PT_result, bpy.context).texts
    assert panels.ADAPT_MOTION_PT_confidence.poll(bpy.context)
    assert "Left Arm" in draw(panels.ADAPT_MOTION_PT_confidence, bpy.context).texts


def test_initial_pelvis_is_where_the_file_says(tmp_path):
    motion = motion_io.read_motion(synthetic.write_person(tmp_path, adapted=True))
    assert motion.was_adapted
    assert motion.initial_pelvis_world - motion.pelvis_world == pytest.approx(np.tile((0.1, 0, 0), (40, 1)), abs=1e-5)


def test_curves_of_an_action_are_found_without_its_user(person):
    assert len(compat.all_curves(person.action)) == len(list(compat.curves_of(person.armature)))
