"""Mirrored footage: flipped back behind the camera, drawn where it is, known to the engine."""

from __future__ import annotations

import json
from fractions import Fraction

import bpy
import numpy as np
import pytest
import synthetic
from adapt_motion.blender_addon.character import camera, clip_times, motion_io, scene
from adapt_motion.blender_addon.run import run_settings
from adapt_motion.blender_addon.ui import panels, people_overlay
from conftest import REPOSITORY
from recorder import draw

DEMO = REPOSITORY / "presets" / "demo" / "demo.mp4"


def mirrored_person(folder, **options):
    path = synthetic.write_person(folder, rate=Fraction(60), image_size=(1080, 1920), **options)
    with np.load(path) as archive:
        arrays = dict(archive)
    np.savez(path, **arrays, mirrored=np.array(1, np.uint8))
    return path


def flips(imported):
    return [(one.use_flip_x, one.use_flip_y) for one in imported.camera.data.background_images]


def test_the_footage_of_a_mirrored_motion_is_shown_flipped_back(blank, tmp_path):
    path = mirrored_person(tmp_path / "a")
    assert motion_io.read_motion(path).mirrored
    assert flips(scene.import_people([path], blank, footage=DEMO)) == [(True, False)]
    plain = synthetic.write_person(tmp_path / "b", rate=Fraction(60), image_size=(1080, 1920))
    assert not motion_io.read_motion(plain).mirrored
    assert flips(scene.import_people([plain], blank, footage=DEMO)) == [(False, False)]


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_footage_on_its_side_is_flipped_along_its_other_side(blank, tmp_path, quarters):
    """It is flipped before it is turned."""
    path = mirrored_person(tmp_path / "clip")
    (tmp_path / "clip" / "report.json").write_text(json.dumps({"footage": {"rotation_degrees": 90 * quarters}}))
    imported = scene.import_people([path], blank)
    stored = (1920, 1080) if quarters % 2 else (1080, 1920)
    image = bpy.data.images.new("picture", *stored)
    image.filepath_raw, image.file_format = str(tmp_path / "picture.png"), "PNG"
    image.save()
    clip = bpy.data.movieclips.load(image.filepath_raw)
    camera.mirror(clip, True)
    camera.show_clip(imported.camera, clip)
    scene.match_scene(blank, imported)
    assert flips(imported) == [(quarters % 2 == 0, quarters % 2 == 1)]


def test_the_panel_says_so_to_view_and_engine(fake, tmp_path):
    target = bpy.context.scene
    settings = target.adapt_motion
    fake("people")
    bpy.ops.adapt_motion.find_people()
    assert run_settings.has_people(settings)
    settings.mirrored = True
    assert not run_settings.has_people(settings), "they were found in the other picture"
    assert run_settings.job_of(bpy.context).mirror
    assert "--mirror" in run_settings.job_of(bpy.context).arguments()
    draw(panels.ADAPT_MOTION_PT_footage, bpy.context)
    settings.footage = str(DEMO)
    assert not settings.mirrored, "other footage is not"
    bpy.ops.adapt_motion.show_footage(as_strip=True)
    (ours,) = [item for item in target.objects if item.type == "CAMERA"]
    (background,) = ours.data.background_images
    settings.mirrored = True
    assert background.use_flip_x
    settings.mirrored = False
    assert not background.use_flip_x
    settings.mirrored = True
    bpy.ops.adapt_motion.show_footage(as_strip=True)
    editor = target.sequence_editor
    strips = editor.strips if hasattr(editor, "strips") else editor.sequences
    assert [strip.use_flip_x for strip in strips] == [False, True]


def test_the_list_of_people_stays_with_mirrored_footage(fake):
    settings = bpy.context.scene.adapt_motion
    fake("people")
    settings.mirrored = True
    bpy.ops.adapt_motion.find_people()
    footage = settings.footage
    settings.footage = footage + ".other"
    settings.footage = footage
    assert settings.mirrored
    assert run_settings.has_people(settings)


def test_what_a_run_brings_in_is_known_in_the_panel(addon, tmp_path):
    from adapt_motion.blender_addon.run import clip_run

    settings = bpy.context.scene.adapt_motion
    settings.footage = str(DEMO)
    path = mirrored_person(tmp_path / "a")
    imported = scene.import_people([path], bpy.context.scene, footage=DEMO)
    clip_run.remember(bpy.context.scene, imported, str(path))
    assert settings.mirrored
    assert imported.movie_clip[clip_times.MIRRORED]


def test_editors_draw_boxes_where_the_footage_was_filmed(blank):
    clip = bpy.data.movieclips.load(str(DEMO))
    assert people_overlay._filmed(clip, 0.2) == pytest.approx(0.2)
    camera.mirror(clip, True)
    assert people_overlay._filmed(clip, 0.2) == pytest.approx(0.8)
