"""Keypoints over the footage: what is drawn where; drawn for real in `test_window.py`."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
import synthetic
from adapt_motion.blender_addon.character import keypoints
from bpy_extras.object_utils import world_to_camera_view
from conftest import REPOSITORY

DEMO = REPOSITORY / "presets" / "demo" / "demo.mp4"


@pytest.fixture
def character(addon, tmp_path):
    scene = bpy.context.scene
    scene.render.fps, scene.render.resolution_x, scene.render.resolution_y = 30, 1280, 720
    path = synthetic.write_person(tmp_path / "clip", hidden=(10, 20), camera_yaw=0.3)
    bpy.ops.adapt_motion.import_motion(filepath=str(path))
    return scene.adapt_motion.character


def test_points_of_a_frame_with_what_they_are(character):
    with np.load(character["adapt_motion_person"]) as archive:
        wanted = archive["keypoints2d"]
    points = keypoints.points_at(bpy.context.scene, character, 16)
    assert [name for name, *_ in points] == synthetic.KEYPOINTS
    assert [name for name, _, _, detected in points if not detected] == ["left_elbow", "left_wrist"]
    assert np.array([point[1:3] for point in points]) * (1280, 720) == pytest.approx(wanted[15, :, :2], abs=0.01)
    assert keypoints.points_at(bpy.context.scene, character, 0) == []
    assert keypoints.points_at(bpy.context.scene, character, 42) == []


def test_points_lie_on_the_pixels_through_the_camera(character):
    scene = bpy.context.scene
    bpy.context.view_layer.update()
    camera = next(item for item in scene.objects if item.type == "CAMERA")
    motion = keypoints._known[character["adapt_motion_person"]]
    for _, x, y, _ in keypoints.points_at(scene, character, 5):
        seen = world_to_camera_view(scene, camera, camera.matrix_world @ keypoints.direction(motion, x, y))
        assert (seen.x, 1 - seen.y) == pytest.approx((x, y), abs=1e-4)


def test_switching_it_on_reads_the_files(character):
    settings = bpy.context.scene.adapt_motion
    keypoints._known.clear()
    assert keypoints.points_at(bpy.context.scene, character, 5) == []
    bpy.ops.adapt_motion.toggle_keypoints()
    assert settings.show_keypoints
    assert keypoints.points_at(bpy.context.scene, character, 5)
    bpy.ops.adapt_motion.toggle_keypoints()
    assert not settings.show_keypoints


def test_a_file_that_is_gone_draws_nothing(character):
    keypoints._known.clear()
    character["adapt_motion_person"] = "/nowhere/person_1.npz"
    bpy.ops.adapt_motion.toggle_keypoints()
    assert keypoints.points_at(bpy.context.scene, character, 5) == []


def test_over_the_footage_itself_points_are_where_the_lens_put_them(addon, tmp_path):
    path = synthetic.write_person(tmp_path / "clip")
    with np.load(path) as archive:
        arrays = dict(archive)
    np.savez(path, **arrays, keypoints2d_footage=arrays["keypoints2d"] + np.array((12.8, 7.2, 0)))
    bpy.ops.adapt_motion.import_motion(filepath=str(path))
    scene = bpy.context.scene
    straight, filmed = (
        np.array([point[1:3] for point in keypoints.points_at(scene, scene.adapt_motion.character, 5, as_filmed)])
        for as_filmed in (False, True)
    )
    assert filmed - straight == pytest.approx(np.full_like(straight, 0.01), abs=1e-5)


def test_only_the_clips_own_camera_shows_its_keypoints(character, tmp_path):
    """They had been drawn through any camera, and over another clip's footage."""
    scene = bpy.context.scene
    own = next(item for item in scene.objects if item.type == "CAMERA")
    assert keypoints.seen_by(scene, own) == [character]
    mine = bpy.data.objects.new("mine", bpy.data.cameras.new("mine"))
    scene.collection.objects.link(mine)
    assert keypoints.seen_by(scene, mine) == []
    bpy.ops.adapt_motion.import_motion(filepath=str(synthetic.write_person(tmp_path / "other", seed=4)))
    other = scene.adapt_motion.character
    assert keypoints.seen_by(scene, own) == [character]
    (camera,) = [item for item in scene.objects if item.type == "CAMERA" and item not in (own, mine)]
    assert keypoints.seen_by(scene, camera) == [other]


def test_over_footage_there_are_the_keypoints_of_that_footage_alone(addon, tmp_path):
    scene = bpy.context.scene
    paths = []
    for name in ("one", "two"):
        paths.append(tmp_path / f"{name}.mp4")
        paths[-1].write_bytes(DEMO.read_bytes())
        bpy.ops.adapt_motion.choose_footage(filepath=str(paths[-1]))
        motion = synthetic.write_person(tmp_path / name, image_size=(1080, 1920))
        bpy.ops.adapt_motion.import_motion(filepath=str(motion), footage=str(paths[-1]))
    clips = {clip.name: [item.name for item in keypoints.seen_in(scene, clip)] for clip in bpy.data.movieclips}
    assert clips == {"one.mp4": ["one person_1"], "two.mp4": ["two person_1"]}
