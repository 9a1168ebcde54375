"""Motion onto rigs of other makers, judged by what Blender shows: directions of the limbs and feet that stand."""

from __future__ import annotations

from fractions import Fraction

import bpy
import numpy as np
import pytest
import rigs
import synthetic
import walking
from adapt_motion.blender_addon.blender import compat, timing
from adapt_motion.blender_addon.character import contacts, scene
from adapt_motion.blender_addon.errors import UserError
from adapt_motion.blender_addon.retarget import bake, bone_maps, name_guess, transfer
from effort import counted_calls
from judging import LIMBS, judge, map_for, slip, touches
from mathutils import Matrix
from rigify_rigs import appended


@pytest.fixture
def walker(blank, tmp_path):
    timing.set_scene_rate(blank, Fraction(30))
    return scene.import_people([walking.write_walker(tmp_path / "clip")], blank).people[0]


@pytest.mark.parametrize("name", rigs.CONVENTIONS)
def test_limbs_point_alike_and_feet_stand(blank, walker, name):
    convention = rigs.CONVENTIONS[name]
    rig = rigs.build(convention, blank)
    found = map_for(rig)
    assert found.name == convention.expected
    assert found.bones == convention.bones()
    baked = bake.bake(walker.armature, rig, found, blank)
    assert baked.warnings == []
    worst, feet = judge(walker.armature, rig, found.bones, touches(walker))
    print(f"\n{name}: {max(worst.values()):.2f} degrees, {slip(feet, touches(walker)) * 1000:.1f} mm")
    assert max(worst.values()) < 3, worst
    assert slip(feet, touches(walker)) < 0.01
    soles = {joint: rig.matrix_world @ rig.data.bones[bone].head_local for joint, bone in found.bones.items()}
    for column, joint in enumerate(("left_ankle", "left_foot", "right_ankle", "right_foot")):
        stood = feet[touches(walker)[:, column] > 0.5, column, 2]
        assert np.abs(stood - soles[joint].z).max() < 0.01, f"{joint} stands on the floor"


@pytest.mark.parametrize("name", ["metarig", "generated"])
def test_rigify(rigify_file, blank, walker, name):
    rig = appended(rigify_file, name, blank)
    found = map_for(rig)
    assert found.name == {"metarig": "Rigify Metarig", "generated": "Rigify"}[name]
    bake.bake(walker.armature, rig, found, blank)
    bones = found.bones
    if name == "generated":  # judged by the bones that move the mesh's, not by the controls that were keyed
        bones = {joint: f"ORG-{bone.replace('_fk', '')}" for joint, bone in bones.items()}
        bones = {joint: bone for joint, bone in bones.items() if bone in rig.data.bones}
        assert {"left_ankle", "right_wrist", "left_collar"} <= set(bones)
    worst, feet = judge(walker.armature, rig, bones, touches(walker))
    print(f"\n{name}: {max(worst.values()):.2f} degrees, {slip(feet, touches(walker)) * 1000:.1f} mm")
    assert max(worst.values()) < 3, worst
    assert slip(feet, touches(walker)) < 0.01


@pytest.mark.parametrize("name", rigs.CONVENTIONS)
def test_the_map_is_guessed_from_names_alone(blank, name):
    convention = rigs.CONVENTIONS[name]
    rig = rigs.build(convention, blank)
    found = name_guess.guess(bake.parents_of(rig))
    assert not found.missing()
    wanted = convention.bones()
    for joint in bone_maps.REQUIRED:
        assert found.bones[joint] == wanted[joint], joint
    assert found.bones["spine3"] == wanted["spine3"]


def test_arms_of_the_a_pose_hang_as_the_sources_do(blank, walker):
    """Exactly: arms are not touched by the correction of the feet."""
    rig = rigs.build(rigs.CONVENTIONS["unreal_4"], blank)
    found = map_for(rig)
    bake.bake(walker.armature, rig, found, blank)
    worst, _ = judge(walker.armature, rig, found.bones, touches(walker)[:10])
    assert max(angle for joint, angle in worst.items() if "shoulder" in joint or "elbow" in joint) < 0.1


