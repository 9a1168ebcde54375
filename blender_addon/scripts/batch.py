"""Many clips without a window.

`blender -b --python-exit-code 1 -P blender_addon/scripts/batch.py -- FOOTAGE… --out DIR --fbx`.

In Blender 4.2 and later, with the add-on installed, the same as `blender -c adapt_motion FOOTAGE… --out DIR --fbx`.
Each clip is a run of the engine of its own, so that one that fails or crashes harms no other; what is finished stays.
The characters are built and exported in this Blender. Ends with a table; the exit code is that of the first clip that
failed.
"""

from __future__ import annotations

import sys

if not __package__:  # run as a script
    import importlib
    import types
    from pathlib import Path

    package = types.ModuleType("adapt_motion")
    package.__path__ = [str(Path(__file__).resolve().parents[2])]
    sys.modules["adapt_motion"] = package
    script = importlib.import_module("adapt_motion.blender_addon.scripts.batch")
    script.compat.leave(script.main(sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else sys.argv[1:]))

import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...engine import protocol
from .. import messages
from ..blender import compat
from ..errors import UserError
from ..run import job, prefs
from ..run.engine_home import EngineState, python_of

if TYPE_CHECKING:  # what takes long to import waits until batch mode is used: the add-on is on in every Blender
    import argparse

COMMAND = "adapt_motion"
PYTHON_VARIABLE = "ADAPT_MOTION_PYTHON"

_command: Any = None


@dataclass
class Outcome:
    """How one clip went.

    Attributes:
        clip: the footage.
        code: exit code, 0 done.
        people, frames: how many came out.
        seconds: time it took.
        files: paths written by Blender.
        trouble: what went wrong, with what to do; '' if nothing.
        warnings: plain sentences.
    """

    clip: str
    code: int = 0
    people: int = 0
    frames: int = 0
    seconds: float = 0.0
    files: list[Path] = field(default_factory=list)
    trouble: str = ""
    warnings: list[str] = field(default_factory=list)


def main(words: list[str]) -> int:
    """Run batch mode on command-line arguments; gives back the exit code."""
    try:
        options = _parser().parse_args(words)
    except SystemExit as leaving:  # argparse has printed why
        return int(leaving.code or 0)
    try:
        python = find_engine(options.engine_python)
    except UserError as error:
        print(f"Error: {error}", file=sys.stderr, flush=True)
        return int(protocol.ExitCode.ERROR)
    outcomes: list[Outcome] = []
    clips = expand(options.footage)
    for number, clip in enumerate(clips, 1):
        print(f"[{number}/{len(clips)}] {clip}", flush=True)
        outcomes.append(run_clip(clip, options, python))
        if outcomes[-1].code == protocol.ExitCode.CANCELLED:
            break
    print(table(outcomes), flush=True)
    return next((outcome.code for outcome in outcomes if outcome.code), 0)


def find_engine(chosen: str = "") -> Path:
    """The Python that runs the engine: `chosen`, ADAPT_MOTION_PYTHON, or what the preferences say or have installed.

    Raises UserError if there is none.
    """
    for source, path in (("--engine-python", chosen), (PYTHON_VARIABLE, os.environ.get(PYTHON_VARIABLE, ""))):
        if path:
            python = python_of(os.path.abspath(path))
            if python.is_file():
                return python
            raise UserError(f"{source} names {path}, where there is no Python.", "Check the path.")
    engine = prefs.engine()
    if engine.state in (EngineState.MISSING, EngineState.INTERRUPTED):
        raise UserError(
            engine.problem, f"Press Install Engine in the add-on's preferences, or set {PYTHON_VARIABLE} to its Python."
        )
    return engine.python


def expand(footage: list[str]) -> list[str]:
    """Clips that the arguments name, each once; patterns of a shell that left them as they are become their files."""
    import glob

    clips: list[str] = []
    for word in footage:
        is_pattern = not os.path.exists(word) and any(sign in word for sign in "*?[")
        found = sorted(glob.glob(word)) if is_pattern else []
        clips += [clip for clip in (found or [word]) if clip not in clips]
    return clips


def run_clip(clip: str, options: argparse.Namespace, python: Path) -> Outcome:
    """One clip through the engine and into files. Never raises what concerns this clip alone."""
    started = time.monotonic()
    outcome = Outcome(clip)
    try:
        motions = _run_engine(clip, options, python, outcome)
        if not outcome.trouble:
            _export(clip, motions, options, outcome)
    except (UserError, OSError) as error:
        outcome.code, outcome.trouble = int(protocol.ExitCode.ERROR), str(error)
    except KeyboardInterrupt:
        outcome.code, outcome.trouble = int(protocol.ExitCode.CANCELLED), "Cancelled."
    outcome.seconds = time.monotonic() - started
    for warning in outcome.warnings:
        print(f"    Warning: {warning}", flush=True)
    if outcome.trouble:
        print(f"    Error: {outcome.trouble}", file=sys.stderr, flush=True)
    return outcome


