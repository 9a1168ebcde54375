"""CLIP's byte-pair tokenizer. Its table of merges is not ours to ship: it is read from the user's folder."""

from __future__ import annotations

import gzip
import html
import re
import unicodedata
import zlib
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor

from engine.errors import ModelFileError

CONTEXT = 77
_MERGES = 49152 - 256 - 2
_START, _END = 49406, 49407
_FILES = ("merges.txt", "bpe_simple_vocab_16e6.txt.gz", "bpe_simple_vocab_16e6.txt")
_WORD_END = "</w>"
_WIDE = (0x3000, *range(0xFF01, 0xFFF0))  # letters of full and half width
_DOUBLE = (0x132, 0x133, 0x149, *range(0x1C4, 0x1CD), *range(0x1F1, 0x1F4), *range(0xFB00, 0xFB07))  # two in one
_UNSEEN = (*range(9), 11, *range(14, 32), 127, *range(0x206A, 0x2070), 0xFEFF, *range(0xFFF9, 0xFFFD))
_AS_TYPED: dict[int, str | None] = {
    **{code: unicodedata.normalize("NFKC", chr(code)) for code in (*_WIDE, *_DOUBLE)},
    **dict.fromkeys(_UNSEEN),
    **dict.fromkeys((0x149,), "'n"),
    **dict.fromkeys((0x2BC, *range(0x2018, 0x201C)), "'"),
    **dict.fromkeys(range(0x201C, 0x2020), '"'),
}
"""Letters as a keyboard writes them, as CLIP's own reader of texts (ftfy) has them. What was read with a wrong encoding
is not repaired."""

_PARTS = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d|[a-z]+|[0-9]|[^\sa-z0-9]+")


class ClipTokens:
    """Turns texts into CLIP's numbers.

    Args:
        merges: pairs of parts that are joined, in the order of their learning; CLIP has 48,894.
    """

    def __init__(self, merges: Sequence[tuple[str, str]]) -> None:
        letters = [_letter_of_byte(byte) for byte in _byte_order()]
        parts = [*letters, *(letter + _WORD_END for letter in letters), *("".join(pair) for pair in merges)]
        self._numbers = {part: number for number, part in enumerate(parts)}
        self._ranks = {pair: rank for rank, pair in enumerate(merges)}

    def __call__(self, texts: Sequence[str]) -> Tensor:
        """(N, 77) int64: start, the text's parts, end, then 0. What does not fit is cut off."""
        rows = torch.zeros(len(texts), CONTEXT, dtype=torch.int64)
        for row, text in zip(rows, texts, strict=True):
            numbers = [_START, *self._encode(text)[: CONTEXT - 2], _END]
            row[: len(numbers)] = torch.tensor(numbers)
        return rows

    def _encode(self, text: str) -> list[int]:
        plain = unicodedata.normalize("NFC", html.unescape(html.unescape(text)).translate(_AS_TYPED))
        cleaned = " ".join(plain.split()).lower()
        numbers: list[int] = []
        for match in _PARTS.finditer("".join(map(_kind, cleaned))):
            word = cleaned[match.start() : match.end()]
            letters = [_letter_of_byte(byte) for byte in word.encode()]
            letters[-1] += _WORD_END
            numbers.extend(self._numbers[part] for part in self._join(letters))
        return numbers

    def _join(self, parts: list[str]) -> list[str]:
        """Join pairs, those learned first before others, until none is left that was learned."""
        while len(parts) > 1:
            pairs = list(pairwise(parts))
            best = min(pairs, key=lambda pair: self._ranks.get(pair, len(self._ranks)))
            if best not in self._ranks:
                break
            joined: list[str] = []
            for part in parts:
                if joined and (joined[-1], part) == best:
                    joined[-1] += part
                else:
                    joined.append(part)
            parts = joined
        return parts

    @classmethod
    def from_folder(cls, folder: Path) -> ClipTokens:
        """Read the merges that lie beside a CLIP model. Raises ModelFileError."""
        path = next((folder / name for name in _FILES if (folder / name).is_file()), None)
        hint = f"Put {_FILES[0]} (transformers) or {_FILES[1]} (OpenAI's package) beside the CLIP model."
        if path is None:
            raise ModelFileError(f"CLIP's table of merges is not in {folder}.", hint)
        try:
            content = path.read_bytes()
            lines = (gzip.decompress(content) if path.suffix == ".gz" else content).decode("utf-8").split("\n")
        except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
            raise ModelFileError(f"{path} cannot be read: {error}.", hint) from error
        pairs = [tuple(line.split()) for line in lines[1 : _MERGES + 1]]  # the first line has the version
        if len(pairs) != _MERGES or any(len(pair) != 2 for pair in pairs):
            raise ModelFileError(f"{path} is not CLIP's table of {_MERGES} merges.", hint)
        return cls([(first, second) for first, second in pairs])


def _kind(letter: str) -> str:
    """A stand-in of the same kind, so that a plain pattern splits any script: letters, digits, blanks, all else."""
    if letter.isascii():
        return letter
    category = unicodedata.category(letter)[0]
    if category == "L":
        return "z"  # in none of the endings such as 's
    return "0" if category == "N" else " " if letter.isspace() else "!"


def _byte_order() -> list[int]:
    """Bytes in the order of their numbers: those with a visible letter in Latin-1 first."""
    visible = [*range(33, 127), *range(161, 173), *range(174, 256)]
    return [*visible, *(byte for byte in range(256) if byte not in visible)]


def _letter_of_byte(byte: int) -> str:
    """The letter that stands for a byte in the table: itself if visible, else the next free one from 256 on."""
    return _LETTERS[byte]


_LETTERS = {byte: chr(byte) if rank < 188 else chr(256 + rank - 188) for rank, byte in enumerate(_byte_order())}
