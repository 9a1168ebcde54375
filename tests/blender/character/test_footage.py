"""Footage in the scene: Movie Clip, camera background, sequencer strip, range; nothing is forced."""

from __future__ import annotations

import subprocess

import bpy
import numpy as np
import pytest
import synthetic
from adapt_motion.blender_addon import messages
from adapt_motion.blender_addon.character import camera, chosen, footage
from adapt_motion.blender_addon.errors import UserError
from adapt_motion.blender_addon.run import clip_run, labels, run_settings
from adapt_motion.blender_addon.ui import panels
from addon_fixtures import refused
from conftest import REPOSITORY
from inside import counts
from recorder import draw

DEMO = REPOSITORY / "presets" / "demo" / "demo.mp4"


def test_footage_is_shown_behind_a_camera_and_the_scene_stays(addon):
    scene = bpy.context.scene
    scene.frame_start, scene.render.fps = 20, 24
    assert bpy.ops.adapt_motion.choose_footage(filepath=str(DEMO)) == {"FINISHED"}
    settings = scene.adapt_motion
    assert (settings.footage, settings.footage_start) == (str(DEMO), 20)
    assert settings.movie_clip.size[:] == (1080, 1920)
    assert (scene.frame_start, scene.render.fps, scene.render.resolution_x) == (20, 24, 1920)
    camera_object = chosen.camera_of(bpy.context)
    assert camera_object.data.background_images[0].clip == settings.movie_clip
    assert scene.camera is None, "the scene's camera is the user's to choose"
    editor = scene.sequence_editor
    assert not editor or not len(editor.strips if hasattr(editor, "strips") else editor.sequences)
    before = counts()
    bpy.ops.adapt_motion.choose_footage(filepath=str(DEMO))
    assert counts() == before, "what is there is used again"


def test_rate_range_size_and_view_are_offered_in_one_button(addon):
    scene = bpy.context.scene
    bpy.ops.adapt_motion.choose_footage(filepath=str(DEMO), match_new=False)
    assert scene.render.fps == 24
    assert draw(panels.ADAPT_MOTION_PT_adapt, bpy.context).operators.count("adapt_motion.match_footage") == 1
    bpy.ops.adapt_motion.match_footage()
    assert (scene.render.fps, scene.frame_start, scene.frame_end) == (60, 1, 100)
    assert (scene.render.resolution_x, scene.render.resolution_y) == (1080, 1920)
    assert scene.camera == chosen.camera_of(bpy.context)
    assert "adapt_motion.match_footage" not in draw(panels.ADAPT_MOTION_PT_adapt, bpy.context).operators
    draw(panels.ADAPT_MOTION_PT_footage, bpy.context)


def test_a_scene_as_blender_starts_becomes_its_footages(addon):
    """The range of 1 to 250 had turned the view magenta after the clip's end, and the cube had hidden the character."""
    bpy.ops.mesh.primitive_cube_add()
    scene = bpy.context.scene
    bpy.ops.adapt_motion.choose_footage(filepath=str(DEMO))
    assert (scene.render.fps, scene.frame_start, scene.frame_end) == (60, 1, 100)
    assert (scene.render.resolution_x, scene.render.resolution_y) == (1080, 1920)
    assert scene.objects["Cube"].hide_get()


def test_footage_that_was_typed_makes_a_new_scene_its_own_too(addon):
    bpy.ops.mesh.primitive_cube_add()
    scene = bpy.context.scene
    scene.adapt_motion.footage = str(DEMO)
    bpy.ops.adapt_motion.add_label()
    scene.adapt_motion.labels[0].label = "walk"
    assert scene.adapt_motion.labels[0].frame_end == 250
    bpy.ops.adapt_motion.show_footage()
    assert (scene.render.fps, scene.frame_start, scene.frame_end) == (60, 1, 100)
    assert scene.objects["Cube"].hide_get()
    assert scene.adapt_motion.labels[0].frame_end == 100
    assert [marker.frame for marker in scene.timeline_markers] == [1, 101]


def test_a_run_on_typed_footage_makes_a_new_scene_its_own_too(addon, tmp_path):
    """Without *Show Footage* the range had stayed 1 to 250, and the cube round the character."""
    bpy.ops.mesh.primitive_cube_add()
    scene = bpy.context.scene
    scene.adapt_motion.footage = str(DEMO)
    clip_run.attach(scene, [synthetic.write_person(tmp_path / "clip")], str(DEMO), 1)
    assert (scene.render.fps, scene.frame_start, scene.frame_end) == (60, 1, 100)
    assert scene.objects["Cube"].hide_get()
    assert scene.adapt_motion.character.animation_data.action.frame_range[0] == 1


