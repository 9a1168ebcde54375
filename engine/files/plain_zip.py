"""Members of a zip archive with every size checked before anything is read. Standard library only; Blender imports it.

Takes what NumPy writes: one part, no encryption, members stored or deflated, fewer than 4 GB. Anything else is refused,
also what other programs would open, so that a strange archive means one thing only.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import BinaryIO

MOST_MEMBERS = 65_000
_MOST_DIRECTORY_BYTES = 2**23
_LONGEST_COMMENT = 2**16
_STORED, _DEFLATED = 0, 8
_ENCRYPTED = 0x1 | 0x40 | 0x2000
_END, _ENTRY, _LOCAL, _END64 = b"PK\x05\x06", b"PK\x01\x02", b"PK\x03\x04", b"PK\x06\x07"
_BLOCK = 2**16
_LARGEST_GROWTH = 1032
"""Deflate makes at most this many bytes of one."""


class ZipError(ValueError):
    """The archive is damaged or of a kind that is not read. The text says why, as part of a sentence."""


@dataclass(frozen=True)
class Member:
    """A file in the archive.

    Attributes:
        name: as the archive has it.
        size, packed_size: bytes when read, and in the archive.
        deflated: whether it is compressed.
        crc: checksum of what it holds.
        offset: where its own header begins.
    """

    name: str
    size: int
    packed_size: int
    deflated: bool
    crc: int
    offset: int


def read_directory(file: BinaryIO) -> list[Member]:
    """All members, from the directory at the end of `file`; none of their contents is read. Raises ZipError."""
    count, size, offset = _end_record(file)
    file.seek(offset)
    directory = file.read(size)
    members, place = [], 0
    for _ in range(count):
        member, place = _entry(directory, place)
        members.append(member)
    if len({member.name for member in members}) != len(members):
        raise ZipError("it has two members of one name")
    return members


def _end_record(file: BinaryIO) -> tuple[int, int, int]:
    """Number of members, bytes of the directory, and where that begins."""
    length = file.seek(0, 2)
    start = max(0, length - _LONGEST_COMMENT - 22)
    file.seek(start)
    tail = file.read(_LONGEST_COMMENT + 22)
    found = tail.rfind(_END)
    if found < 0 or found + 22 > len(tail):
        raise ZipError("it is no archive, or it is cut off")
    disk, first_disk, here, count, size, offset, _ = struct.unpack("<4H2IH", tail[found + 4 : found + 22])
    if disk or first_disk or here != count or tail[max(0, found - 20) : found].startswith(_END64):
        raise ZipError("it is an archive of several parts, or a very large one")
    if count > MOST_MEMBERS or size > _MOST_DIRECTORY_BYTES or offset + size != start + found:
        raise ZipError("its directory is damaged")
    return count, size, offset


def _entry(directory: bytes, place: int) -> tuple[Member, int]:
    """The member whose entry begins at `place`, and where the next begins."""
    header = directory[place : place + 46]
    if len(header) < 46 or not header.startswith(_ENTRY):
        raise ZipError("its directory is damaged")
    flags, method, _, _, crc, packed, size, name_size, extra_size, note_size = struct.unpack("<4H3I3H", header[8:34])
    offset = struct.unpack("<I", header[42:46])[0]
    raw = directory[place + 46 : place + 46 + name_size]
    name = raw.decode("utf-8" if flags & 0x800 else "cp437", "replace")
    if flags & _ENCRYPTED:
        raise ZipError(f"'{shown(name)}' in it is encrypted")
    if method not in (_STORED, _DEFLATED):
        raise ZipError(f"'{shown(name)}' in it is compressed in an unusual way ({method})")
    if 0xFFFFFFFF in (packed, size, offset) or (method == _STORED and packed != size):
        raise ZipError(f"the size of '{shown(name)}' in it is wrong")
    return Member(name, size, packed, method == _DEFLATED, crc, offset), place + 46 + name_size + extra_size + note_size


def read_start(file: BinaryIO, member: Member, most: int) -> bytes:
    """The first `most` bytes of what a member holds, unchecked, or all if it is shorter. Raises ZipError."""
    _find(file, member)
    most = min(most, member.size)
    return bytes(_inflate(file, member, most) if member.deflated else file.read(most))


def read_member(file: BinaryIO, member: Member) -> bytearray:
    """What a member holds, checked. The caller judges `member.size` before. Raises ZipError."""
    _find(file, member)
    content = _inflate(file, member, member.size + 1) if member.deflated else bytearray(file.read(member.packed_size))
    if len(content) != member.size:
        raise ZipError(f"'{shown(member.name)}' in it is cut off or longer than it says")
    if zlib.crc32(content) != member.crc:
        raise ZipError(f"'{shown(member.name)}' in it is damaged")
    return content


def _find(file: BinaryIO, member: Member) -> None:
    """Go to where a member's content begins."""
    file.seek(member.offset)
    header = file.read(30)
    if len(header) < 30 or not header.startswith(_LOCAL):
        raise ZipError(f"'{shown(member.name)}' in it is not where it should be")
    if member.size > member.packed_size * _LARGEST_GROWTH + 64:
        raise ZipError(f"the size of '{shown(member.name)}' in it is wrong")
    name_size, extra_size = struct.unpack("<2H", header[26:30])
    file.seek(name_size + extra_size, 1)


def _inflate(file: BinaryIO, member: Member, most: int) -> bytearray:
    """Up to `most` bytes of a deflated member's content."""
    content, left = bytearray(), member.packed_size
    decompressor = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        while not decompressor.eof and len(content) < most:
            block = decompressor.unconsumed_tail
            if not block:
                block = file.read(min(_BLOCK, left))
                left -= len(block)
            more = decompressor.decompress(block, min(most - len(content), 2**24))
            if not block and not more:
                break
            content += more
    except zlib.error as error:
        raise ZipError(f"'{shown(member.name)}' in it is damaged ({error})") from error
    return content


def shown(text: str, most: int = 60) -> str:
    """Text from a file, short and without control characters, for a message."""
    plain = "".join(char if char.isprintable() else "?" for char in text[: most + 1])
    return plain if len(plain) <= most else plain[:most] + "…"
