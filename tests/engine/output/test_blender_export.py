"""Exports by a Blender in a child process: a real one where there is one, and programs that misbehave."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from engine.errors import CancelledError, ExportError
from engine.output import blender_export
from engine.runtime.progress import Silent

REPOSITORY = Path(__file__).resolve().parents[3]


def load_synthetic():
    spec = importlib.util.spec_from_file_location("synthetic", REPOSITORY / "tests" / "blender" / "synthetic.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


synthetic = load_synthetic()


@pytest.fixture
def blender(monkeypatch):
    """The Blender that an export would find; skips visibly without one."""
    try:
        return blender_export.find_blender()
    except ExportError as error:
        pytest.skip(str(error))


@pytest.fixture
def pretend(tmp_path, monkeypatch):
    """Make ADAPT_MOTION_BLENDER a program that runs the given Python lines."""

    def pretend(lines: str) -> None:
        script = tmp_path / "blender.py"
        script.write_text(f"import json, os, sys, time\n{lines}\n")
        program = tmp_path / "blender"
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{script}" "$@"\n')
        program.chmod(0o755)
        monkeypatch.setenv(blender_export.BLENDER_VARIABLE, str(program))

    return pretend


@pytest.mark.slow
def test_a_real_blender_writes_the_files_beside_the_motion(blender, tmp_path):
    motion = synthetic.write_person(tmp_path / "clip ü")
    counts = []

    class Recorder(Silent):
        def __call__(self, done: int, total: int) -> None:
            counts.append((done, total))

    written = blender_export.export_motion([motion], ["fbx", "bvh", "glb", "blend"], Recorder())
    assert [path.name for path in written] == ["person_1.fbx", "person_1.bvh", "person_1.glb", "clip ü.blend"]
    assert all(path.stat().st_size > 1000 and path.parent == motion.parent for path in written)
    assert {total for _, total in counts} == {4}


@pytest.mark.slow
def test_a_damaged_motion_file_is_known_by_the_real_blender(blender, tmp_path):
    motion = synthetic.write_person(tmp_path)
    with np.load(motion) as archive:
        arrays = dict(archive)
    np.savez(motion, **{**arrays, "poses": np.zeros((40, 3))})
    with pytest.raises(ExportError, match=r"poses is \(40, 3\), not \(40, 72\)"):
        blender_export.export_motion([motion], ["fbx"], Silent())


def test_nothing_to_do_starts_nothing(monkeypatch):
    monkeypatch.setenv(blender_export.BLENDER_VARIABLE, "/nowhere")
    assert blender_export.export_motion([Path("a.npz")], [], Silent()) == []
    assert blender_export.export_motion([], ["fbx"], Silent()) == []
    with pytest.raises(ValueError, match="cannot export obj"):
        blender_export.export_motion([Path("a.npz")], ["obj"], Silent())


def test_where_blender_is_looked_for(monkeypatch, tmp_path):
    monkeypatch.setenv(blender_export.BLENDER_VARIABLE, str(tmp_path / "gone"))
    with pytest.raises(ExportError, match="which is no program"):
        blender_export.find_blender()
    monkeypatch.setenv(blender_export.BLENDER_VARIABLE, sys.executable)
    assert blender_export.find_blender() == [sys.executable]
    monkeypatch.delenv(blender_export.BLENDER_VARIABLE)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ExportError, match="No Blender was found") as caught:
        blender_export.find_blender()
    assert "pip install bpy" in caught.value.hint
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    assert blender_export.find_blender() == [sys.executable]
    program = tmp_path / "blender"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    command = blender_export.find_blender()
    assert command[0] == str(program)
    assert command.index("--python-exit-code") < command.index("--python")


def test_its_own_sentence_is_passed_on(pretend):
    pretend("""print('ADAPT_MOTION {"error": "The disk is full.", "hint": "Free some space."}'); sys.exit(1)""")
    with pytest.raises(ExportError, match="The disk is full") as caught:
        blender_export.export_motion([Path("a.npz")], ["fbx"], Silent())
    assert caught.value.hint == "Free some space."


def test_a_crash_is_reported_with_its_last_words(pretend):
    pretend("""print('ADAPT_MOTION {"wrote": "/a.fbx"}'); print('Segmentation fault', flush=True); os._exit(11)""")
    with pytest.raises(ExportError, match="code 11 while exporting: Segmentation fault"):
        blender_export.export_motion([Path("a.npz")], ["fbx"], Silent())


def test_a_crash_on_leaving_costs_nothing(pretend):
    pretend("""print('ADAPT_MOTION {"wrote": "/a.fbx"}\\nADAPT_MOTION {"done": true}', flush=True); os._exit(11)""")
    assert blender_export.export_motion([Path("a.npz")], ["fbx"], Silent()) == [Path("/a.fbx")]


@pytest.mark.parametrize("how", ["cancel", "timeout"])
def test_a_hanging_blender_is_ended(pretend, tmp_path, how):
    pid_file = tmp_path / "pid"
    overslept = tmp_path / "overslept"
    pretend(
        f"open({str(pid_file)!r}, 'w').write(str(os.getpid())); time.sleep(60); open({str(overslept)!r}, 'w').close()"
    )

    class Cancelling(Silent):
        def __call__(self, done: int, total: int) -> None:
            if how == "cancel" and pid_file.exists() and pid_file.read_text():
                raise CancelledError("Cancelled.")

    expected = CancelledError if how == "cancel" else ExportError
    with pytest.raises(expected):
        blender_export.export_motion([Path("a.npz")], ["fbx"], Cancelling(), timeout_s=60 if how == "cancel" else 1)
    assert not overslept.exists(), "it was waited for"
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid_file.read_text()), 0)


def test_the_child_does_not_see_our_python(pretend, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    pretend("""print('ADAPT_MOTION ' + json.dumps({"error": os.environ.get("PYTHONPATH", "none")}))""")
    with pytest.raises(ExportError, match="none"):
        blender_export.export_motion([Path("a.npz")], ["fbx"], Silent())


def test_the_python_beside_the_blender_comes_first(pretend):
    """Debian's Blender takes the first Python on the path for its own, and ours may have no NumPy that it can use."""
    pretend("""print('ADAPT_MOTION ' + json.dumps({"error": os.environ["PATH"].split(os.pathsep)[0]}))""")
    with pytest.raises(ExportError, match=re.escape(str(Path(blender_export.find_blender()[0]).parent))):
        blender_export.export_motion([Path("a.npz")], ["fbx"], Silent())


def test_reply_mark_is_the_scripts():
    script = (REPOSITORY / "blender_addon" / "scripts" / "export_motion.py").read_text()
    assert f'REPLY = "{blender_export.REPLY}"' in script
