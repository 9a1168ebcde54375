"""Batch mode: in this Blender with a stand-in engine, and from the command line with the real one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import bpy
import numpy as np
import pytest
from adapt_motion.blender_addon.errors import UserError
from adapt_motion.blender_addon.run import job
from adapt_motion.blender_addon.scripts import batch, export_motion
from conftest import HERE, REPOSITORY
from inside import worst_distance
from reading_back import key_frames, reimport

DEMO = REPOSITORY / "presets" / "demo" / "demo.mp4"


@pytest.fixture
def stand_in(tmp_path, monkeypatch, blank):
    """The engine is the stand-in, run by a plain Python with NumPy."""
    root = tmp_path / "root"
    (root / "engine").mkdir(parents=True)
    (root / "engine" / "__init__.py").write_text("")
    shutil.copy(HERE / "stand_in_engine.py", root / "engine" / "__main__.py")
    shutil.copy(HERE / "synthetic.py", root)
    monkeypatch.setattr(job, "engine_root", lambda: root)
    python = os.environ.get(batch.PYTHON_VARIABLE) or shutil.which("python3") or sys.executable
    if subprocess.run([python, "-c", "import numpy"], capture_output=True, check=False).returncode:
        pytest.skip(f"{python} has no NumPy; set {batch.PYTHON_VARIABLE}")
    monkeypatch.setenv(batch.PYTHON_VARIABLE, python)


def test_many_clips_go_on_after_one_that_fails(stand_in, tmp_path, capfd):
    clips = [str(tmp_path / name) for name in ("one.mp4", "nobody.mp4", "crash.mp4", "zwei ü.mp4")]
    code = batch.main([*clips, "--out", str(tmp_path / "out"), "--fbx", "--blend"])
    reply = capfd.readouterr()
    assert code == 4, "the code of the first clip that failed"
    for clip in ("one", "zwei ü"):
        names = {path.name for path in (tmp_path / "out" / clip).iterdir()}
        assert {"person_1.fbx", "person_2.fbx", f"{clip}.blend"} <= names
    lines = reply.out[reply.out.index("Clip ") :].splitlines()
    assert [line.split("  ")[0] for line in lines[2:6]] == ["one.mp4", "nobody.mp4", "crash.mp4", "zwei ü.mp4"]
    assert [word in line for line, word in zip(lines[2:6], ("done", "failed (4)", "failed (1)", "done"), strict=True)]
    assert "Nobody was found. Trim the clip." in lines[3]
    assert "ended without a result. See " in lines[4]
    assert lines[-1] == "2 done, 2 failed"
    assert reply.out.count("Warning: The footage is dark.") == 2, "once a clip"
    armature = reimport(tmp_path / "out" / "one" / "person_2.fbx", "fbx")
    with np.load(tmp_path / "out" / "one" / "person_2.npz") as motion:
        assert worst_distance(armature, key_frames(armature), motion["joints3d_world"]) < 0.002


def test_an_export_that_fails_is_the_clips_trouble(stand_in, tmp_path, capfd, monkeypatch):
    def refuse(*_arguments, **_options):
        raise UserError("The disk is full.", "Free some space.")

    monkeypatch.setattr(export_motion, "write_people", refuse)
    assert batch.main([str(tmp_path / "one.mp4"), "--out", str(tmp_path / "out"), "--fbx"]) == 1
    assert "The disk is full. Free some space." in capfd.readouterr().out
    assert (tmp_path / "out" / "one" / "person_1.npz").is_file(), "the motion stays"


def test_wrong_words_and_missing_engine_are_reported(tmp_path, capfd, monkeypatch):
    monkeypatch.delenv(batch.PYTHON_VARIABLE, raising=False)
    assert batch.main(["clip.mp4"]) == 2
    assert "--out" in capfd.readouterr().err
    assert batch.main(["clip.mp4", "--out", str(tmp_path), "--engine-python", str(tmp_path / "none")]) == 1
    assert "there is no Python" in capfd.readouterr().err
    assert batch.main(["clip.mp4", "--out", str(tmp_path)]) == 1
    assert "engine is not installed" in capfd.readouterr().err


def test_patterns_become_their_files_once(tmp_path):
    for name in ("b.mp4", "a.mp4", "c.mov"):
        (tmp_path / name).touch()
    words = [str(tmp_path / "*.mp4"), str(tmp_path / "a.mp4"), "frames_####.png"]
    assert batch.expand(words) == [str(tmp_path / "a.mp4"), str(tmp_path / "b.mp4"), "frames_####.png"]


def this_blender(script: str) -> list[str]:
    """The command that runs a script of ours in this Blender."""
    path = str(REPOSITORY / "blender_addon" / "scripts" / script)
    if bpy.app.binary_path:
        options = ["-b", "--factory-startup", "--python-exit-code", "1", "-P", path]
        return [bpy.app.binary_path, *options, "--"]
    return [sys.executable, path, "--"]


@pytest.mark.engine
def test_end_to_end_with_the_real_engine(engine_python, tmp_path):
    """A good clip, a text file that calls itself footage, and the clip again; the good ones become FBX."""
    text, again = tmp_path / "text file.mp4", tmp_path / "demo again.mp4"
    text.write_text("This is no video.")
    shutil.copy(DEMO, again)
    words = [str(DEMO), str(text), str(again), "--out", str(tmp_path / "out"), "--fbx", "--preset", "fast"]
    words += ["--end-s", "0.5", "--device", "cpu", "--engine-python", engine_python]
    done = subprocess.run([*this_blender("batch.py"), *words], capture_output=True, text=True, timeout=500, check=False)
    reply = done.stdout + done.stderr
    assert done.returncode == 3, reply
    assert "2 done, 1 failed" in reply
    for clip in ("demo", "demo again"):
        folder = tmp_path / "out" / clip
        bpy.ops.wm.read_factory_settings(use_empty=True)
        armature = reimport(folder / "person_1.fbx", "fbx")
        with np.load(folder / "person_1.npz") as motion:
            assert worst_distance(armature, key_frames(armature), motion["joints3d_world"]) < 0.002
