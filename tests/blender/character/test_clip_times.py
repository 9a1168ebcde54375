"""Rate, keys, footage, range and camera stay together, whatever is changed in which order, undo included."""

from __future__ import annotations

import random
from fractions import Fraction

import bpy
import numpy as np
import pytest
import synthetic
from adapt_motion.blender_addon.blender import timing
from adapt_motion.blender_addon.character import chosen, clip_times, footage, framing, keypoints, matching
from adapt_motion.blender_addon.run import labels
from adapt_motion.blender_addon.ui import panels
from bpy_extras.object_utils import world_to_camera_view
from conftest import REPOSITORY
from recorder import draw

DEMO = REPOSITORY / "presets" / "demo" / "demo.mp4"
RATES = [Fraction(24), Fraction(25), Fraction(30), Fraction(60), Fraction(30000, 1001), Fraction(12), Fraction(120)]
SIZE = (1080, 1920)


def small_footage(folder, rate: int, frames: int = 40, size=(64, 96)):
    """A clip of its own, made by Blender, at `rate` frames a second."""
    scene = bpy.data.scenes.new("render")
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = *size, 100
    scene.render.fps, scene.frame_start, scene.frame_end = rate, 1, frames
    if hasattr(scene.render.image_settings, "media_type"):  # 5.0
        scene.render.image_settings.media_type = "VIDEO"
    scene.render.image_settings.file_format = "FFMPEG"
    scene.render.ffmpeg.format, scene.render.ffmpeg.codec = "MPEG4", "MPEG4"
    editor = scene.sequence_editor_create()
    strips = editor.strips if hasattr(editor, "strips") else editor.sequences
    options = {"length": frames} if "length" in strips.new_effect.__doc__ else {"frame_end": frames + 1}
    strips.new_effect("grey", "COLOR", 1, 1, **options)
    path = folder / f"{rate}.mp4"
    scene.render.filepath = str(path)
    with bpy.context.temp_override(scene=scene):
        bpy.ops.render.render(animation=True, scene=scene.name)
    bpy.data.scenes.remove(scene)
    return path


def bring_in(scene, path, folder, frames=100, rate=Fraction(60), size=SIZE, **options):
    """Footage in the panel with a character that came from it; gives back the character's name."""
    footage.choose(scene, path)
    footage.load(scene)
    motion = synthetic.write_person(folder, frames=frames, rate=rate, image_size=size, adapted=True, **options)
    bpy.ops.adapt_motion.import_motion(filepath=str(motion), footage=str(path))
    return scene.adapt_motion.character.name


def shown_row(clip, frame: int) -> int:
    now = clip.evaluated_get(bpy.context.evaluated_depsgraph_get())
    return frame - now.frame_start + now.frame_offset


def worst_pixel(name: str, rows=(0, 7, 30)) -> float:
    """How far the joints lie beside the keypoints of their row, through the clip's camera, where each row's key is; and
    the footage shows that row there."""
    scene, armature = bpy.context.scene, bpy.data.objects[name]
    motion = keypoints._known[armature[clip_times.PERSON]]
    action = armature.animation_data.action
    view = next(item for item in scene.objects if item.type == "CAMERA" and clip_times.of_one_clip(item, armature))
    (clip,) = [background.clip for background in view.data.background_images]
    rate, start = Fraction(action["adapt_motion_key_rate"]), action["adapt_motion_key_start"]
    worst = 0.0
    for row in rows:
        frame = float(start + Fraction(float(motion.timestamps[row])) * rate)
        frame = round(frame) if abs(frame - round(frame)) < 0.01 else frame
        scene.frame_set(int(np.floor(frame)), subframe=float(frame - np.floor(frame)))
        bpy.context.view_layer.update()
        whole = int(np.ceil(frame))
        points = {point[0]: point[1:3] for point in keypoints.points_at(scene, armature, frame + 1e-3)}
        for bone, place in points.items():
            seen = world_to_camera_view(scene, view, armature.matrix_world @ armature.pose.bones[bone].head)
            x, y = fitted(scene, motion.image_size, seen)
            worst = max(worst, np.hypot((x - place[0]) * motion.image_size[0], (y - place[1]) * motion.image_size[1]))
        scene.frame_set(whole)
        step = float(motion.rate / rate)
        assert row <= shown_row(clip, whole) <= row + int(np.ceil(step)), (row, whole, shown_row(clip, whole))
        if whole == frame:
            assert shown_row(clip, whole) == row
    return worst


