"""Footage and cache entries that travel with a task, where the machines share no folder (`--ship-footage`)."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.errors import FootageError
from engine.files.atomic import replacing
from engine.footage.sources import sequence_files
from engine.runtime.cache import FOLDER

Packed = dict[str, NDArray[np.uint8]]
"""Files by name, without a folder, as their bytes: an array, which Ray's store hands out without a copy."""

_ENTRY = re.compile(r"[a-z]{1,20}-[0-9a-f]{16}(-[0-9]{5})?\.npz")

_room: tuple[str, tempfile.TemporaryDirectory[str]] | None = None
"""Where this process keeps what came for one clip, and which clip that is."""


def footage_files(path: Path) -> list[Path]:
    """Files of the footage. Raises FootageError if it is not there."""
    return sequence_files(path) or [path]


def packed_footage(path: Path) -> Packed:
    """The footage's files. Raises FootageError."""
    try:
        return {file.name: np.fromfile(file, np.uint8) for file in footage_files(path)}
    except OSError as error:
        raise FootageError(f"{path} cannot be read: {error.strerror or error}.", "Check its permissions.") from error


def footage_size(path: Path) -> int:
    """Bytes of the footage. Raises FootageError, OSError."""
    return sum(file.stat().st_size for file in footage_files(path))


def packed_cache(folder: Path) -> Packed:
    """Entries of the cache of a clip's folder."""
    files = sorted((folder / FOLDER).glob("*.npz"))
    return {file.name: np.fromfile(file, np.uint8) for file in files if _ENTRY.fullmatch(file.name)}


def unpacked(clip: str, footage: Path, packed: Packed, cache: Packed) -> tuple[Path, Path]:
    """Put files where this process works on a clip, in place of those of the clip before.

    Args:
        clip: which, in this run of the farm.
        footage: where it lies on the machine that sends it.
        packed, cache: its files, and entries of its cache.

    Returns:
        The footage and the clip's folder, on this machine.
    """
    global _room
    if _room is None or _room[0] != clip:
        if _room is not None:
            _room[1].cleanup()
        _room = clip, tempfile.TemporaryDirectory(prefix="adapt-motion-farm-", ignore_cleanup_errors=True)
        _write(packed, Path(_room[1].name) / "footage")
    folder = Path(_room[1].name)
    shutil.rmtree(folder / "clip", ignore_errors=True)
    _write(cache, folder / "clip" / FOLDER)
    is_folder = footage.name not in packed and "#" not in footage.name and "%" not in footage.name
    return folder / "footage" if is_folder else folder / "footage" / footage.name, folder / "clip"


def store(files: Packed, folder: Path) -> None:
    """Put entries that a machine has sent into the cache of the clip's folder. Raises OutputError.

    Names that are none of an entry are left out.
    """
    _write({name: content for name, content in files.items() if _ENTRY.fullmatch(name)}, folder / FOLDER)


def _write(files: Packed, folder: Path) -> None:
    for name, content in files.items():
        with replacing(folder / Path(name).name) as file:
            file.write(content.data)