def test_without_planting_every_limb_is_exact_but_feet_slide(blank, walker):
    rig = rigs.build(rigs.CONVENTIONS["vrm"], blank)
    found = map_for(rig)
    options = bake.Options(plant_feet=False)
    bake.bake(walker.armature, rig, found, blank, options)
    worst, feet = judge(walker.armature, rig, found.bones, touches(walker))
    assert max(worst.values()) < 0.1
    assert slip(feet, touches(walker)) > 0.003


def test_from_where_the_target_stands(blank, walker):
    rig = rigs.build(rigs.CONVENTIONS["unity"], blank)
    rig.matrix_world = Matrix.Translation((3, 1, 0.5)) @ Matrix.Rotation(1.2, 4, "Z")
    bpy.context.view_layer.update()
    found = map_for(rig)
    bake.bake(walker.armature, rig, found, blank, bake.Options(in_world=False))
    worst, feet = judge(walker.armature, rig, found.bones, touches(walker), about_z=1.2)
    assert max(worst.values()) < 3
    assert np.abs(feet[0, :, :2].mean(0) - (3, 1)).max() < 0.4
    assert feet[..., 2].min() > 0.5 - 0.01


def test_in_the_world_it_walks_where_the_source_walks(blank, walker):
    rig = rigs.build(rigs.CONVENTIONS["mixamo"], blank)
    rig.matrix_world = Matrix.Translation((3, 1, 0)) @ Matrix.Rotation(1.2, 4, "Z") @ rig.matrix_world
    bpy.context.view_layer.update()
    found = map_for(rig)
    bake.bake(walker.armature, rig, found, blank)
    worst, feet = judge(walker.armature, rig, found.bones, touches(walker)[:20])
    assert max(angle for joint, angle in worst.items() if joint in dict(LIMBS)) < 3
    assert np.abs(feet[0, :, :2].mean(0) - walker.motion.joints3d_world[0, [7, 10, 8, 11], :2].mean(0)).max() < 0.1


@pytest.mark.parametrize("mode", ["QUATERNION", "XYZ", "ZXY"])
def test_rotation_modes_key_the_same_motion(blank, walker, mode):
    rig = rigs.build(rigs.CONVENTIONS["unity"], blank)
    found = map_for(rig)
    bake.bake(walker.armature, rig, found, blank, bake.Options(rotation=mode))
    assert rig.pose.bones["LeftUpperArm"].rotation_mode == mode
    worst, _ = judge(walker.armature, rig, found.bones, touches(walker)[:30])
    assert max(worst.values()) < 3


def test_the_users_action_stays_and_bones_between_come_to_rest(blank, walker):
    rig = rigs.build(rigs.CONVENTIONS["makehuman"], blank)
    mine = compat.new_action(rig, "mine")[0]
    rig.pose.bones["upperleg02.L"].rotation_quaternion = (0.9, 0.3, 0.2, 0.1)
    found = map_for(rig)
    baked = bake.bake(walker.armature, rig, found, blank)
    assert bpy.data.actions["mine"] == mine
    assert mine.use_fake_user
    assert rig.animation_data.action == baked.action
    worst, _ = judge(walker.armature, rig, found.bones, touches(walker)[:10])
    assert max(worst.values()) < 3


def test_types_of_keys_rates_and_contacts_go_along(blank, walker):
    rig = rigs.build(rigs.CONVENTIONS["unity"], blank)
    for curve in compat.curves_of(walker.armature):
        if "left_elbow" in curve.data_path:
            curve.keyframe_points[3].type = "JITTER"
    action = bake.bake(walker.armature, rig, map_for(rig), blank).action
    kinds = [curve.keyframe_points[3].type for curve in compat.curves_of(rig) if "LeftLowerArm" in curve.data_path]
    assert set(kinds) == {"JITTER"}
    assert action["adapt_motion_clip_rate"] == "30"
    assert contacts.read(rig, np.arange(1.0, 121)) == pytest.approx(touches(walker))


