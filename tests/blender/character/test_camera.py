from __future__ import annotations

import json
from fractions import Fraction

import bpy
import numpy as np
import pytest
import synthetic
from adapt_motion.blender_addon.blender import compat
from adapt_motion.blender_addon.character import scene
from bpy_extras.object_utils import world_to_camera_view
from conftest import REPOSITORY
from mathutils import Vector

DEMO = REPOSITORY / "presets" / "demo" / "demo.mp4"
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


def shown_frame(clip, frame: int) -> int:
    """Which of its frames, from 0, a movie clip shows at a frame of the scene."""
    bpy.context.scene.frame_set(frame)
    now = clip.evaluated_get(bpy.context.evaluated_depsgraph_get())
    return frame - now.frame_start + now.frame_offset


@pytest.mark.parametrize("fps", [60, 24, 25, 120])
def test_footage_shows_the_frame_of_the_key_at_any_scene_rate(blank, tmp_path, fps):
    """The demo clip runs at 60 frames a second."""
    blank.render.fps = fps
    path = synthetic.write_person(tmp_path, rate=Fraction(60), frames=100)
    imported = scene.import_people([path], blank, footage=DEMO, start_frame=25)
    background = imported.camera.data.background_images[0]
    assert background.clip == imported.movie_clip
    assert imported.camera.data.show_background_images
    assert imported.movie_clip.frame_duration == 100
    wanted = [int((frame - 25) * 60 / fps + 1e-6) for frame in range(25, 25 + fps)]
    assert [shown_frame(imported.movie_clip, frame) for frame in range(25, 25 + fps)] == wanted
    scene.set_clip_rate(blank, imported.people[0].armature)
    assert [shown_frame(imported.movie_clip, frame) for frame in (25, 60, 124)] == [0, 35, 99]
    assert imported.movie_clip.frame_start == 25


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_footage_stored_on_its_side_is_turned(blank, tmp_path, quarters):
    """Blenders that follow the file's flag are left to it, others turn and fit the picture."""
    stored = (1920, 1080) if quarters % 2 else (1080, 1920)
    path = synthetic.write_person(tmp_path / "clip", image_size=(1080, 1920))
    (tmp_path / "clip" / "report.json").write_text(json.dumps({"footage": {"rotation_degrees": 90 * quarters}}))
    imported = scene.import_people([path], blank)
    images = imported.camera.data.background_images
    images.new().clip = movie_clip(stored, tmp_path)
    scene.match_scene(blank, imported)
    turned = quarters in (1, 3) or (quarters == 2 and not compat.turns_movies_upright())
    assert images[0].rotation == pytest.approx(np.pi / 2 * quarters if turned else 0)
    assert images[0].scale == pytest.approx(1920 / 1080 if quarters % 2 else 1)


def movie_clip(size: tuple[int, int], folder):
    """A movie clip of one picture of that size."""
    image = bpy.data.images.new("picture", *size)
    image.filepath_raw, image.file_format = str(folder / "picture.png"), "PNG"
    image.save()
    return bpy.data.movieclips.load(image.filepath_raw)


def test_missing_footage_is_a_warning(blank, tmp_path):
    imported = scene.import_people([synthetic.write_person(tmp_path)], blank, footage=tmp_path / "gone.mp4")
    assert imported.movie_clip is None
    assert "cannot show" in imported.warnings[0]


def zooming(folder, **options):
    """A motion file whose camera zooms by half and distorts; keypoints of the footage lie 7 pixels to the right."""
    path = synthetic.write_person(folder, frames=31, **options)
    with np.load(path) as archive:
        arrays = dict(archive)
    cameras = np.repeat(arrays["intrinsics"][None], 31, 0)
    cameras[:, (0, 1), (0, 1)] *= np.linspace(1, 1.5, 31)[:, None]
    arrays |= {"camera_intrinsics": cameras, "keypoints2d_footage": arrays["keypoints2d"] + (7, 0, 0)}
    np.savez(path, **arrays)
    return path


def test_a_zoom_is_keyed_and_the_character_stays_over_the_footage(blank, tmp_path):
    imported = scene.import_people([zooming(tmp_path)], blank)
    scene.match_scene(blank, imported)
    motion = imported.people[0].motion
    size = np.array(motion.image_size)
    for row in (0, 15, 30):
        blank.frame_set(blank.frame_start + row)
        projected = motion.joints3d_cam[row] @ motion.camera_intrinsics[row].T
        wanted = projected[:, :2] / projected[:, 2:]
        got = pixels_in_blender(blank, imported.camera, motion.joints3d_world[row]) * size
        assert np.abs(got - wanted).max() < 0.1
    again = scene.import_people([synthetic.write_person(tmp_path / "still")], blank, with_mesh=False)
    compat_action = again.camera.data.animation_data
    assert compat_action is None, "a camera that does not zoom has no keys"


def test_a_moving_camera_follows_the_scenes_new_rate(blank, tmp_path):
    """Brought in at 24 frames a second, then given the clip's 30: the camera keeps step with the character."""
    path = zooming(tmp_path)
    with np.load(path) as archive:
        arrays = dict(archive)
    arrays["camera_path"] = np.repeat(arrays["camera_to_world"][None], 31, 0)
    arrays["camera_path"][:, 0, 3] += np.linspace(0, 3, 31)
    np.savez(path, **arrays)
    blank.render.fps = 24
    imported = scene.import_people([path], blank)
    scene.set_clip_rate(blank, imported.people[0].armature)
    assert blank.render.fps == 30
    for datablock in (imported.camera, imported.camera.data):
        for curve in compat.curves_of(datablock):
            keys = [point.co[0] for point in curve.keyframe_points]
            assert keys == pytest.approx(np.arange(1, 32), abs=1e-3)


def test_footage_of_a_lens_that_distorts_is_shown_straight(blank, tmp_path):
    size = (1080, 1920)
    imported = scene.import_people([zooming(tmp_path / "a", image_size=size)], blank, footage=DEMO)
    users = [one.clip_user.use_render_undistorted for one in imported.camera.data.background_images]
    assert users == [True]
    plain = synthetic.write_person(tmp_path / "b", image_size=size)
    imported = scene.import_people([plain], blank, footage=DEMO)
    assert [one.clip_user.use_render_undistorted for one in imported.camera.data.background_images] == [False]
