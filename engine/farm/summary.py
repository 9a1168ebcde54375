"""`farm.json` and `farm.csv`: how all clips of a farm went, and what they took."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine.farm.clip_state import ClipState
from engine.files.atomic import replacing
from engine.output.folders import write_json
from engine.output.report import REPORT
from engine.runtime.versions import versions

FARM, TABLE = "farm.json", "farm.csv"
_COLUMNS = ("clip", "footage", "status", "seconds", "wall_s", "tasks", "again", "machines", "message")


def write_summary(out: Path, clips: Sequence[ClipState], wall_s: float, cores: float, machines: int) -> None:
    """Write both files into the output folder. Raises OutputError.

    Args:
        out: folder of the results.
        clips: of the farm.
        wall_s: that it ran.
        cores, machines: how many it had at the end.
    """
    rows = [_described(clip) for clip in clips]
    busy_s = sum(row["seconds"] for row in rows)
    write_json(
        out / FARM,
        {
            "versions": versions(),
            "machines": machines,
            "cores": cores,
            "wall_s": round(wall_s, 3),
            "busy_s": round(busy_s, 3),
            "cores_busy": round(busy_s / (wall_s * cores), 4) if wall_s and cores else None,
            "clips": rows,
        },
    )
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(_COLUMNS)
    table.writerows([_cell(row[name]) for name in _COLUMNS] for row in rows)
    with replacing(out / TABLE) as file:
        file.write(text.getvalue().encode("utf-8", errors="backslashreplace"))


def _described(clip: ClipState) -> dict[str, Any]:
    error = clip.error
    return {
        "clip": clip.order.name,
        "footage": str(clip.order.footage),
        "status": clip.status,
        "report": str(clip.order.folder / REPORT) if clip.status == "done" else None,
        "seconds": round(sum(clip.seconds.values()), 3),
        "seconds_of_stages": {name: round(value, 3) for name, value in clip.seconds.items()},
        "cpu_s_of_stages": {name: round(value, 3) for name, value in clip.cpu_s.items()},
        "wall_s": round(clip.wall_s, 3),
        "tasks": sum(clip.tasks.values()),
        "tasks_of_stages": clip.tasks,
        "again": clip.again,
        "machines": sorted(clip.machines),
        "code": error.code if error is not None else None,
        "message": f"{error.message} {error.hint}".strip() if error is not None else "",
    }


def _cell(value: Any) -> str:
    """A cell that no spreadsheet takes for a formula, whatever a clip is called."""
    text = " ".join(value) if isinstance(value, list) else str(value)
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