def fitted(scene, size, seen) -> tuple[float, float]:
    """Parts of the footage, y down, of parts of the frame, in which the footage lies fitted."""
    frame = np.array((scene.render.resolution_x, scene.render.resolution_y), float)
    shown = np.array(size) * min(frame / size)
    x, y = (np.array((seen.x, 1 - seen.y)) - 0.5) * frame / shown + 0.5
    return float(x), float(y)


@pytest.fixture
def two(addon, tmp_path):
    """Two clips of 60 and of 25 frames a second in a scene of 30, the second from frame 101 on."""
    scene = bpy.context.scene
    timing.set_scene_rate(scene, Fraction(30))
    first = bring_in(scene, DEMO, tmp_path / "first")
    scene.frame_start = 101
    second = bring_in(scene, small_footage(tmp_path, 25), tmp_path / "second", 40, Fraction(25), (64, 96), seed=3)
    return first, second


def test_two_clips_keep_their_speed_when_the_scene_takes_one_rate(two):
    """Setting the scene to the second's rate had left the first's keys where they were."""
    scene = bpy.context.scene
    assert bpy.ops.adapt_motion.match_footage() == {"FINISHED"}
    assert (scene.render.fps, scene.frame_start, scene.frame_end) == (25, 101, 140)
    assert (scene.render.resolution_x, scene.render.resolution_y) == (64, 96)
    for name, seconds in zip(two, (99 / 60, 39 / 25), strict=True):
        first, last = bpy.data.objects[name].animation_data.action.frame_range
        assert (last - first) / 25 == pytest.approx(seconds, abs=1e-3)
        assert worst_pixel(name) < 0.1
    assert scene.camera == matching.whose(bpy.context)[1]


def test_the_panel_tells_wrong_timing_from_right(two):
    scene = bpy.context.scene
    reply = " ".join(draw(panels.ADAPT_MOTION_PT_adapt, bpy.context).texts)
    assert "it plays at its speed" in reply
    assert "too slow" not in reply
    scene.render.fps = 12
    layout = draw(panels.ADAPT_MOTION_PT_adapt, bpy.context)
    assert "2.5 times too slow" in " ".join(layout.texts)
    assert "adapt_motion.retime_to_scene" in layout.operators
    assert bpy.ops.adapt_motion.retime_to_scene() == {"FINISHED"}
    layout = draw(panels.ADAPT_MOTION_PT_adapt, bpy.context)
    assert "adapt_motion.retime_to_scene" not in layout.operators
    assert all(worst_pixel(name) < 0.1 for name in two)
    scene.render.fps = 48
    assert "4 times too fast" in " ".join(draw(panels.ADAPT_MOTION_PT_adapt, bpy.context).texts)
    assert bpy.ops.adapt_motion.match_footage() == {"FINISHED"}
    layout = draw(panels.ADAPT_MOTION_PT_adapt, bpy.context)
    assert not {"adapt_motion.match_footage", "adapt_motion.retime_to_scene"} & set(layout.operators)


STEPS = {
    "rate": lambda scene, chance: timing.set_scene_rate(scene, chance.choice(RATES)),
    "retime": lambda scene, chance: bpy.ops.adapt_motion.retime_to_scene(),
    "match": lambda scene, chance: bpy.ops.adapt_motion.match_footage(),
    "start": lambda scene, chance: setattr(scene.adapt_motion, "footage_start", chance.randrange(-50, 300)),
    "range": lambda scene, chance: (setattr(scene, "frame_start", 5), setattr(scene, "frame_end", 99)),
    "preview": lambda scene, chance: setattr(scene, "use_preview_range", not scene.use_preview_range),
    "shape": lambda scene, chance: setattr(scene.render, "resolution_x", chance.choice((400, 1920, 4000))),
    "other": lambda scene, chance: setattr(
        scene.adapt_motion, "footage", next(iter(scene.adapt_motion.kept), scene.adapt_motion).footage
    ),
}


