"""Figures 3 and 4 of the paper from a bench's own numbers, as PNGs. Needs matplotlib."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.errors import OutputError, UsageError

GAIN, FILLED = "gain_by_action.png", "filled_in.png"


def draw(figures: Mapping[str, Any], folder: Path) -> list[Path]:
    """Draw what the figures have the numbers for; returns the files.

    Args:
        figures: of `engine.evaluation.tables.benchmark`.
        folder: takes the PNGs; made where it is missing.

    Raises:
        UsageError: matplotlib is missing, or there is nothing to draw.
        OutputError: the folder cannot be written.
    """
    try:
        import matplotlib
    except ImportError as error:
        raise UsageError("Plots need the package matplotlib.", "Install it: pip install matplotlib") from error
    matplotlib.use("Agg")
    thresholds = figures["tables"].get("fill-in", {}).get("occluded", {})
    made = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if figures.get("categories"):
            made.append(_gain(figures["categories"], folder / GAIN))
        if thresholds:
            made.append(_filled(thresholds, folder / FILLED))
    except OSError as error:
        raise OutputError(f"The plots cannot be written to {folder}: {error}.", "Choose another folder.") from error
    if not made:
        raise UsageError("There is nothing to plot.", "Add --tables ablation,fill-in.")
    return made


def _gain(categories: Mapping[str, Mapping[str, float]], path: Path) -> Path:
    """Figure 3: how much lower PA-MPJPE of the whole method is than CycleAdapt's recipe, by kind of action."""
    from matplotlib import pyplot

    names = sorted(categories, key=lambda name: categories[name]["percent"])
    gains = [categories[name]["cycle"] - categories[name]["full"] for name in names]
    figure, axis = pyplot.subplots(figsize=(8, 3.2), constrained_layout=True)
    axis.bar(names, gains, color=["tab:blue" if gain >= 0 else "tab:red" for gain in gains])
    axis.axhline(0, color="black", linewidth=0.8)
    axis.set_ylabel("lower PA-MPJPE, mm")
    axis.set_title("Gain over CycleAdapt's recipe by kind of action, occluded clips")
    axis.tick_params(axis="x", labelrotation=60)
    figure.savefig(path, dpi=150)
    pyplot.close(figure)
    return path


def _filled(rows: Mapping[str, Mapping[str, Mapping[str, float | None]]], path: Path) -> Path:
    """Figure 4: how many keypoints are filled in from which similarity on, and how many of them are right."""
    from matplotlib import pyplot

    keys = sorted(rows)
    thresholds = [float(key.rsplit("_", 1)[1]) for key in keys]
    filled, right = ([_number(rows[key][name]["mean"]) for key in keys] for name in ("filled", "pck"))
    figure, axis = pyplot.subplots(figsize=(5, 3.2), constrained_layout=True)
    axis.bar(thresholds, filled, width=0.03, color="tab:blue")
    axis.set_xlabel("similarity from which keypoints are filled in")
    axis.set_ylabel("filled in, % of those detected", color="tab:blue")
    other = axis.twinx()
    other.plot(thresholds, right, "o-", color="tab:orange")
    other.set_ylabel("PCK of these, %", color="tab:orange")
    other.set_ylim(0, 100)
    axis.set_xticks(thresholds)
    axis.set_title("Filled-in keypoints, occluded clips")
    figure.savefig(path, dpi=150)
    pyplot.close(figure)
    return path


def _number(value: float | None) -> float:
    return float("nan") if value is None else value
