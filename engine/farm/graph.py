"""What can be done next of a clip: pieces of the detection side by side, then people side by side, then all of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum


class Step(Enum):
    """A kind of task, named after the first stage of a run that it does.

    `LOOK` finds the cuts, `DETECT` does a piece of the detection, `ESTIMATE` tracks, predicts and labels, `ADAPT`
    adapts a person, and `FINISH` is an ordinary run, which finds all this in the cache and writes the results.
    """

    LOOK = "shots"
    DETECT = "detect"
    ESTIMATE = "predict"
    ADAPT = "adapt"
    FINISH = "world"


STEPS = tuple(Step)

WEIGHTS = {Step.LOOK: 0.1, Step.DETECT: 0.5, Step.ESTIMATE: 0.05, Step.ADAPT: 0.25, Step.FINISH: 0.1}
"""How much of a clip's work a step is, about, for a time left. Together 1."""


@dataclass(frozen=True)
class Task:
    """A task of the clip with this number; `part` numbers pieces and people."""

    clip: int
    step: Step
    part: int = 0


@dataclass
class ClipGraph:
    """How far a clip is.

    Attributes:
        clip: its number.
        place: of the step that goes on; `len(STEPS)` once all is done.
        parts: how many tasks the step has.
        open: parts of the step that are not done.
    """

    clip: int
    place: int = 0
    parts: int = 1
    open: set[int] = field(default_factory=lambda: {0})

    @property
    def step(self) -> Step | None:
        """The step that goes on, None once all is done."""
        return STEPS[self.place] if self.place < len(STEPS) else None

    @property
    def share(self) -> float:
        """How much of the clip is done, 0 to 1."""
        done = sum(WEIGHTS[step] for step in STEPS[: self.place])
        if self.step is not None:
            done += WEIGHTS[self.step] * (self.parts - len(self.open)) / self.parts
        return done

    def ready(self) -> list[Task]:
        """All tasks of the step that goes on."""
        return [] if self.step is None else [Task(self.clip, self.step, part) for part in sorted(self.open)]

    def back(self, step: Step, parts: Iterable[int]) -> list[Task]:
        """Go on with an earlier step, of which more is to be done than was known; gives its tasks."""
        self.place, self.open = STEPS.index(step), set(parts)
        self.parts = len(self.open)
        return self.ready()

    def done(self, task: Task, next_parts: Iterable[int] = (0,)) -> list[Task]:
        """Note that a task is done; gives the tasks that can begin now.

        Args:
            task: of the step that goes on.
            next_parts: what it says that the next step has to do; without any, that step is left out.
        """
        self.open.remove(task.part)
        if self.open:
            return []
        self.place, self.open = self.place + 1, set(next_parts)
        if not self.open and self.step is not None:
            self.place, self.open = self.place + 1, {0}
        self.parts = len(self.open)
        return self.ready()