@pytest.mark.parametrize("seed", range(4))
def test_any_sequence_of_changes_keeps_the_overlay(two, seed):
    """Rate, range, first frame, resolution, the other clip, and undo of any of them; until the clips are laid for the
    scene again only the speed is wrong, and a camera whose scene has got another shape."""
    chance = random.Random(seed)
    bpy.ops.ed.undo_push(message="begin")
    done = []
    for _ in range(14):
        name = chance.choice([*STEPS, "undo", "redo"])
        done.append(name)
        if name in ("undo", "redo"):
            operator = getattr(bpy.ops.ed, name)
            if operator.poll() and (name == "redo" or len(done) > 1):
                operator()
        else:
            STEPS[name](bpy.context.scene, chance)
            bpy.ops.ed.undo_push(message=name)
        scene = bpy.context.scene
        if all(bpy.data.objects.get(one) is None for one in two):
            bpy.ops.ed.redo()  # undone to before the characters came
            continue
        if not all(framing.fits(item, scene) for item in scene.objects if item.type == "CAMERA"):
            continue
        for one in two:
            assert worst_pixel(one, rows=(0, 13, 39)) < 0.1, done
    bpy.ops.adapt_motion.retime_to_scene()
    scene = bpy.context.scene
    assert matching.is_laid(scene)
    for one, seconds in zip(two, (99 / 60, 39 / 25), strict=True):
        assert worst_pixel(one) < 0.1, done
        first, last = bpy.data.objects[one].animation_data.action.frame_range
        assert (last - first) / float(timing.scene_rate(scene)) == pytest.approx(seconds, abs=1e-3)


def test_the_first_frame_moves_all_of_its_clip_and_nothing_else(two):
    scene = bpy.context.scene
    settings = scene.adapt_motion
    before = bpy.data.objects[two[0]].animation_data.action.frame_range[:]
    scene.frame_set(101)
    bpy.ops.adapt_motion.add_label()
    settings.labels[0].label = "walk"
    reply = labels.segments(scene)
    settings.footage_start = 200
    assert bpy.data.objects[two[0]].animation_data.action.frame_range[:] == before
    assert bpy.data.objects[two[1]].animation_data.action.frame_range[0] == 200
    assert settings.labels[0].frame_start == 200
    assert labels.segments(scene) == reply
    assert settings.movie_clip["adapt_motion_key_start"] == 200
    assert worst_pixel(two[1]) < 0.1


def test_labels_come_back_exact_from_another_rate(two):
    scene = bpy.context.scene
    scene.frame_set(104)
    bpy.ops.adapt_motion.add_label()
    item = scene.adapt_motion.labels[0]
    item.label, item.frame_end = "walk", 117
    for rate in (12, 60, 24, 30):
        scene.render.fps = rate
        bpy.ops.adapt_motion.retime_to_scene()
    item = scene.adapt_motion.labels[0]
    assert (item.frame_start, item.frame_end) == (104, 117)


def test_the_range_follows_where_it_was_the_footages(two):
    scene = bpy.context.scene
    bpy.ops.adapt_motion.match_footage()
    scene.adapt_motion.footage_start = 11
    assert (scene.frame_start, scene.frame_end) == (11, 50)
    scene.frame_end = 500
    scene.adapt_motion.footage_start = 21
    assert (scene.frame_start, scene.frame_end) == (11, 500), "a range of the user's own stays"


def test_a_character_that_comes_later_lies_where_its_footage_does(addon, tmp_path):
    """The scene's rate and first frame were changed by hand while the engine ran."""
    scene = bpy.context.scene
    timing.set_scene_rate(scene, Fraction(30))
    footage.choose(scene, DEMO)
    footage.load(scene)
    scene.adapt_motion.footage_start = 41
    scene.render.fps = 24
    motion = synthetic.write_person(tmp_path / "late", frames=100, rate=Fraction(60), image_size=SIZE)
    bpy.ops.adapt_motion.import_motion(filepath=str(motion), footage=str(DEMO))
    armature = chosen.character_of(bpy.context)
    assert armature.animation_data.action["adapt_motion_key_rate"] == "30"
    assert armature.animation_data.action.frame_range[0] == 41
    assert worst_pixel(armature.name) < 0.1
