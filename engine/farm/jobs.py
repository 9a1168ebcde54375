"""Job files, as Blender writes them: each a run with footage and options of its own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from engine.errors import UsageError
from engine.files.plain_zip import shown
from engine.protocol import Job

_HINT = "Write it again, or give footage and options in its place."


def read_jobs(paths: Sequence[str]) -> list[Job]:
    """The jobs of some files. Raises UsageError for a file that is none, or in which a value has another type."""
    return [_read(Path(path)) for path in paths]


def _read(path: Path) -> Job:
    try:
        return TypeAdapter(Job).validate_json(json.dumps(asdict(Job.read(path))), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"]))
        raise UsageError(f"{path} is not a job file: {name}: {shown(first['msg'])}.", _HINT) from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{shown(str(error), 300)}.", _HINT) from error
