"""The farm with the real engine, on the start of the demo clip: the same bytes as a run alone, in the same cache."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engine.protocol import parse_event

pytest.importorskip("ray", reason="the extra `farm` is not installed")

LABEL = ("--label", "balance", "--events", "jsonl")


def report_of(folder):
    return json.loads((folder / "report.json").read_text(encoding="utf-8"))


def same_results(folder, run):
    for name in ("person_1.npz", "person_1_body.npz"):
        assert (folder / name).read_bytes() == (run.folder / name).read_bytes(), name


def test_a_farm_on_this_machine_gives_the_bytes_of_a_run(real_run, run_engine, run_here, tmp_path, quick):
    clips, out = tmp_path / "clips", tmp_path / "out"
    clips.mkdir()
    for name in ("Läufer 歩く.mp4", "two.mp4"):
        shutil.copyfile(real_run.clip, clips / name)
    (clips / "broken.mp4").write_bytes(b"garbage")
    ran = run_engine("farm", clips, "-o", out, *LABEL, *quick)
    assert ran.code == 3, ran.stderr
    assert ran.named("start")[0]["clips"] == ["broken", "Läufer 歩く", "two"]
    assert {event["clip"]: event["status"] for event in ran.named("over")} == {
        "broken": "failed", "Läufer 歩く": "done", "two": "done",
    }  # fmt: skip
    assert [error["clip"] for error in ran.named("error")] == ["broken"]
    assert {event["clip"] for event in ran.named("result")} == {"Läufer 歩く", "two"}
    same_results(out / "two", real_run)
    same_results(out / "Läufer 歩く", real_run)
    farm = json.loads((out / "farm.json").read_text())
    assert [clip["status"] for clip in farm["clips"]] == ["failed", "done", "done"]
    assert list(farm["clips"][1]["seconds_of_stages"]) == ["shots", "detect", "predict", "adapt", "world"]
    assert (out / "farm.csv").read_text(encoding="utf-8").count("\n") == 4
    assert not (out / "broken").exists()
    # and a run alone, with the same options, has nothing left to do
    assert run_here("run", clips / "two.mp4", "-o", out, "--resume", *LABEL, *quick).code == 0
    assert report_of(out / "two")["reused"] == ["shots", "detect", "track", "predict", "adapt", "camera"]


@pytest.mark.nightly("two machines without a shared folder, and a farm that ends in the middle")
def test_footage_that_travels_and_a_farm_that_goes_on(cluster, real_run, run_engine, tmp_path, quick):
    out = tmp_path / "out"
    ran = run_engine("farm", real_run.clip, "-o", out, "--ship-footage", "--address", cluster.address, *LABEL, *quick)
    assert ran.code == 0, ran.stderr
    same_results(out / real_run.clip.stem, real_run)
    assert sorted(path.name for path in (out / real_run.clip.stem).iterdir()) == [
        ".cache", "person_1.npz", "person_1_body.npz", "report.json",
    ]  # fmt: skip
    report = report_of(out / real_run.clip.stem)
    assert report["footage"]["path"] == str(real_run.clip)
    times = {path: path.stat().st_mtime_ns for path in (out / real_run.clip.stem / ".cache").glob("*.npz")}
    for path in out.glob("*/.cache/adapt-*.npz"):
        path.unlink()
        del times[path]
    ran = run_engine("farm", real_run.clip, "-o", out, "--address", cluster.address, *LABEL, *quick)
    assert ran.code == 0, ran.stderr
    assert {path: path.stat().st_mtime_ns for path in times} == times, "nothing else is made again"
    same_results(out / real_run.clip.stem, real_run)


@pytest.mark.nightly("a farm and a run, both with corrections")
def test_corrections_travel_with_the_clip(real_run, run_engine, run_here, tmp_path, quick):
    pin = {"kind": "pose", "time_s": 0.1, "positions": {"left_wrist": [0.3, 0.2, 1.4]}}
    file = tmp_path / "corrections.json"
    file.write_text(json.dumps({"format": 1, "corrections": [pin]}))
    more = ("--corrections", file, *LABEL, *quick)
    ran = run_engine("farm", real_run.clip, "-o", tmp_path / "farm", "--ship-footage", *more)
    assert ran.code == 0, ran.stderr
    name = real_run.clip.stem
    assert report_of(tmp_path / "farm" / name)["corrections"] == {"pose": 1}
    assert run_here("run", real_run.clip, "-o", tmp_path / "run", *more).code == 0
    one, other = (tmp_path / kind / name / "person_1.npz" for kind in ("farm", "run"))
    assert one.read_bytes() == other.read_bytes()


@pytest.mark.nightly("starts the engine on a Ray of its own, and waits for its end")
def test_cancelling_ends_the_farm_and_its_ray_within_seconds(real_run, tmp_path, quick):
    command = [sys.executable, "-m", "engine", "farm", str(real_run.clip), "-o", str(tmp_path / "out"), *LABEL, *quick]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "encoding": "utf-8"}
    with subprocess.Popen([*command, "--watch-stdin"], **pipes) as process:
        events, sent_at = [], 0.0
        for line in process.stdout:
            events.append(parse_event(line))
            if events[-1]["event"] == "stage" and not sent_at:
                sent_at = time.monotonic()
                process.stdin.write("cancel\n")
                process.stdin.flush()
        assert process.wait(10) == 7
    assert time.monotonic() - sent_at < 3
    assert [event["code"] for event in events if event["event"] == "error"] == ["cancelled"]
    assert events[-1] == {"event": "end", "exit_code": 7, "succeeded": 0, "failed": 0}
    assert json.loads((tmp_path / "out" / "farm.json").read_text())["clips"][0]["status"] == "stopped"
    if sys.platform == "linux":  # what it started has gone with it
        time.sleep(5)
        for path in Path("/proc").glob("[0-9]*/environ"):
            with contextlib.suppress(OSError):
                assert f"PYTEST_CURRENT_TEST={os.environ['PYTEST_CURRENT_TEST']}".encode() not in path.read_bytes() or (
                    path.parent.name == str(os.getpid())
                ), path.parent.joinpath("cmdline").read_bytes()
