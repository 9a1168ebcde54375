"""A queue of clips: one after the other, one that fails stops no other, and it survives a crash."""

from __future__ import annotations

import json
from pathlib import Path

import bpy
import pytest
import synthetic
from adapt_motion.blender_addon import messages
from adapt_motion.blender_addon.run import clip_queue, job, paces, running
from adapt_motion.blender_addon.run.run_state import RunState
from adapt_motion.blender_addon.ui import lists, panels
from addon_fixtures import refused
from earlier_runs import leave
from recorder import draw


@pytest.fixture
def queue(fake, tmp_path, monkeypatch):
    """Three clips in the queue; the fake engine does what each clip's name says."""
    scene = bpy.context.scene
    settings = scene.adapt_motion
    arguments = job.protocol.Job.arguments

    def as_named(self):
        words = arguments(self)
        words[words.index("--preset") + 1] = Path(self.footage[0]).stem
        words[words.index("--out") + 1] = str(Path(self.out) / Path(self.footage[0]).stem)
        return words

    monkeypatch.setattr(job.protocol.Job, "arguments", as_named)
    for name in ("good", "error", "flood"):
        (tmp_path / f"{name}.mp4").touch()
        settings.footage = str(tmp_path / f"{name}.mp4")
        assert bpy.ops.adapt_motion.queue_add() == {"FINISHED"}
        synthetic.write_person(tmp_path / "out" / name)
    return settings.queue


def test_all_clips_run_and_say_how_it_went(queue):
    assert [item.status for item in queue] == ["waiting"] * 3
    assert bpy.ops.adapt_motion.queue_run() == {"FINISHED"}
    assert [item.status for item in queue] == ["done", "failed", "done"]
    assert "Nobody was found. Trim the clip." in queue[1].message
    assert queue[0].message.startswith("3 frames of 1")
    assert not clip_queue.goes_on()
    assert len(bpy.data.armatures) == 0, "results come in when the user asks"
    assert bpy.ops.adapt_motion.queue_attach(index=2) == {"FINISHED"}
    assert bpy.context.scene.adapt_motion.character is not None, "the panel shows this clip"
    bpy.ops.adapt_motion.queue_run()
    assert [item.status for item in queue] == ["done", "failed", "done"], "what failed is tried again"


def test_what_is_attached_belongs_to_its_own_clip(queue, tmp_path):
    """It had become the character and the Movie Clip of the footage that was in the panel, and measured its labels."""
    settings = bpy.context.scene.adapt_motion
    bpy.ops.adapt_motion.queue_run()
    settings.labels.add().label = "walk"
    assert settings.footage == str(tmp_path / "flood.mp4")
    bpy.ops.adapt_motion.queue_attach(index=0)
    assert settings.character is None
    assert settings.motion_path == ""
    settings.footage = str(tmp_path / "good.mp4")
    assert settings.character is not None
    assert Path(settings.motion_path).parent == tmp_path / "out" / "good"
    assert not len(settings.labels)
    settings.footage = str(tmp_path / "flood.mp4")
    assert [item.label for item in settings.labels] == ["walk"]


def test_a_panel_without_footage_gets_that_of_what_is_attached(queue, tmp_path):
    settings = bpy.context.scene.adapt_motion
    bpy.ops.adapt_motion.queue_run()
    settings.footage = ""
    bpy.ops.adapt_motion.queue_attach(index=0)
    assert settings.footage == str(tmp_path / "good.mp4")
    assert settings.character is not None


def test_settings_are_those_of_the_moment_a_clip_was_put_in(queue):
    settings = bpy.context.scene.adapt_motion
    settings.preset = "fast"
    assert {json.loads(item.job)["preset"] for item in queue} == {"balanced"}


