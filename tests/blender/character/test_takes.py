"""Several results of one clip: names to choose by, one shown at a time."""

from __future__ import annotations

import bpy
import pytest
import synthetic
from adapt_motion.blender_addon.character import takes
from adapt_motion.blender_addon.ui import panels
from recorder import draw


@pytest.fixture
def twice(addon, tmp_path):
    """One person brought in twice; the armatures."""
    path = synthetic.write_person(tmp_path / "clip")
    for _ in range(2):
        bpy.ops.adapt_motion.import_motion(filepath=str(path))
    return [bpy.data.objects["clip person_1"], bpy.data.objects["clip person_1 take 2"]]


def test_a_second_run_is_a_take_with_a_name_of_its_own(twice):
    first, second = twice
    assert not [item.name for item in bpy.data.objects if item.name.endswith(".001") and item.type == "ARMATURE"]
    assert {"clip", "clip take 2"} <= set(bpy.data.collections.keys())
    assert second.animation_data.action.name == "clip person_1 take 2"
    assert second.children[0].name == "clip person_1 take 2 body"
    assert bpy.context.scene.adapt_motion.character == second
    assert (first.hide_get(), second.hide_get()) == (True, False)
    assert (first.children[0].hide_render, second.children[0].hide_render) == (True, False)


def test_takes_are_chosen_in_the_panel(twice):
    first, second = twice
    layout = draw(panels.ADAPT_MOTION_PT_result, bpy.context)
    assert layout.operators.count("adapt_motion.choose_take") == 2
    assert bpy.ops.adapt_motion.choose_take(name=first.name) == {"FINISHED"}
    assert (first.hide_get(), second.hide_get()) == (False, True)
    assert bpy.context.scene.adapt_motion.character == first
    assert bpy.context.view_layer.objects.active == first


def test_other_people_and_other_clips_are_no_takes(twice, tmp_path):
    scene = bpy.context.scene
    bpy.ops.adapt_motion.import_motion(filepath=str(synthetic.write_person(tmp_path / "other", seed=2)))
    other = scene.adapt_motion.character
    assert takes.of(scene, other) == [other]
    assert takes.of(scene, twice[0]) == twice
    assert not other.hide_get()


def test_one_result_has_nothing_to_choose(addon, tmp_path):
    bpy.ops.adapt_motion.import_motion(filepath=str(synthetic.write_person(tmp_path / "clip")))
    assert "adapt_motion.choose_take" not in draw(panels.ADAPT_MOTION_PT_result, bpy.context).operators
