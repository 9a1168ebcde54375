from __future__ import annotations

import bpy
import numpy as np
import pytest
import synthetic
from adapt_motion.blender_addon.blender import axes
from adapt_motion.blender_addon.character import scene
from synthetic import NAMES, PARENTS

pytestmark = pytest.mark.short


@pytest.fixture
def person(blank, tmp_path):
    blank.render.fps = 30
    return scene.import_people([synthetic.write_person(tmp_path / "clip")], blank).people[0]


def test_armature_is_smpls_tree(person):
    bones = person.armature.data.bones
    assert sorted(bone.name for bone in bones) == sorted(NAMES)
    for name, parent in zip(NAMES, PARENTS, strict=True):
        assert (bones[name].parent.name if bones[name].parent else None) == (NAMES[parent] if parent >= 0 else None)
    assert [bone.name for bone in bones if bone.parent is None] == ["pelvis"]


def test_bones_lie_as_axes_says_at_the_rest_joints(person):
    bones = person.armature.data.bones
    rest = axes.rest_to_blender(synthetic.REST_JOINTS)
    shift = np.array(bones["pelvis"].head_local) - rest[0]
    for joint, name in enumerate(NAMES):
        assert np.array(bones[name].matrix_local.to_3x3()) == pytest.approx(axes.bone_axes(name), abs=1e-6)
        assert np.array(bones[name].head_local) == pytest.approx(rest[joint] + shift, abs=1e-6)
        assert bones[name].length > 0.02


def test_rest_pose_stands_on_the_floor_at_the_origin(person):
    heights = [vertex.co.z for vertex in person.mesh.data.vertices]
    assert min(heights) == pytest.approx(0, abs=1e-6)
    assert person.armature.data.bones["pelvis"].head_local.to_2d().length == pytest.approx(0, abs=1e-6)
    assert np.array(person.armature.matrix_world) == pytest.approx(np.eye(4))


def test_mesh_follows_its_bones(person):
    """The right hand's box goes where the right hand goes."""
    frame = bpy.context.scene.frame_start + 20
    bpy.context.scene.frame_set(frame)
    mesh = person.mesh.evaluated_get(bpy.context.evaluated_depsgraph_get()).to_mesh()
    points = np.array([person.mesh.matrix_world @ vertex.co for vertex in mesh.vertices]).reshape(24, 8, 3)
    with np.load(person.motion.path) as archive:
        joints = archive["joints3d_world"][20]
    assert np.abs(points.mean(1) - joints).max() < 1e-3


def test_skin_has_a_group_for_every_bone_and_full_weights(person):
    assert [group.name for group in person.mesh.vertex_groups] == NAMES
    assert all(sum(item.weight for item in vertex.groups) == pytest.approx(1) for vertex in person.mesh.data.vertices)
    assert person.mesh.parent == person.armature
    assert person.mesh.modifiers[0].object == person.armature


def test_flipped_pose_mirrors(person):
    """Blender's own left-right mirroring of a pose works on these bones."""
    bones = person.armature.pose.bones
    person.armature.animation_data.action = None
    for bone in bones:
        bone.matrix_basis.identity()
        bone.location, bone.rotation_quaternion = (0, 0, 0), (1, 0, 0, 0)
    bones["left_shoulder"].rotation_quaternion = axes.quaternions(np.array([0.2, 0.7, -0.4]))
    bones["left_knee"].rotation_quaternion = axes.quaternions(np.array([0.9, 0.1, 0.3]))
    w, x, y, z = bones["left_shoulder"].rotation_quaternion
    bones["right_shoulder"].rotation_quaternion = (w, x, -y, -z)  # as Paste Flipped turns it
    w, x, y, z = bones["left_knee"].rotation_quaternion
    bones["right_knee"].rotation_quaternion = (w, x, -y, -z)
    bpy.context.view_layer.update()
    for bone, tolerance in (("shoulder", 1e-6), ("knee", 1e-6)):
        left, right = (np.array(bones[f"{side}_{bone}"].matrix)[:3, 1] for side in ("left", "right"))
        assert right == pytest.approx(left * (-1, 1, 1), abs=tolerance)
