"""Find a Python that the engine's environment can be made from, or `uv`, which brings one. No `bpy` in here.

Blender's own Python is never used: what is put into it can break Blender and other add-ons.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ...engine.files.programs import find_program
from .job import engine_environment, own_process_group

MINIMUM = (3, 11)
TESTED = ("3.11", "3.12", "3.13", "3.14")
"""Versions looked for by name, the one that the pinned packages are tested with first."""

PROBE_TIMEOUT_S = 20.0

_PROBE = """
import importlib.util as u, json, struct, sys
print(json.dumps({
    "executable": sys.executable, "base": sys.base_prefix, "version": list(sys.version_info[:3]),
    "bits": struct.calcsize("P") * 8, "venv": bool(u.find_spec("venv") and u.find_spec("ensurepip")),
}))
"""


@dataclass(frozen=True)
class FoundPython:
    """A Python that can make environments."""

    executable: Path
    version: tuple[int, int, int]


def find_uv() -> Path | None:
    """`uv`, if it is on the PATH or where its installers put it. Starts nothing."""
    found = find_program("uv")
    if found:
        return Path(found)
    name = "uv.exe" if os.name == "nt" else "uv"
    places = [
        Path.home() / ".local" / "bin" / name,
        Path.home() / ".cargo" / "bin" / name,
        Path("/opt/homebrew/bin/uv"),
    ]
    return next((place for place in places if place.is_file()), None)


def find_python(refused: list[str] | None = None) -> FoundPython | None:
    """The first suitable Python of this computer. Starts each candidate once: not for the main thread.

    Args:
        refused: takes one plain sentence for each Python that is there but does not do.
    """
    seen: set[str] = set()
    for command in _candidates():
        facts = _probe(command)
        if facts is None or facts["executable"] in seen:
            continue
        seen.add(facts["executable"])
        reason = _why_not(facts)
        if not reason:
            return FoundPython(Path(facts["executable"]), tuple(facts["version"]))
        if refused is not None:
            refused.append(f"{facts['executable']} {reason}.")
    return None


def _candidates() -> Iterator[list[str]]:
    """Commands that may be a Python, best first."""
    if os.name == "nt":
        launcher = find_program("py")
        yield from ([launcher, f"-{version}"] for version in TESTED if launcher)
    names = [*(f"python{version}" for version in TESTED), "python3", "python"]
    yield from ([found] for name in names if (found := find_program(name)))
    for folder, pattern in _usual_places():
        yield from ([str(path)] for path in sorted(folder.glob(pattern), reverse=True) if path.is_file())
    own = Path(sys.executable or "")
    if own.name.lower().startswith("python"):  # the bpy module in an ordinary Python; Blender's own is refused below
        yield [str(own)]


def _usual_places() -> list[tuple[Path, str]]:
    """Folders where installers put Python, with a pattern under each."""
    home = Path.home()
    if os.name == "nt":
        local = Path(os.environ.get("LOCALAPPDATA", home / "AppData" / "Local"))
        programs = Path(os.environ.get("PROGRAMFILES", "C:/Program Files"))
        return [(local / "Programs" / "Python", "Python3*/python.exe"), (programs, "Python3*/python.exe")]
    return [
        (Path("/usr/local/bin"), "python3.1[1-9]"),
        (Path("/opt/homebrew/bin"), "python3.1[1-9]"),
        (Path("/Library/Frameworks/Python.framework/Versions"), "3.1[1-9]/bin/python3"),
        (home / ".pyenv" / "versions", "3.1[1-9]*/bin/python3"),
    ]


def _probe(command: list[str]) -> dict | None:
    """What a candidate says of itself; None if it does not start (such as the shop's stand-in on Windows)."""
    try:
        done = subprocess.run(
            [*command, "-I", "-c", _PROBE],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=engine_environment(),
            timeout=PROBE_TIMEOUT_S,
            check=False,
            **own_process_group(),
        )
        return json.loads(done.stdout) if done.returncode == 0 else None
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None


def _why_not(facts: dict) -> str:
    """Why a Python does not do, as the end of a sentence; empty if it does."""
    version = tuple(facts["version"])
    if version < MINIMUM:
        return f"is version {'.'.join(map(str, version))}; 3.11 or newer is needed"
    if facts["bits"] != 64:
        return "is a 32-bit Python; a 64-bit one is needed"
    if (Path(facts["base"]).parent / "scripts" / "startup").is_dir():
        return "belongs to Blender and is left alone"
    if not facts["venv"]:
        return "cannot make environments (on Debian and Ubuntu install python3-venv)"
    return ""
