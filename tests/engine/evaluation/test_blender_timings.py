"""`bench --blender`: the add-on timed in a Blender of its own."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from engine.cli import app
from engine.errors import ExportError, UsageError
from engine.evaluation import blender_timings, tables
from engine.output import blender_export
from engine.output.motion_file import ORIGIN_FILLED, read_motion


def test_a_walk_of_any_length(tmp_path):
    for frames in (2, 301):
        path = tmp_path / f"{frames}" / "person_1.npz"
        path.parent.mkdir()
        blender_timings.write_walk(path, frames)
        motion = read_motion(path)
        assert len(motion.poses) == frames
        assert path.with_name("person_1_body.npz").is_file()
    moved = np.abs(np.diff(motion.joints3d_world[:, 7], axis=0)).max()
    assert 0 < moved < 0.4, "metres in a frame of an ankle"
    in_world = motion.joints3d_cam @ motion.camera_to_world[:3, :3].T + motion.camera_to_world[:3, 3]
    assert np.abs(in_world - motion.joints3d_world).max() < 1e-4
    assert (motion.keypoints2d_origin == ORIGIN_FILLED).any()
    assert motion.contacts.any()
    assert np.abs(motion.initial_poses - motion.poses).max() > 0.01


@pytest.fixture(scope="module")
def program() -> str:
    """The command of a Blender, or of a Python that has bpy."""
    try:
        return blender_export.find_blender()[0]
    except ExportError as error:
        pytest.skip(str(error))


def test_a_real_blender_is_timed_and_reported(program):
    stream = io.StringIO()
    figures = tables.blender(program, 40, stream)
    json.dumps(figures)
    assert figures["frames"] == 40
    assert figures["version"][0].isdigit()
    assert set(figures["figures"]) == set(blender_timings.TITLES)
    for name, one in figures["figures"].items():
        assert 0 < one["processor"] < 30, name
        assert one["seconds"] > 0
    assert figures["figures"]["longest_block"]["processor"] <= figures["figures"]["attach"]["processor"]
    assert figures["figures"]["reduce"]["note"].endswith("keys are left")
    for title in blender_timings.TITLES.values():
        assert title in stream.getvalue()


def test_what_is_no_program_is_reported():
    with pytest.raises(ExportError, match="nowhere/blender, which is no program"):
        blender_timings.measure("/nowhere/blender", 2, print)


def test_a_child_that_ends_early_is_reported_with_its_last_words(tmp_path):
    child = tmp_path / "python"
    child.write_text(f"#!/bin/sh\nexec {sys.executable} -c \"print('no bpy in here'); raise SystemExit(3)\"\n")
    child.chmod(0o755)
    with pytest.raises(ExportError, match=r"code 3 while it was timed: no bpy in here"):
        blender_timings.measure(str(child), 2, print)


def test_an_error_of_the_child_is_ours(tmp_path):
    reply = blender_export.REPLY + json.dumps({"error": "The file is bad.", "hint": "Repair it."})
    child = tmp_path / "python"
    child.write_text(f"#!/bin/sh\necho '{reply}'\n")
    child.chmod(0o755)
    with pytest.raises(ExportError, match=r"The file is bad\."):
        blender_timings.measure(str(child), 2, print)


def test_the_script_speaks_as_it_is_read():
    script = (Path(blender_export.__file__).parents[2] / "blender_addon" / "scripts" / "bench_timings.py").read_text()
    assert f'REPLY = "{blender_export.REPLY}"' in script
    for name in blender_timings.TITLES:
        assert f'"{name}"' in script


def test_one_thing_is_measured_at_a_time():
    with pytest.raises(UsageError, match="not clear what to measure"):
        app(["bench", "--blender", "blender", "--speed"], standalone_mode=False)
