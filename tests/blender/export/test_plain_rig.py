"""An animator's own rig in files for other programs, read back: every joint where the rig showed it."""

from __future__ import annotations

import re
from fractions import Fraction

import bpy
import numpy as np
import pytest
import rigs
import walking
from adapt_motion.blender_addon.blender import compat, timing
from adapt_motion.blender_addon.character import scene
from adapt_motion.blender_addon.export import files
from adapt_motion.blender_addon.retarget import bake
from inside import children, counts, fbx_nodes, properties
from judging import map_for
from mathutils import Vector
from reading_back import key_frames, reimport
from rigify_rigs import appended

FRAMES = 40
KINDS = ["fbx", "glb", "bvh", pytest.param("usd", marks=pytest.mark.skipif(
    not compat.supports_usd_armatures(), reason="this Blender writes no USD with skeletons"))]  # fmt: skip


@pytest.fixture
def walker(blank, tmp_path):
    timing.set_scene_rate(blank, Fraction(30))
    return scene.import_people([walking.write_walker(tmp_path / "clip", frames=FRAMES)], blank).people[0]


def made(target, walker, name: str):
    """A rig with the walk and a mesh, and the names of its bones by joint."""
    rig = rigs.build(rigs.CONVENTIONS[name], target, "Hero")
    bones = map_for(rig)
    bake.bake(walker.armature, rig, bones, target)
    dress(rig, target)
    return rig, bones.bones


def dress(rig, target) -> None:
    """A mesh of a small triangle at each bone, moved by it."""
    points, groups = [], []
    for bone in (bone for bone in rig.data.bones if bone.use_deform and bone.parent):
        place = rig.matrix_world @ bone.head_local
        points += [place, place + Vector((0.01, 0, 0)), place + Vector((0, 0.01, 0))]
        groups.append(bone.name)
    mesh = bpy.data.meshes.new("Skin")
    mesh.from_pydata(points, [], [(3 * index, 3 * index + 1, 3 * index + 2) for index in range(len(groups))])
    skin = bpy.data.objects.new("Skin", mesh)
    target.collection.objects.link(skin)
    for index, name in enumerate(groups):
        skin.vertex_groups.new(name=name).add([3 * index, 3 * index + 1, 3 * index + 2], 1.0, "REPLACE")
    skin.modifiers.new("Armature", "ARMATURE").object = rig


def shown(armature, bones, frames) -> np.ndarray:
    """(T, J, 3) heads of bones in the world."""
    rows = []
    for frame in frames:
        bpy.context.scene.frame_set(int(np.floor(frame)), subframe=float(frame - np.floor(frame)))
        rows.append([armature.matrix_world @ armature.pose.bones[bone].head for bone in bones])
    return np.array(rows)


def skin_shown(frame: float) -> np.ndarray:
    """(V, 3) vertices in the world."""
    bpy.context.scene.frame_set(int(np.floor(frame)), subframe=float(frame - np.floor(frame)))
    skin = next(item for item in bpy.context.scene.objects if item.type == "MESH" and len(item.vertex_groups) > 10)
    evaluated = skin.evaluated_get(bpy.context.evaluated_depsgraph_get())
    return np.array([evaluated.matrix_world @ vertex.co for vertex in evaluated.to_mesh().vertices])


def plain(name: str) -> str:
    """A bone's name with what USD and BVH allow in it."""
    return re.sub(r"\W", "_", name)


def check_back(path, kind: str, wanted: np.ndarray, bones: list[str]):
    """Read a file back and compare; gives back the armature and its frames."""
    armature = reimport(path, kind)
    frames = key_frames(armature)
    assert len(frames) == FRAMES
    names = {plain(bone.name): bone.name for bone in armature.data.bones}
    found = shown(armature, [names[plain(bone)] for bone in bones], frames)
    assert np.linalg.norm(found - wanted, axis=-1).max() < (0.005 if kind == "bvh" else 0.002)
    return armature, frames


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["mixamo", "unreal_5", "vrm"])
def test_round_trip_of_a_retargeted_rig(blank, tmp_path, walker, name, kind):
    rig, bones = made(blank, walker, name)
    wanted = shown(rig, bones.values(), range(1, FRAMES + 1))
    before = counts()
    path = files.export(rig, tmp_path / f"out.{kind}", kind, "BLENDER")
    assert counts() == before
    assert rig.animation_data.action.name.endswith("on Hero")
    check_back(path, kind, wanted, list(bones.values()))