@pytest.mark.parametrize("name", rigs.CONVENTIONS)
def test_the_floor_is_found_whatever_axes_the_bones_have(blank, name):
    rig = rigs.build(rigs.CONVENTIONS[name], blank)
    assert transfer.figure(rig, rigs.CONVENTIONS[name].bones()).floor == pytest.approx(0, abs=1e-6)


def test_contacts_are_seen_where_nothing_tells_them(blank, tmp_path):
    """A motion without curves of contact: the walk's standing feet are still found and kept."""
    timing.set_scene_rate(blank, Fraction(30))
    person = scene.import_people([walking.write_walker(tmp_path / "clip")], blank).people[0]
    maker = compat.curve_maker(person.armature)
    for name in contacts.NAMES:
        maker.remove(contacts.path_of(name), 0)
    rig = rigs.build(rigs.CONVENTIONS["vrm"], blank)
    found = map_for(rig)
    bake.bake(person.armature, rig, found, blank)
    stands = touches(person)
    stands[1:-1] *= stands[2:] * stands[:-2]  # but for the frames at which it lands and leaves
    _, feet = judge(person.armature, rig, found.bones, stands)
    assert slip(feet, stands) < 0.01


def test_trouble_is_reported(blank, walker):
    rig = rigs.build(rigs.CONVENTIONS["unity"], blank)
    found = map_for(rig)
    with pytest.raises(UserError, match="no rig"):
        bake.bake(walker.armature, None, found, blank)
    with pytest.raises(UserError, match="same armature"):
        bake.bake(walker.armature, walker.armature, found, blank)
    with pytest.raises(UserError, match="no character"):
        bake.bake(rig, walker.armature, found, blank)
    less = bone_maps.BoneMap("x", {joint: bone for joint, bone in found.bones.items() if joint != "left_knee"})
    with pytest.raises(UserError, match="no bone for left knee"):
        bake.bake(walker.armature, rig, less, blank)
    swapped = {**found.bones, "left_hip": "LeftLowerLeg", "left_knee": "LeftUpperLeg"}
    with pytest.raises(UserError, match="does not hang from"):
        bake.bake(walker.armature, rig, bone_maps.BoneMap("x", swapped), blank)
    rig.scale = (1, 1, 2)
    bpy.context.view_layer.update()
    with pytest.raises(UserError, match="scaled differently"):
        bake.bake(walker.armature, rig, found, blank)
    assert rig.animation_data is None or rig.animation_data.action is None
    rig.scale = (1, 1, 1)
    bpy.context.view_layer.update()
    walker.armature.animation_data.action = None
    with pytest.raises(UserError, match="no motion"):
        bake.bake(walker.armature, rig, found, blank)


def test_constraints_are_warned_of(blank, walker):
    rig = rigs.build(rigs.CONVENTIONS["unity"], blank)
    rig.pose.bones["LeftHand"].constraints.new("COPY_ROTATION")
    warnings = bake.bake(walker.armature, rig, map_for(rig), blank).warnings
    assert warnings == ["Constraints act on LeftHand: mute them if the motion differs."]


def test_retargeting_takes_a_few_calls_a_frame(blank, tmp_path):
    """For all bones together; how long ten thousand frames take is in the benchmark."""
    timing.set_scene_rate(blank, Fraction(30))
    work = []
    for frames in (500, 1500):
        path = synthetic.write_person(tmp_path / str(frames), frames=frames, turns=frames / 150)
        person = scene.import_people([path], blank, with_mesh=False, with_camera=False).people[0]
        rig = rigs.build(rigs.CONVENTIONS["unity"], blank)
        with counted_calls() as calls:
            bake.bake(person.armature, rig, map_for(rig), blank)
        work.append(calls[0])
    assert work[1] - work[0] < 20 * 1000
