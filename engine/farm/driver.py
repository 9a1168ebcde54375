"""The one who sends tasks of many clips to machines, takes what comes back, and says how far all is."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from typing import Any

from engine.errors import EngineError, OutOfMemoryError
from engine.farm import luggage, tasks
from engine.farm.clip_state import ClipState
from engine.farm.graph import STEPS, Step, Task
from engine.farm.session import BrokenMachineError, Handle, LostError, Needs, Session
from engine.farm.tasks import MachineError, Report
from engine.files.folder_lock import LOCK, only_run_in
from engine.output import folders as outputs
from engine.runtime.cache import FOLDER
from engine.runtime.reporter import Reporter

TRIES = 3
"""How often a task may end its process before its clip is given up."""

CARD_SHARE = 0.25
"""Of a graphics card for one task: adaptation leaves most of a card idle, and takes little of its memory."""

MEMORY_BYTES = 1300 * 2**20
"""What a worker's process takes once it has done every kind of task, on 1080 x 1920; `docs/farm.md`."""

_ON_CARD = (Step.ESTIMATE, Step.ADAPT, Step.FINISH)
_WAIT_S, _SAY_S = 0.2, 1.0
_FEWEST_CLIPS = 4


def most_clips(cores: float) -> int:
    """How many clips are worked on at a time: each has a task for a core at any time, and some keep one waiting."""
    return max(_FEWEST_CLIPS, 2 * round(cores))


