"""Readers of data sets that the user has: each yields people as cases, with the truth in the camera frame.

Their licences forbid passing them on, so none comes with the project. What the readers know of the files is from the
data sets' own documentation, named in each module.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from engine.errors import EngineError, UsageError
from engine.evaluation.data import Case
from engine.evaluation.datasets import egobody, emdb, mpi_inf_3dhp, rich, threedpw
from engine.evaluation.datasets.shared import Licensed

READERS: dict[str, Callable[[Path, Licensed], Iterator[Case]]] = {
    "3dpw": threedpw.read,
    "3dhp": mpi_inf_3dhp.read,
    "egobody": egobody.read,
    "emdb1": emdb.reader("emdb1"),
    "emdb2": emdb.reader("emdb2"),
    "rich": rich.read,
}


def read(name: str, root: Path, licensed: Licensed) -> Iterator[Case]:
    """The people of a data set, one by one. Raises UsageError where it, or a file of it, is not what it should be."""
    if name not in READERS:
        raise UsageError(f"There is no data set '{name}'.", f"Choose from {', '.join(READERS)}.")
    if not root.is_dir():
        raise UsageError(f"There is no folder {root}.", "Give the folder that the data set was unpacked to as --root.")
    return READERS[name](root, licensed)


@dataclass(frozen=True)
class Found:
    """What a folder holds of a data set, and what it lacks.

    Attributes:
        people: name and frames of each person that could be read.
        missing: sentences.
        trouble: why reading ended before the end; None where it did not.
    """

    people: dict[str, int]
    missing: tuple[str, ...]
    trouble: EngineError | None


def check(name: str, root: Path, licensed: Licensed, labels: Path | None) -> Found:
    """Read a data set without running anything. Raises UsageError as `read`."""
    people: dict[str, int] = {}
    missing: dict[str, None] = {}
    trouble = None
    try:
        for case in read(name, root, licensed):
            people[case.name] = case.frames
            missing |= dict.fromkeys(note for note in case.truth.note.split("; ") if note)
            if labels is not None and not (labels / f"{case.name}.json").is_file():
                missing[f"{labels} has no {case.name}.json, so {case.name} has no labels"] = None
    except EngineError as error:
        if not root.is_dir() or name not in READERS:
            raise
        trouble = error
    if labels is None:
        missing["no --labels were given, so rows that use the right label are left out"] = None
    return Found(people, tuple(missing), trouble)
