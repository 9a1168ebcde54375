"""Exports imported back, and the numbers that Unity and Unreal read."""

from __future__ import annotations

import json
import re
import struct
from fractions import Fraction
from pathlib import Path

import bpy
import numpy as np
import pytest
import synthetic
from adapt_motion.blender_addon.blender import compat, pose_curves, timing
from adapt_motion.blender_addon.character import scene
from adapt_motion.blender_addon.cleanup import edits, key_reduction, root_motion
from adapt_motion.blender_addon.errors import UserError
from adapt_motion.blender_addon.export import files, presets
from conftest import REPOSITORY
from inside import children, counts, fbx_nodes, joints_at, properties, worst_distance
from reading_back import key_frames, reimport

pytestmark = pytest.mark.short

NTSC_24, NTSC_30 = Fraction(24000, 1001), Fraction(30000, 1001)
RATES = [NTSC_30, NTSC_24, Fraction(60), Fraction(25), Fraction(1493, 100)]
FBX_SECOND = 46186158000
KINDS = ["fbx", "bvh", "glb", pytest.param("usd", marks=pytest.mark.skipif(
    not compat.supports_usd_armatures(), reason="this Blender writes no USD with skeletons"))]  # fmt: skip


def exported(target, tmp_path, kind, *, rate=NTSC_30, scene_rate=None, **options):
    """Import a synthetic motion into `target`, export it, and give back the motion and the path."""
    timing.set_scene_rate(target, scene_rate or rate)
    person = scene.import_people([synthetic.write_person(tmp_path / "clip", rate=rate, **options)], target).people[0]
    return person, files.export(person.armature, tmp_path / f"out.{kind}", kind)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rate", RATES[:3])
def test_round_trip_keeps_every_joint_at_every_frame(blank, tmp_path, kind, rate):
    person, path = exported(blank, tmp_path, kind, rate=rate)
    armature = reimport(path, kind)
    frames = key_frames(armature)
    assert len(frames) == 40, "one key for each frame of the clip"
    worst = worst_distance(armature, frames, person.motion.joints3d_world)
    assert worst < (0.005 if kind == "bvh" else 0.002), f"{worst * 1000:.2f} mm"


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "bvh"])
def test_round_trip_keeps_the_skin(blank, tmp_path, kind):
    """The box about each joint follows that joint."""
    person, path = exported(blank, tmp_path, kind)
    armature = reimport(path, kind)
    mesh = next(item for item in bpy.context.scene.objects if item.type == "MESH" and len(item.vertex_groups))
    for index in (0, 17, 39):
        joints_at(armature, key_frames(armature)[index])
        evaluated = mesh.evaluated_get(bpy.context.evaluated_depsgraph_get())
        corners = np.array([evaluated.matrix_world @ vertex.co for vertex in evaluated.to_mesh().vertices])
        for joint in person.motion.joints3d_world[index]:
            distances = np.linalg.norm(corners - joint, axis=1)
            assert (np.abs(distances - 0.03 * 3**0.5) < 0.002).sum() >= 8


@pytest.mark.parametrize("kind", ["fbx", "glb"])
def test_round_trip_from_a_scene_at_another_rate(blank, tmp_path, kind):
    """Keys lie between the scene's frames; the file still has the clip's own."""
    person, path = exported(blank, tmp_path, kind, rate=NTSC_30, scene_rate=Fraction(24), frames=100)
    armature = reimport(path, kind)
    assert len(key_frames(armature)) == 100
    assert worst_distance(armature, key_frames(armature), person.motion.joints3d_world) < 0.002


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("scene_rate", [None, Fraction(24)])
def test_fbx_key_times_are_the_clips(blank, tmp_path, rate, scene_rate):
    _, path = exported(blank, tmp_path, "fbx", rate=rate, scene_rate=scene_rate)
    root = fbx_nodes(path)
    objects = children(root, b"Objects")[0]
    times = [children(curve, b"KeyTime")[0].props[0] for curve in children(objects, b"AnimationCurve")]
    wanted = np.arange(40) / float(rate)
    assert max(len(keys) for keys in times) == 40
    for keys in times:
        seconds = np.array(keys) / FBX_SECOND
        assert (seconds[0], seconds[-1]) == (0, pytest.approx(wanted[-1], rel=1e-6))
        if len(keys) == 40:
            assert seconds == pytest.approx(wanted, rel=1e-6, abs=1e-9)
    settings = properties(children(root, b"GlobalSettings")[0])
    assert settings["CustomFrameRate"][0] == pytest.approx(float(rate), rel=1e-6)
    take = properties(children(objects, b"AnimationStack")[0])
    assert take["LocalStop"][0] / FBX_SECOND == pytest.approx(wanted[-1], rel=1e-6)
    assert take.get("LocalStart", (0,))[0] == 0


