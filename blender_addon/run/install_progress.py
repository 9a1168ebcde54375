"""What `pip` and `uv` say while they install, as progress and, if they fail, as a sentence. No `bpy` in here."""

from __future__ import annotations

import re
from collections.abc import Sequence

_SIZE = r"\(([\d.]+)\s*([kKMG]i?B)"
_STARTED = re.compile(r"^\s*(?:Downloading|Using cached) (\S+) " + _SIZE)
_FINISHED = re.compile(r"^\s*Downloaded (\S+)")
_RAW = re.compile(r"^Progress (\d+) of (\d+)")
_SETTLED = re.compile(r"^(?:Installing collected packages|Prepared \d+ packages?)")
_UNITS = {"k": 1e-3, "m": 1.0, "g": 1e3}

SETTLED_SHARE = 0.85
"""Share of the bar that downloading fills; the rest is unpacking."""

_REASONS = (
    (
        r"No space left|not enough space|Errno 28",
        "The disk is full.",
        "Free some space and press Install Engine again.",
    ),
    (
        r"name resolution|getaddrinfo|Failed to establish|NewConnectionError|timed out|ProxyError|SSLError|CERTIFICATE|"
        r"dns error|error sending request|Connection (?:refused|reset|aborted)|Could not connect",
        "The packages could not be downloaded: there is no connection to the package index.",
        "Check the internet connection, or name your mirror or proxy in the preferences under Installer Arguments.",
    ),
    (
        r"DO NOT MATCH THE HASHES|Hash mismatch|hash-checking mode|require-hashes",
        "A package is not the one that this version was tested with.",
        "Nothing of it was run. Press Install Engine again; if it stays so, the index or a proxy changes files.",
    ),
    (
        r"No matching distribution|No solution found|ResolutionImpossible",
        "A package is not to be had for this Python or this system.",
        "Open the log to see which; another Python (3.11 is the tested one) may help.",
    ),
    (
        r"Permission denied|Access is denied|Errno 13|WinError 5\b",
        "A file could not be written.",
        "Close other programs that use the engine, and choose a folder that you may write to.",
    ),
)


class InstallProgress:
    """Turns the installers' lines into a share of the whole.

    Args:
        expected_mb: what is probably downloaded, megabytes.
        parallel: several downloads run at once and each says when it is done (uv); else one follows the other (pip).
    """

    def __init__(self, expected_mb: float, parallel: bool) -> None:
        self._expected_mb = max(expected_mb, 1.0)
        self._parallel = parallel
        self._sizes: dict[str, float] = {}
        self._finished: set[str] = set()
        self._part = 0.0
        self._current = ""
        self._settled = False

    def feed(self, line: str) -> None:
        """Take one line of output."""
        started, raw = _STARTED.match(line), _RAW.match(line)
        if started:
            if not self._parallel:
                self._finished.add(self._current)
            self._current, self._part = started[1], 0.0
            self._sizes[started[1]] = float(started[2]) * _UNITS[started[3][0].lower()]
        elif raw and int(raw[2]):
            self._part = int(raw[1]) / int(raw[2])
        elif finished := _FINISHED.match(line):
            self._finished.add(finished[1])
        elif _SETTLED.match(line):
            self._settled = True

    @property
    def share(self) -> float:
        """How much of the installation is done, 0 to 1; never goes back but for an estimate that was too small."""
        if self._settled:
            return SETTLED_SHARE
        done = sum(size for name, size in self._sizes.items() if name in self._finished)
        done += self._sizes.get(self._current, 0.0) * self._part if self._current not in self._finished else 0.0
        return SETTLED_SHARE * min(1.0, done / max(self._expected_mb, sum(self._sizes.values())))

    @property
    def what(self) -> str:
        """What goes on, for the panel."""
        if self._settled:
            return "Unpacking"
        if not self._current:
            return "Looking up packages"
        name = re.split(r"-\d", self._current)[0].replace("_", "-")
        size = self._sizes[self._current]
        return f"Downloading {name} ({size:.0f} MB)" if size >= 1 else f"Downloading {name}"


def failure(lines: Sequence[str]) -> tuple[str, str]:
    """The sentence and the hint for the last lines of an installer that failed."""
    text = "\n".join(lines)
    for pattern, message, hint in _REASONS:
        if re.search(pattern, text, re.IGNORECASE):
            return message, hint
    errors = [line.strip() for line in lines if re.match(r"\s*(ERROR|error|\u00d7)", line)]
    message = f"The installer failed: {errors[-1]}" if errors else "The installer failed."
    return message[:300], "Open the log to see why, then press Install Engine again."
