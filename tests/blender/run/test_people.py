"""The list of people, and whom the engine adapts."""

from __future__ import annotations

import json

import bpy
import pytest
from adapt_motion.blender_addon import messages
from adapt_motion.blender_addon.errors import UserError
from adapt_motion.blender_addon.run import people, run_settings, running
from adapt_motion.blender_addon.ui import lists, panels, people_overlay
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
    assert item.texts == ["Person 2", "3.5 s", "0:01 to 0:04", "20 % hidden"]


@pytest.fixture
def found(fake):
    """Three people, from left to right; half a second between their boxes, 10 frames a second."""
    fake("people")
    scene = bpy.context.scene
    scene.render.fps, scene.adapt_motion.footage_start = 10, 1
    bpy.ops.adapt_motion.find_people()
    return scene


def test_boxes_are_known_between_the_frames_that_were_sent(found):
    where = {person.number: box for person, box in people.boxes_at(found, 4)}
    assert where[1] == pytest.approx((0.1, 0.2, 0.3, 0.8))
    assert set(where) == {1, 2, 3}
    assert people.boxes_at(found, 60) == [], "nobody is there any more"
    found.adapt_motion.people[0].boxes = "no JSON"
    assert {person.number for person, _ in people.boxes_at(found, 4)} == {2, 3}
    found.adapt_motion.footage += ".other"
    assert people.boxes_at(found, 4) == [], "they belong to other footage"


def test_boxes_follow_a_person_who_moves_and_end_where_they_are_gone(found):
    person = found.adapt_motion.people[0]
    person.boxes = json.dumps([[0.0, 0.0, 0.0, 0.2, 1.0], [0.5, 0.4, 0.0, 0.6, 1.0], [3.0, 0.0, 0.0, 0.2, 1.0]])

    def left(frame):
        return next((box[0] for one, box in people.boxes_at(found, frame) if one.number == 1), None)

    assert left(1) == pytest.approx(0.0)
    assert left(3.5) == pytest.approx(0.2)
    assert left(8) == pytest.approx(0.4)
    assert left(15) is None, "over a second nobody knows"


def test_who_is_clicked_is_adapted(found):
    ticked = lambda: [one.number for one in found.adapt_motion.people if one.use]  # noqa: E731
    assert bpy.ops.adapt_motion.pick_people(number=2) == {"FINISHED"}
    assert ticked() == [2]
    bpy.ops.adapt_motion.pick_people(number=3, add=True)
    assert ticked() == [2, 3]
    bpy.ops.adapt_motion.pick_people(number=2, add=True)
    assert ticked() == [3]
    assert run_settings.job_of(bpy.context).person == "3"


def test_of_boxes_over_one_another_the_smallest_is_meant():
    boxes = [("large", (0, 0, 100, 100)), ("small", (40, 40, 60, 60))]
    assert people_overlay.person_at(boxes, 50, 50) == "small"
    assert people_overlay.person_at(boxes, 10, 50) == "large"
    assert people_overlay.person_at(boxes, 110, 50) is None


def test_pictures_in_the_list_are_large_enough_to_know_people_by():
    assert lists.PICTURE_SCALE * 20 >= 64
