"""Labels as a list, as markers, as the engine takes and tells them."""

from __future__ import annotations

import json
from pathlib import Path

import bpy
import pytest
import synthetic
from adapt_motion.blender_addon import messages
from adapt_motion.blender_addon.character import label_times, motion_io
from adapt_motion.blender_addon.errors import UserError
from adapt_motion.blender_addon.operators import adapt
from adapt_motion.blender_addon.operators import labels as label_buttons
from adapt_motion.blender_addon.run import dictionary, labels, prefs, run_settings, running
from adapt_motion.blender_addon.ui import lists, panels
from addon_fixtures import refused
from recorder import draw


@pytest.fixture
def scene(addon):
    """Runs at 10 frames a second from frame 1 to 100; the footage begins at frame 11."""
    scene = bpy.context.scene
    scene.render.fps, scene.frame_start, scene.frame_end = 10, 1, 100
    scene.adapt_motion.footage_start = 11
    return scene


def add(scene, label, start, end):
    item = scene.adapt_motion.labels.add()
    item.label, item.frame_start, item.frame_end = label, start, end
    return item


def listed(scene):
    return [(item.label, item.frame_start, item.frame_end) for item in scene.adapt_motion.labels]


def markers(scene):
    return sorted((marker.frame, marker.name) for marker in scene.timeline_markers)


def test_the_dictionary_is_searched_by_name_group_and_other_words():
    assert len(dictionary.actions()) > 100
    assert dictionary.search("cartw")[0] == "cartwheel"
    assert "dribble a basketball" in dictionary.search("bounce ball hand")
    assert "backflip" in dictionary.search("acrobatics"), "groups count"
    assert dictionary.search("no such words at all") == []
    assert len(dictionary.search("")) == dictionary.MOST


def test_labels_are_seconds_into_the_footage(scene):
    add(scene, "kick", 31, 40)
    add(scene, " walk ", 11, 30)
    add(scene, "", 50, 60)
    add(scene, "before the footage", 1, 10)
    assert labels.segments(scene) == [
        {"start": 0.0, "end": 2.0, "label": "walk"},
        {"start": 2.0, "end": 3.0, "label": "kick"},
    ]
    add(scene, "jump", 40, 45)
    with pytest.raises(UserError, match="'kick' and 'jump' overlap at frame 40"):
        labels.segments(scene)


def test_the_engine_gets_them_in_a_file(fake, tmp_path):
    scene = bpy.context.scene
    scene.render.fps, scene.adapt_motion.footage_start = 10, 1
    add(scene, "walk", 1, 20)
    run = run_settings.job_of(bpy.context, labeler="retrieval")
    assert json.loads(Path(run.labels).read_text()) == [{"start": 0.0, "end": 2.0, "label": "walk"}]
    assert str(tmp_path / "user") in run.labels, "in the add-on's own folder"
    assert (run.labeler, run.allow_upload) == ("retrieval", False)
    bpy.context.preferences.addons[prefs.PACKAGE].preferences.vlm_model = "some-model"
    run = run_settings.job_of(bpy.context, labeler="openai")
    assert run.allow_upload
    assert run.overrides == ["labeler.model=some-model"]


def test_a_new_label_begins_now_and_ends_what_it_begins_in(scene):
    scene.frame_set(11)
    bpy.ops.adapt_motion.add_label()
    assert listed(scene) == [("", 11, 100)]
    scene.adapt_motion.labels[0].label = "walk"
    scene.frame_set(41)
    bpy.ops.adapt_motion.add_label()
    assert [(start, end) for _, start, end in listed(scene)] == [(11, 40), (41, 100)]
    scene.frame_set(60)
    bpy.ops.adapt_motion.mark_label(edge="END")
    assert listed(scene)[1][1:] == (41, 60)
    scene.frame_set(45)
    bpy.ops.adapt_motion.mark_label(edge="START")
    assert listed(scene)[1][1:] == (45, 60)
    bpy.ops.adapt_motion.remove_label()
    assert listed(scene) == [("walk", 11, 40)]


def test_labels_are_markers_too_and_the_users_own_stay(scene):
    scene.timeline_markers.new("my cut", frame=5)
    add(scene, "walk", 11, 30)
    add(scene, "kick", 31, 40)
    bpy.ops.adapt_motion.labels_to_markers()
    assert markers(scene) == [(5, "my cut"), (11, "walk"), (31, "kick"), (41, "(end)")]
    scene.adapt_motion.labels[0].frame_start = 15
    bpy.ops.adapt_motion.labels_to_markers()
    assert markers(scene) == [(5, "my cut"), (15, "walk"), (31, "kick"), (41, "(end)")]
    bpy.ops.adapt_motion.clear_labels()
    assert markers(scene) == [(5, "my cut")]