def test_the_queue_can_be_changed(queue):
    settings = bpy.context.scene.adapt_motion
    settings.queue_index = 2
    bpy.ops.adapt_motion.queue_edit(action="UP")
    assert [item.name for item in queue] == ["good.mp4", "flood.mp4", "error.mp4"]
    assert bpy.ops.adapt_motion.queue_edit(action="REMOVE") == {"FINISHED"}
    assert [item.name for item in queue] == ["good.mp4", "error.mp4"]
    queue[0].status = "running"
    bpy.ops.adapt_motion.queue_edit(action="CLEAR")
    assert [item.name for item in queue] == ["good.mp4"]
    assert bpy.ops.adapt_motion.queue_edit(action="REMOVE") == {"CANCELLED"}, "what runs stays"
    assert len(queue) == 1


def test_a_crash_leaves_what_was_done_and_what_goes_on(queue, tmp_path):
    """The file was saved while the first clip ran; meanwhile its engine came to the end, the third's did not."""
    leave(tmp_path / "out", tmp_path / "good.mp4")
    queue[0].status = queue[2].status = "running"
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "scene.blend"))
    queue = bpy.context.scene.adapt_motion.queue
    assert [item.status for item in queue] == ["done", "waiting", "stopped"]
    assert queue[2].message == messages.INTERRUPTED
    bpy.context.scene.adapt_motion.footage = str(tmp_path / "good.mp4")
    assert bpy.ops.adapt_motion.queue_attach(index=0) == {"FINISHED"}
    assert bpy.context.scene.adapt_motion.character is not None


def test_the_panel_and_grey_buttons(fake):
    assert messages.QUEUE_EMPTY in refused(bpy.ops.adapt_motion.queue_edit, action="UP")
    assert messages.NOTHING_WAITS in refused(bpy.ops.adapt_motion.queue_run)
    assert messages.NO_RESULTS in refused(bpy.ops.adapt_motion.queue_attach)
    bpy.ops.adapt_motion.queue_add()
    item = bpy.context.scene.adapt_motion.queue[0]
    layout = draw(panels.ADAPT_MOTION_PT_queue, bpy.context)
    assert "ADAPT_MOTION_UL_queue" in layout.texts
    assert draw(lists.ADAPT_MOTION_UL_queue, bpy.context, item).texts == ["my clip.mp4", "Waiting"]
    item.status = "done"
    assert "adapt_motion.queue_attach" in draw(lists.ADAPT_MOTION_UL_queue, bpy.context, item).operators


def test_while_the_queue_runs_its_clip_is_named(queue, tmp_path):
    """The panel had shown the chosen footage beside the progress of another clip."""
    paces.forget()
    settings = bpy.context.scene.adapt_motion
    settings.footage = str(tmp_path / "flood.mp4")
    state = RunState("adapt", job.EventSource(tmp_path / "log"), clip=queue[0].name)
    running._latest, queue[0].status = state, "running"
    state.feed({"event": "stage", "clip": "a", "stage": "detect", "index": 2, "count": 8})
    state.feed({"event": "progress", "clip": "a", "stage": "detect", "done": 41, "total": 120})
    texts = draw(panels.ADAPT_MOTION_PT_adapt, bpy.context).texts
    assert texts[texts.index("good.mp4") + 1] == "Finding people (2 of 8)"
    assert draw(lists.ADAPT_MOTION_UL_queue, bpy.context, queue[0]).texts == ["good.mp4", "41 of 120, 0:15 left"]
    running._latest = None
    queue[0].status = "waiting"
    bpy.ops.adapt_motion.queue_run()
    assert running.latest().clip == "flood.mp4", "the last that ran"
    texts = draw(panels.ADAPT_MOTION_PT_adapt, bpy.context).texts
    assert texts.count("flood.mp4") == 1
    settings.footage = str(tmp_path / "good.mp4")
    texts = draw(panels.ADAPT_MOTION_PT_adapt, bpy.context).texts
    assert (texts.count("good.mp4"), texts.count("flood.mp4")) == (1, 1), "how it ended stands with whose it is"
