"""What a farm would do with thousands of clips: a simulation of its tasks, with times that were measured.

Time passes from one end of a task to the next. Clips are begun, and their tasks ordered, by the farm's own rules
(`engine.farm.graph`, `engine.farm.driver.most_clips`). Machines do not wait for disks here.
"""

from __future__ import annotations

import heapq
import json
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from engine.errors import UsageError
from engine.farm.driver import most_clips
from engine.farm.graph import ClipGraph, Step, Task
from engine.files.json_file import read_json


@dataclass(frozen=True)
class Measured:
    """What tasks take.

    Attributes:
        seconds: of the processor, for a task of each step, without what a process takes to start.
        pieces, people: tasks of a clip in `DETECT` and `ADAPT`.
        start_s: until a new process of a worker has loaded the engine; once for each core.
        dispatch_s: of the sender for a task: from its end to the start of the one that follows it.
        spread: standard deviation of the logarithm of a task's seconds.
        kept_bytes: of a clip in Ray's store while it is worked on.
    """

    seconds: dict[Step, float]
    pieces: int
    people: int
    start_s: float
    dispatch_s: float
    spread: float
    kept_bytes: int

    @property
    def clip_s(self) -> float:
        """Seconds of one core for a clip."""
        counts = {Step.DETECT: self.pieces, Step.ADAPT: self.people}
        return sum(self.seconds[step] * counts.get(step, 1) for step in Step)


@dataclass(frozen=True)
class Outcome:
    """How a simulated farm did.

    Attributes:
        wall_s: from the first task to the last.
        efficiency: of the cores' time, how much tasks have taken.
        sender: of the time, how much the sender was at work.
        store_bytes: in Ray's store at most.
    """

    wall_s: float
    efficiency: float
    sender: float
    store_bytes: int


def simulate(measured: Measured, clips: int, cores: int, seed: int = 0) -> Outcome:
    """A farm of `cores` cores with so many clips, all alike but for chance.

    Args:
        measured: what tasks take.
        clips: how many.
        cores: on machines of any size: a task takes one.
        seed: of chance.
    """
    draw = np.random.default_rng(seed)
    graphs, waiting = dict[int, ClipGraph](), deque[Task]()
    begun, most_open, busy_s, sender_s, sender_free, now = 0, 0, 0.0, 0.0, 0.0, 0.0
    free = [(measured.start_s, core) for core in range(cores)]
    running: list[tuple[float, int, Task]] = []
    while begun < clips or graphs:
        while begun < clips and len(graphs) < most_clips(cores):
            graphs[begun] = ClipGraph(begun)
            waiting += graphs[begun].ready()
            begun += 1
        most_open = max(most_open, len(graphs))
        while waiting and free:
            at, core = heapq.heappop(free)
            sender_free = max(sender_free, now) + measured.dispatch_s
            sender_s += measured.dispatch_s
            task, begins = waiting.popleft(), max(at, sender_free)
            takes = measured.seconds[task.step] * float(np.exp(draw.normal(0.0, measured.spread)))
            busy_s += takes
            heapq.heappush(running, (begins + takes, core, task))
        now, core, task = heapq.heappop(running)
        heapq.heappush(free, (now, core))
        parts = {Step.LOOK: range(measured.pieces), Step.ESTIMATE: range(measured.people), Step.FINISH: ()}
        waiting += graphs[task.clip].done(task, parts.get(task.step, (0,)))
        if graphs[task.clip].step is None:
            del graphs[task.clip]
    return Outcome(now, busy_s / (now * cores), sender_s / now, most_open * measured.kept_bytes)


def measured_of(farm: dict[str, Any], start_s: float, dispatch_s: float, kept_bytes: int) -> Measured:
    """What tasks take, from the `farm.json` of a farm that ran, in time of the processor: others do not lengthen it.

    Raises UsageError if no clip of it was done.
    """
    done = [clip for clip in farm["clips"] if clip["status"] == "done"]
    if not done:
        raise UsageError("No clip of that farm was done.", "Give the farm.json of one that came to its end.")
    counts = {step: np.array([clip["tasks_of_stages"][step.value] for clip in done], float) for step in Step}
    seconds = {step: np.array([clip["cpu_s_of_stages"][step.value] for clip in done]) for step in Step}
    each = {step: seconds[step] / counts[step] for step in Step}
    spread = float(np.mean([np.std(np.log(each[step])) for step in Step]))
    return Measured(
        {step: float(each[step].mean()) for step in Step},
        round(counts[Step.DETECT].mean()),
        round(counts[Step.ADAPT].mean()),
        *(start_s, dispatch_s, spread, kept_bytes),
    )


def plan(
    farm: Annotated[Path, typer.Argument(help="farm.json of a farm that ran on clips of the kind.")],
    clips: Annotated[int, typer.Option(help="How many clips.")] = 10_000,
    cores: Annotated[str, typer.Option(help="Numbers of cores.")] = "1,2,4,8,16,32,64,128,256",
    start_s: Annotated[float, typer.Option(help="Seconds until a worker's process has loaded the engine.")] = 6.0,
    dispatch_s: Annotated[float, typer.Option(help="Seconds of the sender for a task.")] = 0.003,
    kept_bytes: Annotated[int, typer.Option(help="Bytes of a clip in Ray's store.")] = 2**20,
    plot: Annotated[Path | None, typer.Option(help="PNG to draw; needs matplotlib.")] = None,
) -> None:
    """Print what a farm would do with many clips like those of a farm that ran."""
    measured = measured_of(read_json(farm), start_s, dispatch_s, kept_bytes)
    numbers = [int(number) for number in cores.split(",")]
    outcomes = list(_outcomes(measured, clips, numbers))
    typer.echo(json.dumps({step.value: round(seconds, 3) for step, seconds in measured.seconds.items()}))
    typer.echo(f"{measured.pieces} pieces, {measured.people} people, {measured.clip_s:.1f} s of a core a clip")
    for number, one in zip(numbers, outcomes, strict=True):
        typer.echo(
            f"{number:5} cores: {one.wall_s / 3600:8.2f} h, {one.efficiency:.3f} of the cores' time, "
            f"sender busy {one.sender:.3f}, {one.store_bytes / 2**20:.0f} MiB in the store"
        )
    if plot is not None:
        _draw(plot, numbers, outcomes, clips)


def _outcomes(measured: Measured, clips: int, numbers: Sequence[int]) -> Iterator[Outcome]:
    for number in numbers:
        yield simulate(measured, clips, number)


def _draw(path: Path, numbers: Sequence[int], outcomes: Sequence[Outcome], clips: int) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 3, figsize=(10, 3), constrained_layout=True)
    panels = (
        ("of the cores' time in tasks", [one.efficiency for one in outcomes], (0, 1.05)),
        ("of the time the sender is at work", [one.sender for one in outcomes], (0, 1.05)),
        ("hours", [one.wall_s / 3600 for one in outcomes], None),
    )
    for axis, (title, values, limits) in zip(axes, panels, strict=True):
        axis.plot(numbers, values, "o-", markersize=3)
        axis.set(title=title, xlabel="cores", xscale="log")
        axis.set_xticks(numbers, [str(number) for number in numbers], fontsize=7)
        axis.minorticks_off()
        axis.grid(alpha=0.3)
        if limits is None:
            axis.set_yscale("log")
        else:
            axis.set_ylim(limits)
    figure.suptitle(f"{clips:,} clips, simulated")
    figure.savefig(path, dpi=80)


if __name__ == "__main__":
    typer.run(plan)