def test_a_scene_of_the_users_own_is_left_as_it_is(addon):
    bpy.ops.mesh.primitive_cube_add()
    scene = bpy.context.scene
    scene.frame_end = 400
    bpy.ops.adapt_motion.choose_footage(filepath=str(DEMO))
    assert (scene.render.fps, scene.frame_start, scene.frame_end, scene.render.resolution_x) == (24, 1, 400, 1920)
    assert not scene.objects["Cube"].hide_get()


def test_the_range_of_the_clip_counts_in_the_scenes_frames(addon):
    scene = bpy.context.scene
    scene.render.fps = 30
    bpy.ops.adapt_motion.choose_footage(filepath=str(DEMO))
    assert labels.clip_range(scene) == (1, 50)


def test_a_sequencer_strip_is_added_on_request(addon):
    scene = bpy.context.scene
    bpy.ops.adapt_motion.choose_footage(filepath=str(DEMO), as_strip=True)
    editor = scene.sequence_editor
    (strip,) = editor.strips if hasattr(editor, "strips") else editor.sequences
    new_names = hasattr(strip, "content_start")  # 5.2 gives up the old ones
    assert (strip.content_start if new_names else strip.frame_start) == 1
    duration = strip.content_duration if new_names else strip.frame_duration
    assert duration in (40, 100)  # some Blenders count in the scene's rate, 24


def test_choosing_an_image_takes_its_folder(addon, tmp_path):
    settings = bpy.context.scene.adapt_motion
    bpy.ops.adapt_motion.choose_footage(filepath=str(tmp_path / "clip.mov"))
    assert settings.footage == str(tmp_path / "clip.mov"), "also what Blender cannot show may be footage"
    folder = tmp_path / "shot"
    folder.mkdir()
    for number in range(3):
        image = bpy.data.images.new("frame", 8, 6)
        image.filepath_raw, image.file_format = str(folder / f"{number:04}.png"), "PNG"
        image.save()
    bpy.ops.adapt_motion.choose_footage(filepath=str(folder / "0001.png"), as_strip=True)
    assert settings.footage == str(folder)
    assert settings.movie_clip.source == "SEQUENCE"
    assert footage.is_shown(settings)
    assert labels.clip_range(bpy.context.scene) == (1, 3)
    bpy.context.scene.render.fps, bpy.context.scene.render.fps_base = 30, 1.001
    assert run_settings.job_of(bpy.context).overrides == ["footage.image_rate=30000/1001"], "images have no rate"


def test_a_path_that_was_typed_is_shown_on_request(addon):
    settings = bpy.context.scene.adapt_motion
    assert messages.NO_FOOTAGE in refused(bpy.ops.adapt_motion.show_footage)
    assert messages.NO_MOVIE_CLIP in refused(bpy.ops.adapt_motion.match_footage)
    settings.footage = str(DEMO)
    assert "adapt_motion.show_footage" in draw(panels.ADAPT_MOTION_PT_adapt, bpy.context).operators
    assert bpy.ops.adapt_motion.show_footage() == {"FINISHED"}
    assert "adapt_motion.show_footage" not in draw(panels.ADAPT_MOTION_PT_adapt, bpy.context).operators
    settings.footage = "/nowhere/clip.mp4"
    assert "cannot show" in refused(bpy.ops.adapt_motion.show_footage)


def test_paths_are_relative_where_the_user_wants_it(addon, tmp_path):
    (tmp_path / "clip.mp4").write_bytes(DEMO.read_bytes())
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    bpy.ops.adapt_motion.choose_footage(filepath=str(tmp_path / "clip.mp4"))
    settings = bpy.context.scene.adapt_motion
    assert settings.footage == "//clip.mp4"
    assert run_settings.footage_path(settings) == str(tmp_path / "clip.mp4")
    assert footage.is_shown(settings)


