"""Signals while modules load, and after all is done: a real process at random moments."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engine.protocol import ExitCode, format_event
from engine.runtime import early_stop
from engine.runtime.cancel import CANCELLED

ROOT = Path(__file__).resolve().parents[3]
SIGNALS = [signal.SIGINT, *([signal.SIGTERM] if os.name == "posix" else [])]
KILLS = int(os.environ.get("ADAPT_MOTION_KILLS", "4"))

# the command, which says as its first act that it listens
LOADING = """
import os, sys
from engine.runtime import early_stop
install = early_stop.install
def counted():
    install()
    os.write(1, b"ready\\n")
early_stop.install = counted
from engine import __main__
__main__.main()
"""
SETTLED = """
import os, sys, time
from engine.runtime import early_stop
early_stop.install()
early_stop.settle(3)
os.write(1, b"ready\\n")
time.sleep(60)
"""


def start(program, *words):
    process = subprocess.Popen(
        [sys.executable, "-c", program, *map(str, words)],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    # not by the text layer: it would read ahead, and `communicate` would miss what it took
    assert os.read(process.stdout.fileno(), 6) == b"ready\n"
    return process


def ended(process):
    """Exit code, stdout and stderr; a process that hangs is killed and fails the test."""
    try:
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    return process.returncode, out, err


@pytest.mark.parametrize("how", SIGNALS, ids=lambda one: one.name)
def test_a_run_that_loads_ends_with_the_promised_code(how, tmp_path):
    chance = random.Random(how.value)
    for _ in range(KILLS):
        process = start(LOADING, "run", tmp_path / "none.mp4", "-o", tmp_path / "out", "--events", "jsonl")
        time.sleep(chance.uniform(0, 0.4))
        process.send_signal(how)
        code, out, err = ended(process)
        events = [json.loads(line) for line in out.splitlines()]
        assert code in (ExitCode.CANCELLED, ExitCode.FOOTAGE), err  # a fast machine may be done
        assert events[-1]["event"] == "end"
        assert events[-1]["exit_code"] == code
        assert "Traceback" not in err


def test_the_first_moment_has_the_sentence_and_the_events(tmp_path):
    process = start(LOADING, "run", tmp_path / "none.mp4", "-o", tmp_path / "out", "--events", "jsonl")
    process.send_signal(signal.SIGINT)
    code, out, err = ended(process)
    assert code == 7
    assert [json.loads(line)["event"] for line in out.splitlines()] == ["error", "end"]
    assert err == f"Error: {' '.join(CANCELLED)}\n"


def test_the_events_are_those_of_the_protocol():
    message, hint = CANCELLED
    error = format_event("error", code="cancelled", message=message, hint=hint)
    assert f"{error}\n{format_event('end', exit_code=7, succeeded=0, failed=0)}\n" == early_stop.EVENTS
    assert early_stop.CODE == ExitCode.CANCELLED


@pytest.mark.parametrize("how", SIGNALS, ids=lambda one: one.name)
def test_what_is_done_keeps_its_code(how):
    process = start(SETTLED)
    process.send_signal(how)
    assert ended(process) == (3, "", "")


def test_other_commands_have_pythons_own_signals():
    before = {name: signal.getsignal(getattr(signal, name)) for name in early_stop.NAMES if hasattr(signal, name)}
    try:
        early_stop.install()
        assert signal.getsignal(signal.SIGINT) is early_stop._end
        early_stop.release()
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        for name, handler in before.items():
            signal.signal(getattr(signal, name), handler)
