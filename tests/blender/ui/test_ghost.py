"""Ghosts: the body where Blender puts it, at other frames and before adaptation; drawn for real in the window."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
import walking
from adapt_motion.blender_addon.blender import compat
from adapt_motion.blender_addon.character import ghost, scene
from adapt_motion.blender_addon.ui import ghost_overlay, panels
from recorder import draw


@pytest.fixture
def character(addon, tmp_path):
    bpy.context.scene.render.fps = 30
    path = walking.write_walker(tmp_path / "clip")
    with np.load(path) as file:
        arrays = dict(file)
    arrays["initial_trans"] = arrays["initial_trans"] + np.float32((0.3, 0.0, 0.0))
    np.savez(path, **arrays)
    bpy.ops.adapt_motion.import_motion(filepath=str(path))
    ghost.forget()
    return bpy.context.scene.adapt_motion.character


def evaluated(armature, frame):
    bpy.context.scene.frame_set(frame)
    mesh = ghost.body_of(armature).evaluated_get(bpy.context.evaluated_depsgraph_get()).to_mesh()
    return np.array([vertex.co for vertex in mesh.vertices])


def test_the_body_is_where_blender_puts_it(character):
    for frame in (1, 40, 100):
        assert ghost.points_at(character, frame) == pytest.approx(evaluated(character, frame), abs=1e-4)


def test_before_adaptation_it_is_where_the_slider_shows_it(character):
    character.animation_data.action_influence = 0.0
    there = evaluated(character, 40)
    assert ghost.points_at(character, 40, before=True) == pytest.approx(there, abs=1e-4)
    assert np.abs(there - ghost.points_at(character, 40)).max() > 0.2


def test_what_was_edited_is_drawn_as_it_is_now(character):
    before = ghost.points_at(character, 40).copy()
    curve = next(curve for curve in compat.curves_of(character) if curve.data_path.endswith("location"))
    for key in curve.keyframe_points:
        key.co[1] += 1.0
    curve.update()
    character.animation_data.action.update_tag()
    bpy.context.view_layer.update()
    assert np.abs(ghost.points_at(character, 40) - before).max() > 0.9


def test_what_is_drawn_where(character):
    settings, now = bpy.context.scene.adapt_motion, bpy.context.scene.frame_current
    assert ghost_overlay.planned(bpy.context.scene, character) == []
    settings.show_onion, settings.onion_step, settings.onion_count = True, 5, 2
    frames = [frame for frame, *_ in ghost_overlay.planned(bpy.context.scene, character)]
    assert frames == [now - 10, now + 10, now - 5, now + 5], "the farthest first"
    settings.show_onion, settings.show_ghost = False, True
    for influence, before in ((1.0, True), (0.0, False)):
        character.animation_data.action_influence = influence
        assert ghost_overlay.planned(bpy.context.scene, character) == [(now, before, ghost_overlay.OTHER)]


def test_there_is_nothing_of_it_in_the_scene(character):
    before = len(bpy.data.objects), len(bpy.data.meshes)
    bpy.context.scene.adapt_motion.show_ghost = bpy.context.scene.adapt_motion.show_onion = True
    ghost.points_at(character, 10)
    ghost.points_at(character, 10, before=True)
    assert (len(bpy.data.objects), len(bpy.data.meshes)) == before
    assert {"Ghost", "Onion Skin", "Step", "Count"} <= set(draw(panels.ADAPT_MOTION_PT_result, bpy.context).texts)


def test_a_character_without_a_body_has_no_ghost(addon, tmp_path):
    bpy.ops.adapt_motion.import_motion(filepath=str(walking.write_walker(tmp_path / "clip")), with_mesh=False)
    assert ghost.points_at(bpy.context.scene.adapt_motion.character, 5) is None


def test_motion_that_was_not_adapted_has_none_before(blank, tmp_path):
    path = walking.write_walker(tmp_path / "clip")
    with np.load(path) as file:
        arrays = {name: value for name, value in file.items() if not name.startswith("initial")}
    np.savez(path, **arrays)
    armature = scene.import_people([path], blank).people[0].armature
    assert ghost.points_at(armature, 5, before=True) is None
