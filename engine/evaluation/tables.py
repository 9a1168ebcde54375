"""The benchmark's tables, as text for people and as plain values for JSON."""

from __future__ import annotations

import itertools
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TextIO

import numpy as np
from rich.console import Console
from rich.table import Table

from engine.evaluation import blender_timings, summary
from engine.evaluation import speed as costs
from engine.evaluation.hide_scores import FIGURES as HIDE_FIGURES
from engine.evaluation.methods import IN_FULL_VIEW, TABLES, Row
from engine.evaluation.metrics import Interval
from engine.evaluation.results import Record
from engine.evaluation.scenes.bench import SceneScores
from engine.evaluation.scores import FIGURES
from engine.evaluation.yardstick import Scores

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
_SCENE = {
    "wa_mpjpe": "WA-MPJPE, mm",
    "w_mpjpe": "W-MPJPE, mm",
    "rte": "RTE, %",
    "skating": "skating, mm/frame",
    "skating_true": "of the truth",
    "jitter": "jitter, m/s3",
    "jitter_true": "of the truth",
}


def speed(clip: Path | None, repeats: int, arguments: Sequence[str], stream: TextIO) -> dict[str, Any]:
    """Measure each stage on `clip` (None: the demo clip) and on it repeated, and detection by cores. Prints tables."""
    clip = clip or costs.demo_clip()
    short, long = costs.compare_lengths(clip, repeats, arguments, _log)
    title = f"{clip.name}: {short.frames} and {long.frames} frames"
    columns = ("stage", "ms/frame", f"ms/frame x{repeats}", "time ratio", "peak MiB", f"peak MiB x{repeats}")
    _print(title, columns, costs.table_rows(short, long), stream)
    by_cores = costs.compare_cores(clip, repeats, arguments, _log)
    heads = ("cores", "ms/frame", "times as fast", "peak MiB")
    _print(f"Detection, {long.frames} frames", heads, costs.core_rows(by_cores), stream)
    return {
        "clip": clip.name,
        "repeats": repeats,
        "short": costs.as_json(short),
        "long": costs.as_json(long),
        "cores": {str(count): costs.as_json(cost) for count, cost in by_cores.items()},
    }


def method_speed(clip: Path | None, device: str, stream: TextIO) -> dict[str, Any]:
    """The paper's Table 5 on `clip` (None: the demo clip): each method on the processor and on `device`."""
    from engine.evaluation.method_speed import method_costs

    clip = clip or costs.demo_clip()
    found = method_costs(clip, device, _log)
    devices = list(dict.fromkeys(("cpu", device)))
    rows = [(title, *(_cost(of.get(place)) for place in devices)) for title, of in found.items()]
    _print(f"{clip.name}: ms/frame of prediction and adaptation", ("", *devices), rows, stream, "left")
    return {"clip": clip.name, "methods": found}


def _cost(value: float | str | None) -> str:
    return f"{value:.1f}" if isinstance(value, float) else value or ""


def scenes(scores: Sequence[SceneScores], stream: TextIO) -> dict[str, Any]:
    """Print the figures of generated scenes, camera followed and taken as still; returns them by scene."""
    columns = ("", "camera is", "turn, °", *_SCENE.values())
    rows = [_scene_row(one.scene, one.camera, one.motion, one.turn, one.world.rounded()) for one in scores]
    for camera in dict.fromkeys(one.camera for one in scores):
        of_camera = [one for one in scores if one.camera == camera]
        means = {name: float(np.mean([getattr(one.world, name) for one in of_camera])) for name in _SCENE}
        rows.append(_scene_row("mean", camera, "", float(np.mean([one.turn for one in of_camera])), means))
    _print("Generated scenes, in the world", columns, rows, stream)
    return {
        f"{one.scene}/{one.camera}": {"motion": one.motion, "turn": round(one.turn, 3), **one.world.rounded()}
        for one in scores
    }


def _scene_row(
    scene: str, camera: str, motion: str, turn: float, figures: Mapping[str, float | None]
) -> tuple[str, ...]:
    shown = (_number(figures[name]) for name in _SCENE)
    return (f"{scene}, {camera}", motion, f"{turn:.2f}", *shown)


