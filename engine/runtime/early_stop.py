"""Signals before and after a run listens to them itself (`engine/runtime/cancel.py`): while modules load, and after.

Nothing has begun then, or all is reported, so the process ends at once. Imports as little as it can: until `install`
has run a signal does what Python makes of it.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

MESSAGE, HINT = "The run was cancelled.", "Run it again with --resume to go on from here."
"""What the user reads then, and what to do next."""

EVENTS = (
    f'{{"event": "error", "code": "cancelled", "message": "{MESSAGE}", "hint": "{HINT}"}}\n'
    '{"event": "end", "exit_code": 7, "succeeded": 0, "failed": 0}\n'
)
"""As `protocol.format_event` writes them, which may not be loaded yet."""

CODE = 7
NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")

_settled: int | None = None


def install() -> None:
    """From here on a signal that asks to stop ends the process with code 7, or with the one that `settle` names."""
    for name in NAMES:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _end)


def is_run(arguments: list[str]) -> bool:
    """Whether these arguments are of a command that listens to signals itself."""
    return arguments[:1] in (["run"], ["farm"])


def release() -> None:
    """Signals do again what they do in any Python: for commands that are no runs."""
    for name in NAMES:
        if hasattr(signal, name) and signal.getsignal(getattr(signal, name)) is _end:
            default = signal.default_int_handler if name == "SIGINT" else signal.SIG_DFL
            signal.signal(getattr(signal, name), default)


def settle(code: int) -> None:
    """All is done and reported: a signal from here on ends the process with this code."""
    global _settled
    _settled = code


def _end(*_: Any) -> None:
    # No lock, no buffer, no import: this may run in the middle of any of them.
    if _settled is None:
        events = "jsonl" in sys.argv or "--events=jsonl" in sys.argv
        _write(2, f"Error: {MESSAGE} {HINT}\n")
        if events:
            _write(1, EVENTS)
    os._exit(CODE if _settled is None else _settled)


def _write(descriptor: int, text: str) -> None:
    try:
        os.write(descriptor, text.encode("ascii"))
    except OSError:  # nobody reads
        return
