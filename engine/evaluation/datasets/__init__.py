"""Readers of data sets that the user has: each yields people as cases, with the truth in the camera frame.

Their licences forbid passing them on, so none comes with the project. What the readers know of the files is from the
data sets' own documentation, named in each module.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from engine.errors import UsageError
from engine.evaluation.data import Case
from engine.evaluation.datasets import egobody, mpi_inf_3dhp, threedpw
from engine.evaluation.datasets.shared import Licensed

READERS: dict[str, Callable[[Path, Licensed], Iterator[Case]]] = {
    "3dpw": threedpw.read,
    "3dhp": mpi_inf_3dhp.read,
    "egobody": egobody.read,
}


def read(name: str, root: Path, licensed: Licensed) -> Iterator[Case]:
    """The people of a data set, one by one. Raises UsageError where it, or a file of it, is not what it should be."""
    if name not in READERS:
        raise UsageError(f"There is no data set '{name}'.", f"Choose from {', '.join(READERS)}.")
    if not root.is_dir():
        raise UsageError(f"There is no folder {root}.", "Give the folder that the data set was unpacked to as --root.")
    return READERS[name](root, licensed)