def blender(program: str, frames: int, stream: TextIO) -> dict[str, Any]:
    """Time the add-on in a Blender on a motion of so many frames, and print the table."""
    timings = blender_timings.measure(program, frames, _log)
    columns = ("", "seconds", "on the processor", "wanted", "")
    title = f"Blender {timings.version}, {timings.frames} frames"
    _print(title, columns, blender_timings.table_rows(timings), stream)
    return blender_timings.as_json(timings)


def show_scores(folder: Path, found: Mapping[str, Scores], stream: TextIO) -> dict[str, Any]:
    """Print scores against the true joints in `folder`, one column each."""
    scores = {name: one.rounded() for name, one in found.items()}
    rows = [
        (title, *("-" if (value := figures[key]) is None else f"{value:g}" for figures in scores.values()))
        for key, title in _SCORES.items()
    ]
    _print(f"Against the true joints in {folder}", ("", *scores), rows, stream)
    return {"scores": scores}


_TITLES = {
    "methods": "Methods that are compared (Table 1)",
    "ablation": "What each part does (the paper's Table 3)",
    "label-use": "Ways to use the label (Table 4)",
    "labels": "Right, wrong and no label (Table 7)",
    "fill-in": "Fill-in threshold (Table 6, Figure 4)",
    "ema": "EMA (Table 8)",
    "presets": "Presets",
    "brief": "The quickest check",
    "corrections": "What corrections bring, within a second of them",
}
_PLAIN = ("mpjpe", "pa", "mpvpe", "accel", "ms")
_WORLD = ("wa_mpjpe", "w_mpjpe", "rte", "skating", "jitter")
_HIDDEN = ("mpjpe", "pa", "pa_seen", "pa_unseen", "mpvpe", "accel", "similarity")
_FILLED = ("mpjpe", "pa", "pa_unseen", "pck", "filled")
_COLUMNS: dict[str, tuple[str, ...]] = {
    "methods": ("mpjpe", "pa", "pa_seen", "pa_unseen", "mpvpe", "accel", "px", "ms"),
    "fill-in": _FILLED,
    "ema": _FILLED,
    "presets": ("mpjpe", "pa", "pa_unseen", "accel", "ms"),
    "corrections": ("pa_pinned", "pa_dragged", "pa_seen", "pa_unseen", "accel", "ms"),
}
_WIDE = 132


def benchmark(records: Sequence[Record], names: Sequence[str], notes: Sequence[str], stream: TextIO) -> dict[str, Any]:
    """Print the tables of the benchmark on the corpus; returns their numbers.

    Args:
        records: of all rows on all cases.
        names: tables, of `TABLES`.
        notes: sentences that belong below the tables.
        stream: where to print.
    """
    found: dict[str, Any] = {"tables": {}}
    for name in names:
        columns = _COLUMNS.get(name, _HIDDEN)
        found["tables"][name] = {
            "occluded": _rows(f"{_TITLES[name]}: occluded clips", TABLES[name], columns, records, stream),
        }
        if name in IN_FULL_VIEW:
            found["tables"][name]["clear"] = _rows(
                "The same: nothing hidden", TABLES[name], _PLAIN, records, stream, True
            )
        if name == "ablation":
            found["changes"] = _changes(TABLES[name], records, stream)
            found["conditions"] = _conditions(TABLES[name], records, stream)
            found["categories"] = _categories(records, stream)
        if name in ("methods", "ablation"):
            found.setdefault("runtime", {}).update(_runtime(TABLES[name], records, stream))
    found["goals"] = _goals(records, stream)
    for note in notes:
        stream.write(f"{note}\n")
    return found | {"notes": list(notes)}


def data_set(
    title: str, rows: Sequence[Row], records: Sequence[Record], notes: Sequence[str], stream: TextIO
) -> dict[str, Any]:
    """Print the table of a data set of others; returns its numbers. Arguments as in `benchmark`."""
    in_world = any(math.isfinite(record.value("w_mpjpe")) for record in records)
    columns = (*_PLAIN, *_WORLD) if in_world else _PLAIN
    figures = _rows(title, rows, columns, records, stream, everything=True)
    for note in notes:
        stream.write(f"{note}\n")
    return {"table": figures, "notes": list(notes)}


