"""Runs that are killed at random moments, from the very first on: nothing finished is harmed, and a resume is equal.

A few kills in an ordinary run; `nox -s fuzz` makes 200 (ADAPT_MOTION_RUN_KILLS).
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engine.output.motion_file import read_motion

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")

ROOT = Path(__file__).resolve().parents[3]
KILLS = int(os.environ.get("ADAPT_MOTION_RUN_KILLS", "3"))
IN_A_ROW = 3 if KILLS < 20 else 8
"""Kills before a run is let go to its end."""

MOST_S = 3600
"""Seconds that a run may take on a machine that is busy with other things."""

HOWS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
CODES = {signal.SIGKILL: {-9}, signal.SIGTERM: {7}, signal.SIGINT: {7}}
BEFORE_OURS = {signal.SIGTERM: {-15}, signal.SIGINT: {-2, 1, 130}}
"""Codes while Python itself starts, before anything of the engine's has run."""

QUICK = ("--preset", "fast", "--end-s", "0.1", "--label", "balance", "--events", "jsonl", "--resume")


class Started:
    """A run of two clips, in a session of its own."""

    def __init__(self, folder, clips):
        command = [sys.executable, "-m", "engine", "run", *map(str, clips), "-o", str(folder), *QUICK]
        self.log = folder.with_suffix(".err")
        with self.log.open("wb") as errors:
            self.process = subprocess.Popen(
                command,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
                # a shell has what it starts behind itself ignore Ctrl-C, and children inherit that
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
                env={**os.environ, "OMP_NUM_THREADS": "1"},
            )

    def kill(self, how):
        """Send a signal; whether the run had begun to listen to signals by then."""
        listened = self._catches(signal.SIGTERM)
        self.process.send_signal(how)
        return listened

    def end(self, seconds):
        """Exit code and events; a run that hangs is killed and fails the test."""
        try:
            out, _ = self.process.communicate(timeout=seconds)
        finally:
            self.process.kill()
        events = [json.loads(line) for line in out.decode().splitlines() if line.endswith("}")]
        assert not others_in_session(self.process.pid)
        return self.process.returncode, events

    def _catches(self, how):
        try:
            status = Path(f"/proc/{self.process.pid}/status").read_text()
        except OSError:
            return True
        caught = next((line.split()[1] for line in status.splitlines() if line.startswith("SigCgt")), "0")
        return bool(int(caught, 16) >> (how - 1) & 1)


def others_in_session(leader):
    """Processes of a session that are no zombies; looked for until they have had a second to end."""
    for _ in range(20):
        found = [number for number in map(_session, Path("/proc").glob("[0-9]*")) if number == leader]
        if not found:
            return []
        time.sleep(0.05)
    return found


def _session(folder):
    try:
        fields = (folder / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return int(fields[3]) if fields[0] not in "ZX" else None


def results(folder):
    """The finished motion files by name, each of which has to be whole."""
    found = {path.relative_to(folder): path for path in folder.glob("*/person_*.npz")}
    for path in found.values():
        if not path.stem.endswith("_body"):
            read_motion(path)
    for path in folder.glob("*/report.json"):
        json.loads(path.read_text())
    return {name: path.read_bytes() for name, path in found.items()}


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("footage")
    return [shutil.copyfile(ROOT / "presets" / "demo" / "demo.mp4", folder / f"{name}.mp4") for name in ("one", "two")]


@pytest.fixture(scope="module")
def unbroken(clips, tmp_path_factory):
    """What a run gives that nobody disturbs, and how long it takes."""
    folder, begun = tmp_path_factory.mktemp("unbroken") / "out", time.monotonic()
    code, events = Started(folder, clips).end(MOST_S)
    assert code == 0, events
    return results(folder), time.monotonic() - begun


def check_end(how, listened, code, events, log):
    """Whether a run that was killed ended as the documentation says."""
    reply = log.read_text(errors="replace")
    where = f"{how.name}, code {code}: {reply[-2000:]}"
    done = events and events[-1]["event"] == "end" and code == events[-1]["exit_code"] == 0
    assert done or code in CODES[how] | (set() if listened else BEFORE_OURS.get(how, set())), where
    if listened and how != signal.SIGKILL:
        assert "Traceback" not in reply, where
        assert events[-1]["event"] == "end", where
        assert events[-1]["exit_code"] == code, where


def test_nothing_finished_is_harmed_and_a_resume_is_equal(clips, unbroken, tmp_path):
    wanted, seconds = unbroken
    chance, killed, chain = random.Random(16), 0, 0
    while killed < KILLS:
        chain += 1
        folder = tmp_path / f"chain {chain}" / "out"
        folder.parent.mkdir()
        for _ in range(IN_A_ROW):
            run, how = Started(folder, clips), chance.choice(HOWS)
            # the first moments, where a run has not begun, as often as all others together
            time.sleep(chance.uniform(0, seconds if chance.random() < 0.5 else 1.5))
            listened = run.kill(how)
            begun = time.monotonic()
            code, events = run.end(MOST_S)
            seconds_to_end = time.monotonic() - begun  # 2 on a machine that does nothing else
            check_end(how, listened, code, events, run.log)
            killed += code != 0
            print(f"{killed}: {how.name}, code {code}, listened: {listened}, {seconds_to_end:.1f} s", flush=True)
            for name, content in results(folder).items():
                assert content == wanted[name], f"{name} after {how.name}"
        code, events = Started(folder, clips).end(MOST_S)
        assert code == 0, events
        assert results(folder) == wanted
        assert not list(folder.rglob("*.tmp")), "what a killed run left is swept"
        shutil.rmtree(folder.parent)


def test_two_runs_into_one_folder(clips, unbroken, tmp_path):
    """The second says so and leaves the first alone."""
    folder = tmp_path / "out"
    first = Started(folder, clips[:1])
    lock = folder / "one" / ".cache" / "lock"
    until = time.monotonic() + MOST_S
    while not lock.exists() and time.monotonic() < until:
        time.sleep(0.02)
    code, events = Started(folder, clips[:1]).end(MOST_S)
    (error,) = [event for event in events if event["event"] == "error"]
    assert code == 1
    assert "Another run is working in" in error["message"]
    code, events = first.end(MOST_S)
    assert code == 0, events
    assert results(folder) == {name: content for name, content in unbroken[0].items() if name.parts[0] == "one"}
