"""What is read of a rig at rest, and what is reported about it."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
import rigs
import walking
from adapt_motion.blender_addon.blender import rotations
from adapt_motion.blender_addon.character import scene
from adapt_motion.blender_addon.errors import UserError
from adapt_motion.blender_addon.retarget import bake, bone_maps, properties, transfer
from judging import map_for
from mathutils import Vector

ANKLE_M = rigs.SIDE["ankle"][1][2]
LEG_M = sum(
    float(np.linalg.norm(np.subtract(rigs.SIDE[upper][1], rigs.SIDE[lower][1])))
    for upper, lower in (("hip", "knee"), ("knee", "ankle"))
)


@pytest.fixture
def rig(blank):
    return rigs.build(rigs.CONVENTIONS["mixamo"], blank)


@pytest.fixture
def walker(blank, tmp_path):
    return scene.import_people([walking.write_walker(tmp_path / "clip")], blank).people[0].armature


def read(rig, **without):
    joints = {joint: bone for joint, bone in map_for(rig).bones.items() if joint not in without.get("without", ())}
    return transfer.figure(rig, joints)


def test_lengths(rig):
    figure = read(rig)
    assert figure.leg_length() == pytest.approx(LEG_M, abs=1e-4)
    assert figure.ankle_height() == pytest.approx(ANKLE_M, abs=1e-4)


def test_the_floor_is_where_the_armature_stands_unless_its_feet_are_elsewhere(rig):
    assert read(rig).floor == pytest.approx(0, abs=1e-6)
    without_toes = read(rig, without=("left_foot", "right_foot"))
    assert without_toes.floor == pytest.approx(0, abs=1e-6), "ankles lie a little over the ground"
    bpy.context.view_layer.objects.active = rig
    bpy.ops.object.mode_set(mode="EDIT")
    shift = rig.matrix_world.to_3x3().inverted() @ Vector((0, 0, 0.5))
    for bone in rig.data.edit_bones:
        bone.use_connect = False
    for bone in rig.data.edit_bones:
        bone.head, bone.tail = bone.head + shift, bone.tail + shift
    bpy.ops.object.mode_set(mode="OBJECT")
    assert read(rig).floor == pytest.approx(0.5 + rigs.SIDE["foot"][1][2], abs=1e-4)


def test_a_sole_without_a_toe_reaches_ahead_of_the_ankle(rig):
    figure = read(rig, without=("left_foot", "right_foot"))
    heel, ball = transfer.sole(figure, "left")
    ahead = rotations.turn(figure.rest[figure.joints["left_ankle"]], ball - heel)
    np.testing.assert_allclose(ahead, [0, -0.15 * LEG_M, 0], atol=1e-4)


def test_hands_point_to_the_middle_finger(blank):
    data = bpy.data.armatures.new("hand")
    holder = bpy.data.objects.new("hand", data)
    blank.collection.objects.link(holder)
    bpy.context.view_layer.objects.active = holder
    bpy.ops.object.mode_set(mode="EDIT")
    hand = data.edit_bones.new("hand")
    hand.head, hand.tail = (1, 2, 3), (1, 2, 3.1)
    for name, place in (("middle_1", (1.1, 2, 3)), ("index_1", (1.1, 2.4, 3)), ("thumb_1", (1, 2.2, 3))):
        finger = data.edit_bones.new(name)
        finger.head, finger.tail, finger.parent = place, Vector(place) + Vector((0.05, 0, 0)), hand
    bpy.ops.object.mode_set(mode="OBJECT")
    np.testing.assert_allclose(transfer._hand_end(data.bones["hand"]), [0.1, 0, 0], atol=1e-6)


def test_hips_are_as_high_as_the_rig_s_own_when_the_source_stands_at_rest(rig, walker):
    bone_map = map_for(rig)
    limbs = bake.limbs_of(walker)
    source, target = transfer.figure(walker, limbs.bones), transfer.figure(rig, bone_map.bones)
    still = transfer.moving(source, np.tile([1.0, 0, 0, 0], (2, len(source.bones.names), 1)), {})
    path = transfer._hips_path(source, target, still, np.array([1.0, 0, 0, 0]), False)
    own = (target.head("left_hip") + target.head("right_hip"))[2] / 2
    leg = (source.head("left_hip")[2] - source.head("left_ankle")[2]) / source.leg_length() * target.leg_length()
    assert path[0, 2] == pytest.approx(target.ankle_height() + leg, abs=2e-3)
    assert path[0, 2] == pytest.approx(own, abs=0.03)


def test_the_ground_is_the_floor_or_a_step():
    heights = np.full((6, 4), 0.12)
    heights[3:, 0], heights[3:, 1] = 0.3, 0.45
    legs = [_Leg(heights[:, :2]), _Leg(heights[:, 2:])]
    touching = np.zeros((6, 4), bool)
    touching[:2, 0] = touching[3:, 0] = touching[4:, 1] = True
    found = transfer.ground(legs, touching, 0.1)
    np.testing.assert_allclose(found[:, 0], [0.1, 0.1, 0.1, 0.3, 0.3, 0.3])
    np.testing.assert_allclose(found[:, 1], [0.1, 0.1, 0.1, 0.1, 0.45, 0.45])
    np.testing.assert_allclose(found[:, 2:], np.full((6, 2), 0.1))


class _Leg:
    """A leg of which only the heights of its sole count."""

    def __init__(self, heights):
        self._heights = heights

    def points(self):
        points = np.zeros((*self._heights.shape, 3))
        points[..., 2] = self._heights
        return points


def test_characters_of_ours_are_known_by_their_bones(rig, walker, blank):
    mesh = bpy.data.objects.new("mesh", bpy.data.meshes.new("mesh"))
    assert properties.is_motion_source(walker)
    assert not properties.is_motion_source(rig)
    assert not properties.is_motion_source(mesh)
    assert not properties.is_motion_source(None)
    assert properties._armature(None, rig)
    assert not properties._armature(None, mesh)
    assert bake.limbs_of(walker).name == "SMPL"
    assert bake.limbs_of(rig) is None


def test_constraints_that_act_are_named(rig):
    bone_map = map_for(rig)
    names = [bone_map.bones[joint] for joint in ("left_knee", "right_knee", "left_elbow")]
    for name in names:
        rig.pose.bones[name].constraints.new("LIMIT_ROTATION")
    rig.pose.bones[names[1]].constraints[0].mute = True
    rig.pose.bones[names[2]].constraints[0].influence = 0.0
    (sentence,) = bake._of_constraints(rig, bone_map)
    assert names[0] in sentence
    assert names[1] not in sentence
    assert names[2] not in sentence


def test_a_rig_of_another_file_is_refused_by_name(rig, walker, blank, tmp_path):
    bone_map = map_for(rig)
    bpy.data.libraries.write(str(tmp_path / "library.blend"), {rig})
    with bpy.data.libraries.load(str(tmp_path / "library.blend"), link=True) as (there, here):
        here.objects = [name for name in there.objects if name == rig.name]
    (linked,) = here.objects
    blank.collection.objects.link(linked)
    with pytest.raises(UserError, match="linked from another file"):
        bake.bake(walker, linked, bone_map, blank)


def test_a_saved_map_can_be_read_by_people(tmp_path, rig):
    bone_map = map_for(rig)
    path = bone_maps.write(bone_maps.BoneMap("Männchen", bone_map.bones), tmp_path)
    assert '"name": "Männchen"' in path.read_text(encoding="utf-8")
