"""The one reader of NumPy's array files, for engine and add-on: NumPy and the standard library only.

A table says which arrays a kind of file has, of which types, shapes and values (`engine/files/array_tables.py`). Every
size is checked before anything is read; headers are read by a small grammar; no Python object is ever made from a file.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from .plain_file import open_plain
from .plain_zip import Member, ZipError, read_directory, read_member, read_start, shown

Array = NDArray[Any]

MOST_BYTES = 2**29
"""What the arrays of a file may take together, unless its table says otherwise; a number counts as eight bytes."""

_MAGIC = b"\x93NUMPY"
_LONGEST_HEADER = 4096
_MOST_DIMENSIONS, _LARGEST_SIZE = 8, 2**40
_TYPE = re.compile(r"[<>|=](?:b1|[iu][1248]|f[248]|U[0-9]{1,8})")
_ENTRY = re.compile(r" *'(descr|fortran_order|shape)' *: *('[^']{1,12}'|True|False|\([0-9L, ]{0,200}\)) *(?:,|(?=\}))")
_DIMENSION = re.compile(r" *([0-9]{1,15})L? *")
_OBJECTS = re.compile(r"'descr' *: *(?:'\|O|\[)")
_KINDS = {"f": "numbers", "i": "whole numbers", "u": "whole numbers", "b": "true or false", "U": "text"}


class ArrayFileError(ValueError):
    """The file is no array file, damaged, too large, or does not fit its table. The text is part of a sentence.

    Args:
        reason: the text.
        unreadable: nothing could be read, as against arrays that do not fit the table.
        objects: the file holds Python objects.
        missing: names of arrays that are not there.
    """

    def __init__(
        self, reason: str, *, unreadable: bool = False, objects: bool = False, missing: tuple[str, ...] = ()
    ) -> None:
        super().__init__(reason)
        self.unreadable, self.objects, self.missing = unreadable, objects, missing


@dataclass(frozen=True)
class Item:
    """What one array of a file has to be.

    Attributes:
        kinds: NumPy's letters of the types that are taken: `f`, `i`, `u`, `b`, `U`.
        shape: a number for a size that is fixed, a letter for one that is the same throughout the file, None for any.
        low, high: limits of the values, both included. Values are finite in any case.
        needed: the file is refused without it.
        hint: left out, as if it were not there, where it does not fit.
    """

    kinds: str
    shape: tuple[int | str | None, ...]
    low: float = -math.inf
    high: float = math.inf
    needed: bool = True
    hint: bool = False


Table = Mapping[str, Item]


@dataclass(frozen=True)
class _Header:
    """What a member says about its array; `start` is where the values begin."""

    dtype: np.dtype[Any]
    fortran: bool
    shape: tuple[int, ...]
    start: int

    @property
    def numbers(self) -> int:
        return math.prod(self.shape)


def read_arrays(path: str | Path, table: Table, most_bytes: int = MOST_BYTES) -> dict[str, Array]:
    """The arrays of a `.npz` that its table names, in the machine's byte order; all others are not even looked at.

    Args:
        path: an ordinary file.
        table: name of each array to what it has to be.
        most_bytes: what the arrays may take together.

    Raises:
        ArrayFileError: it is none, is damaged, too large, or does not fit the table.
        OSError: it cannot be opened or read.
    """
    with open_plain(path) as file:
        members = {name: member for name, member in _members(file).items() if name in table}
        missing = tuple(name for name, item in table.items() if item.needed and name not in members)
        if missing:
            raise ArrayFileError(f"it lacks {', '.join(missing)}", missing=missing)
        headers = _headers(file, {name: members[name] for name in table if name in members})
        sizes: dict[str, int] = {}
        for name in list(headers):
            fault = _fault(name, headers[name], table[name], sizes)
            if fault and not table[name].hint:
                raise ArrayFileError(fault)
            if fault:
                del headers[name]
        arrays = _values(file, members, headers, most_bytes)
    for name, array in arrays.items():
        _check_values(name, array, table[name])
    return arrays


def check_arrays(arrays: Mapping[str, Array], table: Table) -> None:
    """Check arrays that come from elsewhere against a table, as `read_arrays` does. Raises ArrayFileError."""
    missing = tuple(name for name, item in table.items() if item.needed and name not in arrays)
    if missing:
        raise ArrayFileError(f"it lacks {', '.join(missing)}", missing=missing)
    sizes: dict[str, int] = {}
    for name in table:
        if name in arrays:
            fault = _fault(name, _Header(arrays[name].dtype, False, arrays[name].shape, 0), table[name], sizes)
            if fault:
                raise ArrayFileError(fault)
            _check_values(name, arrays[name], table[name])


def read_all(source: str | Path | BinaryIO, most_bytes: int = MOST_BYTES) -> dict[str, Array]:
    """Every array of a `.npz`, whatever it is called and holds (not a number included). Raises as `read_arrays`."""
    with open_plain(source) if isinstance(source, str | Path) else source as file:
        members = _members(file)
        return _values(file, members, _headers(file, members), most_bytes)


def _members(file: BinaryIO) -> dict[str, Member]:
    try:
        return {one.name.removesuffix(".npy"): one for one in read_directory(file) if one.name.endswith(".npy")}
    except ZipError as error:
        raise ArrayFileError(str(error), unreadable=True) from error


def _headers(file: BinaryIO, members: Mapping[str, Member]) -> dict[str, _Header]:
    try:
        starts = {name: read_start(file, member, 12 + _LONGEST_HEADER) for name, member in members.items()}
    except ZipError as error:
        raise ArrayFileError(str(error), unreadable=True) from error
    return {name: _header(start, shown(name), members[name].size) for name, start in starts.items()}


def _header(start: bytes, name: str, size: int) -> _Header:
    """The header at the start of a member of `size` bytes. Raises ArrayFileError."""
    wide = start[6:7] in (b"\x02", b"\x03")
    begin = 12 if wide else 10
    length = int.from_bytes(start[8:begin], "little")
    if not start.startswith(_MAGIC) or start[6:8] not in (b"\x01\x00", b"\x02\x00", b"\x03\x00"):
        raise ArrayFileError(f"'{name}' in it is no array", unreadable=True)
    if length > _LONGEST_HEADER or len(start) < begin + length:
        raise ArrayFileError(f"the header of '{name}' in it is damaged", unreadable=True)
    text = start[begin : begin + length].decode("latin1")
    entries = _entries(text)
    if entries is None:
        if _OBJECTS.search(text[:200]):
            raise ArrayFileError(f"'{name}' in it holds Python objects", unreadable=True, objects=True)
        raise ArrayFileError(f"the header of '{name}' in it is damaged", unreadable=True)
    shape = _shape(entries["shape"])
    dtype = np.dtype(entries["descr"])
    if shape is None or math.prod(max(one, 1) for one in shape) * max(dtype.itemsize, 1) > _LARGEST_SIZE:
        raise ArrayFileError(f"the shape of '{name}' in it is none", unreadable=True)
    header = _Header(dtype, entries["fortran_order"] == "True", shape, begin + length)
    if header.start + header.numbers * dtype.itemsize != size:
        raise ArrayFileError(f"'{name}' in it is shorter or longer than its header says", unreadable=True)
    return header


def _entries(text: str) -> dict[str, str] | None:
    """The three entries of a header; None if it is anything else than NumPy writes."""
    text = text.strip(" \n\r")
    if not (text.startswith("{") and text.endswith("}")):
        return None
    found: dict[str, str] = {}
    place = 1
    while match := _ENTRY.match(text, place):
        found[match[1]] = match[2].strip("'")
        place = match.end()
    if text[place:].strip() != "}" or set(found) != {"descr", "fortran_order", "shape"}:
        return None
    if not _TYPE.fullmatch(found["descr"]) or found["fortran_order"] not in ("True", "False"):
        return None
    return found


def _shape(text: str) -> tuple[int, ...] | None:
    """The numbers in `(3, 4)`, `(3,)` or `()`."""
    parts = text[1:-1].split(",") if text.startswith("(") else ["no"]
    if not parts[-1].strip() and (len(parts) > 1 or text.strip("() ") == ""):
        parts.pop()
    found = [_DIMENSION.fullmatch(part) for part in parts]
    if len(found) > _MOST_DIMENSIONS or not all(found):
        return None
    return tuple(int(one[1]) for one in found if one)


def _values(
    file: BinaryIO, members: Mapping[str, Member], headers: Mapping[str, _Header], most_bytes: int
) -> dict[str, Array]:
    cost = sum(one.numbers * max(one.dtype.itemsize, 8) for one in headers.values())
    if cost > most_bytes:
        raise ArrayFileError(f"it is too large: {cost / 2**20:.0f} MiB of numbers", unreadable=True)
    try:
        return {name: _array(read_member(file, members[name]), header, name) for name, header in headers.items()}
    except ZipError as error:
        raise ArrayFileError(str(error), unreadable=True) from error


def _array(content: bytearray, header: _Header, name: str) -> Array:
    array: Array = np.ndarray(header.shape, header.dtype, content, header.start, order="F" if header.fortran else "C")
    kind = header.dtype.kind
    if header.dtype.itemsize > 1 and not header.dtype.isnative:
        array = array.astype(header.dtype.newbyteorder("="))
    if kind == "b" and array.size and array.view(np.uint8).max() > 1:
        raise ArrayFileError(f"'{shown(name)}' in it holds values that are neither true nor false", unreadable=True)
    if kind == "U" and array.size and header.dtype.itemsize:
        points = np.frombuffer(array.tobytes(), np.uint32)
        if ((points > sys.maxunicode) | ((points >= 0xD800) & (points < 0xE000))).any():
            raise ArrayFileError(f"'{shown(name)}' in it holds text that is none", unreadable=True)
    return array


def _fault(name: str, header: _Header, item: Item, sizes: dict[str, int]) -> str:
    """What of type and shape is not as in the table, '' if all is; `sizes` takes what letters stand for."""
    fits = len(header.shape) == len(item.shape)
    if fits:
        for size, wanted in zip(header.shape, item.shape, strict=True):
            due = sizes.setdefault(wanted, size) if isinstance(wanted, str) else size if wanted is None else wanted
            fits = fits and size == due
    if not fits:
        known = (sizes.get(one, one) if isinstance(one, str) else "any" if one is None else one for one in item.shape)
        wanted = ", ".join(map(str, known))
        return f"{name} is {header.shape}, not ({wanted}{',' * (len(item.shape) == 1)})"
    if header.dtype.kind not in item.kinds:
        return f"{name} has type {header.dtype}, not {_KINDS[item.kinds[0]]}"
    return ""


def _check_values(name: str, array: Array, item: Item) -> None:
    if array.dtype.kind not in "fiu" or not array.size:
        return
    if not np.isfinite(array).all():
        raise ArrayFileError(f"{name} has values that are not finite")
    low, high = float(array.min()), float(array.max())
    if low < item.low or high > item.high:
        found = f"is {low:g}" if low == high else f"has values from {low:g} to {high:g}"
        raise ArrayFileError(f"{name} {found}, not within {item.low:g} to {item.high:g}")