@pytest.mark.parametrize("name", ["mixamo", "unreal_4", "unity"])
@pytest.mark.parametrize("preset", ["UNITY", "UNREAL"])
def test_fbx_presets_of_a_rig(blank, tmp_path, walker, name, preset):
    """Objects are not scaled even where the rig's is; units as the program wants; skin and joints as shown."""
    rig, bones = made(blank, walker, name)
    wanted = shown(rig, bones.values(), range(1, FRAMES + 1))
    skins = [skin_shown(frame) for frame in (1, 20)]
    walker.mesh.vertex_groups.clear()
    path = files.export(rig, tmp_path / "out.fbx", "fbx", preset)
    root = fbx_nodes(path)
    assert properties(children(root, b"GlobalSettings")[0])["UnitScaleFactor"][0] == pytest.approx(
        1 if preset == "UNREAL" else 100
    )
    for model in children(children(root, b"Objects")[0], b"Model"):
        assert properties(model).get("Lcl Scaling", (1, 1, 1)) == pytest.approx((1, 1, 1), abs=1e-4)
    armature, frames = check_back(path, "fbx", wanted, list(bones.values()))
    assert armature.name == "Armature"
    for skin, index in zip(skins, (0, 19), strict=True):
        assert np.linalg.norm(skin_shown(frames[index]) - skin, axis=1).max() < 0.002
    if preset == "UNREAL":
        top = armature.data.bones[bones["pelvis"]].parent_recursive[-1]
        places = shown(armature, [top.name], frames)[:, 0]
        assert np.abs(places[:, :2] - wanted[:, list(bones).index("pelvis"), :2]).max() < 0.005
        assert np.abs(places[:, 2]).max() < 0.005, "on the ground"


def test_a_rig_that_constraints_and_poses_move(blank, tmp_path, walker):
    """What is seen is what is written: a constraint, an inherited pose without keys, Euler angles."""
    rig, bones = made(blank, walker, "unity")
    rig.pose.bones["LeftLowerArm"].constraints.new("COPY_ROTATION").target = rig
    rig.pose.bones["LeftLowerArm"].constraints[0].subtarget = "Head"
    rig.pose.bones["LeftMiddleProximal"].rotation_mode = "XYZ"
    rig.pose.bones["LeftMiddleProximal"].rotation_euler = (0.5, 0.2, 0.1)
    rig.pose.bones["LeftMiddleProximal"].location = (0, 0.03, 0)
    names = [*bones.values(), "LeftMiddleProximal"]
    wanted = shown(rig, names, range(1, FRAMES + 1))
    path = files.export(rig, tmp_path / "out.fbx", "fbx", "UNITY")
    assert len(rig.pose.bones["LeftLowerArm"].constraints) == 1
    rest = {bone.name: np.array(rig.matrix_world @ bone.head_local) for bone in rig.data.bones}
    armature, _ = check_back(path, "fbx", wanted, names)
    for bone in armature.data.bones:
        assert np.array(armature.matrix_world @ bone.head_local) == pytest.approx(rest[bone.name], abs=1e-3)


def test_rigifys_rig_comes_out_as_its_deform_bones(rigify_file, blank, tmp_path):
    """One skeleton, hung together, without the controls; every deform bone where Rigify showed it."""
    timing.set_scene_rate(blank, Fraction(30))
    person = scene.import_people([walking.write_walker(tmp_path / "clip", frames=FRAMES)], blank).people[0]
    rig = appended(rigify_file, "generated", blank)
    bake.bake(person.armature, rig, map_for(rig), blank)
    names = [f"DEF-{name}" for name in ("spine", "spine.003", "upper_arm.L", "forearm.R", "hand.L", "shin.R", "foot.L")]
    wanted = shown(rig, names, range(1, FRAMES + 1))
    path = files.export(rig, tmp_path / "out.fbx", "fbx", "UNREAL")
    assert "hand_fk.L" in rig.data.bones
    armature, _ = check_back(path, "fbx", wanted, names)
    assert all(bone.name.startswith("DEF-") or bone.name == "root" for bone in armature.data.bones)
    assert [bone.name for bone in armature.data.bones if bone.parent is None] == ["root"]
    assert armature.data.bones["DEF-forearm.R"].parent.name.startswith("DEF-upper_arm.R")
