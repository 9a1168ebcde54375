"""What Blender and the engine say to each other. Standard library only; both sides import this file.

The engine writes one JSON object a line on stdout (`--events jsonl`), each with an `event` name from `EVENTS`.
Blender asks it to stop by writing the line `cancel` to the engine's stdin, or by closing it (`--watch-stdin`): so the
engine also ends when Blender does. Nothing else passes between the two but files in the output folder.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from enum import IntEnum
from pathlib import Path
from typing import Any

from .files.json_file import read_json

PROTOCOL_VERSION = 1
CANCEL_LINE = "cancel"

EVENTS = {
    "start": ("protocol", "engine", "clips"),
    "stage": ("clip", "stage", "index", "count"),
    "progress": ("clip", "stage", "done", "total"),
    "warning": ("code", "message"),
    "people": ("clip", "people"),
    "labels": ("clip", "person", "segments"),
    "result": ("clip", "person", "motion", "body", "report", "exports", "frames"),
    "action": ("label", "window_s", "nearest", "nearest_by_words", "dictionary"),
    "farm": ("done", "failed", "clips", "machines", "cores", "tasks"),
    "over": ("clip", "status", "seconds"),
    "error": ("code", "message", "hint"),
    "end": ("exit_code", "succeeded", "failed"),
    "log": ("message",),
}
"""Event name to the keys that are always there. `clip` is also on warnings and errors that concern one clip; `eta_s` is
on progress once there is an estimate. `people` and `labels` come from runs with `--only` (`engine/output/`).
`farm` says how far all clips of a farm are, whose stages pass side by side, with `eta_s`, too;
`over` that one of them is `done` or `failed`.
`action` comes from `actions add`: what was added, and labels that it is like, best first, `nearest` with similarities.
`log` is never sent: `parse_event` makes it of any line that is not an event."""

STAGES = (
    "footage", "shots", "detect", "track", "predict", "segment", "takes", "adapt", "world", "correct", "write",
    "export",
)  # fmt: skip
"""Stage names in the order in which they run."""


class ExitCode(IntEnum):
    """How the engine ends. With several clips: the code of the first that failed."""

    DONE = 0
    ERROR = 1
    USAGE = 2
    FOOTAGE = 3
    NOBODY = 4
    MODEL_FILE = 5
    OUT_OF_MEMORY = 6
    CANCELLED = 7


def format_event(name: str, **values: Any) -> str:
    """One event as a line of JSON, without the line end. Raises ValueError if a key of `EVENTS[name]` is missing."""
    missing = [key for key in EVENTS[name] if key not in values]
    if missing:
        raise ValueError(f"event '{name}' lacks {', '.join(missing)}")
    return json.dumps({"event": name, **values}, ensure_ascii=True, allow_nan=False)


def parse_event(line: str) -> dict[str, Any]:
    """The event in a line of the engine's stdout; any line that is none becomes a `log` event, never an exception."""
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        event = None
    if isinstance(event, dict):
        name = event.get("event")
        if isinstance(name, str) and name in EVENTS and all(key in event for key in EVENTS[name]):
            return event
    return {"event": "log", "message": line.rstrip("\r\n")}


CAMERAS = ("auto", "still")
"""What a run takes for a camera beside a file that describes it: followed where it turns, or taken as still."""

LEAST_HEIGHT_M, MOST_HEIGHT_M = 0.5, 2.5
"""Standing heights that a run takes."""

LEAST_FOCAL_PX, MOST_FOCAL_PX = 1.0, 1e7
"""Focal lengths that a run takes. Beyond, numbers come out that are not finite."""

VLM_MOST_REQUESTS = 200
VLM_MOST_COST = 2.0
"""Requests, and dollars, that labels by a vision-language model may take in a run unless the settings say otherwise."""


@dataclass
class Job:
    """One run of the engine, as the job file and the command line hold it. Paths are strings; empty means not given."""

    footage: list[str]
    out: str
    preset: str = "balanced"
    label: str = ""
    labels: str = ""
    labeler: str = "none"
    allow_upload: bool = False
    """Whether the labeler `openai` may send pictures of the person without asking again."""
    person: str = "main"
    """`main`, `all`, a number, or numbers with commas."""
    only: str = ""
    """`people` or `labels`: stop when that is known and report it; `takes`: propose takes for a finished motion; empty:
    the whole run."""
    at_s: float | None = None
    """With `takes`: a time in the hidden stretch that they are for; None: for all."""
    backbone: str = "landmark"
    device: str = "auto"
    body: str = ""
    focal_px: float | None = None
    height_m: float | None = None
    """How tall the people stand, in metres; None: not known."""
    camera: str = "auto"
    """Of `CAMERAS`, or a file that describes it."""
    start_s: float | None = None
    end_s: float | None = None
    exports: list[str] = field(default_factory=list)
    resume: bool = True
    seed: int = 0
    overrides: list[str] = field(default_factory=list)
    """Settings in the form `section.name=value`, as `--set` takes them."""
    mirror: bool = False
    """Whether the footage is mirrored, as selfies are."""
    shots: str = "split"
    """`split`: a motion file per person and shot; `join`: one per person."""
    split: list[str] = field(default_factory=list)
    """People who are several: each time that `2` is there, or from a second on, `2@3.5`."""
    merge: list[str] = field(default_factory=list)
    """People who are one, such as `2=4`."""
    corrections: str = ""
    """A `corrections.json` file."""
    performer: str = ""
    """Name of the person, whose earlier clip in the output folder the adaptation begins from."""

    def arguments(self) -> list[str]:
        """Command-line arguments that run this job: `python -m engine` + these."""
        arguments = ["run", "--out", self.out, "--preset", self.preset, "--labeler", self.labeler]
        arguments += ["--person", self.person, "--backbone", self.backbone, "--device", self.device]
        arguments += ["--seed", str(self.seed)]
        for name in ("only", "label", "labels", "body", "camera", "corrections", "performer"):
            if getattr(self, name):
                arguments += [f"--{name}", getattr(self, name)]
        for name in ("focal_px", "height_m", "start_s", "end_s", "at_s"):
            if getattr(self, name) is not None:
                arguments += [f"--{name.replace('_', '-')}", repr(float(getattr(self, name)))]
        arguments += [f"--{kind}" for kind in self.exports]
        arguments += [part for override in self.overrides for part in ("--set", override)]
        arguments += [part for one in self.split for part in ("--split", one)]
        arguments += [part for one in self.merge for part in ("--merge", one)]
        if self.shots != "split":
            arguments += ["--shots", self.shots]
        if self.mirror:
            arguments.append("--mirror")
        if self.allow_upload:
            arguments.append("--allow-upload")
        if self.resume:
            arguments.append("--resume")
        return [*arguments, "--", *self.footage]

    def write(self, path: Path) -> None:
        """Save as JSON."""
        path.write_text(json.dumps({"protocol": PROTOCOL_VERSION, **asdict(self)}, indent=1), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Job:
        """Load a job file. Raises ValueError with a plain sentence if it is not one of this protocol."""
        try:
            values = read_json(path)
        except (OSError, ValueError) as error:
            raise ValueError(f"{path} is not a job file: {error}") from error
        if not isinstance(values, dict) or values.pop("protocol", None) != PROTOCOL_VERSION:
            raise ValueError(f"{path} is not a job file of protocol {PROTOCOL_VERSION}")
        unknown = set(values) - {item.name for item in fields(cls)}
        if unknown or not {"footage", "out"} <= set(values):
            entries = sorted(unknown) or "footage, out"
            raise ValueError(f"{path} is not a job file: unknown or missing entries {entries}")
        return cls(**values)
