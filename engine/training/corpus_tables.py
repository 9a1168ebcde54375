"""The tables beside the clips of a corpus folder: labels, performers, notes. Oddities are reported by line."""

from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from engine.errors import UsageError
from engine.training.corpus import LabelRow
from engine.training.split import is_uneven, same_people, true_performers

RECOGNISED = "cmux_performers.csv"
LOOKED_AT = Path(__file__).with_name("looked_at.csv")
"""Labels of stretches that the sources leave without one, given after looking at a sheet of `segments.py`."""
_GUESSED = "is inferred"


@dataclass
class Tables:
    """What the tables of one folder or of several say. Clip names are the keys."""

    labels: dict[str, list[LabelRow]] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)
    """Performer as the provenance table has it."""
    notes: dict[str, str] = field(default_factory=dict)
    original_fps: dict[str, float] = field(default_factory=dict)
    """Rate of the recording, where the table has it."""
    recognised: dict[str, str] = field(default_factory=dict)
    """True performer of clips that were recognised; may name clips of another folder."""
    pairs: list[tuple[str, str]] = field(default_factory=list)
    """Names that the tables use for one clip."""
    issues: list[str] = field(default_factory=list)
    """What is odd, one sentence each, with file and line."""

    def add(self, other: Tables) -> None:
        """Take in the tables of another folder; what is known of a clip already stays."""
        for name in ("labels", "groups", "notes", "original_fps", "recognised"):
            setattr(self, name, {**getattr(other, name), **getattr(self, name)})
        self.pairs += other.pairs
        self.issues += other.issues

    def performers(self) -> dict[str, str]:
        """True performer of each clip of the provenance tables."""
        return true_performers(self.groups, self.recognised)

    def joined(self) -> dict[str, frozenset[str]]:
        """Names that cannot be kept apart, by name: they stay on one side of the split."""
        mixed = self._mixed_groups()
        return same_people([*self.pairs, *((group, who) for group, people in mixed.items() for who in people)])

    def mixed_groups(self) -> list[str]:
        """A sentence for each group that turned out to be several people and has clips of nobody knows whom."""
        return [
            f"{RECOGNISED}: the clips of {group} are of {' and '.join(sorted(people))}; those that nobody recognised "
            "stay on the side of both."
            for group, people in sorted(self._mixed_groups().items())
        ]

    def uneven(self) -> frozenset[str]:
        """Clips that were not taken on one level floor."""
        performers = self.performers()
        return frozenset(clip for clip, who in performers.items() if is_uneven(who, self.notes.get(clip, "")))

    def _mixed_groups(self) -> dict[str, set[str]]:
        people: dict[str, set[str]] = defaultdict(set)
        unknown = set()
        for clip, group in self.groups.items():
            if clip in self.recognised:
                people[group].add(self.recognised[clip])
            else:
                unknown.add(group)
        return {group: found for group, found in people.items() if len(found) > 1 and group in unknown}


def read_tables(folder: Path) -> Tables:
    """The tables of a folder.

    Raises:
        UsageError: `labels.csv` or `provenance.csv` is missing or damaged.
    """
    tables = Tables()
    tables.labels = _labels(folder / "labels.csv", tables.issues)
    _provenance(folder / "provenance.csv", tables)
    path = folder / RECOGNISED
    if path.is_file():
        for _, row in _rows(path, "old_clip", "performer"):
            tables.recognised[row["old_clip"]] = row["performer"]
    return tables


def add_looked_at(tables: Tables) -> None:
    """Give clips that have no label at all those of `LOOKED_AT`."""
    for clip, rows in _labels(LOOKED_AT, tables.issues).items():
        if clip in tables.groups:
            tables.labels.setdefault(clip, rows)


def _rows(path: Path, *columns: str) -> list[tuple[int, dict[str, str]]]:
    """The rows of a table with their lines."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            rows = [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path.name} cannot be read.", f"It should lie in {path.parent}.") from error
    for line, row in rows:
        lacking = [name for name in columns if not row.get(name)]
        if lacking:
            raise UsageError(f"{path.name}, line {line}: no {lacking[0]}.", "See the corpus's README.")
    return rows


def _labels(path: Path, issues: list[str]) -> dict[str, list[LabelRow]]:
    """Labelled intervals by clip, none over another: of two labels for one frame the earlier row's counts."""
    kept: dict[str, list[tuple[int, LabelRow]]] = defaultdict(list)
    for line, row in _rows(path):
        clip, label = _label_row(row, f"{path.name}, line {line}")
        before = next(
            (other for other in kept[clip] if other[1].start < label.end and label.start < other[1].end), None
        )
        if before:
            issues.append(
                f"{path.name}, line {line}: {clip} has two labels for one frame, '{label.label}' and "
                f"'{before[1].label}' (line {before[0]}); line {before[0]} counts."
            )
        else:
            kept[clip].append((line, label))
    return {clip: [label for _, label in rows] for clip, rows in kept.items()}


def _label_row(row: dict[str, str], where: str) -> tuple[str, LabelRow]:
    try:
        label = LabelRow(int(row["start_frame"]), int(row["end_frame"]), row["label"], row["category"])
        return row["clip"], label
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f"{where}: not a row of labels.", "See the corpus's README.") from error


def _provenance(path: Path, tables: Tables) -> None:
    lines: dict[str, int] = {}
    guessed: dict[str, list[int]] = defaultdict(list)
    for line, row in _rows(path, "clip", "split_group"):
        clip, group, notes = row["clip"], row["split_group"], row.get("notes") or ""
        if tables.groups.get(clip, group) != group:
            tables.issues.append(
                f"{path.name}, line {line}: {clip} is of {group}, in line {lines[clip]} of {tables.groups[clip]}; both "
                "stay on one side of the split."
            )
            tables.pairs.append((group, tables.groups[clip]))
            continue
        tables.groups[clip], lines[clip], tables.notes[clip] = group, line, notes
        if _GUESSED in notes:
            guessed[group].append(line)
        try:
            tables.original_fps[clip] = float(row.get("original_fps") or "")
        except ValueError:
            continue
    if guessed:
        spans = "; ".join(f"{who} in lines {rows[0]} to {rows[-1]}" for who, rows in sorted(guessed.items()))
        tables.issues.append(f"{path.name}: who performs is a guess of the source: {spans}.")