def row_list(rows: Sequence[Mapping[str, Any]], stream: TextIO) -> dict[str, Any]:
    """Print what `engine.evaluation.row_list` says of each row; returns it."""
    lines = [(one["row"], one["title"], ", ".join(one["tables"]), one["source"], one["cost"]) for one in rows]
    _print("Rows", ("row", "title", "tables", "source", "cost"), lines, stream, "left")
    return {"rows": list(rows)}


def found_data(name: str, people: Mapping[str, int], missing: Sequence[str], stream: TextIO) -> dict[str, Any]:
    """Print what was read of a data set, and what it lacks; returns both."""
    lines = [(person, str(frames)) for person, frames in people.items()]
    _print(f"{name}: {len(people)} people, {sum(people.values())} frames", ("", "frames"), lines, stream)
    for sentence in missing:
        stream.write(f"Missing: {sentence}.\n")
    return {"data_set": name, "people": dict(people), "missing": list(missing)}


def hidden_limbs(found: Mapping[str, Any], stream: TextIO) -> None:
    """Print what `bench --hide` found, as its JSON holds it: a table for each kind of hiding, then the notes."""
    for kind, means in found["means"].items():
        clips = {name: clip["kinds"][kind] for name, clip in found["clips"].items() if kind in clip["kinds"]}
        lines = [
            (f"{name}: {found['rows'][key]}", *_cells(figures))
            for name, clip in clips.items()
            for key, figures in clip["rows"].items()
        ]
        if len(clips) > 1:
            lines += [(f"mean of {len(clips)} clips: {found['rows'][key]}", *_cells(one)) for key, one in means.items()]
        _print(f"Hidden: {kind}", ("", *HIDE_FIGURES.values()), lines, stream)
    for note in found["notes"]:
        stream.write(f"{note}\n")


def _cells(figures: Mapping[str, float | None]) -> list[str]:
    """Millimetres in whole numbers and one decimal, what is around 1 with two."""
    values = (figures.get(name) for name in HIDE_FIGURES)
    return ["-" if value is None else f"{value:.{1 if abs(value) >= 5 else 2}f}" for value in values]


def _rows(
    title: str,
    rows: Sequence[Row],
    columns: Sequence[str],
    records: Sequence[Record],
    stream: TextIO,
    clear: bool = False,
    everything: bool = False,
) -> dict[str, Any]:
    """A line for each row that has records: means over clips with half the width of their intervals."""
    chosen = summary.anywhere if everything else summary.clear if clear else summary.occluded
    lines, found = [], {}
    for row in rows:
        means = {name: summary.mean_of(records, row.key, name, chosen) for name in columns}
        if all(math.isnan(interval.mean) for interval in means.values()):
            continue
        found[row.key] = {name: _plain(interval) for name, interval in means.items()}
        lines.append((row.title, *(_short(interval) for interval in means.values())))
    clips = len({record.clip for record in records if chosen(record)})
    if lines:
        _print(
            f"{title} ({clips} clips; mean, 95 % interval)",
            ("", *(FIGURES[name] for name in columns)),
            lines,
            stream,
        )
    return found


def _changes(rows: Sequence[Row], records: Sequence[Record], stream: TextIO) -> dict[str, Any]:
    """What each row changes against the one above it, on the same clips."""
    columns = ("mpjpe", "pa", "pa_seen", "pa_unseen", "accel")
    lines, found = [], {}
    for base, row in itertools.pairwise(rows):
        changes = {name: summary.change_of(records, row.key, base.key, name, summary.occluded) for name in columns}
        if all(math.isnan(change.mean) for change in changes.values()):
            continue
        found[row.key] = {"base": base.key} | {name: _plain(change) for name, change in changes.items()}
        lines.append(
            (row.title, *("-" if math.isnan(one.mean) else summary.difference(one, 1) for one in changes.values()))
        )
    if lines:
        _print("Against the row above, occluded clips", ("", *(FIGURES[name] for name in columns)), lines, stream)
    return found


