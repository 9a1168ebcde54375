"""People of the list put together and taken apart: what the engine is given, and what it makes of it."""

from __future__ import annotations

import json
import subprocess

import bpy
import pytest
from adapt_motion.blender_addon import messages
from adapt_motion.blender_addon.run import people_edits, run_settings, running
from adapt_motion.blender_addon.run.people_edits import Edits
from adapt_motion.blender_addon.ui import lists, panels
from addon_fixtures import refused
from conftest import REPOSITORY
from recorder import draw


@pytest.fixture
def listed(fake):
    """Three people, the third twice in view; 10 frames a second from frame 1 on."""
    fake("people")
    scene = bpy.context.scene
    scene.render.fps, scene.adapt_motion.footage_start = 10, 1
    bpy.ops.adapt_motion.find_people()
    scene.frame_set(1)
    return scene.adapt_motion


def numbers(settings, **which):
    return [one.number for one in settings.people if all(getattr(one, name) == value for name, value in which.items())]


def given():
    run = run_settings.job_of(bpy.context)
    return run.split, run.merge


def test_two_who_are_one(listed):
    listed.people[2].use, listed.people_index = True, 1
    assert bpy.ops.adapt_motion.merge_people(other=3) == {"FINISHED"}
    assert numbers(listed) == [1, 2]
    assert numbers(listed, use=True) == [1, 2], "one of the two was ticked"
    assert listed.people_index == 1
    assert given() == ([], ["2=3"]), "the run that follows has them as one too"
    assert "--merge" in run_settings.job_of(bpy.context).arguments()


def test_the_lower_number_stays(listed):
    listed.people_index = 2
    bpy.ops.adapt_motion.merge_people(other=1)
    assert given()[1] == ["1=3"]
    assert listed.people_index == 0, "3 is 1 now"


def test_a_split_undoes_the_last_merge_first(listed):
    bpy.ops.adapt_motion.merge_people(other=2)
    bpy.ops.adapt_motion.merge_people(other=3)
    assert numbers(listed) == [1]
    bpy.ops.adapt_motion.split_person()
    assert (numbers(listed), given()) == ([1, 3], ([], ["1=2"]))
    assert numbers(listed, use=True) == [1, 3], "who was ticked as one is ticked as two"
    bpy.ops.adapt_motion.split_person()
    assert (numbers(listed), given()) == ([1, 2, 3], ([], []))
    assert not listed.people_edits


def test_somebody_else_from_the_current_frame_on(listed):
    bpy.context.scene.frame_set(21)
    assert bpy.ops.adapt_motion.split_person() == {"FINISHED"}
    assert given()[0] == ["1@2.0000"]
    assert numbers(listed) == [1, 2, 3, 4]
    assert numbers(listed, use=True) == [1, 4]


def test_each_time_where_the_frame_is_not_between(listed):
    listed.people_index = 2
    bpy.ops.adapt_motion.split_person()
    assert given()[0] == ["3"], "they are there twice, and not at the first frame"
    listed.people_index = 1
    assert messages.SPLIT_HINT in refused(bpy.ops.adapt_motion.split_person)
    assert given()[0] == ["3"]


def test_what_makes_no_sense_is_refused(listed):
    assert messages.MERGE_WHOM in refused(bpy.ops.adapt_motion.merge_people, other=1)
    assert messages.MERGE_WHOM in refused(bpy.ops.adapt_motion.merge_people, other=9)
    listed.footage += ".other"
    assert messages.NO_PEOPLE in refused(bpy.ops.adapt_motion.merge_people, other=2)
    assert messages.NO_PEOPLE in refused(bpy.ops.adapt_motion.split_person)


def test_an_edit_that_the_engine_refuses_changes_nothing(listed, fake):
    fake("error")
    assert "Nobody was found" in refused(bpy.ops.adapt_motion.merge_people, other=2)
    assert numbers(listed) == [1, 2, 3]
    assert given() == ([], [])


