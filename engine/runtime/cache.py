"""Results of stages on disk, so that a run goes on where it was interrupted.

An entry is a plain `.npz` named after its stage and a key of everything that it depends on: the footage's content, the
settings of the stage, the engine's version. Another key means another file, so stale work is never read.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine import __version__
from engine.files.array_file import ArrayFileError, read_all
from engine.files.array_tables import MOST_MOTION_BYTES
from engine.files.atomic import write_arrays
from engine.files.plain_file import open_plain
from engine.runtime.progress import Progress

FOLDER = ".cache"
LOG = "libraries.log"
Arrays = dict[str, NDArray[Any]]


def key_of(**parts: Any) -> str:
    """16 hexadecimal digits that stand for `parts` (anything JSON can hold) and the engine's version."""
    text = json.dumps({"engine": __version__, **parts}, sort_keys=True, ensure_ascii=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def content_of(path: Path) -> str:
    """SHA-256 (hex) of a file, or of the names and contents of the files in a folder."""
    digest = hashlib.sha256()
    for file in sorted(item for item in path.iterdir() if item.is_file()) if path.is_dir() else [path]:
        name = file.name if path.is_dir() else ""
        digest.update(f"{name}\0{file.stat().st_size}\0".encode(errors="surrogateescape"))
        with open_plain(file) as content:
            while block := content.read(2**20):
                digest.update(block)
    return digest.hexdigest()


class Cache:
    """Entries of one clip.

    Args:
        folder: the clip's folder; entries lie in its `.cache`.
        read: whether earlier runs' entries are used; they are written in any case.
        warn: called with a code and a sentence where an entry is damaged.
    """

    def __init__(self, folder: Path, read: bool, warn: Callable[[str, str], None]) -> None:
        self._folder, self._read, self._warn = folder / FOLDER, read, warn
        self.reused: list[str] = []
        """Stages with entries that were used."""

    @property
    def log(self) -> Path:
        """File for what libraries write to the terminal."""
        return self._folder / LOG

    def path(self, stage: str, key: str, part: int | None = None) -> Path:
        """Where an entry lies; `part` numbers the pieces of a stage that is stored bit by bit."""
        return self._folder / (f"{stage}-{key}.npz" if part is None else f"{stage}-{key}-{part:05d}.npz")

    def has(self, stage: str, key: str, part: int | None = None) -> bool:
        """Whether there is an entry that may be used."""
        return self._read and self.path(stage, key, part).is_file()

    def load(self, stage: str, key: str, part: int | None = None) -> Arrays | None:
        """An entry's arrays, or None if there is none, it may not be used, or it is damaged (then with a warning)."""
        path = self.path(stage, key, part)
        if not self.has(stage, key, part):
            return None
        try:
            arrays = read_all(path, MOST_MOTION_BYTES)
        except (ArrayFileError, OSError) as error:
            self.damaged(path, str(error))
            return None
        if stage not in self.reused:
            self.reused.append(stage)
        return arrays

    def store(self, stage: str, key: str, arrays: Arrays, part: int | None = None) -> None:
        """Write an entry, atomically. Raises OutputError."""
        write_arrays(self.path(stage, key, part), arrays)

    def damaged(self, path: Path, reason: str) -> None:
        """Say that an entry is of no use; it is made again."""
        self._warn("cache", f"The saved result {path.name} is damaged ({reason}) and is made again.")


class Recorder:
    """Progress that also keeps the warnings of a stage, so that a result from the cache brings them along."""

    def __init__(self, progress: Progress) -> None:
        self.warnings: list[str] = []
        self._progress = progress

    def __call__(self, done: int, total: int) -> None:
        """Pass it on."""
        self._progress(done, total)

    def warn(self, code: str, message: str) -> None:
        """Keep it and pass it on."""
        self.warnings.append(json.dumps([code, message]))
        self._progress.warn(code, message)


def load_entry(cache: Cache, stage: str, key: str, progress: Progress, part: int | None = None) -> Arrays | None:
    """An entry, whose warnings are given again; None if there is none or it lacks arrays."""
    entry = cache.load(stage, key, part)
    if entry is not None:
        for text in entry.pop("warnings", text_array([])).tolist():
            progress.warn(*json.loads(text))
    return entry


def text_array(items: list[str]) -> NDArray[np.str_]:
    """Texts as an array that the cache takes, also if there are none."""
    return np.array(items, dtype=np.str_) if items else np.zeros(0, dtype="<U1")
