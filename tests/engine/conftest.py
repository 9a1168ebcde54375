"""What several tests of the engine share: the command line, in this process or one of its own, and one real run."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import examples  # noqa: F401  of property tests
import pytest
from filelock import FileLock

from engine.body.model import load_body
from engine.protocol import parse_event

ROOT = Path(__file__).resolve().parents[2]
DEMO_CLIP = ROOT / "presets" / "demo" / "demo.mp4"


RUNS_THE_ENGINE = {"run_engine", "run_here", "real_run", "copied_run", "started"}
SLOW = {"adaptation", "evaluation", "training"}
SLOW |= {f"test_{name}.py" for name in ("fit", "known_height", "crop_backbone", "hmr_adaptation", "parity_hmr2")}
SLOW |= {f"test_{name}.py" for name in ("mediapipe_detector", "swaps", "motion_text", "motionclip_space", "shots_run")}
SLOW |= {f"test_{name}.py" for name in ("pipeline", "cli", "fuzz", "early_stop", "kills", "disk_trouble")}
SLOW |= {"test_clips.py", "test_detection.py", "test_pieces.py", "test_workers.py"}
SLOW |= {f"test_{name}.py" for name in ("vlm_labeler", "smpl_file", "shots", "parity_clip", "parity_hmr")}
SLOW |= {f"test_{name}.py" for name in ("driver", "farm_run", "session")}
"""Folders and files of tests that detect, fit, adapt, train, run large networks, or wait for other processes."""


def pytest_collection_modifyitems(items):
    """Mark what `-m "not slow"`, the session `quick`, leaves out, and what waits for `nox -s tests -- --all`."""
    for item in items:
        if item.get_closest_marker("nightly") and not os.environ.get("ADAPT_MOTION_ALL"):
            item.add_marker(pytest.mark.skip(reason="nightly: ADAPT_MOTION_ALL=1, or nox -s tests -- --all"))
        parts = set(item.path.relative_to(ROOT).parts)
        if RUNS_THE_ENGINE.intersection(item.fixturenames) or SLOW & parts:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="module")
def body():
    """The open body."""
    return load_body()


@pytest.fixture(scope="session")
def quick():
    """Options that make a run on the demo clip take a few seconds: 21 frames, fitted, adapted and solved roughly."""
    settings = ("fit.iterations=40", "adaptation.epochs=1", "adaptation.least_steps=2", "adaptation.solve_steps=20")
    return ("--preset", "fast", "--end-s", "0.35", *(word for one in settings for word in ("--set", one)))


@dataclass
class Ran:
    """How a command ended."""

    code: int
    events: list[dict]
    stdout: str
    stderr: str

    def named(self, name):
        return [event for event in self.events if event["event"] == name]

    @property
    def errors(self):
        return [f"{event['message']} {event['hint']}" for event in self.named("error")]


def ended(code, stdout, stderr):
    return Ran(code, [parse_event(line) for line in stdout.splitlines()], stdout, stderr)


@pytest.fixture(scope="session")
def run_engine():
    """Run `adapt-motion` with some arguments in a process of its own."""

    def run(*arguments):
        command = [sys.executable, "-m", "engine", *map(str, arguments)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", stdin=subprocess.DEVNULL)
        return ended(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def run_here(monkeypatch, capfd):
    """Run `adapt-motion` with some arguments in this process, which spares it the imports."""

    def run(*arguments):
        from engine.cli import main

        capfd.readouterr()
        with monkeypatch.context() as patch, contextlib.suppress(SystemExit):
            patch.setattr(sys, "argv", ["adapt-motion", *map(str, arguments)])
            code = -1
            try:
                main()
            except SystemExit as stop:
                code = stop.code
        output = capfd.readouterr()
        return ended(code, output.out, output.err)

    return run


@dataclass
class RealRun:
    """A run of the whole engine on the start of the demo clip."""

    clip: Path
    out: Path
    folder: Path
    ran: Ran


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory):
    """A folder of this test session, shared by all processes that it is split into."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def real_run(shared_folder, run_engine, quick):
    """One real run, under names that are neither ASCII nor without spaces. Read only: copy it to change it."""
    base = shared_folder / "Прогон läuft"
    clip, out, record = base / "балет 歩く ü.mp4", base / "出力 out", base.with_suffix(".json")
    with FileLock(f"{base}.lock"):
        if not record.exists():
            base.mkdir()
            shutil.copyfile(DEMO_CLIP, clip)
            ran = run_engine("run", clip, "--out", out, "--events", "jsonl", "--label", "balance", *quick)
            record.write_text(json.dumps([ran.code, ran.stdout, ran.stderr]), encoding="utf-8")
    return RealRun(clip, out, out / clip.stem, ended(*json.loads(record.read_text(encoding="utf-8"))))


@pytest.fixture
def copied_run(real_run, tmp_path):
    """The real run with its output folder copied, to be changed."""
    shutil.copytree(real_run.out, tmp_path / "out")
    return replace(real_run, out=tmp_path / "out", folder=tmp_path / "out" / real_run.folder.name)
