"""Seen and filled-in motion as layers: the same at full influence, between what was seen at none, and joined again."""

from fractions import Fraction

import bpy
import numpy as np
import pytest
import rigs
from adapt_motion.blender_addon.blender import compat, timing
from adapt_motion.blender_addon.character import layers, scene, take_keys
from adapt_motion.blender_addon.errors import UserError
from adapt_motion.blender_addon.export import files
from adapt_motion.blender_addon.retarget import bake
from addon_fixtures import refused
from inside import children, fbx_nodes, joints_at
from judging import map_for
from synthetic import NAMES, write_person

pytestmark = pytest.mark.short
FIRST, LAST = 30, 60
WRIST, ELBOW = NAMES.index("left_wrist"), NAMES.index("left_elbow")


@pytest.fixture
def character(addon, tmp_path):
    timing.set_scene_rate(bpy.context.scene, Fraction(30))
    path = write_person(tmp_path / "clip", frames=90, hidden=(FIRST, LAST))
    armature = scene.import_people([path], bpy.context.scene, with_camera=False).people[0].armature
    bpy.context.scene.adapt_motion.character = bpy.context.view_layer.objects.active = armature
    return armature


def keys(armature):
    return {
        (curve.data_path, curve.array_index): [tuple(point.co) for point in curve.keyframe_points]
        for curve in compat.curves_of(armature)
    }


def poses(armature, frames=(10, 29, 31, 45, 59, 61, 80)):
    return np.stack([joints_at(armature, frame) for frame in frames])


def test_at_full_influence_the_motion_is_as_it_was(character):
    before = poses(character)
    assert bpy.ops.adapt_motion.split_by_evidence() == {"FINISHED"}
    assert [item.limb for item in character.adapt_motion_layers] == ["left arm"]
    names = [track.name for track in character.animation_data.nla_tracks]
    assert names[-2:] == ["Seen", "Filled In: left arm"]
    assert poses(character) == pytest.approx(before, abs=1e-4)


def test_the_influence_of_a_limb_is_its_own(character):
    before = poses(character)
    bpy.ops.adapt_motion.split_by_evidence()
    moved = []
    for influence in (1.0, 0.5, 0.0):
        character.adapt_motion_layers[0].influence = influence
        now = poses(character)
        others = [joint for joint, name in enumerate(NAMES) if not name.startswith("left_") or "arm" in name]
        others = [joint for joint in others if joint not in (WRIST, ELBOW)]
        assert now[:, others] == pytest.approx(before[:, others], abs=1e-4)
        assert now[[0, 1, -2, -1]] == pytest.approx(before[[0, 1, -2, -1]], abs=1e-4), "what was seen stays"
        moved.append(np.linalg.norm(now[3, WRIST] - before[3, WRIST]))
    assert moved[0] < 1e-4 < moved[1] < moved[2]
    assert moved[2] > 0.02


def test_another_action_takes_the_place_of_the_strip_and_is_kept(character):
    bpy.ops.adapt_motion.split_by_evidence()
    (strip,) = layers._tracks(character)[1].strips
    for curve in compat.all_curves(strip.action):
        for point in curve.keyframe_points:
            point.co[1] = 1.0 if curve.array_index == 0 else 0.0
        curve.update()
    replaced, before = poses(character), keys(character)
    assert bpy.ops.adapt_motion.join_layers() == {"FINISHED"}
    assert not layers.is_split(character)
    assert poses(character) == pytest.approx(replaced, abs=1e-3)
    changed = {path for path, points in keys(character).items() if points != before[path]}
    assert changed
    assert all("left_" in path for path, _ in changed)
    assert not [action for action in bpy.data.actions if layers.MARK in action]


def test_discarded_layers_leave_the_motion_as_it_was(character):
    before, own = keys(character), character.animation_data.action
    bpy.ops.adapt_motion.split_by_evidence()
    character.adapt_motion_layers[0].influence = 0.2
    bpy.ops.adapt_motion.split_by_evidence()  # again: it begins anew
    assert character.adapt_motion_layers[0].influence == 1.0
    bpy.ops.adapt_motion.join_layers(keep=False)
    assert keys(character) == before
    assert character.animation_data.action == own
    assert not any(curve.mute for curve in compat.curves_of(character))