def test_named_markers_are_read_back_as_labels(scene):
    for name, frame in (("walk", 20), ("F_35", 35), ("Marker", 36), ("kick", 50), ("(end)", 61), ("jump", 70)):
        scene.timeline_markers.new(name, frame=frame)
    assert bpy.ops.adapt_motion.markers_to_labels() == {"FINISHED"}
    assert listed(scene) == [("walk", 20, 49), ("kick", 50, 60), ("jump", 70, 100)]
    scene.adapt_motion.labels[0].label = "run"
    bpy.ops.adapt_motion.labels_to_markers()
    assert markers(scene) == [
        (20, "run"), (35, "F_35"), (36, "Marker"), (50, "kick"), (61, "(end)"), (70, "jump"), (101, "(end)"),
    ]  # fmt: skip


def test_suggested_labels_come_into_the_list_and_onto_the_timeline(fake):
    scene = bpy.context.scene
    scene.render.fps, scene.adapt_motion.footage_start = 10, 1
    fake("labels")
    assert bpy.ops.adapt_motion.suggest_labels() == {"FINISHED"}
    assert listed(scene) == [("walk", 1, 10), ("kick", 16, 20)]
    assert [round(item.similarity, 3) for item in scene.adapt_motion.labels] == [0.7, 0.2]
    assert markers(scene) == [(1, "walk"), (11, "(end)"), (16, "kick"), (21, "(end)")]
    assert running.latest().message == "2 labels suggested."


def test_pictures_are_sent_to_a_server_only_when_that_was_switched_on(fake, addon, monkeypatch):
    monkeypatch.setattr(prefs.compat, "online", lambda: True)
    assert messages.VLM_OFF in refused(bpy.ops.adapt_motion.suggest_labels, by_model=True)
    assert addon.use_vlm is False
    texts = draw(panels.ADAPT_MOTION_PT_labels, bpy.context).operators
    assert texts.count("adapt_motion.suggest_labels") == 1
    addon.use_vlm = True
    texts = draw(panels.ADAPT_MOTION_PT_labels, bpy.context).operators
    assert texts.count("adapt_motion.suggest_labels") == 2
    monkeypatch.setattr(prefs.compat, "online", lambda: False)
    assert messages.OFFLINE in refused(bpy.ops.adapt_motion.suggest_labels, by_model=True)


def test_what_is_sent_where_and_at_what_cost_is_reported_first(addon):
    addon.use_vlm, addon.vlm_server = True, "http://localhost:8000/v1"
    reply = adapt.consent(bpy.context)
    assert "http://localhost:8000/v1" in reply
    assert "200 requests and 2 dollars" in reply
    addon.vlm_server = ""
    assert "sent to OpenAI" in adapt.consent(bpy.context)


def test_measured_similarity_comes_from_the_motion(scene, tmp_path):
    path = synthetic.write_person(
        tmp_path, rate=synthetic.Fraction(10), frames=40, labelled=(("walk", 0.8), ("kick", 0.4))
    )
    motion = motion_io.read_motion(path)
    labels.measure(scene, motion)
    assert listed(scene) == [("walk", 11, 30), ("kick", 31, 50)]
    assert [item.similarity for item in scene.adapt_motion.labels] == pytest.approx([0.8, 0.4])
    scene.adapt_motion.labels[1].label = "jump"
    labels.measure(scene, motion)
    assert [item.similarity for item in scene.adapt_motion.labels] == pytest.approx([0.8, 0]), "jump was not measured"


def test_what_fits_badly_is_not_shown_as_not_measured(scene, tmp_path):
    """Similarities reach from -1 to 1: those of 0 and below are red, and only what was not measured is grey."""
    reply = [{"start": 0.0, "end": 1.0, "label": "walk", "similarity": -0.2},
            {"start": 1.0, "end": 2.0, "label": "juggle seals"}]  # fmt: skip
    labels.take(scene, reply)
    bad, unknown = scene.adapt_motion.labels
    assert bad.similarity == pytest.approx(labels.LEAST)
    assert labels.colour(bad.similarity) == labels.colour(0.2) != labels.colour(0.0)
    assert unknown.similarity == 0
    path = synthetic.write_person(tmp_path, rate=synthetic.Fraction(10), labelled=(("walk", -0.3),))
    scene.adapt_motion.labels.clear()
    labels.measure(scene, motion_io.read_motion(path))
    assert scene.adapt_motion.labels[0].similarity == pytest.approx(labels.LEAST)
    labels.take(scene, [{"start": 0.0, "end": 1.0, "label": "walk", "similarity": 0.9}])
    path = synthetic.write_person(tmp_path / "unlabelled", rate=synthetic.Fraction(10), labelled=(("", 0.0),))
    labels.measure(scene, motion_io.read_motion(path))
    assert scene.adapt_motion.labels[0].similarity == pytest.approx(0.9), "a motion without labels tells nothing"


