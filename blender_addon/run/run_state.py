"""What is known of the run that goes on, for the panel: events go in, plain values come out. No `bpy` in here."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from .. import messages
from ..errors import UserError
from . import paces
from .job import EXITED, Event, EventSource


@dataclass
class RunState:
    """A run of the engine or the installer.

    Attributes:
        kind: `adapt`, `pins`, `people`, `labels`, `attach`, `farm`, `install`, `check`, `doctor`, `key` or `action`.
        source: the process or thread that gives the events.
        clip: name of the footage that it works on; '' for none.
        stage, step, steps: name of the stage, its number from 1, and how many there are.
        done, total: of the stage; total 0: not known.
        eta_s: seconds left in the stage, None if not known.
        what: what just goes on, where the stage's title does not say.
        warnings: plain sentences.
        results: `result` events.
        people: who is in the footage, of the `people` event; None if it was not requested.
        segments: person's number to the segments of their `labels` event.
        finding: the `checked`, `doctor`, `key` or `action` event.
        bringing_in: whether its result is coming into the scene.
        message, hint: what went wrong, or how it ended.
        failed, cancelled, finished: how it ended, and whether it has.
    """

    kind: str
    source: EventSource
    clip: str = ""
    stage: str = ""
    step: int = 0
    steps: int = 0
    done: int = 0
    total: int = 0
    eta_s: float | None = None
    what: str = ""
    warnings: list[str] = field(default_factory=list)
    results: list[Event] = field(default_factory=list)
    people: list[Event] | None = None
    segments: dict[int, list[Event]] = field(default_factory=dict)
    finding: Event | None = None
    bringing_in: bool = False
    message: str = ""
    hint: str = ""
    failed: bool = False
    cancelled: bool = False
    finished: bool = False
    context: dict[str, Any] = field(default_factory=dict)
    """Whatever the one who started the run needs at its end."""
    started: float = field(default_factory=time.monotonic)
    guess: paces.Guess = field(default_factory=paces.Guess)
    seconds: float = 0.0

    def feed(self, event: Event) -> None:
        """Take one event."""
        handler = getattr(self, f"_on_{event['event']}", None)
        if handler is not None:
            handler(event)

    def fail(self, error: UserError) -> None:
        """Show an error as the run's."""
        self.message, self.hint, self.failed = error.message, error.hint, True

    @property
    def of_engine(self) -> bool:
        """Whether it is a run of the engine on a clip."""
        return self.kind in ("adapt", "pins", "takes", "people", "labels")

    @property
    def has_result(self) -> bool:
        """Whether it has given what it was for."""
        found = {
            "adapt": self.results,
            "pins": self.results,
            "people": self.people is not None,
            "labels": self.segments,
        }
        return bool({**found, "action": self.finding is not None}.get(self.kind, True))

    @property
    def share(self) -> float:
        """How much of the stage is done, 0 to 1."""
        return min(1.0, self.done / self.total) if self.total > 0 else 0.0

    @property
    def title(self) -> str:
        """The stage in words, with its number."""
        if self.source.cancelled and not self.finished:
            return messages.tr("Cancelling")
        if self.bringing_in:
            return messages.tr(messages.STAGE_TITLES["import"])
        title = messages.tr(self.what or messages.STAGE_TITLES.get(self.stage, self.stage.capitalize()) or "Starting")
        if not self.steps or self.what:
            return title
        return messages.tr("{title} ({step} of {steps})", title=title, step=self.step, steps=self.steps)

    @property
    def progress_text(self) -> str:
        """The numbers beside the bar: `41 of 120, 0:12 left`."""
        if self.total <= 0:
            return ""
        counted = f"{round(100 * self.share)} %"
        if self.of_engine:
            counted = messages.tr("{done} of {total}", done=self.done, total=self.total)
        left = self.guess.left() if self.of_engine else self.eta_s
        if left is None:
            return counted
        return messages.tr("{counted}, {time} left", counted=counted, time=messages.duration(left))

    def _leave_stage(self) -> None:
        """Remember how long the stage that ends has taken."""
        if self.of_engine:
            self.guess.end()

    def _on_stage(self, event: Event) -> None:
        self._leave_stage()
        self.guess = paces.Guess(event["stage"])
        self.stage, self.step, self.steps = event["stage"], int(event["index"]), int(event["count"])
        self.done, self.total, self.eta_s, self.what = 0, 0, None, ""

    def _on_progress(self, event: Event) -> None:
        self.done, self.total, self.eta_s = event["done"], event["total"], event.get("eta_s")
        self.guess.progress(self.done, self.total, self.eta_s)
        self.what = event.get("what", "")

    def _on_warning(self, event: Event) -> None:
        text = messages.hint_in_blender(event["message"])
        if text not in self.warnings:
            self.warnings.append(text)

    def _on_result(self, event: Event) -> None:
        self.results.append(event)

    def _on_people(self, event: Event) -> None:
        self.people = event["people"]

    def _on_labels(self, event: Event) -> None:
        self.segments[int(event["person"])] = event["segments"]

    def _on_checked(self, event: Event) -> None:
        self.finding = event

    _on_doctor = _on_key = _on_action = _on_checked

    def _on_error(self, event: Event) -> None:
        if not self.failed:  # the first is the cause
            self.message, self.hint, self.failed = event["message"], messages.hint_in_blender(event["hint"]), True
        self.cancelled = self.cancelled or event["code"] == "cancelled"

    def _on_exited(self, event: Event) -> None:
        assert event["event"] == EXITED
        self._leave_stage()
        self.finished, self.seconds = True, time.monotonic() - self.started
        self.cancelled = self.cancelled or (event["cancelled"] and event["code"] != 0)
        if self.cancelled and self.of_engine:
            self.message = "Cancelled."
            self.hint = "What is finished is kept: press Resume to go on from there."
        elif not self.failed and (event["code"] != 0 or not self.has_result):
            self.message, self.hint = messages.explain_exit(event["code"])
        self.failed = bool(self.message) and not self.cancelled