def test_found_anew_nobody_is_merged(listed):
    bpy.ops.adapt_motion.merge_people(other=2)
    bpy.ops.adapt_motion.find_people()
    assert numbers(listed) == [1, 2, 3]
    assert given() == ([], [])


def test_edits_wait_with_the_list_while_other_footage_is_in_the_panel(listed):
    footage = listed.footage
    bpy.ops.adapt_motion.merge_people(other=2)
    listed.footage = footage + ".other"
    assert people_edits.of(listed) == people_edits.NONE
    listed.footage = footage
    assert given()[1] == ["1=2"]
    assert [one.stretches for one in listed.people] == [1, 2]


def test_damaged_edits_are_none(listed):
    listed.people_edits = "no JSON"
    assert people_edits.of(listed) == people_edits.NONE
    assert people_edits.of(type("Settings", (), {"people_edits": json.dumps([["1"], []])})) == Edits(("1",), ())


def test_the_panel_offers_both(listed):
    layout = draw(panels.ADAPT_MOTION_PT_people, bpy.context)
    assert "Merge With" in layout.texts
    assert "adapt_motion.split_person" in layout.operators
    menu = draw(lists.ADAPT_MOTION_MT_merge_people, bpy.context)
    assert menu.texts == ["Person 2", "Person 3"]
    listed.people_index = 2
    assert draw(lists.ADAPT_MOTION_MT_merge_people, bpy.context).texts == ["Person 1", "Person 2"]


@pytest.mark.engine
def test_the_engine_merges_and_splits_without_detecting_again(addon, engine_python, tmp_path):
    footage = returning(tmp_path, engine_python)
    addon.engine_python = engine_python
    scene = bpy.context.scene
    settings = scene.adapt_motion
    scene.render.fps = 10
    settings.footage, settings.output_folder, settings.preset = str(footage), str(tmp_path / "out"), "fast"
    settings.footage_start = 1
    assert bpy.ops.adapt_motion.find_people() == {"FINISHED"}
    assert [(one.number, one.stretches) for one in settings.people] == [(1, 1), (2, 1)]
    detected = {file: file.stat().st_mtime_ns for file in (tmp_path / "out").glob("*/.cache/detect-*")}
    assert detected
    assert bpy.ops.adapt_motion.merge_people(other=2) == {"FINISHED"}
    assert [(one.number, one.stretches) for one in settings.people] == [(1, 2)]
    assert settings.people[0].last_s > 3.0
    scene.frame_set(5)
    bpy.ops.adapt_motion.split_person()
    assert [(one.number, one.stretches) for one in settings.people] == [(1, 1), (2, 1)]
    first = min(settings.people, key=lambda one: one.first_s)
    settings.people_index = list(settings.people).index(first)
    bpy.ops.adapt_motion.split_person()
    spans = {one.number: (one.first_s, one.last_s) for one in settings.people}
    assert set(spans) == {1, 2, 3}
    assert spans[first.number][1] < 0.4 <= spans[3][0]
    assert {file: file.stat().st_mtime_ns for file in detected} == detected
    assert running.latest().message.startswith("3 people found")


def returning(folder, engine_python):
    """The demo's man for a second, an empty room for two, and the man in other colours: written by the engine's Python,
    as Blender's has no decoder."""
    path = folder / "returns.mp4"
    code = (
        "import sys; sys.path[:0] = sys.argv[2:]\n"
        "import numpy as np\n"
        "from made_footage import DEMO, pictures, write_video\n"
        "rgb = pictures(DEMO)[0]\n"
        "empty = np.broadcast_to(np.median(rgb, (0, 1, 2)).astype(np.uint8), rgb[0].shape)\n"
        "write_video(sys.argv[1], [*rgb[:10], *[empty] * 20, *rgb[20:30, ..., ::-1]], 10)\n"
    )
    paths = [str(REPOSITORY), str(REPOSITORY / "tests" / "engine")]
    subprocess.run([engine_python, "-c", code, str(path), *paths], check=True)
    return path
