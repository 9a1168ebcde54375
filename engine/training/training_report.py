"""Progress of the training commands: a bar on a terminal, a line now and then elsewhere. Implements `Progress`."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from engine.errors import CancelledError
from engine.runtime.cancel import Cancel

_LINE_EVERY_S = 10.0
_STOPPED = "The training was stopped."


def checkpoint_of(out: Path) -> Path:
    """Where a training run that writes `out` keeps what a stopped run goes on from."""
    return out.with_name(out.name + ".checkpoint")


class TrainingReport:
    """Tells how far a training command is, and stops it when the user asks.

    Args:
        name: of what is made.
        cancel: knows whether the user cancelled.
        again: what to do after a stop, one sentence.
        stream: where it tells; a bar is drawn if it is a terminal.
        checkpoint: what a stopped run goes on from, if there is one.
        clock: seconds.
    """

    def __init__(
        self,
        name: str,
        cancel: Cancel,
        again: str,
        stream: TextIO,
        checkpoint: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._name, self._cancel, self._again, self._clock = name, cancel, again, clock
        self._console = Console(file=stream, highlight=False, soft_wrap=True)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=self._console, disable=not self._console.is_terminal)
        self._task = self._bar.add_task(name, total=None)
        self._checkpoint = checkpoint if checkpoint is not None and checkpoint.is_file() else None
        self._first, self._begun, self._next_line = 0, 0.0, -math.inf
        self._any = self._announced = False

    def __enter__(self) -> TrainingReport:
        self._bar.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._bar.stop()

    def __call__(self, done: int, total: int) -> None:
        """Report `done` of `total` steps. Raises CancelledError if the user cancelled."""
        if not self._any:
            self._begin(done)
        self._bar.update(self._task, completed=done, total=total or None)
        if self._bar.disable and (self._clock() >= self._next_line or done == total):
            self._next_line = self._clock() + _LINE_EVERY_S
            self._print(f"{self._name}: {done} of {total}{self._left(done, total)}")
        if self._cancel.requested:
            self._announced = True
            raise CancelledError(_STOPPED, self._again)

    def next(self, name: str) -> None:
        """A new count of steps begins, of something else."""
        self._name, self._any, self._next_line = name, False, -math.inf
        self._bar.reset(self._task, description=name, total=None)

    def warn(self, code: str, message: str) -> None:
        """Show one plain sentence."""
        self._print(f"Warning: {message}")

    def end(self) -> None:
        """Say so if there was nothing left to do."""
        if not self._any and self._checkpoint is not None:
            self._print(f"{self._checkpoint} is complete, so nothing was trained.")

    def last_words(self) -> None:
        """The last message when the process has to end before the work noticed that it should."""
        if not self._announced:
            self._print(f"Error: {_STOPPED} {self._again}")

    def _begin(self, done: int) -> None:
        self._any, self._first, self._begun = True, done, self._clock()
        if self._checkpoint is not None and done > 1:
            self._print(f"Going on after step {done - 1}, from {self._checkpoint}.")

    def _left(self, done: int, total: int) -> str:
        made = done - self._first
        if not made or done >= total:
            return ""
        minutes = (self._clock() - self._begun) / made * (total - done) / 60
        return f", {minutes:.0f} min left" if minutes >= 1 else ", less than a minute left"

    def _print(self, text: str) -> None:
        self._console.print(text, markup=False)
