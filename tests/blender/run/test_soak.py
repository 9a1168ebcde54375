"""Many runs from one Blender session: memory stays flat, and nothing is left of what was deleted.

A dozen in an ordinary run; ADAPT_MOTION_SOAK=200 makes 200. What is looked at is Blender, so the engine is the fake
one, whose result is a motion file of 10 frames; ADAPT_MOTION_SOAK_ENGINE=real adapts 10 frames of the demo clip each
time.
"""

from __future__ import annotations

import gc
import os
import shutil
import sys
import tempfile
import threading
from pathlib import Path

import bpy
import pytest
import synthetic
from adapt_motion.blender_addon.run import running
from addon_fixtures import handler_counts
from inside import counts

DEMO_CLIP = Path(__file__).resolve().parents[3] / "presets" / "demo" / "demo.mp4"
RUNS = int(os.environ.get("ADAPT_MOTION_SOAK", "12"))
WARM = max(4, RUNS // 5)
"""Runs after which Python and Blender have what they keep."""

GROWS = 1.05 if RUNS >= 100 else 1.2


def resident_mib() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def all_counts() -> dict[str, int]:
    kinds = ("images", "materials", "texts", "node_groups", "worlds", "armatures", "shape_keys", "lights")
    return counts() | {kind: len(getattr(bpy.data, kind)) for kind in kinds}


def delete_result(scene) -> None:
    """What a user does who wants it gone: delete the objects, and purge what nobody uses."""
    for item in list(scene.objects):
        bpy.data.objects.remove(item)
    for collection in list(bpy.data.collections):
        bpy.data.collections.remove(collection)
    bpy.data.orphans_purge(do_recursive=True)


@pytest.fixture
def ten_frames(request, addon, blank, tmp_path):
    """Footage and an engine that make a result of 10 frames; a function that removes the last one."""
    settings, out = blank.adapt_motion, tmp_path / "out"
    if os.environ.get("ADAPT_MOTION_SOAK_ENGINE") == "real":
        addon.engine_python = request.getfixturevalue("engine_python")
        settings.footage, settings.output_folder, settings.preset = str(DEMO_CLIP), str(out), "fast"
        blank.render.fps, blank.use_preview_range, settings.use_preview_range = 30, True, True
        blank.frame_preview_start, blank.frame_preview_end = 1, 10
        return lambda: shutil.rmtree(out, ignore_errors=True)
    request.getfixturevalue("fake")("good")
    synthetic.write_person(out, frames=10, adapted=True, hidden=(2, 5))
    (out / "person_1_body.npz").unlink()  # the shipped body is as large as results are
    return lambda: None


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
def test_many_runs_leave_nothing_behind(ten_frames, tmp_path, monkeypatch):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setenv("TMPDIR", str(temporary))
    scene = bpy.context.scene
    before, resident = None, []
    for number in range(RUNS):
        ten_frames()
        assert bpy.ops.adapt_motion.find_people.poll()
        assert bpy.ops.adapt_motion.adapt() == {"FINISHED"}
        assert not running.latest().failed
        assert scene.adapt_motion.character is not None
        bpy.ops.ed.undo_push(message="run")
        delete_result(scene)
        now = (all_counts(), handler_counts(), bpy.app.timers.is_registered(running._tick), list(temporary.iterdir()))
        before = before or now
        assert now == before, f"after {number + 1} runs"
        gc.collect()
        resident.append(resident_mib())
    print(f"\n{RUNS} runs: {resident[WARM - 1]:.1f} MiB after {WARM}, {resident[-1]:.1f} MiB at the end")
    assert resident[-1] < GROWS * resident[WARM - 1]
    assert not [thread for thread in threading.enumerate() if "adapt-motion" in thread.name and thread.is_alive()]
    assert len(list((tmp_path / "user" / "logs").iterdir())) <= 11
    assert len(list((tmp_path / "user").rglob("*.json"))) <= 81
