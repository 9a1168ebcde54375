"""How long a step of each stage of the engine usually takes, for a time left before a run can tell. No `bpy` in here.

What this computer took is kept in a small file, so that the first run after Blender's start knows it too.
"""

from __future__ import annotations

import contextlib
import math
import time
from pathlib import Path

from ...engine.files.json_file import keep_json, read_json

FILE = "paces.json"

USUAL_S = {"shots": 0.05, "detect": 0.19, "adapt": 0.031}
"""Seconds a step on two cores of a processor, where nothing is known of this computer: docs/figures.md, *Speed*. Steps
are frames, and in `adapt` some 340 for a hundred of them. The other stages are over at once."""

LEAST_STEPS = 10
"""A stage of fewer says little of the next."""

NEWEST = 0.5
"""How much the newest run counts against those before."""

NEARLY = 0.1
"""What is left of a guess at the least, of the whole, while a first step takes longer than was guessed for all."""

SURE_FROM = 0.25
"""How much of a stage must be done until the run itself is all that counts: its first steps also bear the start."""

_known: dict[str, float] = {}
_file: Path | None = None


def keep_in(folder: Path) -> None:
    """Read what earlier runs took from a folder, once, and write there from now on."""
    global _file
    if _file == folder / FILE:
        return
    _file = folder / FILE
    _known.clear()
    with contextlib.suppress(OSError, ValueError):
        kept = read_json(_file)
        for stage, seconds in kept.items() if isinstance(kept, dict) else ():
            if type(seconds) in (float, int) and math.isfinite(seconds) and seconds > 0:
                _known[stage] = float(seconds)


def usual(stage: str) -> float | None:
    """Seconds a step; None for a stage that nothing is known of."""
    return _known.get(stage, USUAL_S.get(stage))


def remember(stage: str, seconds: float, steps: int) -> None:
    """A stage of so many steps has taken so long. A disk that refuses is no reason to stop."""
    if steps < LEAST_STEPS or seconds <= 0:
        return
    before, now = _known.get(stage), seconds / steps
    _known[stage] = now if before is None else before + NEWEST * (now - before)
    if _file is None:
        return
    with contextlib.suppress(OSError):
        keep_json(_file, _known)


def forget() -> None:
    """As if nothing had run yet; the file stays."""
    global _file
    _file = None
    _known.clear()


class Guess:
    """Time left in one stage: what is usual at its start, then more and more what the run itself shows.

    Attributes:
        stage: its name; '' before the first.
        done, total: steps; total 0: not known.
    """

    def __init__(self, stage: str = "") -> None:
        self.stage = stage
        self.done = self.total = 0
        self._first: int | None = None
        self._reported: tuple[float, float] | None = None
        self._started = time.monotonic()

    def progress(self, done: int, total: int, eta_s: float | None) -> None:
        """Take a progress event; `eta_s` is what the engine says is left, None if it cannot tell yet."""
        self.done, self.total = done, total
        self._first = done if self._first is None else self._first
        self._reported = None if eta_s is None else (eta_s, time.monotonic())

    def left(self) -> float | None:
        """Seconds left, None if nothing is known. Goes down between two events, too."""
        usual_left = self._usual_left()
        if self._reported is None:
            return usual_left
        reported = max(0.0, self._reported[0] - (time.monotonic() - self._reported[1]))
        if usual_left is None or self.total <= 0:
            return reported
        shown = min(1.0, self.done / self.total / SURE_FROM)
        return usual_left + shown * (reported - usual_left)

    def _usual_left(self) -> float | None:
        pace = usual(self.stage)
        if pace is None or self.total <= 0:
            return None
        if self.done > 0:
            return pace * (self.total - self.done)
        whole = pace * self.total
        return max(whole - (time.monotonic() - self._started), NEARLY * whole)

    def end(self) -> None:
        """The stage is over: remember how long it took, if it came to its end and was not half done before."""
        if self.stage and self._first == 0 and self.done == self.total:
            remember(self.stage, time.monotonic() - self._started, self.total)
