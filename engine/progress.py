"""How long work tells how far it is, and how it learns that it should stop."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Given to everything that runs long. Call it at least five times a second: a cancelled run stops there."""

    def __call__(self, done: int, total: int) -> None:
        """Report `done` of `total` steps (total 0: not known). Raises CancelledError if the user asked to stop."""

    def warn(self, code: str, message: str) -> None:
        """Put a warning, one plain sentence, before the user and into the report."""


class Silent:
    """Progress that nobody looks at, for scripts and tests."""

    def __call__(self, done: int, total: int) -> None:
        """Do nothing."""

    def warn(self, code: str, message: str) -> None:
        """Do nothing."""
