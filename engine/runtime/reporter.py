"""Reports to the user how far a run is: events for Blender, or a progress bar on a terminal. Implements `Progress`."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol, TextIO

from engine import __version__
from engine.errors import CancelledError, EngineError
from engine.protocol import PROTOCOL_VERSION, ExitCode, format_event
from engine.runtime.cancel import CANCELLED, Cancel

PROGRESS_INTERVAL_S = 0.1
_ETA_AFTER_S = 1.0


class Sink(Protocol):
    """Where events go."""

    def send(self, name: str, **values: Any) -> None:
        """Show one event of `protocol.EVENTS`. Raises BrokenPipeError if nobody reads any more."""

    def close(self) -> None:
        """Leave the terminal tidy."""


class JsonLines:
    """Events as lines of JSON on `stream`; errors also as one sentence on stderr."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def send(self, name: str, **values: Any) -> None:
        """Write one line. Gives up after 0.2 s if another thread is stuck in writing."""
        if name == "error":
            sys.stderr.write(f"Error: {sentence(values)}\n")
        line = format_event(name, **values) + "\n"
        if self._lock.acquire(timeout=0.2):
            try:
                self._stream.write(line)
                self._stream.flush()
            finally:
                self._lock.release()

    def close(self) -> None:
        """Nothing to tidy."""


class Terminal:
    """A progress bar and sentences on stderr, the paths of finished motion files on `stream`."""

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._stream = stream
        self._console = Console(stderr=True, highlight=False, soft_wrap=True)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=self._console, disable=not self._console.is_terminal)
        self._bar.start()
        self._task = self._bar.add_task("", total=None, visible=False)

    def send(self, name: str, **values: Any) -> None:
        """Show one event."""
        if name == "stage":
            text = f"{values['clip']}: {values['stage']} ({values['index']}/{values['count']})"
            if self._bar.disable:
                self._print(text)
            self._bar.reset(self._task, description=text, total=None, visible=True)
        elif name == "progress":
            self._bar.update(self._task, completed=values["done"], total=values["total"] or None)
        elif name == "warning":
            self._print(f"Warning: {sentence(values)}")
        elif name == "error":
            self._print(f"Error: {sentence(values)}")
        elif name == "result":
            if self._stream.isatty():  # beside the bar
                self._print(values["motion"])
            else:
                self._stream.write(values["motion"] + "\n")
        elif name == "end" and values["failed"]:
            self._print(f"Clips done: {values['succeeded']}, failed: {values['failed']}.")

    def close(self) -> None:
        """Take the bar away."""
        self._bar.stop()

    def _print(self, text: str) -> None:
        self._console.print(text, markup=False)


def sentence(values: dict[str, Any]) -> str:
    """A warning or error as one line of text."""
    clip = f"{values['clip']}: " if values.get("clip") else ""
    return " ".join(f"{clip}{values['message']} {values.get('hint', '')}".split())


