"""What belongs to one footage waits while another is in the panel: labels, people, first frame, markers."""

from __future__ import annotations

import json

import bpy
import pytest
from adapt_motion.blender_addon.run import labels, people, run_settings
from conftest import REPOSITORY

DEMO = REPOSITORY / "presets" / "demo" / "demo.mp4"
PERSON = {"person": 1, "first_s": 0.0, "last_s": 4.0, "seen_s": 3.5, "occluded": 0.2, "thumbnail": ""}


@pytest.fixture
def clips(addon, tmp_path):
    """Two clips, of which the first is in the panel with a label, two people and its first frame at 11."""
    paths = []
    for name in ("one.mp4", "two.mp4"):
        (tmp_path / name).write_bytes(DEMO.read_bytes())
        paths.append(str(tmp_path / name))
    scene = bpy.context.scene
    scene.frame_end = 400
    bpy.ops.adapt_motion.choose_footage(filepath=paths[0])
    settings = scene.adapt_motion
    settings.footage_start = 11
    scene.frame_set(20)
    bpy.ops.adapt_motion.add_label()
    settings.labels[0].label = "walk"
    bpy.ops.adapt_motion.labels_to_markers()
    people.take(scene, settings.footage, [PERSON, {**PERSON, "person": 2}])
    settings.height_m = 1.8
    scene.timeline_markers.new("mine", frame=5)
    return paths


def markers() -> list[str]:
    return sorted(marker.name for marker in bpy.context.scene.timeline_markers)


def test_labels_belong_to_a_clip(clips):
    """They had gone along to the next footage and into its queued job, beyond its length."""
    scene = bpy.context.scene
    settings = scene.adapt_motion
    mine = [(item.label, item.frame_start, item.frame_end) for item in settings.labels]
    bpy.ops.adapt_motion.choose_footage(filepath=clips[1])
    assert not len(settings.labels)
    assert not len(settings.people)
    assert settings.height_m == 0
    assert settings.footage_start == 1
    assert markers() == ["mine"]
    bpy.ops.adapt_motion.queue_add()
    assert json.loads(settings.queue[0].job)["labels"] == ""
    settings.footage = clips[0]
    assert [(item.label, item.frame_start, item.frame_end) for item in settings.labels] == mine
    assert [person.number for person in settings.people] == [1, 2]
    assert settings.footage_start == 11
    assert settings.height_m == pytest.approx(1.8)
    assert settings.movie_clip is not None
    assert markers() == ["(end)", "mine", "walk"]
    assert len(settings.kept) == 1, "the other waits now"


def test_labels_that_wait_follow_their_footage_to_another_rate(clips):
    scene = bpy.context.scene
    reply = labels.segments(scene)
    bpy.ops.adapt_motion.choose_footage(filepath=clips[1])
    scene.render.fps = 60
    bpy.ops.adapt_motion.retime_to_scene()
    scene.adapt_motion.footage = clips[0]
    assert labels.laid(scene) == (60, 11)
    for before, after in zip(reply, labels.segments(scene), strict=True):
        assert (after["start"], after["end"]) == pytest.approx((before["start"], before["end"]), abs=0.51 / 60)


def test_the_same_footage_written_otherwise_is_the_same(clips, tmp_path):
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    settings = bpy.context.scene.adapt_motion
    settings.footage = "//one.mp4"
    assert [item.label for item in settings.labels] == ["walk"]
    settings.footage = "//two.mp4"
    assert not len(settings.labels)
    settings.footage = clips[0]
    assert [item.label for item in settings.labels] == ["walk"]


def test_footage_taken_away_and_back_keeps_its_labels(clips):
    settings = bpy.context.scene.adapt_motion
    settings.footage = ""
    assert not len(settings.labels)
    settings.footage = clips[0]
    assert [item.label for item in settings.labels] == ["walk"]


def test_undo_brings_labels_back(clips):
    bpy.ops.ed.undo_push(message="one")
    bpy.ops.adapt_motion.choose_footage(filepath=clips[1])
    bpy.ops.ed.undo_push(message="two")
    bpy.ops.ed.undo()
    settings = bpy.context.scene.adapt_motion
    assert settings.footage == clips[0]
    assert [item.label for item in settings.labels] == ["walk"]
    assert not len(settings.kept)


def test_saving_the_file_leaves_results_where_they_are(fake, tmp_path):
    """The default folder lies beside the file: after saving, everything had been detected again."""
    fake("good")
    settings = bpy.context.scene.adapt_motion
    settings.output_folder = ""
    before = run_settings.output_folder(settings)
    bpy.ops.adapt_motion.find_people.poll()
    bpy.ops.adapt_motion.queue_add()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "elsewhere.blend"))
    assert run_settings.output_folder(bpy.context.scene.adapt_motion) == before
