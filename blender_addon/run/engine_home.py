"""Where an engine's environment is, whether it is whole, and how to ask it. No `bpy` in here."""

from __future__ import annotations

import contextlib
import enum
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

from ...engine import protocol
from ...engine.files.json_file import read_json
from .job import Job, engine_environment, engine_root


class EngineState(enum.Enum):
    """How the environment that *Install Engine* makes is."""

    MISSING = "missing"
    INTERRUPTED = "interrupted"
    OUTDATED = "outdated"
    READY = "ready"


def environment_python(folder: Path) -> Path:
    """The Python of an environment; whether it is there is not looked at."""
    return folder / "Scripts" / "python.exe" if os.name == "nt" else folder / "bin" / "python"


def python_of(chosen: str | Path) -> Path:
    """The Python that a user means who points at an environment's folder or at a Python in it."""
    path = Path(chosen)
    if path.is_dir():
        inside = environment_python(path)
        return inside if inside.exists() else environment_python(path / ".venv")
    return path


def stamp_path(folder: Path) -> Path:
    """The file beside an environment that says how far its installation came."""
    return folder.with_name(f"{folder.name}.json")


def read_stamp(folder: Path) -> dict | None:
    """What the stamp says; None if nothing was ever installed in `folder`; empty if it cannot be read."""
    try:
        stamp = read_json(stamp_path(folder))
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def state(folder: Path) -> EngineState:
    """How the environment in `folder` is, from its stamp; starts nothing."""
    stamp = read_stamp(folder)
    if stamp is None:
        return EngineState.MISSING
    if stamp.get("state") != "ready" or not environment_python(folder).is_file():
        return EngineState.INTERRUPTED
    return EngineState.READY if stamp.get("packages") == packages_digest() else EngineState.OUTDATED


def packages_digest(root: Path | None = None) -> str:
    """Short hash of the packages and versions that this version of the engine wants."""
    root = root or engine_root()
    lines = [
        line.split("#")[0].strip()
        for file in (root / "engine" / "requirements.txt", root / "constraints.txt", root / "engine" / "locked.txt")
        if file.is_file()
        for line in file.read_text(encoding="utf-8").splitlines()
    ]
    return hashlib.sha256("\n".join(filter(None, lines)).encode()).hexdigest()[:16]


def check_command(python: Path, requirements: Path, *, really_import: bool = True) -> list[str]:
    """The command that finds out whether an environment runs the engine; its answer is for `parse_check`."""
    script = Path(__file__).with_name("engine_check.py")
    return [str(python), str(script), str(requirements), *(["--import"] if really_import else [])]


def parse_check(line: str) -> dict:
    """The finding in a line of the check's output (`engine_check.main`); any other line becomes a `log` event."""
    try:
        finding = json.loads(line)
    except ValueError:
        finding = None
    if not isinstance(finding, dict) or finding.get("event") != "checked":
        return {"event": "log", "message": line.rstrip()}
    if finding.get("protocol") != protocol.PROTOCOL_VERSION:
        finding["problems"].append("It answers for another version of the engine.")
    return finding


def start_doctor(python: Path, log: Path, body: str, extra: Mapping[str, str]) -> Job:
    """Ask the engine's doctor what is there and what is missing: a `doctor` event with its `checks` answers.

    Args:
        python: of the engine's environment.
        log: takes what it writes to stderr.
        body: the user's SMPL file, '' for none.
        extra: environment variables to add.

    Raises:
        OSError: it cannot be started.
    """
    lines: list[str] = []

    def parse(line: str) -> dict:
        """The answer is one JSON document over many lines; it is whole with its last line."""
        lines.append(line)
        if line.startswith("}"):
            with contextlib.suppress(ValueError):
                return {"event": "doctor", **json.loads("".join(lines))}
        return {"event": "log", "message": line.rstrip()}

    command = [str(python), "-m", "engine", "doctor", "--json", *(["--body", body] if body else [])]
    return Job(command, log, {**engine_environment(), **extra}, engine_root(), parse=parse)


def start_action(python: Path, log: Path, words: list[str]) -> Job:
    """Have the engine add an action of the studio's: an `action` event answers, or an `error`.

    Args:
        python: of the engine's environment.
        log: takes what it writes to stderr.
        words: what `adapt-motion actions add` is given.

    Raises:
        OSError: it cannot be started.
    """
    command = [str(python), "-m", "engine", "actions", "add", "--events", "jsonl", *words]
    return Job(command, log, engine_environment(), engine_root())


def start_key_store(python: Path, log: Path, words: list[str], key: str = "") -> Job:
    """Look after the key in the system's keyring (`key_store.py`): a `key` event answers. Raises OSError."""

    def parse(line: str) -> dict:
        with contextlib.suppress(ValueError):
            reply = json.loads(line)
            if isinstance(reply, dict) and reply.get("event") == "key":
                return reply
        return {"event": "log", "message": line.rstrip()}

    script = str(Path(__file__).with_name("key_store.py"))
    stdin = f"{key}\n" if key else ""
    return Job([str(python), script, *words], log, engine_environment(), parse=parse, stdin=stdin)


def start_check(python: Path, log: Path) -> Job:
    """Ask an environment whether it runs the engine: a `checked` event answers. Raises OSError if it cannot start."""
    command = check_command(python, engine_root() / "engine" / "requirements.txt")
    return Job(command, log, engine_environment(), parse=parse_check)
