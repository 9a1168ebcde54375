"""The list of people, and whom the engine adapts."""

from __future__ import annotations

import bpy
import pytest
from adapt_motion.blender_addon import messages
from adapt_motion.blender_addon.errors import UserError
from adapt_motion.blender_addon.run import people, run_settings, running
from adapt_motion.blender_addon.ui import lists, panels
from addon_fixtures import refused
from recorder import draw


def picture(path):
    image = bpy.data.images.new("picture", 8, 8)
    image.filepath_raw, image.file_format = str(path), "PNG"
    image.save()
    bpy.data.images.remove(image)


def test_find_people_lists_everybody_with_picture_time_and_occlusion(fake, tmp_path):
    (tmp_path / "out").mkdir()
    for number in (1, 2):
        picture(tmp_path / "out" / f"person_{number}.png")
    fake("people")
    assert bpy.ops.adapt_motion.find_people() == {"FINISHED"}
    listed = bpy.context.scene.adapt_motion.people
    assert [(one.number, one.first_s, one.seen_s, round(one.occluded)) for one in listed] == [
        (1, 0.0, 3.5, 10),
        (2, 1.0, 3.5, 20),
        (3, 2.0, 3.5, 30),
    ]
    assert [one.use for one in listed] == [True, False, False], "the one most in view, until others are ticked"
    assert running.latest().message == "3 people found. Tick whom to adapt."
    assert str(tmp_path / "out" / "person_1.png") in people._pictures
    assert people.picture(listed[2]) == 0, "no file, no picture, no error"


def test_the_ticked_are_adapted(fake):
    fake("people")
    settings = bpy.context.scene.adapt_motion
    settings.person = "all"
    assert run_settings.job_of(bpy.context).person == "all", "without a list, the choice counts"
    bpy.ops.adapt_motion.find_people()
    settings.people[2].use = True
    run = run_settings.job_of(bpy.context)
    assert run.person == "1,3"
    assert "--only" not in run.arguments()
    assert run_settings.job_of(bpy.context, only="people").person == "all"
    bpy.ops.adapt_motion.find_people()
    assert [one.use for one in settings.people] == [True, False, True], "ticks stay when they are found again"
    bpy.ops.adapt_motion.tick_people(use=False)
    with pytest.raises(UserError, match="Nobody is ticked"):
        run_settings.job_of(bpy.context)
    assert "Nobody is ticked" in refused(bpy.ops.adapt_motion.adapt)
    settings.footage += ".other"
    assert run_settings.chosen_people(settings) == "all", "the list belongs to other footage"


def test_the_panel_asks_first_and_lists_then(fake):
    layout = draw(panels.ADAPT_MOTION_PT_people, bpy.context)
    assert layout.operators == ["adapt_motion.find_people"]
    assert messages.NO_PEOPLE in refused(bpy.ops.adapt_motion.tick_people)
    fake("people")
    bpy.ops.adapt_motion.find_people()
    layout = draw(panels.ADAPT_MOTION_PT_people, bpy.context)
    assert "ADAPT_MOTION_UL_people" in layout.texts
    item = draw(lists.ADAPT_MOTION_UL_people, bpy.context, bpy.context.scene.adapt_motion.people[1])
    assert item.texts[1:] == ["Person 2: 3.5 s", "0:01 to 0:04", "20 % hidden"]
