"""A farm on the terminal: a table of the clips that are worked on, above it what went wrong."""

from __future__ import annotations

import time
from typing import Any, TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from engine.runtime.reporter import sentence

_MOST_ROWS = 16


class FarmTable:
    """Shows events of a farm on stderr, and the paths of finished motion files on `stream`. A `Sink`."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._rows: dict[str, dict[str, Any]] = {}
        self._head = "Looking for machines"
        self._live = Live(console=self._console, get_renderable=self.table, refresh_per_second=2)
        if self._console.is_terminal:
            self._live.start()

    def send(self, name: str, **values: Any) -> None:
        """Show one event."""
        clip = values.get("clip", "")
        if name == "start" and values.get("dashboard"):
            self._print(f"Ray's dashboard: {values['dashboard']}")
        elif name == "stage":
            self._rows[clip] = {**values, "since": time.monotonic()}
        elif name == "progress" and clip in self._rows:
            self._rows[clip].update(values)
        elif name == "over":
            self._rows.pop(clip, None)
        elif name == "farm":
            self._head = headline(values)
        elif name in ("warning", "error"):
            self._print(f"{name.capitalize()}: {sentence(values)}")
        elif name == "result":
            if self._stream.isatty():  # beside the table
                self._print(values["motion"])
            else:
                self._stream.write(values["motion"] + "\n")
        elif name == "end":
            self._rows.clear()
            self._print(f"Clips done: {values['succeeded']}, failed: {values['failed']}.")

    def table(self) -> Group:
        """What stands on the terminal now."""
        table = Table("clip", "stage", "done", "for", box=None)
        for clip, row in list(self._rows.items())[:_MOST_ROWS]:
            stage = f"{row['stage']} ({row['index']}/{row['count']})"
            done = f"{row.get('done', 0)}/{row.get('total', 1)}"
            table.add_row(Text(clip), stage, done, clock(time.monotonic() - row["since"]))
        if len(self._rows) > _MOST_ROWS:
            table.add_row(f"and {len(self._rows) - _MOST_ROWS} more", "", "", "")
        return Group(Text(self._head), table)

    def close(self) -> None:
        """Leave the terminal tidy."""
        self._live.stop()

    def _print(self, text: str) -> None:
        self._console.print(text, markup=False)


def headline(values: dict[str, Any]) -> str:
    """How far all is, in a line."""
    parts = [f"{values['done']} of {values['clips']} clips done"]
    if values["failed"]:
        parts.append(f"{values['failed']} failed")
    parts.append(f"{values['tasks']} tasks on {values['cores']} cores of {values['machines']} machines")
    if values.get("eta_s") is not None:
        parts.append(f"{clock(values['eta_s'])} left")
    return ", ".join(parts)


def clock(seconds: float) -> str:
    """Seconds as `1:02:03` or `2:03`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
