"""Several clips at a time: what comes out, in which order, and what one failing clip does to the others."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import DEMO_CLIP, ROOT

from engine.clips import _at_a_time
from engine.protocol import Job
from engine.run_options import check_options
from engine.runtime.machine import cores, free_bytes

needs_two = pytest.mark.skipif(cores() < 2, reason="one core takes one clip at a time")


@pytest.fixture
def clips(tmp_path):
    """Three clips; the first has more frames than the second."""
    paths = [tmp_path / "footage" / f"{name}.mp4" for name in ("one", "two", "three")]
    paths[0].parent.mkdir()
    for path in paths:
        shutil.copyfile(DEMO_CLIP, path)
    return paths


def motions(out):
    return {path.parent.name: path.read_bytes() for path in out.rglob("person_1.npz")}


def order(ran):
    """What was reported, without progress and the files' names."""
    return [
        (event["event"], event.get("clip"), event.get("stage")) for event in ran.events if event["event"] != "progress"
    ]


@needs_two
@pytest.mark.nightly("runs five clips")
def test_side_by_side_is_the_same_as_one_after_the_other(run_here, clips, tmp_path, quick):
    bad = tmp_path / "bad.mp4"
    bad.write_text("no video")
    footage = [clips[0], bad, clips[1]]
    ran = {
        count: run_here(
            "run", *footage, "-o", tmp_path / str(count), "--events", "jsonl", "--cores", str(count), *quick
        )
        for count in (1, 2)
    }
    assert [one.code for one in ran.values()] == [3, 3]
    assert order(ran[1]) == order(ran[2])
    assert motions(tmp_path / "1") == motions(tmp_path / "2")
    assert set(motions(tmp_path / "2")) == {"one", "two"}
    report = [json.loads((tmp_path / str(count) / "two" / "report.json").read_text()) for count in (1, 2)]
    assert report[0]["warnings"] == report[1]["warnings"]


def begun(clips, out, quick, clip, stage):
    """A run whose `clip` has reached a stage."""
    command = [
        sys.executable,
        "-m",
        "engine",
        "run",
        *map(str, clips),
        "-o",
        str(out),
        "--events",
        "jsonl",
        "--cores",
        "2",
    ]
    process = subprocess.Popen(
        [*command, *quick], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, encoding="utf-8"
    )
    events = []
    for line in process.stdout:
        events.append(json.loads(line))
        if (events[-1].get("clip"), events[-1].get("stage")) == (clip, stage):
            return process, events
    raise AssertionError(events)


def workers_of(process):
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return [int(one) for one in children if "spawn_main" in Path(f"/proc/{one}/cmdline").read_text()]


@needs_two
@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_clips_whose_process_is_killed_fail_alone(clips, tmp_path, quick):
    process, events = begun(clips, tmp_path / "out", quick, "one", "detect")
    with process:
        for worker in workers_of(process):
            os.kill(worker, signal.SIGKILL)
        events += [json.loads(line) for line in process.stdout]
    errors = [event for event in events if event["event"] == "error"]
    assert [event["clip"] for event in errors] == ["one", "two"]
    assert all("ended before it was done" in event["message"] for event in errors)
    assert events[-1] == {"event": "end", "exit_code": 1, "succeeded": 1, "failed": 2}
    assert set(motions(tmp_path / "out")) == {"three"}


@needs_two
@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal")
def test_cancel_ends_all_of_them(clips, tmp_path, quick):
    process, events = begun(clips, tmp_path / "out", quick, "one", "detect")
    with process:
        process.send_signal(signal.SIGINT)
        since = time.monotonic()
        events += [json.loads(line) for line in process.stdout]
    assert process.returncode == 7
    assert time.monotonic() - since < 3
    assert [event["code"] for event in events if event["event"] == "error"] == ["cancelled"]


def test_how_many_clips_at_a_time():
    options = check_options(Job(["a.mp4"], "out", device="cpu"), cores=3)
    enough = free_bytes() > 8 * 2**30
    assert _at_a_time(1, options) == 1
    assert _at_a_time(2, options) == 2 or not enough
    assert _at_a_time(10, options) == 3 or not enough
