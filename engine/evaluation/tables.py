"""The benchmark's tables, as text for people and as plain values for JSON."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console
from rich.table import Table

from engine.evaluation import speed as costs
from engine.evaluation.yardstick import read_truth, score_motion, truth_file

_SCORES = {
    "frames": "frames",
    "mpjpe": "MPJPE, mm",
    "pa_mpjpe": "PA-MPJPE, mm",
    "mpjpe8": "MPJPE of limbs, mm",
    "pa_mpjpe8": "PA-MPJPE of limbs, mm",
    "pck": "joints within 100 mm, %",
    "accel": "acceleration error, m/s2",
    "jitter": "jitter, m/s3",
    "jitter_true": "jitter of the truth, m/s3",
    "root": "place of the hips, mm",
    "root_path": "path of the hips, mm",
}


def speed(clip: Path | None, repeats: int, arguments: Sequence[str], stream: TextIO) -> dict[str, Any]:
    """Measure each stage on `clip` (None: the demo clip) and on it repeated, and print the table."""

    def say(text: str) -> None:
        sys.stderr.write(text + "\n")

    clip = clip or costs.demo_clip()
    short, long = costs.compare_lengths(clip, repeats, arguments, say)
    title = f"{clip.name}: {short.frames} and {long.frames} frames"
    columns = ("stage", "ms/frame", f"ms/frame x{repeats}", "time ratio", "peak MiB", f"peak MiB x{repeats}")
    _print(title, columns, costs.table_rows(short, long), stream)
    return {"clip": clip.name, "repeats": repeats, "short": costs.as_json(short), "long": costs.as_json(long)}


def yardstick(folder: Path, motions: Sequence[Path], stream: TextIO) -> dict[str, Any]:
    """Score motion files against the true joints in `folder`, and print the table."""
    scores = {str(path): score_motion(path, read_truth(truth_file(folder, path))).rounded() for path in motions}
    rows = [
        (title, *("-" if (value := figures[key]) is None else f"{value:g}" for figures in scores.values()))
        for key, title in _SCORES.items()
    ]
    _print(f"Against the true joints in {folder}", ("", *scores), rows, stream)
    return {"scores": scores}


def _print(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], stream: TextIO) -> None:
    table = Table(title=title, title_justify="left")
    for number, name in enumerate(columns):
        table.add_column(name, justify="right" if number else "left", overflow="fold")
    for row in rows:
        table.add_row(*row)
    Console(file=stream, highlight=False).print(table)