def test_fbx_axes_scale_take_and_root(blank, tmp_path):
    _, path = exported(blank, tmp_path, "fbx")
    root = fbx_nodes(path)
    settings = {key: value[0] for key, value in properties(children(root, b"GlobalSettings")[0]).items() if value}
    axes = [settings[key] for key in ("UpAxis", "UpAxisSign", "FrontAxis", "FrontAxisSign", "CoordAxis")]
    assert axes == [1, 1, 2, 1, 0], "y up, character looks along +z"
    assert settings["UnitScaleFactor"] == 100, "centimetres in a unit: a unit is a metre"
    objects = children(root, b"Objects")[0]
    assert len(children(objects, b"AnimationStack")) == 1
    models = {model.props[1].split(b"\x00")[0].decode(): model for model in children(objects, b"Model")}
    assert set(models) == {*synthetic.NAMES, "Armature", "Body"}, "no leaf bones, nothing else of the file"
    for model in models.values():
        assert properties(model).get("Lcl Scaling", (1, 1, 1)) == pytest.approx((1, 1, 1), abs=1e-5)
    number = {model.props[0]: name for name, model in models.items()}
    links = [link.props[1:3] for link in children(children(root, b"Connections")[0], b"C") if link.props[0] == b"OO"]
    parents = {number[child]: number[parent] for child, parent in links if child in number and parent in number}
    assert parents["pelvis"] == "Armature"
    assert models["pelvis"].props[2] == b"LimbNode"


def test_fbx_pelvis_carries_the_root_motion_and_nothing_else_moves(blank, tmp_path):
    _, path = exported(blank, tmp_path, "fbx")
    armature = reimport(path, "fbx")
    moving = set()
    for curve in compat.curves_of(armature):
        values = [key.co[1] for key in curve.keyframe_points]
        if "location" in curve.data_path and np.ptp(values) > 1e-4:
            moving.add(curve.data_path)
    assert moving == {'pose.bones["pelvis"].location'}
    assert np.array(armature.matrix_world) == pytest.approx(np.eye(4), abs=1e-5)


def test_fbx_rest_pose_is_the_t_pose(blank, tmp_path):
    """Bind pose and the nodes' own transforms both are; Unity makes its avatar of the latter."""
    person, path = exported(blank, tmp_path, "fbx")
    wanted = {bone.name: np.array(bone.head_local) for bone in person.armature.data.bones}
    objects = children(fbx_nodes(path), b"Objects")[0]
    for model in children(objects, b"Model"):
        name = model.props[1].split(b"\x00")[0].decode()
        if name in wanted and name != "pelvis":
            place = np.array(properties(model).get("Lcl Translation", (0, 0, 0)))
            parent = person.armature.data.bones[name].parent.name
            assert np.linalg.norm(place) == pytest.approx(np.linalg.norm(wanted[name] - wanted[parent]), abs=1e-4)
    armature = reimport(path, "fbx")
    for name, head in wanted.items():
        assert np.array(armature.data.bones[name].head_local) == pytest.approx(head, abs=1e-4)


def test_fbx_of_a_variable_rate_clip_is_resampled_at_its_rate(blank, tmp_path):
    seconds = np.cumsum(np.random.default_rng(1).uniform(0.02, 0.06, 60))
    seconds -= seconds[0]
    rate = Fraction(25)
    person, path = exported(blank, tmp_path, "fbx", rate=rate, timestamps=seconds, frames=60, turns=1.0)
    armature = reimport(path, "fbx")
    whole = np.arange(int(seconds[-1] * 25)) / 25
    columns = person.motion.joints3d_world.reshape(60, 72).T
    wanted = np.stack([np.interp(whole, seconds, column) for column in columns], axis=1).reshape(-1, 24, 3)
    frames = key_frames(armature)[: len(wanted)]
    assert worst_distance(armature, frames, wanted) < 0.02, "between the footage's frames only roughly"
    assert np.abs(joints_at(armature, frames[0]) - person.motion.joints3d_world[0]).max() < 0.002