class Reporter:
    """Progress of a run: throttled, with time left, warnings kept for the report, and the place where it stops.

    Attributes:
        warnings: those of the clip that runs, `{"code": …, "message": …}`.
        seconds: time in each stage of the clip that runs.
        succeeded, failed: clips so far.
    """

    def __init__(self, sink: Sink, cancel: Cancel, clock: Callable[[], float] = time.monotonic) -> None:
        self.cancel = cancel
        self.warnings: list[dict[str, str]] = []
        self.seconds: dict[str, float] = {}
        self.succeeded = self.failed = 0
        self._sink, self._clock = sink, clock
        self._clip = self._stage = ""
        self._begun = self._sent_at = 0.0
        self._first_done: int | None = None
        self._latest, self._sent = (0, 0), (-1, -1)
        self._deaf = self._ended = False

    def send(self, name: str, **values: Any) -> None:
        """Pass an event on. A reader that is gone counts as a wish to stop."""
        if self._deaf:
            return
        try:
            self._sink.send(name, **values)
        except OSError as error:
            self._deaf = True
            raise CancelledError("Nobody reads the events any more, so the run stopped.") from error

    def start(self, clips: list[str], **more: Any) -> None:
        """List the clips, by the names of their folders; `more` is what a kind of run has to add."""
        self.send("start", protocol=PROTOCOL_VERSION, engine=__version__, clips=clips, **more)

    def end(self, code: ExitCode) -> None:
        """Report how the run ended; only the first call counts."""
        if not self._ended:
            self._ended = True
            with contextlib.suppress(CancelledError):
                self.send("end", exit_code=int(code), succeeded=self.succeeded, failed=self.failed)

    def last_words(self) -> None:
        """The last message when the process has to end before the work noticed that it was cancelled."""
        if not self._ended:
            with contextlib.suppress(CancelledError):
                self.error(CancelledError(*CANCELLED))
            self.end(ExitCode.CANCELLED)

    def begin_clip(self, clip: str) -> None:
        """Start over for the clip named `clip`."""
        self._clip, self.warnings, self.seconds = clip, [], {}

    @contextlib.contextmanager
    def stage(self, name: str, index: int, count: int) -> Iterator[None]:
        """A stage of the clip, `index` of `count`; closes with a last progress event, however it ends."""
        self.cancel.check()
        self._stage, self._begun, self._sent_at, self._first_done = name, self._clock(), -1.0, None
        self._latest, self._sent = (0, 0), (-1, -1)
        self.send("stage", clip=self._clip, stage=name, index=index, count=count)
        try:
            yield
            total = max(self._latest[1], self._latest[0], 1)
            self._latest = (total, total)
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + self._clock() - self._begun
            if self._latest != self._sent:
                self._send_progress(*self._latest)

    def __call__(self, done: int, total: int) -> None:
        """Report `done` of `total` steps of the stage; raises CancelledError if the user cancelled."""
        self.cancel.check()
        self._latest = (done, total)
        if self._first_done is None:
            self._first_done = done
        if self._sent_at < 0 or self._clock() - self._sent_at >= PROGRESS_INTERVAL_S:
            self._send_progress(done, total)

    def warn(self, code: str, message: str) -> None:
        """Show a warning, once for each clip, and keep it for the report."""
        if {"code": code, "message": message} not in self.warnings:
            self.warnings.append({"code": code, "message": message})
            self.send("warning", code=code, message=message, **self._of_clip())

    def error(self, error: EngineError, clip: bool = True) -> None:
        """Show what went wrong; `clip` False: it concerns the whole run."""
        self.send("error", code=error.code, message=error.message, hint=error.hint, **(self._of_clip() if clip else {}))

    def _of_clip(self) -> dict[str, str]:
        return {"clip": self._clip} if self._clip else {}

    def _send_progress(self, done: int, total: int) -> None:
        now = self._clock()
        self._sent_at, self._sent = now, (done, total)
        elapsed, made = now - self._begun, done - (self._first_done or 0)
        left = (
            {"eta_s": round(elapsed / made * (total - done), 1)}
            if elapsed > _ETA_AFTER_S and made > 0 and total
            else {}
        )
        self.send("progress", clip=self._clip, stage=self._stage, done=int(done), total=int(total), **left)


class Part:
    """Progress of one of several equal parts of a stage, such as one person of three."""

    def __init__(self, whole: Reporter, index: int, count: int) -> None:
        self._whole, self._index, self._count = whole, index, count

    def __call__(self, done: int, total: int) -> None:
        """Report `done` of `total` steps of this part."""
        self._whole(self._index * total + done, self._count * total)

    def warn(self, code: str, message: str) -> None:
        """Pass a warning on."""
        self._whole.warn(code, message)


class Beside:
    """Progress of work in another thread, beside that of which progress is shown: it stops where that does."""

    def __init__(self, whole: Reporter) -> None:
        self._whole, self._stopped = whole, threading.Event()

    def stop(self) -> None:
        """Have the work stop at its next step."""
        self._stopped.set()

    def __call__(self, done: int, total: int) -> None:
        """Raise CancelledError if it is to stop."""
        self._whole.cancel.check()
        if self._stopped.is_set():
            raise CancelledError(*CANCELLED)

    def warn(self, code: str, message: str) -> None:
        """Pass a warning on."""
        self._whole.warn(code, message)
