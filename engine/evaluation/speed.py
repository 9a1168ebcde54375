"""Time and memory of each stage, measured from outside on a run in a process of its own.

The same is done with the clip several times over: time has to grow by that factor, memory must not.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from engine.errors import EngineError
from engine.protocol import parse_event
from engine.runtime.machine import cores

ROOT = Path(__file__).resolve().parents[2]
_SAMPLE_S = 0.02


@dataclass(frozen=True)
class StageCost:
    """Seconds of a stage, and the largest resident memory of the process and its workers in it, in MiB (None: not
    measured)."""

    seconds: float
    peak_mib: float | None


@dataclass(frozen=True)
class RunCost:
    """What one run took: frames of footage, seconds in all, and each stage."""

    frames: int
    seconds: float
    stages: dict[str, StageCost]


def demo_clip() -> Path:
    """The clip that comes with the project."""
    return next(iter(sorted((ROOT / "presets" / "demo").glob("*.mp4"))))


def compare_lengths(
    clip: Path, repeats: int, arguments: Sequence[str], log: Callable[[str], None]
) -> tuple[RunCost, RunCost]:
    """Cost of a run on `clip`, and on one `repeats` times as long. Raises EngineError.

    Args:
        clip: footage.
        repeats: as `lengthen_clip` has them.
        arguments: of `adapt-motion run`.
        log: takes what is done.
    """
    with tempfile.TemporaryDirectory(prefix="adapt-motion-bench-") as scratch:
        long = Path(scratch) / f"{clip.stem}_x{repeats}{clip.suffix}"
        lengthen_clip(clip, long, repeats)
        log(f"Running on {clip.name} …")
        short_cost = measure(clip, Path(scratch) / "short", arguments)
        log(f"Running on the same, {repeats} times as long …")
        return short_cost, measure(long, Path(scratch) / "long", arguments)


def compare_cores(clip: Path, repeats: int, arguments: Sequence[str], log: Callable[[str], None]) -> dict[int, RunCost]:
    """Cost of runs without adaptation on the clip repeated, on one core and on all, by their number."""
    costs = {}
    with tempfile.TemporaryDirectory(prefix="adapt-motion-bench-") as scratch:
        long = Path(scratch) / f"{clip.stem}_x{repeats}{clip.suffix}"
        lengthen_clip(clip, long, repeats)
        for count in sorted({1, cores()}):
            log(f"Detecting on {count} {'core' if count == 1 else 'cores'} …")
            more = ("--cores", str(count), "--set", "adaptation.enabled=false")
            costs[count] = measure(long, Path(scratch) / str(count), [*arguments, *more])
    return costs


def core_rows(costs: dict[int, RunCost]) -> list[tuple[str, ...]]:
    """Rows for a table: cores, milliseconds of detection a frame, how many times as fast as on one core, memory."""
    first = next(iter(costs.values())).stages["detect"].seconds
    return [
        (
            str(count),
            f"{1000 * cost.stages['detect'].seconds / cost.frames:.1f}",
            f"{first / cost.stages['detect'].seconds:.2f}",
            "not measured" if (peak := cost.stages["detect"].peak_mib) is None else f"{peak:.0f}",
        )
        for count, cost in costs.items()
    ]


def lengthen_clip(source: Path, target: Path, times: int) -> None:
    """Write the footage of `source` `times` over, forwards and backwards in turn, so that nobody leaps.

    All its frames are held in memory meanwhile.
    """
    with av.open(str(source)) as footage:
        stream = footage.streams.video[0]
        rate, frames = stream.average_rate or 25, [frame.reformat(format="yuv420p") for frame in footage.decode(stream)]
    there_and_back = [*frames, *reversed(frames)]
    with av.open(str(target), "w") as output:
        coded: Any = output.add_stream("libx264", rate=rate, options={"preset": "veryfast", "crf": "18", "g": "60"})
        coded.width, coded.height = frames[0].width, frames[0].height
        for number in range(times * len(frames)):
            frame = there_and_back[number % len(there_and_back)]
            frame.pts, frame.time_base = number, 1 / Fraction(rate)
            frame.pict_type = av.video.frame.PictureType.NONE
            output.mux(coded.encode(frame))
        output.mux(coded.encode())


def measure(clip: Path, out: Path, arguments: Sequence[str]) -> RunCost:
    """Run the engine on `clip` in a process of its own. Raises EngineError if that fails."""
    command = [sys.executable, "-m", "engine", "run", "--events", "jsonl", "--out", str(out)]
    report: Path | None = None
    trouble = ""
    with subprocess.Popen(
        [*command, *arguments, "--", str(clip)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
        cwd=ROOT,
    ) as process:
        memory = _Memory(process)
        try:
            for line in process.stdout or ():
                event: dict[str, Any] = parse_event(line)
                if event["event"] == "stage":
                    memory.begin(event["stage"])
                elif event["event"] == "error":
                    trouble = event["message"]
                elif event["event"] == "result":
                    report = Path(event["report"])
        except BaseException:
            process.kill()
            raise
    if report is None:
        raise EngineError(f"The run on {clip} failed: {trouble or process.returncode}", "Try `adapt-motion run` on it.")
    return _cost(json.loads(report.read_text(encoding="utf-8")), memory.peaks)


def table_rows(short: RunCost, long: RunCost) -> list[tuple[str, ...]]:
    """Rows for a table: stage, milliseconds a frame and peak memory of both runs, and how much they differ."""
    rows = []
    totals = (RunCost(cost.frames, cost.seconds, {"all": _total(cost)}) for cost in (short, long))
    first, second = totals
    pairs = [(name, short.stages[name], long.stages[name]) for name in short.stages]
    for name, one, other in [*pairs, ("all", first.stages["all"], second.stages["all"])]:
        rows.append(
            (
                name,
                f"{1000 * one.seconds / short.frames:.2f}",
                f"{1000 * other.seconds / long.frames:.2f}",
                f"{other.seconds / max(one.seconds, 1e-3):.1f}",
                *("not measured" if cost.peak_mib is None else f"{cost.peak_mib:.0f}" for cost in (one, other)),
            )
        )
    return rows


def as_json(cost: RunCost) -> dict[str, Any]:
    """Plain values."""
    stages = {name: {"seconds": item.seconds, "peak_mib": item.peak_mib} for name, item in cost.stages.items()}
    return {"frames": cost.frames, "seconds": round(cost.seconds, 3), "stages": stages}


def resident_mib(process_id: int) -> float | None:
    """Resident memory of a process in MiB, on Linux with that of the processes it made; None if it is gone or this
    system does not report it."""
    try:
        if sys.platform == "linux":
            text = Path(f"/proc/{process_id}/status").read_text(encoding="ascii", errors="replace")
            own = int(text.partition("VmRSS:")[2].split()[0]) / 1024
            children = Path(f"/proc/{process_id}/task/{process_id}/children").read_text(encoding="ascii").split()
            return own + sum(resident_mib(int(child)) or 0.0 for child in children)
        if sys.platform == "darwin":
            text = subprocess.run(["ps", "-o", "rss=", "-p", str(process_id)], capture_output=True, text=True).stdout
            return int(text) / 1024
    except (OSError, ValueError, IndexError):
        return None
    return None


class _Memory:
    """Watches the resident memory of a process from a thread; `peaks` holds the largest value of each stage in MiB."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.peaks: dict[str, float] = {}
        self._process, self._stage = process, "start"
        self._lock = threading.Lock()
        threading.Thread(target=self._watch, daemon=True).start()

    def begin(self, stage: str) -> None:
        """What is measured from now on belongs to `stage`."""
        if self._stage not in self.peaks:  # it was shorter than the pause between two looks
            self._look()
        with self._lock:
            self._stage = stage
        self._look()

    def _look(self) -> None:
        with self._lock:
            memory = resident_mib(self._process.pid)
            if memory is not None:
                self.peaks[self._stage] = max(self.peaks.get(self._stage, 0.0), memory)

    def _watch(self) -> None:
        pause = threading.Event()
        while self._process.poll() is None:
            self._look()
            pause.wait(_SAMPLE_S)


def _cost(report: dict[str, Any], peaks: dict[str, float]) -> RunCost:
    seconds: dict[str, float] = report["seconds"]
    stages = {name: StageCost(value, peaks.get(name)) for name, value in seconds.items()}
    return RunCost(report["footage"]["frame_count"], sum(seconds.values()), stages)


def _total(cost: RunCost) -> StageCost:
    known = [item.peak_mib for item in cost.stages.values() if item.peak_mib is not None]
    return StageCost(cost.seconds, max(known, default=None))