def test_only_the_preview_range_is_worked_on(addon, tmp_path):
    (tmp_path / "clip.mp4").touch()
    scene = bpy.context.scene
    settings = scene.adapt_motion
    settings.footage, settings.footage_start, scene.render.fps = str(tmp_path / "clip.mp4"), 11, 25
    assert run_settings.range_seconds(scene) == (None, None)
    scene.use_preview_range, scene.frame_preview_start, scene.frame_preview_end = True, 36, 60
    run = run_settings.job_of(bpy.context)
    assert (run.start_s, run.end_s) == (1.0, 2.0)
    scene.frame_preview_start = 1
    assert run_settings.range_seconds(scene) == (0.0, 2.0)
    settings.use_preview_range = False
    assert run_settings.range_seconds(scene) == (None, None)
    settings.footage_start, settings.use_preview_range = 70, True
    with pytest.raises(UserError, match="ends before the footage begins"):
        run_settings.range_seconds(scene)


def test_the_cameras_footage_is_aimed_when_the_motion_comes(addon, tmp_path):
    import synthetic

    bpy.ops.adapt_motion.choose_footage(filepath=str(DEMO))
    ours = chosen.camera_of(bpy.context)
    ours_before = ours.matrix_world.copy()
    path = synthetic.write_person(tmp_path / "clip", image_size=(1080, 1920))
    bpy.ops.adapt_motion.import_motion(filepath=str(path), footage=str(DEMO))
    assert [item for item in bpy.data.objects if item.type == "CAMERA"] == [ours]
    assert chosen.camera_of(bpy.context) == ours
    assert ours.matrix_world != ours_before
    assert len(ours.data.background_images) == 1
    assert camera.camera_of_footage(bpy.context.scene, DEMO) == ours


def test_dropped_videos_are_taken_where_blender_can(addon):
    if not hasattr(bpy.types, "FileHandler"):
        pytest.skip("this Blender takes no dropped files")
    handler = bpy.types.ADAPT_MOTION_FH_footage
    assert handler.bl_import_operator == "adapt_motion.choose_footage"
    assert ".mp4" in handler.bl_file_extensions


def numbers_shown(scene, path, frames):
    """What numbered footage shows at frames of the scene, rendered by the sequencer: it reads it as Movie Clips do."""
    scene.adapt_motion.footage, scene.render.fps = str(path), 25
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = 176, 64, 100
    scene.view_settings.view_transform = "Standard"
    footage.load(scene, as_background=False, as_strip=True)
    scene.render.use_sequencer, scene.render.image_settings.file_format = True, "PNG"
    found = []
    for frame in frames:
        scene.frame_set(frame)
        scene.render.filepath = str(path.with_name(f"shown_{frame}.png"))
        bpy.ops.render.render(write_still=True)
        image = bpy.data.images.load(scene.render.filepath)
        red = np.array(image.pixels[:]).reshape(64, 176, 4)[20:44, :, 0]
        found.append(sum(1 << bit for bit in range(8) if red[:, 11 + 20 * bit : 21 + 20 * bit].mean() > 0.5))
    return found


@pytest.mark.parametrize("name", ["trimmed.mp4", "late.ts", "whole.mp4"])
def test_blender_shows_the_frames_that_the_engine_reads(addon, engine_python, tmp_path, name):
    """Edit lists and clocks that start late: the first frame is the same one, and so are all others."""
    code = (
        "import sys, pathlib; sys.path[:0] = sys.argv[3:]\n"
        "from made_footage import number_of, numbered_film, with_edit_list\n"
        "from engine.footage.decoding import frames\n"
        "path, cut = pathlib.Path(sys.argv[1]), int(sys.argv[2])\n"
        "whole = numbered_film(path.with_name('source.mp4'))\n"
        "path = with_edit_list(path, whole, cut) if cut else whole.replace(path)\n"
        "print(*[number_of(one.rgb) for one in frames(path)])\n"
    )
    cut = {"trimmed.mp4": 15, "late.ts": -250, "whole.mp4": 0}[name]
    paths = [str(REPOSITORY), str(REPOSITORY / "tests" / "engine")]
    command = [engine_python, "-c", code, str(tmp_path / name), str(cut), *paths]
    read = list(map(int, subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()))
    assert len(read) == 60 - max(cut, 0)
    frames = [1, 2, 3, 10, len(read) - 1, len(read)]
    assert numbers_shown(bpy.context.scene, tmp_path / name, frames) == [read[frame - 1] for frame in frames]
    assert bpy.context.scene.adapt_motion.movie_clip.frame_duration == len(read)
