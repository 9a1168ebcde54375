"""JSON in files, for engine and add-on, of which this is the one reader: standard library only.

Ordinary files alone, of limited size and depth. Numbers never overflow: one with more than 18 digits comes as a float,
which may be infinite, as `NaN` may be; who wants finite ones looks.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from .plain_file import open_plain

MOST_BYTES = 2**26
"""Of a file, unless more is requested. Ten minutes of camera poses take 10 MB."""

MOST_DEPTH = 32
"""Lists and objects in each other. The deepest file that is read has six."""

_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_BRACKET = re.compile(r"[\[\]{}]")
_LONGEST_INTEGER = 18


class JsonFileError(ValueError):
    """The file is no JSON, or too large or too deep. The text is part of a sentence."""


def read_json(path: str | Path, most_bytes: int = MOST_BYTES) -> Any:
    """What a JSON file (UTF-8, with or without a mark) holds.

    Args:
        path: an ordinary file.
        most_bytes: how large it may be.

    Raises:
        JsonFileError: it is no JSON, or beyond the limits.
        OSError: it cannot be opened or read, or is no ordinary file.
    """
    with open_plain(path) as file:
        content = file.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise JsonFileError(f"it has more than {most_bytes / 2**20:.0f} MiB")
    try:
        return parse_json(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise JsonFileError(f"byte {error.start} is not UTF-8") from error


def parse_json(text: str, most_depth: int = MOST_DEPTH) -> Any:
    """What a JSON text holds. Raises JsonFileError."""
    if depth_of(text, most_depth) > most_depth:
        raise JsonFileError(f"it has more than {most_depth} lists and objects in each other")
    try:
        return json.loads(text, parse_int=_integer)
    except ValueError as error:
        raise JsonFileError(str(error)) from error


def depth_of(text: str, enough: int) -> int:
    """How many brackets, outside of strings, are open at once at most; counts no further than just over `enough`."""
    if text.count("[") + text.count("{") <= enough:  # most files
        return enough
    depth = deepest = 0
    for match in _BRACKET.finditer(_STRING.sub('""', text)):
        depth += 1 if match[0] in "[{" else -1
        deepest = max(deepest, depth)
        if deepest > enough:
            break
    return deepest


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= _LONGEST_INTEGER else float(digits)


def keep_json(path: Path, values: object) -> None:
    """Write values for `read_json`, whole or not at all, with the folders above. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(values), encoding="utf-8")
    os.replace(part, path)