def test_bvh_frame_time_has_its_digits(blank, tmp_path):
    _, path = exported(blank, tmp_path, "bvh", rate=NTSC_30)
    lines = path.read_text().splitlines()
    time = next(line for line in lines if line.startswith("Frame Time"))
    assert float(time.split()[-1]) == pytest.approx(1001 / 30000, rel=1e-9)
    assert "Frames: 40" in lines
    assert lines[1] == "ROOT pelvis"


def test_glb_duration_is_the_clips(blank, tmp_path):
    for rate in RATES:
        _, path = exported(blank, tmp_path / str(rate.numerator), "glb", rate=rate)
        data = path.read_bytes()
        size = struct.unpack_from("<I", data, 12)[0]
        document = json.loads(data[20 : 20 + size])
        assert struct.unpack_from("<I", data, 8)[0] == len(data)
        assert len(document["animations"]) == 1
        ends = {document["accessors"][sampler["input"]]["max"][0] for sampler in document["animations"][0]["samplers"]}
        assert max(ends) == pytest.approx(39 / float(rate), rel=1e-6)


@pytest.mark.skipif(not compat.supports_usd_armatures(), reason="this Blender writes no USD with skeletons")
def test_usd_names_what_is_in_it_as_it_is_called(blank, tmp_path):
    """Prims had been named after data-blocks, whose names others had: `body_001`."""
    timing.set_scene_rate(blank, NTSC_30)
    paths = [synthetic.write_person(tmp_path / "clip")] * 2
    for path in paths:  # the second take's names must not be taken either
        person = scene.import_people([path], blank).people[0]
    text = files.export(person.armature, tmp_path / "out.usda", "usd").read_text()
    names = re.findall(r'def \w+ "([^"]+)"', text)
    assert names
    assert not [name for name in names if re.search(r"_\d{3}$", name)]


@pytest.mark.skipif(not compat.supports_usd_armatures(), reason="this Blender writes no USD with skeletons")
@pytest.mark.parametrize("rate", RATES)
def test_usd_states_the_clips_rate_and_metres(blank, tmp_path, rate):
    person, _ = exported(blank, tmp_path, "usd", rate=rate)
    text = files.export(person.armature, tmp_path / "out.usda", "usd").read_text()
    stated = dict(re.findall(r"^ +(\w+) = (.+)$", text[: text.index("def ")], re.MULTILINE))
    assert float(stated["timeCodesPerSecond"]) == pytest.approx(float(rate), rel=1e-6)
    assert (float(stated["startTimeCode"]), float(stated["endTimeCode"])) == (0, 39)
    assert (float(stated["metersPerUnit"]), stated["upAxis"]) == (1, '"Z"')


@pytest.mark.parametrize("kind", KINDS)
def test_export_leaves_the_users_file_alone(blank, tmp_path, kind):
    for name in ("Armature", "Body"):
        blank.collection.objects.link(bpy.data.objects.new(name, None))
    blank.render.fps, blank.frame_end = 50, 77
    person = scene.import_people([synthetic.write_person(tmp_path)], blank).people[0]
    blank.frame_set(5)
    before, keys = counts(), key_frames(person.armature)
    names = {item.name for item in bpy.data.objects}
    files.export(person.armature, tmp_path / f"new folder/out.{kind}", kind)
    assert counts() == before
    assert {item.name for item in bpy.data.objects} == names
    assert bpy.context.scene == blank
    assert (blank.render.fps, blank.frame_end, blank.frame_current) == (50, 77, 5)
    assert (key_frames(person.armature) == keys).all()
    assert person.armature.animation_data.action == person.action
    assert [path.name for path in (tmp_path / "new folder").iterdir()] == [f"out.{kind}"]