@pytest.mark.parametrize("rate", [30, 24, 60])
def test_stretches_near_each_other_share_a_strip(addon, tmp_path, rate):
    """Strips that lay over each other had been refused by Blender, as keys lie close in a scene of a lower rate."""
    timing.set_scene_rate(bpy.context.scene, Fraction(rate))
    path = write_person(tmp_path / "clip", frames=120, rate=Fraction(60), hidden=(20, 40))
    arrays = dict(np.load(path))
    names = arrays["keypoint_names"].tolist()
    for first, last in ((43, 45), (52, 60), (64, 66), (90, 100)):
        arrays["keypoints2d_origin"][first:last, [names.index("left_elbow"), names.index("left_wrist")]] = 2
    np.savez(path, **arrays)
    armature = scene.import_people([path], bpy.context.scene, with_mesh=False, with_camera=False).people[0].armature
    bpy.context.scene.adapt_motion.character = bpy.context.view_layer.objects.active = armature
    before = poses(armature, range(1, rate * 2 - 1, 3))
    assert bpy.ops.adapt_motion.split_by_evidence() == {"FINISHED"}
    assert 1 < len(layers._tracks(armature)[1].strips) < 5
    assert poses(armature, range(1, rate * 2 - 1, 3)) == pytest.approx(before, abs=2e-3)


def test_a_retargeted_rig_is_split_as_well(character):
    rig = rigs.build(rigs.CONVENTIONS["mixamo"], bpy.context.scene)
    bake.bake(character, rig, map_for(rig), bpy.context.scene)
    hand = bake.limbs_of(rig).bones["left_wrist"]

    def places():
        found = []
        for frame in (10, 45, 80):
            bpy.context.scene.frame_set(frame)
            found.append(rig.matrix_world @ rig.pose.bones[hand].head)
        return np.array(found)

    before = places()
    bpy.context.view_layer.objects.active = rig
    assert bpy.ops.adapt_motion.split_by_evidence() == {"FINISHED"}
    assert [item.limb for item in rig.adapt_motion_layers] == ["left arm"]
    assert places() == pytest.approx(before, abs=1e-3)
    rig.adapt_motion_layers[0].influence = 0.0
    after = places()
    assert np.linalg.norm(after[1] - before[1]) > 0.02
    assert after[[0, 2]] == pytest.approx(before[[0, 2]], abs=1e-3)


def test_what_cannot_be_split_is_a_sentence(character, tmp_path):
    path = write_person(tmp_path / "other", frames=30)
    seen = scene.import_people([path], bpy.context.scene, with_mesh=False, with_camera=False).people[0].armature
    bpy.context.view_layer.objects.active = seen
    assert "Nothing of this motion was filled in" in refused(bpy.ops.adapt_motion.split_by_evidence)
    seen.data.bones["left_knee"].name = "Knee.L"
    assert "is not of an adapted clip" in refused(bpy.ops.adapt_motion.split_by_evidence)
    bpy.context.view_layer.objects.active = character
    bpy.ops.adapt_motion.split_by_evidence()
    with pytest.raises(UserError, match="is split into layers"):
        take_keys.propose(character, 1.5)


def test_exports_write_the_whole_motion(character, tmp_path):
    bpy.ops.adapt_motion.split_by_evidence()
    files.export(character, tmp_path / "split.fbx", "fbx")
    bpy.ops.adapt_motion.join_layers(keep=False)
    files.export(character, tmp_path / "whole.fbx", "fbx")
    curves = []
    for name in ("split", "whole"):
        (objects,) = children(fbx_nodes(tmp_path / f"{name}.fbx"), b"Objects")
        found = children(objects, b"AnimationCurve")
        curves.append(np.concatenate([np.array(children(one, b"KeyValueFloat")[0].props[0]) for one in found]))
    assert curves[0] == pytest.approx(curves[1], abs=1e-3)