def table(outcomes: list[Outcome]) -> str:
    """What came of each clip, as lines of text."""
    rows = [("Clip", "Result", "People", "Frames", "Time", "Files")]
    for outcome in outcomes:
        done = outcome.code == 0
        files = ", ".join(path.name for path in outcome.files) if done else outcome.trouble
        counts = (str(outcome.people), str(outcome.frames)) if done else ("-", "-")
        result = "done" if done else f"failed ({outcome.code})"
        rows.append((os.path.basename(outcome.clip), result, *counts, messages.duration(outcome.seconds), files))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    lines = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[5]]) for row in rows
    ]
    failed = sum(1 for outcome in outcomes if outcome.code)
    return "\n".join(["", lines[0], "-" * len(lines[0]), *lines[1:], f"{len(outcomes) - failed} done, {failed} failed"])


def _run_engine(clip: str, options: argparse.Namespace, python: Path, outcome: Outcome) -> list[Path]:
    """Motion files of the people in the clip; `outcome` takes what is reported. Raises OSError if it cannot start."""
    log = job.new_log(Path(options.out).absolute() / "logs", "run")
    engine = job.start_run(python, _job_of(clip, options), log)
    motions = []
    try:
        for event in engine.stream():
            name = event["event"]
            if name == "stage":
                title = messages.STAGE_TITLES.get(event["stage"], event["stage"])
                print(f"    {title} ({event['index']} of {event['count']})", flush=True)
            elif name == "warning" and event["message"] not in outcome.warnings:
                outcome.warnings.append(event["message"])
            elif name == "error" and not outcome.trouble:  # the first is the cause
                outcome.trouble = f"{event['message']} {event['hint']}".strip()
            elif name == "result":
                motions.append(Path(event["motion"]))
                outcome.frames = max(outcome.frames, event["frames"])
            elif name == job.EXITED:
                outcome.code = (
                    event["code"] if event["code"] in set(protocol.ExitCode) else int(protocol.ExitCode.ERROR)
                )
    finally:
        engine.close()
    outcome.people = len(motions)
    if outcome.trouble or not motions:
        outcome.code = outcome.code or int(protocol.ExitCode.ERROR)
        outcome.trouble = outcome.trouble or f"The engine ended without a result. See {log}."
    return motions


def _job_of(clip: str, options: argparse.Namespace) -> protocol.Job:
    same = (
        "out",
        "preset",
        "label",
        "labels",
        "labeler",
        "person",
        "backbone",
        "body",
        "focal_px",
        "camera",
        "mirror",
        "start_s",
    )
    same += ("end_s", "seed", "overrides")
    return protocol.Job(
        footage=[clip],
        device=options.device or prefs.device(),
        resume=not options.no_resume,
        **{name: getattr(options, name) for name in same},
    )


def _export(clip: str, motions: list[Path], options: argparse.Namespace, outcome: Outcome) -> None:
    from . import export_motion

    kinds = [kind for kind in export_motion.KINDS if getattr(options, kind)]
    if kinds:
        print(f"    {messages.STAGE_TITLES['export']}", flush=True)
        footage = Path(clip).absolute()
        outcome.warnings += export_motion.write_people(
            motions, kinds, footage if footage.exists() else None, outcome.files.append
        )


def _parser() -> argparse.ArgumentParser:
    import argparse

    from . import export_motion

    parser = argparse.ArgumentParser(prog=COMMAND, description="Video of people to characters with their motion.")
    parser.add_argument("footage", nargs="+", metavar="FOOTAGE", help="videos, patterns, folders of images")
    parser.add_argument("-o", "--out", required=True, help="folder that takes a folder for each clip")
    for kind in export_motion.KINDS:
        parser.add_argument(f"--{kind}", action="store_true", help=f"write .{kind} files")
    parser.add_argument("--preset", default="balanced", help="fast, balanced or paper")
    parser.add_argument("--label", default="", help="what is done throughout, such as 'walk'")
    parser.add_argument("--labels", default="", help="JSON file with labelled segments")
    parser.add_argument("--labeler", default="none", help="none, retrieval or openai")
    parser.add_argument("--person", default="main", help="main, all or a number")
    parser.add_argument("--backbone", default=protocol.Job.backbone, help="first pose estimate")
    parser.add_argument("--device", default="", help="auto, cpu, cuda or mps; the preferences' if left out")
    parser.add_argument("--body", default="", help="your SMPL file")
    parser.add_argument("--focal-px", type=float, help="focal length in pixels")
    parser.add_argument("--camera", default="auto", help="auto, still, or a JSON file with the camera")
    parser.add_argument("--mirror", action="store_true", help="the footage is mirrored, as selfies are")
    parser.add_argument("--start-s", type=float, help="use the footage from this second on")
    parser.add_argument("--end-s", type=float, help="use the footage up to this second")
    parser.add_argument("--set", dest="overrides", action="append", default=[], metavar="SECTION.NAME=VALUE")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-resume", action="store_true", help="do not use what earlier runs left")
    parser.add_argument(
        "--engine-python", default="", help=f"Python with the engine's packages; else {PYTHON_VARIABLE}"
    )
    return parser


def register() -> None:
    """Offer `blender -c adapt_motion …` where Blender can (4.2 and later)."""
    global _command
    _command = compat.register_command(COMMAND, main)


def unregister() -> None:
    """Undo `register`."""
    global _command
    compat.unregister_command(_command)
    _command = None