class Driver:
    """Works through the clips, as many at a time as keep all machines busy.

    Args:
        session: the machines.
        clips: in the order in which they are begun.
        ships: whether footage and cache travel with the tasks.
        reporter: takes events and says when to stop.
        work: what a task is, `tasks.work`.
    """

    def __init__(
        self,
        session: Session,
        clips: Sequence[ClipState],
        ships: bool,
        reporter: Reporter,
        work: Callable[..., Report] = tasks.work,
    ) -> None:
        self._session, self._clips, self._ships, self._reporter = session, clips, ships, reporter
        self._task = work
        self._waiting = list(range(len(clips)))
        self._running: dict[Handle, Task] = {}
        self._without: frozenset[str] = frozenset()
        self._begun = self._sent_at = time.monotonic()
        self._nodes = session.nodes

    @property
    def cores(self) -> float:
        """Of all machines, as seen last."""
        return sum(resources.get("CPU", 0.0) for resources in self._nodes.values())

    @property
    def machines(self) -> int:
        """How many can do the work, as seen last."""
        return len(set(self._nodes) - self._without)

    @property
    def wall_s(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self._begun

    def work(self) -> None:
        """Do all of it. Raises CancelledError, or EngineError if no machine is left that does."""
        if self._session.free_cores < 1:
            self._reporter.begin_clip("")
            self._reporter.warn("busy", "No core of the cluster is free. The clips begin when other work has ended.")
        try:
            while self._waiting or self._running:
                self._reporter.cancel.check()
                self._admit()
                for handle in self._session.ended(_WAIT_S):
                    task = self._running.pop(handle, None)
                    if task is not None:
                        self._take(task, handle)
                self._say()
        finally:
            self._stop()

    def _admit(self) -> None:
        """Begin clips until there is more to do than machines can do at once."""
        while self._waiting and sum(one.status == "running" for one in self._clips) < most_clips(self.cores):
            self._begin(self._clips[self._waiting.pop(0)])

    def _begin(self, clip: ClipState) -> None:
        order = clip.order
        clip.status, clip.begun, clip.is_new = "running", time.monotonic(), not order.folder.exists()
        try:
            if clip.trouble is not None:
                raise clip.trouble
            clip.lock.enter_context(only_run_in(order.folder, order.folder / FOLDER / LOCK))
            outputs.prepare_folder(order.folder, order.footage)
            clip.sent["order"] = self._session.put(order)
            if self._ships:
                clip.sent["footage"] = self._session.put(luggage.packed_footage(order.footage))
        except EngineError as error:
            return self._end(clip, error)
        self._begin_step(clip, clip.graph.ready(), None)

    def _begin_step(self, clip: ClipState, ready: list[Task], given: Any) -> None:
        step = clip.graph.step
        assert step is not None
        place, count = clip.graph.place + 1, len(STEPS)
        self._reporter.send("stage", clip=clip.order.name, stage=step.value, index=place, count=count)
        clip.sent["given"] = self._session.put(given)
        if self._ships:
            clip.sent["cache"] = self._session.put(luggage.packed_cache(clip.order.folder))
        for task in ready:
            self._start(clip, task)
        self._progress(clip)

    def _start(self, clip: ClipState, task: Task) -> None:
        # the last step, which knows all paths, runs beside the footage
        packed = (clip.sent["footage"], clip.sent["cache"]) if self._ships and task.step is not Step.FINISH else ()
        handle = self._session.start(
            self._task,
            self._needs(clip, task.step),
            *(clip.sent["order"], task.step, task.part, clip.sent["given"], *packed),
            without=self._without,
            here=self._ships and task.step is Step.FINISH,
        )
        self._running[handle] = task

    def _needs(self, clip: ClipState, step: Step) -> Needs:
        cards = CARD_SHARE if clip.order.options.device == "cuda" and step in _ON_CARD else 0.0
        most = max((resources.get("memory", 0.0) for resources in self._nodes.values()), default=0.0)
        return Needs(1.0, cards, min(MEMORY_BYTES, int(most)))  # a task that fits nowhere would wait for ever

    def _take(self, task: Task, handle: Handle) -> None:
        """What came of a task."""
        clip = self._clips[task.clip]
        try:
            report: Report = self._session.result(handle)
        except LostError as error:
            return self._lost(clip, task, str(error))
        except BrokenMachineError as error:
            sentence = MachineError(f"The machine {error.address} cannot run the engine: {error}", "Install it there.")
            return self._elsewhere(clip, task, error.node, sentence)
        clip.machines.add(report.machine)
        for of_steps, seconds in ((clip.seconds, report.seconds), (clip.cpu_s, report.cpu_s)):
            of_steps[task.step.value] = of_steps.get(task.step.value, 0.0) + seconds
        if isinstance(report.error, MachineError) and not self._here_too(clip):
            return self._elsewhere(clip, task, report.node, report.error)
        clip.tasks[task.step.value] = clip.tasks.get(task.step.value, 0) + 1
        try:
            if report.error is not None:
                raise report.error
            luggage.store(report.files, clip.order.folder)
        except EngineError as error:
            return self._end(clip, error)
        self._go_on(clip, task, report)

    def _go_on(self, clip: ClipState, task: Task, report: Report) -> None:
        if report.back is not None:
            ready = clip.graph.back(report.back, report.parts)
        else:
            ready = clip.graph.done(task, report.parts)
        if clip.graph.step is None:
            for name, values in report.events:
                self._reporter.send(name, **values)
            self._end(clip, None)
        elif ready:
            self._begin_step(clip, ready, report.handed_on)
        else:
            self._progress(clip)

    def _lost(self, clip: ClipState, task: Task, reason: str) -> None:
        """Try again what has lost its process, unless it has done so too often."""
        clip.tries[task] += 1
        if clip.tries[task] < TRIES:
            clip.again += 1
            self._reporter.begin_clip(clip.order.name)
            self._reporter.warn(
                "worker_lost",
                f"A task of the stage '{task.step.value}' was lost: {reason}. It runs again, for the "
                f"{'second' if clip.tries[task] == 1 else 'third'} time.",
            )
            return self._start(clip, task)
        kind = OutOfMemoryError if "memory" in reason else EngineError
        self._end(
            clip,
            kind(
                f"The clip was given up: a task of the stage '{task.step.value}' was lost {TRIES} times, as {reason}.",
                "Run it alone, with `adapt-motion run --resume --debug`, to see why.",
            ),
        )

    def _elsewhere(self, clip: ClipState, task: Task, node: str, why: EngineError) -> None:
        """Leave out a machine that cannot do our work from here on. Raises EngineError if it was the last."""
        if node not in self._without:
            self._without |= {node}
            self._nodes = self._session.nodes
            self._reporter.begin_clip("")
            self._reporter.warn("machine", f"{why.message} {why.hint} The others go on without it.")
        if not set(self._nodes) - self._without:
            raise EngineError(f"No machine is left that can do the work. {why.message}", why.hint)
        clip.again += 1
        self._start(clip, task)

    def _here_too(self, clip: ClipState) -> bool:
        """Whether what a machine complains of is so here as well, and is then no fault of the machine."""
        try:
            luggage.footage_files(clip.order.footage)
            return shutil.disk_usage(clip.order.folder).free < outputs.FREE_BYTES
        except (EngineError, OSError):
            return True

    def _end(self, clip: ClipState, error: EngineError | None) -> None:
        """A clip is done, or failed."""
        for handle in [one for one, task in self._running.items() if self._clips[task.clip] is clip]:
            del self._running[handle]
            self._session.cancel(handle)
        clip.lock.close()
        clip.sent.clear()
        clip.wall_s = time.monotonic() - clip.begun
        clip.status, clip.error = "done" if error is None else "failed", error
        if error is None:
            self._reporter.succeeded += 1
        else:
            if clip.is_new:
                outputs.remove_empty(clip.order.folder)
            self._reporter.failed += 1
            self._reporter.begin_clip(clip.order.name)
            self._reporter.error(error)
        self._reporter.send("over", clip=clip.order.name, status=clip.status, seconds=round(clip.wall_s, 1))

    def _stop(self) -> None:
        """Cancel what still runs: after an interruption. What is finished lies on disk."""
        for handle in list(self._running):
            self._session.cancel(handle)
        self._running.clear()
        for clip in self._clips:
            if clip.status in ("waiting", "running"):
                clip.status = "stopped"
                clip.lock.close()

    def _progress(self, clip: ClipState) -> None:
        graph = clip.graph
        stage = STEPS[min(graph.place, len(STEPS) - 1)].value
        done = graph.parts - len(graph.open)
        self._reporter.send("progress", clip=clip.order.name, stage=stage, done=done, total=graph.parts)

    def _say(self) -> None:
        """How far all is, now and then."""
        now = time.monotonic()
        if now - self._sent_at < _SAY_S and self._running:
            return
        self._sent_at, self._nodes = now, self._session.nodes
        over = [one for one in self._clips if one.status in ("done", "failed")]
        share = (len(over) + sum(one.graph.share for one in self._clips if one.status == "running")) / len(self._clips)
        elapsed = self.wall_s
        left = {"eta_s": round(elapsed / share * (1 - share), 1)} if share > 0 and elapsed > 2 else {}
        self._reporter.send(
            "farm",
            done=self._reporter.succeeded,
            failed=self._reporter.failed,
            clips=len(self._clips),
            machines=self.machines,
            cores=round(self.cores),
            tasks=len(self._running),
            **left,
        )
