"""The command `adapt-motion review`: weak stretches of all clips of a folder, and whether they are within limits.

It reads reports alone, and imports nothing that takes long.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from engine.errors import UsageError
from engine.files.json_file import JsonFileError, read_json
from engine.files.plain_zip import shown
from engine.protocol import ExitCode

_REPORT = "report.json"
REASONS = ("hidden", "unsure", "label", "slide")
"""Why a stretch is weak, as `engine.output.review` has it."""
_WIDE = 132
_HINT = "Give the output folder of `adapt-motion run`, or the folder of one clip in it."


def review(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Output folder of runs, or of one clip.")],
    limits: Annotated[
        list[str] | None,
        typer.Option("--limit", help="Most seconds of a person: hidden=2.5, unsure, label or slide; repeat it."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON instead of a table.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    """List what to look at in finished clips; exit code 1 where a person is beyond a limit."""
    most = dict(_limit(text) for text in limits or ())
    people = [person for path in _reports(folder) for person in _people(path)]
    for person in people:
        person["beyond"] = [why for why, seconds in most.items() if person["seconds"][why] > seconds]
    if as_json:
        print(json.dumps({"people": people, "limits": most}, indent=1))
    else:
        _print(people)
    raise typer.Exit(ExitCode.ERROR if any(person["beyond"] for person in people) else ExitCode.DONE)


def _limit(text: str) -> tuple[str, float]:
    why, equals, seconds = text.partition("=")
    try:
        value = float(seconds)
    except ValueError:
        value = math.nan
    if why not in REASONS or not equals or not value >= 0:
        raise UsageError(
            f"--limit does not understand '{shown(text)}'.",
            f"Write seconds, such as hidden=2.5, for {', '.join(REASONS)}.",
        )
    return why, value


def _reports(folder: Path) -> list[Path]:
    here = [folder / _REPORT] if (folder / _REPORT).is_file() else sorted(folder.glob(f"*/{_REPORT}"))
    if not here:
        raise UsageError(f"There is no report in {folder}.", _HINT)
    return here


def _people(path: Path) -> list[dict[str, Any]]:
    """A person of a clip each: whose, seconds by reason, and the stretches. Raises UsageError for another file."""
    try:
        people = read_json(path)["people"]
        return [_person(path, one) for one in people]
    except (OSError, JsonFileError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(f"{path} is no report of this version.", "Run the clip again.") from error


def _person(path: Path, one: dict[str, Any]) -> dict[str, Any]:
    stretches: list[dict[str, Any]] = [
        {
            "start_s": _seconds(part["start_s"]),
            "end_s": _seconds(part["end_s"]),
            "limb": shown(str(part["limb"])),
            "why": REASONS[REASONS.index(part["why"])],
        }
        for part in one["review"]
    ]
    seconds = {
        why: round(sum(part["end_s"] - part["start_s"] for part in stretches if part["why"] == why), 3)
        for why in REASONS
    }
    return {"clip": path.parent.name, "motion": shown(str(one["motion"])), "seconds": seconds, "stretches": stretches}


def _seconds(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("not a time")
    return float(value)


def _print(people: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("clip", "motion", *(f"{why}, s" for why in REASONS), "longest")
    for person in people:
        longest = max(person["stretches"], key=lambda part: part["end_s"] - part["start_s"], default=None)
        text = (
            f"{longest['start_s']:.2f} to {longest['end_s']:.2f} s: {longest['limb']} {longest['why']}"
            if longest
            else ""
        )
        cells = [f"{person['seconds'][why]:.1f}{' !' if why in person['beyond'] else ''}" for why in REASONS]
        table.add_row(person["clip"], person["motion"], *cells, text)
    Console(width=None if sys.stdout.isatty() else _WIDE).print(table)