def _conditions(rows: Sequence[Row], records: Sequence[Record], stream: TextIO) -> dict[str, Any]:
    """PA-MPJPE under each condition."""
    names = sorted({record.condition for record in records})
    found = {
        row.key: {name: _plain(summary.mean_of(records, row.key, "pa", summary.under(name))) for name in names}
        for row in rows
    }
    lines = [
        (row.title, *(_number(found[row.key][name]["mean"]) for name in names))
        for row in rows
        if any(cell["mean"] is not None for cell in found[row.key].values())
    ]
    if lines:
        _print("PA-MPJPE by what hides the person", ("", *names), lines, stream)
    return found


def _categories(records: Sequence[Record], stream: TextIO) -> dict[str, Any]:
    """PA-MPJPE of the whole method beside CycleAdapt's recipe, for each kind of action, occluded clips."""
    found, lines = {}, []
    for name in summary.categories(records):
        one = summary.compare(records, "full", "cycle", "pa", summary.occluded_in(name))
        if math.isnan(one.percent):
            continue
        found[name] = {"cycle": round(one.base, 2), "full": round(one.row, 2), "percent": round(one.percent, 2)}
        lines.append((name, f"{one.base:.1f}", f"{one.row:.1f}", f"{one.percent:+.1f} %"))
    if lines:
        _print(
            "PA-MPJPE by kind of action, occluded clips",
            ("", "CycleAdapt's recipe", "whole method", "change"),
            lines,
            stream,
        )
    return found


def _runtime(rows: Sequence[Row], records: Sequence[Record], stream: TextIO) -> dict[str, Any]:
    """Milliseconds a frame of each stage (Table 5)."""
    stages = sorted({name for record in records for name in record.figures if name.startswith("ms_")})
    found, lines = {}, []
    for row in rows:
        means = {name: summary.mean_of(records, row.key, name).mean for name in stages}
        if any(math.isfinite(value) for value in means.values()):
            found[row.key] = {name.removeprefix("ms_"): _two(value) for name, value in means.items()}
            lines.append((row.title, *("-" if math.isnan(value) else f"{value:.1f}" for value in means.values())))
    if lines:
        _print("Milliseconds a frame (Table 5)", ("", *(name.removeprefix("ms_") for name in stages)), lines, stream)
    return found


def _goals(records: Sequence[Record], stream: TextIO) -> list[dict[str, Any]]:
    """What is to be reached, and whether it was."""
    found = summary.goals(records)
    lines = [(goal.text, goal.wanted, goal.value, "yes" if goal.met else "no") for goal in found]
    if lines:
        _print("What is to be reached", ("", "wanted", "measured", "reached"), lines, stream)
    return [{"goal": goal.text, "wanted": goal.wanted, "measured": goal.value, "reached": goal.met} for goal in found]


def _plain(interval: Interval) -> dict[str, float | None]:
    return {"mean": _two(interval.mean), "low": _two(interval.low), "high": _two(interval.high)}


def _two(value: float) -> float | None:
    return round(value, 3) if math.isfinite(value) else None


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def _short(interval: Interval) -> str:
    """`53.1 ±2.9`, with two more digits for what is small."""
    if math.isnan(interval.mean):
        return "-"
    digits = 2 if abs(interval.mean) < 2 else 1
    return f"{interval.mean:.{digits}f} ±{(interval.high - interval.low) / 2:.{digits}f}"


def _log(text: str) -> None:
    sys.stderr.write(text + "\n")


def _print(
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    stream: TextIO,
    justify: Literal["left", "right"] = "right",
) -> None:
    table = Table(title=title, title_justify="left")
    for number, name in enumerate(columns):
        table.add_column(name, justify=justify if number else "left", overflow="fold")
    for row in rows:
        table.add_row(*row)
    # a file or a pipe has no width of its own
    width = None if stream.isatty() else _WIDE
    Console(file=stream, highlight=False, width=width).print(table)
