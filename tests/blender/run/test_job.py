"""The link to the engine, without Blender: `blender_addon/run/job.py` with engines that behave and do not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import fake_engine
import pytest
from adapt_motion.blender_addon.run import job
from adapt_motion.engine import protocol

from engine.runtime import cancel

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture
def start(tmp_path):
    """Start the fake engine with a behaviour; whatever still runs at the end is closed."""
    started = []
    root = fake_engine.install_fake(tmp_path / "root folder é")

    def start(behaviour: str):
        run = protocol.Job(footage=[str(tmp_path / "clip one.mp4")], out=str(tmp_path / "out"), preset=behaviour)
        started.append(job.start_run(sys.executable, run, tmp_path / "logs" / "run.log", root))
        return started[-1]

    yield start
    for running in started:
        running.close()


def names(events: list[dict]) -> list[str]:
    return [event["event"] for event in events]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_good_run_gives_its_events_and_ends_with_exited(start):
    events = list(start("good").stream())
    assert names(events) == ["start", "stage", *["progress"] * 3, "warning", "result", "end", "exited"]
    assert events[-1] == {"event": "exited", "code": 0, "cancelled": False}


def test_error_run_keeps_code_message_and_log(start):
    running = start("error")
    events = list(running.stream())
    assert names(events)[-3:] == ["error", "end", "exited"]
    assert events[-3]["hint"] == "Trim the clip."
    assert events[-1]["code"] == 4
    assert running.log.read_text() == "Nobody was found.\n"


def test_garbage_becomes_log_events(start):
    events = list(start("garbage").stream())
    assert names(events)[:7] == ["log"] * 7
    assert names(events)[-2:] == ["end", "exited"]


def test_death_half_way_is_an_event(start):
    running = start("dies")
    events = list(running.stream())
    assert names(events)[-2:] == ["log", "exited"]
    assert events[-1]["code"] != 0
    assert not running.running
    assert "out of luck" in running.log.read_text()


def test_cancel_is_requested_first(start):
    running = start("obedient")
    assert next(running.stream())["event"] == "start"
    running.cancel()
    events = list(running.stream())
    assert "stdin gave 'cancel\\n'" in [event.get("message") for event in events]
    assert events[-1] == {"event": "exited", "code": 7, "cancelled": True}


def test_engine_that_ignores_cancel_is_killed(start):
    running = start("deaf")
    next(running.stream())
    running.cancel()
    assert running.running, "cancel does not wait"
    running.cancel()
    exited = list(running.stream())[-1]
    assert exited["cancelled"]
    assert exited["code"] != 0
    assert not alive(running.pid)


def test_a_job_is_killed_two_seconds_after_it_was_to_stop():
    assert job.CANCEL_WAIT_S + job.TERMINATE_WAIT_S < 2
    assert job.CANCEL_WAIT_S > cancel.GRACE_S, "the engine ends itself first"


def test_close_waits_until_the_engine_is_gone(start):
    running = start("deaf")
    next(running.stream())
    running.close()
    assert not alive(running.pid)
    running.close()


def test_huge_line_is_cut_and_the_run_goes_on(start):
    events = list(start("huge").stream())
    assert names(events)[0] == "log"
    assert len(events[0]["message"]) < 300
    assert names(events)[-2:] == ["end", "exited"]


def test_drain_is_bounded(start):
    running = start("flood")
    count, last = 0, None
    while last != job.EXITED:
        drained = running.drain(500)
        assert len(drained) <= 500
        count, last = count + len(drained), drained[-1]["event"] if drained else last
        time.sleep(0.001)
    assert count == 20_000 + 14  # what a good run says, and the start that both say


def test_engine_does_not_see_blenders_python(start, monkeypatch, tmp_path):
    monkeypatch.setenv("PYTHONHOME", sys.prefix)
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    monkeypatch.setenv("PYTHONSTARTUP", "/nowhere.py")
    reply = json.loads(next(event for event in start("environment").stream() if event["event"] == "log")["message"])
    python = {key: value for key, value in reply["env"].items() if key.startswith("PYTHON")}
    root = str(tmp_path / "root folder é")
    assert python == {"PYTHONPATH": root, "PYTHONNOUSERSITE": "1", "PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1"}
    assert reply["cwd"] == root
    assert reply["argv"][:4] == ["run", "--events", "jsonl", "--watch-stdin"]
    assert reply["argv"][-1] == str(tmp_path / "clip one.mp4")


def test_relative_paths_count_from_blenders_folder(start, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    run = protocol.Job(footage=["a.mp4", "frames/*.png"], out="out", body="smpl.npz", preset="environment")
    running = job.start_run(sys.executable, run, tmp_path / "run.log", tmp_path / "root folder é")
    reply = json.loads(next(event for event in running.stream() if event["event"] == "log")["message"])["argv"]
    assert reply[-2:] == [str(tmp_path / "a.mp4"), str(tmp_path / "frames" / "*.png")]
    assert reply[reply.index("--body") + 1] == str(tmp_path / "smpl.npz")
    assert reply[reply.index("--out") + 1] == str(tmp_path / "out")


def test_missing_python_raises_at_once(tmp_path):
    with pytest.raises(OSError, match="no-python"):
        job.Job([str(tmp_path / "no-python")], tmp_path / "run.log", {})


@pytest.mark.skipif(os.name == "nt", reason="no fork")
def test_grandchild_that_holds_stdout_does_not_hide_the_death(tmp_path):
    script = "import subprocess, sys; subprocess.Popen(['sleep', '30']); sys.exit(5)"
    running = job.Job([sys.executable, "-c", script], tmp_path / "run.log", dict(os.environ))
    assert list(running.stream())[-1]["code"] == 5
    assert running._reader.is_alive(), "the grandchild ended first"


def test_what_was_sent_before_the_end_is_not_lost_if_reading_is_slow(tmp_path):
    def slowly(line: str) -> dict:
        time.sleep(0.002)
        return {"event": "log", "message": line.strip()}

    script = "for number in range(1000): print(number)"
    running = job.Job([sys.executable, "-c", script], tmp_path / "run.log", dict(os.environ), parse=slowly)
    events = list(running.stream())
    assert [event["message"] for event in events[:-1]] == [str(number) for number in range(1000)]
    time.sleep(0.2)
    assert running.drain() == [], "something came after the end"


def test_engine_ends_when_its_parent_does(tmp_path):
    """A parent that is killed outright: the engine sees its stdin close."""
    root = fake_engine.install_fake(tmp_path)
    script = f"""