@pytest.mark.parametrize("kind", KINDS)
def test_export_from_pose_mode_gives_the_mode_back(blank, tmp_path, kind):
    timing.set_scene_rate(blank, NTSC_30)
    person = scene.import_people([synthetic.write_person(tmp_path, rate=NTSC_30)], blank).people[0]
    bpy.context.view_layer.objects.active = person.armature
    bpy.ops.object.mode_set(mode="POSE")
    path = files.export(person.armature, tmp_path / f"out.{kind}", kind)
    assert (bpy.context.mode, bpy.context.view_layer.objects.active) == ("POSE", person.armature)
    armature = reimport(path, kind)
    assert worst_distance(armature, key_frames(armature), person.motion.joints3d_world) < 0.002


@pytest.mark.parametrize(("preset", "centimetres"), [("UNITY", 100), ("UNREAL", 1), ("BLENDER", 100)])
def test_fbx_units_are_those_of_the_program(blank, tmp_path, preset, centimetres):
    """Unity scales by what the file says; Unreal takes every unit for a centimetre. Neither finds a scaled object."""
    timing.set_scene_rate(blank, NTSC_30)
    person = scene.import_people([synthetic.write_person(tmp_path / "clip", rate=NTSC_30)], blank).people[0]
    thigh = person.armature.data.bones["left_knee"].head_local - person.armature.data.bones["left_hip"].head_local
    root = fbx_nodes(files.export(person.armature, tmp_path / "out.fbx", "fbx", preset))
    assert properties(children(root, b"GlobalSettings")[0])["UnitScaleFactor"][0] == pytest.approx(centimetres)
    models = {one.props[1].split(b"\x00")[0].decode(): properties(one)
              for one in children(children(root, b"Objects")[0], b"Model")}  # fmt: skip
    assert all(model.get("Lcl Scaling", (1, 1, 1)) == pytest.approx((1, 1, 1), abs=1e-5) for model in models.values())
    length = np.linalg.norm(models["left_knee"]["Lcl Translation"])
    assert length * centimetres == pytest.approx(100 * thigh.length, rel=1e-4)


@pytest.mark.parametrize("mode", ["XYZ", "AXIS_ANGLE"])
def test_fbx_rest_pose_is_the_t_pose_whatever_the_rotation_mode(blank, tmp_path, mode):
    timing.set_scene_rate(blank, NTSC_30)
    person = scene.import_people([synthetic.write_person(tmp_path / "clip", rate=NTSC_30)], blank).people[0]
    edits.set_rotation_mode(person.armature, mode)
    models = children(children(fbx_nodes(files.export(person.armature, tmp_path / "out.fbx", "fbx")), b"Objects")[0],
                      b"Model")  # fmt: skip
    bones = person.armature.data.bones
    for model in models:
        name = model.props[1].split(b"\x00")[0].decode()
        if name in bones and name != "pelvis":
            one, above = bones[name].matrix_local, bones[name].parent.matrix_local
            wanted = (above.inverted() @ one).to_euler("XYZ")
            found = np.radians(properties(model).get("Lcl Rotation", (0, 0, 0)))
            assert np.array(wanted) == pytest.approx(found, abs=1e-3), name


@pytest.mark.parametrize("preset", [identifier for identifier, *_ in presets.FBX_PRESETS])
@pytest.mark.parametrize("travel", ["HIPS", "OBJECT"])
def test_every_fbx_preset_keeps_every_joint(blank, tmp_path, preset, travel):
    timing.set_scene_rate(blank, NTSC_30)
    person = scene.import_people([synthetic.write_person(tmp_path / "clip", rate=NTSC_30)], blank).people[0]
    root_motion.set_travel(person.armature, travel, blank)
    path = files.export(person.armature, tmp_path / "out.fbx", "fbx", preset)
    name = person.armature.name
    before = {item.name for item in bpy.data.objects}
    assert {name, "clip person_1 body"} <= before
    armature = reimport(path, "fbx")
    assert worst_distance(armature, key_frames(armature), person.motion.joints3d_world) < 0.002
    assert armature.name == (name if preset == "BLENDER" else "Armature")


