"""The output folder: one for each clip, with names safe on every system, and JSON files that are never half written."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tempfile
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine.errors import OutputError
from engine.files.atomic import is_half_written, replacing
from engine.files.folder_lock import LOCK
from engine.files.json_file import read_json
from engine.runtime.cache import FOLDER

FREE_BYTES = 32 * 2**20
"""Free space below which a run does not start: a body, a motion file and the cache of a short clip take about half."""

_HINT = "Free some space or choose another output folder."
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.IGNORECASE)
CLAIM = "clip.json"
"""In the cache: whose footage the folder belongs to."""


def safe_name(name: str) -> str:
    """`name` as a folder name that Windows, macOS and Linux all take; letters of every script are kept."""
    text = unicodedata.normalize("NFC", _as_text(name))
    text = "".join("_" if char in '<>:"/\\|?*' or unicodedata.category(char) in ("Cc", "Cs") else char for char in text)
    text = text.strip(" .")
    while len(text.encode()) > 150:
        text = text[:-1]
    text = text.rstrip(" .") or "clip"
    return _as_file_name(f"_{text}" if _RESERVED.fullmatch(text) else text)


def _as_text(name: str) -> str:
    """The name with its letters also under a locale that knows ASCII alone, where Python escapes all others."""
    return name if sys.getfilesystemencoding() == "utf-8" else os.fsencode(name).decode("utf-8", "surrogateescape")


def _as_file_name(text: str) -> str:
    return text if sys.getfilesystemencoding() == "utf-8" else os.fsdecode(text.encode())


def clip_name(footage: Path) -> str:
    """The name of the clip: a video's file name without its ending, a folder's name, a pattern without its number."""
    if os.path.isdir(footage):  # which raises nothing
        return safe_name(footage.resolve().name)
    return safe_name(re.sub(r"[\s_.-]*(#+|%\d*d)$", "", footage.stem) or footage.parent.name)


def clip_folders(out: Path, clips: Sequence[Path]) -> list[Path]:
    """A folder in `out` for each clip, all different (also where case does not count), none made yet.

    A folder belongs to the footage path that it was made for: a later run of that footage gets it again, and another
    clip of the same name gets the name with `_2`, `_3`, ….
    """
    taken: set[str] = set()
    folders = []
    for clip in clips:
        name, number = clip_name(clip), 1
        folder = out / name
        while folder.name.casefold() in taken or _owner(folder) not in (None, _identity(clip)):
            number += 1
            folder = out / f"{name}_{number}"
        taken.add(folder.name.casefold())
        folders.append(folder)
    return folders


def prepare_folder(folder: Path, clip: Path | None = None) -> None:
    """Make `folder`, see that it can be written and has room, clear what a killed run left half written in it.

    Args:
        folder: the clip's folder, or the output folder itself.
        clip: the footage that the folder belongs to from now on.

    Raises:
        OutputError: it cannot be made or written, the disk is full, or another run has taken it for other footage.
    """
    if clip is not None and _owner(folder) not in (None, _identity(clip)):
        raise OutputError(f"The folder {folder} has been taken for other footage meanwhile.", "Run this clip again.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for stale in [*folder.glob(".*.tmp"), *(folder / FOLDER).glob(".*.tmp")]:
            if is_half_written(stale.name):  # the folder may hold what others left under such names
                stale.unlink(missing_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(65536))
            file.flush()
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise OutputError(f"The output folder {folder} cannot be written: {error.strerror or error}.", _HINT) from error
    if free < FREE_BYTES:
        raise OutputError(f"The disk of the output folder {folder} is full: {free / 2**20:.1f} MiB are free.", _HINT)
    if clip is not None:
        write_json(folder / FOLDER / CLAIM, {"footage": _identity(clip)})


def remove_empty(folder: Path) -> None:
    """Remove the folder of a clip that has come to nothing, as long as it holds no more than whose it is."""
    cache = folder / FOLDER
    kept = [path for path in (*folder.glob("*"), *cache.glob("*")) if path.name not in (FOLDER, CLAIM, LOCK)]
    if folder.is_dir() and not kept:
        shutil.rmtree(folder, ignore_errors=True)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as JSON, under a temporary name first. Raises OutputError if the disk refuses."""
    text = json.dumps(value, indent=1, ensure_ascii=True, allow_nan=False)
    with replacing(path) as file:
        file.write(text.encode("ascii"))


def _identity(clip: Path) -> str:
    return os.path.normcase(os.path.abspath(clip))


def _owner(folder: Path) -> str | None:
    """The footage that `folder` belongs to, None if to nobody; a file in its place belongs to somebody else."""
    if folder.exists() and not folder.is_dir():
        return ""
    try:
        return str(read_json(folder / FOLDER / CLAIM)["footage"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
