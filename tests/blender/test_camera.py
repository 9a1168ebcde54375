from __future__ import annotations

import bpy
import numpy as np
import pytest
import synthetic
from adapt_motion.blender_addon import scene
from bpy_extras.object_utils import world_to_camera_view
from conftest import REPOSITORY
from mathutils import Vector

SIZES = [(1280, 720), (720, 1280), (640, 640), (853, 481)]


def pixels_in_blender(target, camera, joints: np.ndarray) -> np.ndarray:
    """(N, 2) places in the rendered picture, x right and y down, in fractions of it."""
    views = [world_to_camera_view(target, camera, Vector(joint)) for joint in joints.tolist()]
    return np.array([(view.x, 1 - view.y) for view in views])


@pytest.mark.parametrize("size", SIZES)
def test_joints_lie_where_the_footage_shows_them(blank, tmp_path, size):
    path = synthetic.write_person(tmp_path, image_size=size, camera_yaw=0.4)
    imported = scene.import_people([path], blank)
    scene.match_scene(blank, imported)
    bpy.context.view_layer.update()
    motion = imported.people[0].motion
    for index in range(0, 40, 5):
        projected = motion.joints3d_cam[index] @ motion.intrinsics.T
        wanted = projected[:, :2] / projected[:, 2:]
        got = pixels_in_blender(blank, imported.camera, motion.joints3d_world[index]) * size
        assert np.abs(got - wanted).max() < 0.1


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("render", [(1920, 1080), (1080, 1920)])
def test_overlay_holds_at_the_users_resolution(blank, tmp_path, size, render):
    """The footage is fitted into the frame; the joints must lie on it although the scene's shape is another."""
    blank.render.resolution_x, blank.render.resolution_y = render
    imported = scene.import_people([synthetic.write_person(tmp_path, image_size=size)], blank)
    assert (blank.render.resolution_x, blank.render.resolution_y) == render
    bpy.context.view_layer.update()
    motion = imported.people[0].motion
    projected = motion.joints3d_cam[3] @ motion.intrinsics.T
    wanted = projected[:, :2] / projected[:, 2:]
    scale = min(render[0] / size[0], render[1] / size[1])
    on_frame = (wanted - np.array(size) / 2) * scale + np.array(render) / 2
    got = pixels_in_blender(blank, imported.camera, motion.joints3d_world[3]) * render
    assert np.abs(got - on_frame).max() < 0.5


def test_footage_is_the_cameras_background_from_the_first_frame(blank, tmp_path):
    clip = REPOSITORY / "presets" / "demo" / "demo.mp4"
    imported = scene.import_people([synthetic.write_person(tmp_path)], blank, footage=clip, start_frame=25)
    background = imported.camera.data.background_images[0]
    assert background.clip == imported.movie_clip
    assert imported.movie_clip.frame_start == 25
    assert imported.movie_clip.frame_duration > 10
    assert imported.camera.data.show_background_images
    again = scene.import_people([synthetic.write_person(tmp_path)], blank, footage=clip, start_frame=1)
    assert again.movie_clip != imported.movie_clip, "a clip that the file already has keeps its place in time"


def test_missing_footage_is_a_warning(blank, tmp_path):
    imported = scene.import_people([synthetic.write_person(tmp_path)], blank, footage=tmp_path / "gone.mp4")
    assert imported.movie_clip is None
    assert "cannot show" in imported.warnings[0]