def test_colours_and_bars_say_how_well_it_fits(scene):
    assert len({labels.colour(value) for value in (0.0, 0.2, 0.5, 0.9)}) == 4
    item = add(scene, "walk", 1, 5)
    item.similarity = 0.83
    layout = draw(lists.ADAPT_MOTION_UL_labels, bpy.context, item)
    assert "0.83" in layout.texts
    assert draw(panels.ADAPT_MOTION_PT_labels, bpy.context).operators[0] == "adapt_motion.add_label"
    bpy.ops.adapt_motion.clear_labels()
    assert messages.NO_MARKERS in refused(bpy.ops.adapt_motion.markers_to_labels)


def move(scene, name, frame, to):
    """What G does in the timeline."""
    marker = next(one for one in scene.timeline_markers if (one.name, one.frame) == (name, frame))
    marker.frame = to


def test_a_label_without_an_action_writes_no_marker(scene):
    """One lone "(end)" had stood at the end of the footage at once."""
    scene.frame_set(11)
    bpy.ops.adapt_motion.add_label()
    assert markers(scene) == []
    scene.adapt_motion.labels[0].label = "walk"
    assert markers(scene) == [(11, "walk"), (101, "(end)")]


def test_what_is_changed_in_the_list_moves_the_markers(scene):
    add(scene, "walk", 11, 30)
    item = scene.adapt_motion.labels[0]
    item.frame_end = 40
    item.frame_start = 15
    item.label = "run"
    assert markers(scene) == [(15, "run"), (41, "(end)")]


def test_markers_that_are_moved_renamed_or_removed_change_the_list(scene):
    scene.timeline_markers.new("my cut", frame=5)
    for label in (("walk", 11, 30), ("kick", 31, 40), ("jump", 61, 70)):
        add(scene, *label)
    scene.adapt_motion.labels[2].similarity = 0.5
    move(scene, "kick", 31, 35)
    move(scene, "(end)", 41, 44)
    assert label_times.follow_markers(scene)
    assert listed(scene) == [("walk", 11, 34), ("kick", 35, 43), ("jump", 61, 70)]
    next(one for one in scene.timeline_markers if one.name == "kick").name = "punch"
    assert label_times.follow_markers(scene)
    assert listed(scene)[1] == ("punch", 35, 43)
    scene.timeline_markers.remove(next(one for one in scene.timeline_markers if one.name == "punch"))
    scene.timeline_markers.remove(next(one for one in scene.timeline_markers if one.frame == 71))
    assert label_times.follow_markers(scene)
    assert [label for label, *_ in listed(scene)] == ["walk", "jump"]
    assert listed(scene)[1] == ("jump", 61, 100), "without its end it goes on to the end of the footage"
    assert scene.adapt_motion.labels[1].similarity == pytest.approx(0.5)
    assert not label_times.follow_markers(scene), "nothing is left to follow"
    assert (5, "my cut") in markers(scene)


def test_the_engine_gets_what_the_markers_say(scene):
    add(scene, "walk", 11, 30)
    move(scene, "(end)", 31, 41)
    assert labels.segments(scene) == [{"start": 0.0, "end": 3.0, "label": "walk"}]


def test_markers_moved_over_another_label_are_reported_and_nothing_is_cut(scene):
    add(scene, "walk", 11, 30)
    add(scene, "kick", 50, 60)
    move(scene, "kick", 50, 20)
    label_times.follow_markers(scene)
    assert listed(scene) == [("walk", 11, 30), ("kick", 20, 60)]
    assert labels.overlap_text(scene) == "The labels 'walk' and 'kick' overlap at frame 20."
    assert labels.overlap_text(scene) in " ".join(draw(panels.ADAPT_MOTION_PT_labels, bpy.context).texts)


def test_long_labels_have_markers_too(scene):
    add(scene, "walk " * 20, 11, 30)
    assert not label_times.follow_markers(scene)
    assert len(scene.timeline_markers) == 2


def test_the_markers_are_watched_while_the_addon_is_on(addon):
    assert bpy.app.timers.is_registered(label_buttons._watch)
    add(bpy.context.scene, "walk", 11, 30)
    move(bpy.context.scene, "walk", 11, 15)
    assert label_buttons._watch() == label_buttons.WATCH_S
    assert listed(bpy.context.scene) == [("walk", 15, 30)]
