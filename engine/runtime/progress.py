"""How long work reports progress, and how it is cancelled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Progress(Protocol):
    """Given to everything that runs long. Call it at least five times a second: a cancelled run stops there."""

    def __call__(self, done: int, total: int) -> None:
        """Report `done` of `total` steps (total 0: not known). Raises CancelledError if the user cancelled."""

    def warn(self, code: str, message: str) -> None:
        """Put a warning, one plain sentence, before the user and into the report."""


class Silent:
    """Progress that nobody looks at, for scripts and tests."""

    def __call__(self, done: int, total: int) -> None:
        """Do nothing."""

    def warn(self, code: str, message: str) -> None:
        """Do nothing."""


class Part:
    """Progress of one part of some work, as progress of the whole; what it has to warn of is dropped.

    Args:
        put: is given how many steps of the whole are done.
        start: steps before this part.
        steps: of this part.
    """

    def __init__(self, put: Callable[[int], None], start: int, steps: int) -> None:
        self._put, self._start, self._steps = put, start, steps

    def __call__(self, done: int, total: int) -> None:
        """Report `done` of the part's own `total` steps."""
        self._put(self._start + done * self._steps // max(total, 1))

    def warn(self, code: str, message: str) -> None:
        """Do nothing."""
