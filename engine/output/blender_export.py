"""FBX, BVH, GLB, USD and `.blend` files, written by a Blender or a `bpy` module in a child process.

The engine itself never imports `bpy`. The child runs `blender_addon/scripts/export_motion.py`, the code that
the add-on's own export runs, and says on stdout what it has written.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from engine.errors import ExportError
from engine.files.programs import find_program, without_keys
from engine.runtime.progress import Progress

KINDS = ("fbx", "bvh", "glb", "usd", "blend")
BLENDER_VARIABLE = "ADAPT_MOTION_BLENDER"
"""Environment variable with the path of a Blender executable, or of a Python that has `bpy`."""

REPLY = "ADAPT_MOTION "
"""Start of the lines of the child's stdout that are for us; JSON follows."""

_SCRIPT = Path(__file__).resolve().parents[2] / "blender_addon" / "scripts" / "export_motion.py"
_POLL_S = 0.1


def find_blender() -> list[str]:
    """The command that runs a Python script in Blender, up to the script's path.

    Looked for in this order: `ADAPT_MOTION_BLENDER`, `blender` on the path, `bpy` in this Python.
    Raises ExportError if there is none.
    """
    named = os.environ.get(BLENDER_VARIABLE)
    if named:
        found = find_program(named)
        if found is None:
            raise ExportError(
                f"{BLENDER_VARIABLE} names {named}, which is no program.",
                f"Set {BLENDER_VARIABLE} to a Blender executable, or to a Python that has bpy.",
            )
        return script_command(found)
    found = find_program("blender")
    if found is not None:
        return script_command(found)
    if importlib.util.find_spec("bpy") is not None:
        return [sys.executable]
    raise ExportError(
        "No Blender was found to write the exports with.",
        f"Install Blender, or set {BLENDER_VARIABLE} to its executable, or run `pip install bpy`.",
    )


def export_motion(
    motions: Sequence[Path],
    kinds: Sequence[str],
    progress: Progress,
    *,
    footage: Path | None = None,
    timeout_s: float = 3600.0,
) -> list[Path]:
    """Write the people of one clip in each of the formats, beside their motion files.

    Args:
        motions: motion files of one clip, one per person, all in one folder.
        kinds: of `KINDS`. `person_N.fbx` and so on are one per person; `<folder's name>.blend` holds them all.
        progress: called with the number of files written, several times a second, so that a run can be cancelled.
        footage: the clip, to become the background of the camera in the `.blend`.
        timeout_s: the child is ended after this many seconds.

    Returns:
        The paths written, person by person, the `.blend` last.

    Raises:
        ExportError: no Blender, or it failed; the sentence is the child's own where it gave one.
        CancelledError: from `progress`; the child is ended first.
        ValueError: a kind that is none of `KINDS`.
    """
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown:
        raise ValueError(f"cannot export {', '.join(unknown)}; choose from {', '.join(KINDS)}")
    if not kinds or not motions:
        return []
    arguments = ["--kinds", ",".join(kinds)]
    if footage is not None:
        arguments += ["--footage", str(footage.resolve())]
    arguments += [str(path.resolve()) for path in motions]
    total = len(motions) * len([kind for kind in kinds if kind != "blend"]) + ("blend" in kinds)
    command = [*find_blender(), str(_SCRIPT), "--", "--watch-stdin", *arguments]
    with tempfile.TemporaryDirectory(prefix="adapt-motion-", ignore_cleanup_errors=True) as scratch:
        log = Path(scratch) / "blender.log"
        process = _start(command, log, child_environment(Path(scratch), Path(command[0])))
        try:
            _wait(process, log, progress, total, timeout_s)
        finally:
            _end(process)
        return _outcome(process.returncode, _read(log))


def script_command(program: str) -> list[str]:
    """The command that runs a Python script in `program`, up to the script's path.

    A Python takes the script as it is; Blender needs an option for it, with the exit code first.
    """
    if Path(program).name.lower().startswith("python"):
        return [program]
    return [program, "--background", "--factory-startup", "--python-exit-code", "1", "--python"]


def child_environment(scratch: Path, program: Path) -> dict[str, str]:
    """Our environment without what is meant for our own Python, and with a scratch folder for Blender's files.

    A distribution's Blender takes the first Python on the path for its own: the one beside it, not our environment's.
    """
    kept = {key: value for key, value in without_keys().items() if not key.startswith("PYTHON")}
    kept["PATH"] = os.pathsep.join((str(program.parent), kept.get("PATH", "")))
    places = dict.fromkeys(("BLENDER_USER_RESOURCES", "TMPDIR", "TEMP", "TMP"), str(scratch))
    return {**kept, **places, "PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1"}


def _start(command: list[str], log: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    try:
        with log.open("wb") as output:
            return subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT, env=environment
            )
    except OSError as error:
        raise ExportError(
            f"{command[0]} could not be started: {error.strerror or error}.",
            f"Check the Blender that {BLENDER_VARIABLE} or the path names.",
        ) from error


def _wait(process: subprocess.Popen[bytes], log: Path, progress: Progress, total: int, timeout_s: float) -> None:
    """Wait for the child while asking `progress` whether to go on."""
    deadline = time.monotonic() + timeout_s
    while process.poll() is None:
        written = sum("wrote" in reply for reply in _replies(_read(log)))
        progress(min(written, total), total)
        if time.monotonic() > deadline:
            raise ExportError(
                f"Blender was still exporting after {timeout_s:.0f} s and was stopped.",
                "Export from Blender itself, or a shorter part of the clip.",
            )
        time.sleep(_POLL_S)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        process.stdin.close()
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(1.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _read(log: Path) -> str:
    """The child's output so far."""
    return log.read_bytes().decode("utf-8", errors="replace")


def _replies(text: str) -> list[dict[str, str]]:
    replies = []
    for line in text.splitlines():
        if line.startswith(REPLY):
            try:
                replies.append(json.loads(line[len(REPLY) :]))
            except ValueError:  # a line that is not complete yet
                continue
    return replies


def _outcome(code: int, text: str) -> list[Path]:
    replies = _replies(text)
    for reply in replies:
        if "error" in reply:
            raise ExportError(reply["error"], reply.get("hint", ""))
    written = [Path(reply["wrote"]) for reply in replies if "wrote" in reply]
    if not any("done" in reply for reply in replies):  # some builds crash on leaving, with all written
        last = next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "no output")
        raise ExportError(
            f"Blender ended with code {code} while exporting: {last}",
            f"Try another Blender (3.4 or newer) by setting {BLENDER_VARIABLE}.",
        )
    return written
