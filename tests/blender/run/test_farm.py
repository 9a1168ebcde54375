"""Send to Farm: all clips of the queue in one command, each with its settings; results come back as they finish."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import bpy
import pytest
import synthetic
from adapt_motion.blender_addon import messages
from adapt_motion.blender_addon.run import clip_queue, job, running
from adapt_motion.blender_addon.run.farm_state import FarmState
from adapt_motion.blender_addon.ui import lists, panels
from addon_fixtures import refused
from recorder import draw

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def queue(fake, tmp_path):
    """Three clips in the queue, which the fake farm knows by their names."""
    settings = bpy.context.scene.adapt_motion
    for name, preset in (("good", "fast"), ("bad", "balanced"), ("late", "fast")):
        (tmp_path / f"{name}.mp4").touch()
        settings.footage, settings.preset = str(tmp_path / f"{name}.mp4"), preset
        bpy.ops.adapt_motion.queue_add()
        synthetic.write_person(tmp_path / "out" / name)
    return settings.queue


def test_every_clip_is_sent_with_its_settings_and_says_how_it_went(queue, addon, tmp_path):
    addon.farm_address = " 10.0.0.5:6379 "
    assert bpy.ops.adapt_motion.queue_farm() == {"FINISHED"}
    assert [item.status for item in queue] == ["done", "failed", "done"]
    assert queue[1].message == "Nobody was found. Trim the clip."
    assert queue[0].message == "3 frames of 1 person."
    sent = json.loads((tmp_path / "out" / "sent.json").read_text())
    assert sent["address"] == "10.0.0.5:6379"
    assert [run["preset"] for run in sent["jobs"]] == ["fast", "balanced", "fast"]
    assert [Path(run["footage"][0]).name for run in sent["jobs"]] == ["good.mp4", "bad.mp4", "late.mp4"]
    state = running.latest()
    assert not state.failed
    assert state.message.startswith("2 clips done, 1 failed, in ")
    assert bpy.ops.adapt_motion.queue_attach(index=2) == {"FINISHED"}
    assert bpy.ops.adapt_motion.queue_farm() == {"FINISHED"}
    assert len(json.loads((tmp_path / "out" / "sent.json").read_text())["jobs"]) == 1, "what is done is not sent again"


def test_another_folder_and_a_second_run_of_a_clip_stay(queue, tmp_path):
    settings = bpy.context.scene.adapt_motion
    settings.footage, settings.preset = str(tmp_path / "good.mp4"), "paper"
    bpy.ops.adapt_motion.queue_add()
    settings.output_folder = str(tmp_path / "elsewhere")
    settings.footage = str(tmp_path / "late.mp4")
    bpy.ops.adapt_motion.queue_add()
    bpy.ops.adapt_motion.queue_farm()
    assert [item.status for item in queue] == ["done", "failed", "done", "waiting", "waiting"]


def test_a_farm_that_is_not_there_leaves_the_clips(queue, addon):
    addon.farm_address = "nowhere:1"
    assert "Nothing answers" in refused(bpy.ops.adapt_motion.queue_farm)
    assert [item.status for item in queue] == ["failed"] * 3
    assert "Nothing answers" in queue[0].message


def test_each_clip_shows_how_far_it_is(queue, tmp_path):
    state = FarmState("farm", job.EventSource(tmp_path / "log"))
    state.context.update(scene=bpy.context.scene.name, jobs=[item.job for item in queue])
    state.over = lambda place, clip: clip_queue._come_back(state, place, clip)
    for item in queue:
        item.status = "running"
    running._latest = state
    assert state.title == messages.FARM_STARTS
    assert draw(lists.ADAPT_MOTION_UL_queue, bpy.context, queue[1]).texts == ["bad.mp4", "Running"]
    state.feed({"event": "start", "clips": ["good", "bad", "late"]})
    state.feed({"event": "stage", "clip": "bad", "stage": "detect", "index": 2, "count": 5})
    state.feed({"event": "progress", "clip": "bad", "stage": "detect", "done": 3, "total": 8})
    state.feed(
        {"event": "farm", "done": 0, "failed": 0, "clips": 3, "machines": 2, "cores": 8, "tasks": 8, "eta_s": 75}
    )
    assert draw(lists.ADAPT_MOTION_UL_queue, bpy.context, queue[1]).texts == ["bad.mp4", "Finding people, 3 of 8"]
    assert state.progress_text == "0 %, 1:15 left"
    motion = str(tmp_path / "out" / "late" / "person_1.npz")
    state.feed({"event": "result", "clip": "late", "motion": motion, "frames": 3, "person": 1})
    state.feed({"event": "over", "clip": "late", "status": "done", "seconds": 9})
    assert [item.status for item in queue] == ["running", "running", "done"]
    assert "adapt_motion.queue_attach" in draw(lists.ADAPT_MOTION_UL_queue, bpy.context, queue[2]).operators
    state.source.cancelled = True
    state.feed({"event": job.EXITED, "code": 7, "cancelled": True})
    clip_queue._farm_ended(state)
    assert [item.status for item in queue] == ["stopped", "stopped", "done"]
    assert queue[0].message == f"Cancelled. {messages.FARM_KEPT}"


def test_the_button(fake):
    assert messages.NOTHING_WAITS in refused(bpy.ops.adapt_motion.queue_farm)
    assert "adapt_motion.queue_farm" in draw(panels.ADAPT_MOTION_PT_queue, bpy.context).operators


@pytest.mark.engine
def test_the_real_farm_on_this_computer(addon, engine_python, tmp_path):
    """Two clips of 21 frames, by Ray, from Blender to a character."""
    if subprocess.run([engine_python, "-c", "import ray"], capture_output=True, check=False).returncode:
        pytest.skip("the engine's environment has no Ray: the extra `farm` is not installed")
    addon.engine_python = engine_python
    settings = bpy.context.scene.adapt_motion
    settings.output_folder, settings.preset = str(tmp_path / "out"), "fast"
    for name in ("one", "two"):
        shutil.copyfile(ROOT / "presets" / "demo" / "demo.mp4", tmp_path / f"{name}.mp4")
        settings.footage = str(tmp_path / f"{name}.mp4")
        bpy.ops.adapt_motion.queue_add()
        item = settings.queue[len(settings.queue) - 1]
        run = {**json.loads(item.job), "end_s": 0.35}
        run["overrides"] += ["fit.iterations=40", "adaptation.epochs=1", "adaptation.solve_steps=20"]
        item.job = json.dumps(run)
    assert bpy.ops.adapt_motion.queue_farm() == {"FINISHED"}, running.latest().message
    assert [item.status for item in settings.queue] == ["done", "done"], [item.message for item in settings.queue]
    assert bpy.ops.adapt_motion.queue_attach(index=0) == {"FINISHED"}
    assert len(bpy.data.armatures) == 1
    assert json.loads((tmp_path / "out" / "farm.json").read_text())["clips"][1]["status"] == "done"
