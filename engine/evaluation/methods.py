"""The rows of the tables: what is done to a track, and with which settings."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Literal

LabelSource = Literal["none", "right", "wrong", "found"]
"""Whose label adaptation gets: nobody's, the true one, one of another category, or the retrieval labeller's."""
NONE: LabelSource = "none"
RIGHT: LabelSource = "right"
WRONG: LabelSource = "wrong"
FOUND: LabelSource = "found"

Kind = Literal["detector", "fit", "backbone", "adapted"]


@dataclass(frozen=True)
class Row:
    """A method.

    Attributes:
        key: its name in files.
        title: its name in tables.
        kind: the detector's own 3D, the fit without a network, the backbone as it is, or the backbone adapted.
        settings: of adaptation, that differ from the preset's.
        preset: whose settings it runs with; empty for that of the whole bench.
        pins: what of the truth is pinned afterwards, of `engine.evaluation.pinned`; empty for nothing.
        label: whose label it gets.
    """

    key: str
    title: str
    kind: Kind = "adapted"
    settings: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    label: LabelSource = RIGHT
    preset: str = ""
    pins: str = ""


_PAPER = {"takes": 0, "solve_steps": 0}
_MOVED = {**_PAPER, "fill_in": False}
_ALIGNED = {**_MOVED, "ema": 1.0}
_TWO_D = {**_ALIGNED, "alignment": 0.0}
_CYCLE = {**_TWO_D, "projection": 0.1, "learning_rate": 2e-4, "by_confidence": False}

DETECTOR = Row("detector", "detector's own 3D", "detector", label=NONE)
FIT = Row("fit", "fit", "fit", label=NONE)
BACKBONE = Row("backbone", "backbone, not adapted", "backbone", label=NONE)
CYCLE = Row("cycle", "CycleAdapt's recipe", settings=_CYCLE, label=NONE)
WEIGHTED = Row("weighted", "+ keypoints weighted", settings=_TWO_D, label=NONE)
ALIGNED = Row("aligned", "+ alignment", settings=_ALIGNED)
MOVED = Row("ema", "+ EMA", settings=_MOVED)
FILLED = Row("filled", "+ fill-in", settings=_PAPER)
INFILLED = Row("infilled", "+ in-filler", settings={"solve_steps": 0})
FULL = Row("full", "+ solve: whole method")
BOA = Row("boa", "BOA", settings={"strategy": "boa"}, label=NONE)
DYNABOA = Row("dynaboa", "DynaBOA", settings={"strategy": "dynaboa"}, label=NONE)
DAPA = Row("dapa", "DAPA", settings={"strategy": "dapa"}, label=NONE)
DISCRIMINATOR = Row("discriminator", "motion discriminator", settings={"label_use": "discriminator"})
UNPAIRED = Row("unpaired", "unpaired local poses", settings={"label_use": "unpaired"})
NO_LABEL = Row("no_label", "no label", label=NONE)
WRONG_LABEL = Row("wrong_label", "wrong label", label=WRONG)
FOUND_LABEL = Row("found_label", "label found by retrieval", label=FOUND)

ABLATION = (DETECTOR, FIT, BACKBONE, CYCLE, WEIGHTED, ALIGNED, MOVED, FILLED, INFILLED, FULL)
"""The paper's Table 3, and what stands before it."""
PAPER = replace(FILLED, key="paper", title="the paper's method")
WHOLE = replace(FULL, title="whole method")
METHODS = (BACKBONE, BOA, DYNABOA, DAPA, CYCLE, PAPER, WHOLE)
"""Tables 1 and 5: the methods that the paper is compared with, the paper's, and ours."""
LABEL_USE = (CYCLE, DISCRIMINATOR, UNPAIRED, WHOLE)
"""Table 4."""
FILL_IN = tuple(
    Row(f"fill_in_{value:.2f}", f"fill-in from {value:.2f}", settings={"fill_in_similarity": value})
    for value in (0.55, 0.60, 0.65, 0.70, 0.75, 0.80)
)
"""Table 6 and Figure 4."""
EMA = tuple(
    Row(f"ema_{value:.2f}", f"EMA {value:.2f}", settings={"ema": value}) for value in (0.75, 0.80, 0.85, 0.90, 0.95)
)
"""Table 8."""
LABELS = (BACKBONE, CYCLE, WRONG_LABEL, NO_LABEL, FOUND_LABEL, replace(FULL, title="right label"))
"""Table 7."""

BRIEF = (BACKBONE, CYCLE, WRONG_LABEL, NO_LABEL, FULL)
"""The quickest check of whether a change helps."""

PRESETS = (BACKBONE, *(Row(f"preset_{name}", f"preset {name}", preset=name) for name in ("fast", "balanced", "paper")))
"""The presets as they ship."""

DATA_SET = (
    DETECTOR, FIT, BACKBONE, BOA, DYNABOA, DAPA, CYCLE, FOUND_LABEL, WEIGHTED, ALIGNED, MOVED, FILLED, INFILLED, FULL,
)  # fmt: skip
"""For data sets of others, whose clips have labels only where the user has made some (Tables 1 to 3)."""

CORRECTIONS = (
    FULL,
    Row("one_pin", "+ one pose pinned", pins="one"),
    Row("three_pins", "+ three poses pinned", pins="three"),
    Row("dragged", "+ one keypoint dragged", pins="dragged"),
)
"""What a user's corrections bring: the truth in one frame, in three half a second apart, and one keypoint of it."""

TABLES: dict[str, tuple[Row, ...]] = {
    "methods": METHODS,
    "ablation": ABLATION,
    "label-use": LABEL_USE,
    "labels": LABELS,
    "fill-in": FILL_IN,
    "ema": EMA,
    "presets": PRESETS,
    "brief": BRIEF,
    "corrections": CORRECTIONS,
}


IN_FULL_VIEW = {"methods", "ablation", "labels", "brief"}
"""Tables that also show clips in which nothing is hidden."""


def rows_of(tables: Collection[str]) -> list[Row]:
    """The rows of some tables, each once, in the order of `TABLES`."""
    seen: dict[str, Row] = {}
    for table in TABLES:
        for row in TABLES[table] if table in tables else ():
            seen.setdefault(row.key, row)
    return list(seen.values())


def wrong_label(case: str, category: str, categories: Mapping[str, str], seed: int) -> str:
    """A label of another category, the same for a case on every call.

    Args:
        case: name of the case.
        category: of its true label.
        categories: the dictionary's labels with their categories.
        seed: of the choice.
    """
    others = sorted(label for label, other in categories.items() if other != category)
    return others[zlib.crc32(f"{seed}/{case}".encode()) % len(others)] if others else ""
