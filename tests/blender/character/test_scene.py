from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import bpy
import numpy as np
import pytest
import synthetic
from adapt_motion.blender_addon.character import scene
from adapt_motion.blender_addon.errors import UserError
from inside import counts, joints_at
from mathutils import Matrix

pytestmark = pytest.mark.short


def test_two_people_stand_in_one_space(blank, tmp_path):
    """Each motion file has a world of its own; the camera that filmed both ties them together."""
    first = synthetic.write_person(tmp_path, 1)
    second = synthetic.write_person(tmp_path, 2, seed=5, offset=(0.8, 0.5), camera_yaw=0.9)
    imported = scene.import_people([first, second], blank)
    camera = np.array(imported.camera.matrix_world) @ np.diag([1.0, -1, -1, 1])
    for person in imported.people:
        frame = blank.frame_start + 12 * float(24 / person.motion.rate)
        world = np.c_[joints_at(person.armature, frame), np.ones(24)]
        seen = (world @ np.linalg.inv(camera).T)[:, :3]
        assert np.abs(seen - person.motion.joints3d_cam[12]).max() < 1e-3


def test_the_users_scene_is_left_as_it_is(blank, tmp_path):
    blank.render.fps, blank.frame_start, blank.frame_end = 25, 10, 99
    mine = bpy.data.objects.new("mine", None)
    blank.collection.objects.link(mine)
    blank.frame_set(42)
    imported = scene.import_people([synthetic.write_person(tmp_path)], blank)
    assert (blank.render.fps, blank.frame_start, blank.frame_end, blank.frame_current) == (25, 10, 99, 42)
    assert blank.camera is None
    assert mine.name in blank.objects
    assert "25" in scene.rate_warning(blank, imported)


def test_import_in_another_mode_gives_the_mode_back(blank, tmp_path):
    first = scene.import_people([synthetic.write_person(tmp_path)], blank).people[0].armature
    bpy.ops.object.mode_set(mode="POSE")
    scene.import_people([synthetic.write_person(tmp_path)], blank)
    assert bpy.context.view_layer.objects.active == first
    assert first.mode == "POSE"


def test_match_scene_takes_over_rate_range_size_and_camera(blank, tmp_path):
    path = synthetic.write_person(tmp_path, rate=Fraction(30000, 1001), image_size=(720, 1280))
    imported = scene.import_people([path], blank)
    scene.match_scene(blank, imported)
    assert (blank.render.fps, round(blank.render.fps_base, 6)) == (30, 1.001)
    assert (blank.frame_start, blank.frame_end) == (1, 40)
    assert (blank.render.resolution_x, blank.render.resolution_y) == (720, 1280)
    assert blank.camera == imported.camera
    assert scene.rate_warning(blank, imported) == ""
    joints = joints_at(imported.people[0].armature, 40)
    assert np.abs(joints - imported.people[0].motion.joints3d_world[-1]).max() < 1e-4


def test_a_bad_file_leaves_nothing_behind(blank, tmp_path):
    good, bad = synthetic.write_person(tmp_path), tmp_path / "person_2.npz"
    bad.write_text("x")
    before = counts()
    with pytest.raises(UserError, match="person_2"):
        scene.import_people([good, bad], blank)
    with pytest.raises(UserError, match="no motion"):
        scene.import_people([], blank)
    assert counts() == before


def test_import_without_body_and_camera(blank, tmp_path):
    imported = scene.import_people([synthetic.write_person(tmp_path)], blank, with_mesh=False, with_camera=False)
    assert imported.camera is None
    assert [item.type for item in imported.collection.objects] == ["ARMATURE"]


def test_names_in_any_script_and_a_moved_parent_collection(blank, tmp_path):
    path = synthetic.write_person(tmp_path / "Übung 跳 clip")
    imported = scene.import_people([path], blank)
    assert imported.people[0].armature.name == "Übung 跳 clip person_1"
    assert imported.people[0].armature[scene.PERSON] == str(path)
    imported.people[0].armature.matrix_world = Matrix.Translation((1, 2, 3))


def test_a_folder_whose_name_is_no_text_is_imported(blank, tmp_path):
    folder = os.path.join(os.fsencode(tmp_path), b"clip \xff")
    try:
        os.mkdir(folder)
    except OSError:
        pytest.skip("this system takes no such names")
    imported = scene.import_people([synthetic.write_person(Path(os.fsdecode(folder)))], blank)
    assert imported.people[0].armature.name == "clip ? person_1"


def test_missing_numpy_is_reported_in_words(blank, tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "numpy", None)
    with pytest.raises(UserError, match="no NumPy"):
        scene.import_people([tmp_path / "person_1.npz"], blank)
