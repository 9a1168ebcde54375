"""Blender's tests run in parts: every part once, also where one fails or its process is brought down."""

import subprocess
import sys
from pathlib import Path

import pytest

IN_PARTS = Path(__file__).resolve().parents[1] / "blender" / "in_parts.py"
COMMAND = """
import os, signal, sys
log, how, part = sys.argv[1], sys.argv[2], sys.argv[-1]
open(log, "a").write(part + "\\n")
if part == "2/5" and how == "crash":
    os.kill(os.getpid(), signal.SIGSEGV)
fails, empty = how == "fails" and part == "3/5", how == "nothing" or how == "short" and part == "0/5"
sys.exit(1 if fails else 5 if empty else 0)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals to be brought down by")
@pytest.mark.parametrize(
    ("how", "code"),
    [
        ("fine", 0),
        ("crash", 11),
        ("fails", 1),
        ("short", 0),  # one part has none of the chosen tests
        ("nothing", 5),
    ],
)
def test_every_part_runs_once_and_a_crash_fails(tmp_path, how, code):
    log = tmp_path / "log"
    python = [sys.executable, "-S"]  # without packages it starts at once
    words = [*python, str(IN_PARTS), "--parts", "5", *python, "-c", COMMAND, str(log), how]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert sorted(log.read_text().split()) == [f"{part}/5" for part in range(5)]
    assert ("signal 11" in done.stdout) == (how == "crash")