def test_unreals_root_bone_carries_the_travel(blank, tmp_path):
    """On the ground under the hips, turned about z with them; all else moves as before."""
    timing.set_scene_rate(blank, NTSC_30)
    person = scene.import_people([synthetic.write_person(tmp_path / "clip", rate=NTSC_30)], blank).people[0]
    keys = key_frames(person.armature)
    path = files.export(person.armature, tmp_path / "out.fbx", "fbx", "UNREAL")
    assert "root" not in person.armature.data.bones
    assert (key_frames(person.armature) == keys).all()
    armature = reimport(path, "fbx")
    assert armature.data.bones["pelvis"].parent.name == "root"
    frames, wanted = key_frames(armature), person.motion.joints3d_world
    assert len(frames) == 40
    for index in (0, 13, 39):
        joints_at(armature, frames[index])
        root = armature.matrix_world @ armature.pose.bones["root"].head
        assert np.array(root) == pytest.approx([*wanted[index, 0, :2], 0], abs=0.002)


def test_bvh_has_the_travel_of_the_object(blank, tmp_path):
    timing.set_scene_rate(blank, NTSC_30)
    person = scene.import_people([synthetic.write_person(tmp_path / "clip", rate=NTSC_30)], blank).people[0]
    root_motion.set_travel(person.armature, "OBJECT", blank)
    armature = reimport(files.export(person.armature, tmp_path / "out.bvh", "bvh"), "bvh")
    assert worst_distance(armature, key_frames(armature), person.motion.joints3d_world) < 0.005


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "bvh"])
def test_cleaned_up_motion_comes_out_as_it_is_shown(blank, tmp_path, kind):
    """Reduced keys, Euler angles and travel in the object: every frame is written as Blender shows it."""
    timing.set_scene_rate(blank, NTSC_30)
    person = scene.import_people([synthetic.write_person(tmp_path / "clip", rate=NTSC_30)], blank).people[0]
    edits.set_rotation_mode(person.armature, "ZXY")
    poses = pose_curves.read(person.armature)
    key_reduction.write(person.armature, poses, key_reduction.reduce(poses, 1.0, key_reduction.Bound(0.5, 3)))
    shown = np.stack([joints_at(person.armature, frame) for frame in range(1, 41)])
    armature = reimport(files.export(person.armature, tmp_path / f"out.{kind}", kind), kind)
    frames = key_frames(armature)
    assert len(frames) == 40
    assert worst_distance(armature, frames, shown) < 0.002


def test_edited_keys_are_exported(blank, tmp_path):
    """What the animator changed afterwards is what comes out."""
    person, _ = exported(blank, tmp_path, "fbx", scene_rate=Fraction(24))
    for curve in compat.curves_of(person.armature):
        if curve.data_path == 'pose.bones["pelvis"].location' and curve.array_index == 1:
            for key in curve.keyframe_points:
                key.co[1] += 1.0
    path = files.export(person.armature, tmp_path / "edited.fbx", "fbx")
    armature = reimport(path, "fbx")
    moved = person.motion.joints3d_world + np.array([0, 0, 1.0])
    assert worst_distance(armature, key_frames(armature), moved) < 0.002


def test_an_unwritable_folder_is_reported_and_the_old_file_stays(blank, tmp_path):
    person, path = exported(blank, tmp_path, "fbx")
    old = path.read_bytes()
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    with pytest.raises(UserError, match="could not be written"):
        files.export(person.armature, blocked / "out.fbx", "fbx")
    assert path.read_bytes() == old
    with pytest.raises(UserError, match="no character"):
        files.export(None, path, "fbx")
    person.armature.animation_data.action = None
    with pytest.raises(UserError, match="no motion"):
        files.export(person.armature, path, "fbx")


def test_blend_opens_with_character_camera_and_rate(blank, tmp_path):
    footage = REPOSITORY / "presets" / "demo" / "demo.mp4"
    imported = scene.import_people([synthetic.write_person(tmp_path / "clip")], blank, footage=footage)
    scene.match_scene(blank, imported)
    path = files.save_blend(tmp_path / "clip" / "clip.blend")
    wanted = imported.people[0].motion.joints3d_world
    bpy.ops.wm.open_mainfile(filepath=str(path))
    opened = bpy.context.scene
    assert (opened.render.fps, opened.frame_end, opened.camera.type) == (30, 40, "CAMERA")
    armature = next(item for item in opened.objects if item.type == "ARMATURE")
    assert worst_distance(armature, np.arange(1, 41), wanted) < 1e-3
    stored = opened.camera.data.background_images[0].clip.filepath
    assert stored.startswith("//"), "relative, so that folders can be moved together"
    assert Path(bpy.path.abspath(stored)).resolve() == footage
