"""The rows of `bench --hide`: what a run of the engine is started with, from the rows of the other tables."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from engine.errors import UsageError
from engine.evaluation.methods import (
    ABLATION,
    BACKBONE,
    BOA,
    DAPA,
    DYNABOA,
    FIT,
    FOUND,
    FOUND_LABEL,
    FULL,
    NO_LABEL,
    RIGHT,
    WRONG,
    WRONG_LABEL,
    LabelSource,
    Row,
    wrong_label,
)


@dataclass(frozen=True)
class HideRow:
    """A run.

    Attributes:
        key, title: its name in files and in tables.
        backbone: '' for that of the whole bench.
        label: whose label it gets.
        overrides: its settings, as `--set` takes them.
    """

    key: str
    title: str
    backbone: str
    label: LabelSource
    overrides: tuple[str, ...]


def of_row(row: Row) -> HideRow:
    """The run that a row of the other tables stands for."""
    if row.kind == "fit":
        return HideRow(row.key, row.title, "fit", row.label, ())
    settings = {"enabled": False} if row.kind == "backbone" else row.settings
    overrides = tuple(f"adaptation.{name}={json.dumps(value)}" for name, value in settings.items())
    return HideRow(row.key, row.title, "", row.label, overrides)


_RIGHT_LABEL = replace(of_row(FULL), key="right_label", title="right label")
DEFAULT = (of_row(FIT), of_row(NO_LABEL), _RIGHT_LABEL, of_row(WRONG_LABEL))
"""What is run unless other rows are chosen; the last three are the whole method."""
ALL = (
    of_row(FIT),
    of_row(BACKBONE),
    *(of_row(row) for row in ABLATION if row.kind == "adapted" and row != FULL),
    of_row(NO_LABEL),
    of_row(FOUND_LABEL),
    _RIGHT_LABEL,
    of_row(WRONG_LABEL),
)
"""With the paper's Table 3."""
OTHERS = (of_row(BOA), of_row(DYNABOA), of_row(DAPA))
"""Methods that the paper is compared with, run only where they are named."""


def choose_rows(names: Sequence[str], label: str) -> tuple[list[HideRow], list[str]]:
    """Rows by their keys, `all` or none for `DEFAULT`, and sentences about those that are left out.

    Args:
        names: of the rows.
        label: the right label, '' if it is not known.

    Raises:
        UsageError: there is no row of that name, or none can be run without a label.
    """
    known = {row.key: row for row in (*ALL, *OTHERS)}
    unknown = [name for name in names if name not in known and name != "all"]
    if unknown:
        raise UsageError(f"--hide-rows does not know '{unknown[0]}'.", f"Choose from all, {', '.join(known)}.")
    chosen = ALL if "all" in names else [known[name] for name in dict.fromkeys(names)] if names else DEFAULT
    rows = [row for row in chosen if label or row.label not in (RIGHT, WRONG)]
    if not rows:
        raise UsageError("These rows need the right label.", "Add --label TEXT.")
    if len(rows) == len(chosen):
        return rows, []
    left_out = ", ".join(row.title for row in chosen if row not in rows)
    return rows, [f"No label is given, so these rows are left out: {left_out}. Add --label TEXT for them."]


def other_label(label: str, seed: int) -> str:
    """A label of the dictionary that is of another category than what `label` means. Raises ModelFileError."""
    from engine.semantics.dictionary import MotionDictionary

    dictionary = MotionDictionary.from_files()
    meant = dictionary.match(label).label
    categories = {name: dictionary.category(name) for name in dictionary.labels}
    return wrong_label(label, categories[meant] if meant else "", categories, seed)


def labels_of(row: HideRow, right: str, wrong: str) -> tuple[str, str]:
    """Typed label and labeler of a row."""
    typed = {RIGHT: right, WRONG: wrong}.get(row.label, "")
    return typed, "retrieval" if row.label == FOUND else "none"