import os, sys, types
for name, folder in (("adapt_motion", ""), ("adapt_motion.blender_addon", "blender_addon")):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [os.path.join({str(REPOSITORY)!r}, folder)]
from adapt_motion.blender_addon.run import job
from adapt_motion.engine import protocol
run = protocol.Job(['a.mp4'], 'out', 'obedient')
running = job.start_run(sys.executable, run, {str(tmp_path / "l.log")!r}, {str(root)!r})
next(running.stream())
print(running.pid, flush=True)
os.kill(os.getpid(), 9)
"""
    parent = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    engine = int(parent.stdout)
    deadline = time.monotonic() + 60
    while alive(engine) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not alive(engine)


def test_real_engine_tells_of_footage_that_is_none(engine_python, tmp_path):
    text = tmp_path / "a text é.mp4"
    text.write_text("no video")
    run = protocol.Job([str(text)], str(tmp_path / "out"), "fast")
    running = job.start_run(engine_python, run, tmp_path / "run.log")
    events = list(running.stream())
    assert names(events)[0] == "start"
    assert names(events)[-3:] == ["error", "end", "exited"], running.log.read_text()
    assert events[-3]["code"] == "footage"
    assert "a text é.mp4" in events[-3]["message"]
    assert events[-1]["code"] == 3


def test_real_engine_is_cancelled(engine_python, tmp_path):
    demo = REPOSITORY / "presets" / "demo" / "demo.mp4"
    running = job.start_run(engine_python, protocol.Job([str(demo)], str(tmp_path / "out")), tmp_path / "run.log")
    events = []
    for event in running.stream():
        events.append(event)
        if event["event"] == "progress" and not running.cancelled:
            running.cancel()
    assert events[-1] == {"event": "exited", "code": 7, "cancelled": True}
    assert (events[-2]["event"], events[-2]["exit_code"]) == ("end", 7)


def test_new_log_keeps_ten(tmp_path):
    for index in range(12):
        (tmp_path / f"run-20200101-0000{index:02}.log").touch()
    (tmp_path / "other-1.log").touch()
    assert job.new_log(tmp_path, "run").parent == tmp_path
    assert sorted(path.name for path in tmp_path.iterdir())[0:2] == ["other-1.log", "run-20200101-000003.log"]
