"""Which action a free text means, without a sentence encoder: words compared by shape, by stem and by meaning.

What single words mean comes from a table of all-MiniLM-L6-v2's vectors; a text is the weighted mean of its words. The
sentence encoder itself is no better at this: it hardly separates left from right, and what it gains by word order is
little in texts of a few words. Legend: M texts of the dictionary, W words of the table.
"""

from __future__ import annotations

import difflib
import math
import re
from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.errors import ModelFileError
from engine.files.array_file import ArrayFileError, read_arrays
from engine.files.array_tables import WORDS as WORD_TABLE

WORDS = Path(__file__).resolve().parents[1] / "assets" / "words.npz"
_FILLERS = frozenset(
    re.findall(
        r"\w+",
        """a an the this that these those is are was were be been being am it its he she they his her their him them one
        someone somebody person persons people man woman guy girl boy lady human character actor figure subject who
        and or of to at in into with for from by as so then while there here some any very really just do does doing did
        action motion video clip oneself himself herself themselves itself own""",
    )
)
_SIDES = {"left": -1, "counterclockwise": -1, "anticlockwise": -1, "right": 1, "clockwise": 1}
_JOINED = re.compile(r"\b(push|press|sit)[ -](ups?)\b")
_MEANING_SHARE = 0.65
_RARITY_HALF = 400
"""Rank in the table at which a word counts half as much as a rare one."""
_TYPO = 0.855


class TextMatcher:
    """Scores texts against those of a dictionary.

    Args:
        texts: (M) texts to be found.
        words: the table's words, most frequent first.
        vectors: (W, K) what they mean.
    """

    def __init__(self, texts: Sequence[str], words: Sequence[str], vectors: NDArray[np.float32]) -> None:
        self._rank = {word: row for row, word in enumerate(words)}
        self._vectors = vectors
        own = {word for text in texts for word in _split(text)}
        self._own = own | {form for word in own for form in (f"{word.removesuffix('e')}ing", f"{word}{word[-1]}ing")}
        self._texts = [self._known(text) for text in texts]
        self._orders = [[_stem(word) for word in words] for words in self._texts]
        often = Counter(stem for order in self._orders for stem in set(order))
        self._stems = {stem: column for column, stem in enumerate(often)}
        self._rarity = np.array([math.log(1 + len(texts) / count) for count in often.values()])
        self._has = np.zeros((len(texts), len(often)))
        for row, order in enumerate(self._orders):
            self._has[row, [self._stems[stem] for stem in order]] = 1
        self._means = np.stack([self._mean(words) for words in self._texts])
        self._sides = np.array([side_of(text) for text in texts])

    @classmethod
    def from_file(cls, texts: Sequence[str], path: Path = WORDS) -> TextMatcher:
        """With the table of a file. Raises ModelFileError if it is damaged."""
        return cls(texts, *read_words(path))

    def scores(self, text: str) -> NDArray[np.float32]:
        """(M,) how near each text is: 1 the same words, about 0 no relation. All 0 for a text without words."""
        words = self._known(text)
        if not words:
            return np.zeros(len(self._texts), np.float32)
        known = sum(self._row(word) is not None for word in words)
        meaning = self._means @ self._mean(words) * math.sqrt(known / len(words))
        order = [_stem(word) for word in words]
        same = self._overlap(order)
        scores = _MEANING_SHARE * meaning + (1 - _MEANING_SHARE) * same
        side = side_of(text)
        scores = np.where(self._sides * side < 0, scores - 0.5, scores)
        scores = np.where((self._sides != side) & (self._sides * side == 0), scores - 0.08, scores)
        exact: NDArray[np.float32] = np.where(
            [order == other for other in self._orders] & (self._sides == side), 1.0, np.minimum(scores, 0.99)
        ).astype(np.float32)
        return exact

    def _overlap(self, order: Sequence[str]) -> NDArray[np.float64]:
        """(M,) share of the words in common with each text, rare ones counting more."""
        known = sorted({self._stems[stem] for stem in order if stem in self._stems})
        strange = len({stem for stem in order if stem not in self._stems}) * math.log(1 + len(self._texts))
        shared = self._has[:, known] @ self._rarity[known]
        either = self._has @ self._rarity + self._rarity[known].sum() + strange - shared
        share: NDArray[np.float64] = shared / np.maximum(either, 1e-9)
        return share

    def _mean(self, words: Sequence[str]) -> NDArray[np.float32]:
        """Unit vector of a text, 0 for one of which no word is in the table."""
        rows = [row for word in words if (row := self._row(word)) is not None]
        if not rows:
            return np.zeros(self._vectors.shape[1], np.float32)
        weights = np.array([row / (row + _RARITY_HALF) + 0.05 for row in rows], np.float32)
        mean = weights @ self._vectors[rows]
        unit: NDArray[np.float32] = mean / max(float(np.linalg.norm(mean)), 1e-9)
        return unit

    def _row(self, word: str) -> int | None:
        """Row of a word, or of its stem."""
        return next((self._rank[form] for form in (word, *_plain_forms(word)) if form in self._rank), None)

    def _known(self, text: str) -> list[str]:
        """Words of a text without fillers; one that nobody knows is taken for a word of the dictionary it is like."""
        words = [word for word in _split(text) if word not in _FILLERS]
        return [word if self._row(word) is not None else self._corrected(word) for word in words]

    def _corrected(self, word: str) -> str:
        if len(word) < 4:
            return word
        # a slip of the finger rarely hits the first letter, and "knitting" is not "sitting"
        # another letter in the place of one makes another word, in short ones: "shaving" is not "shaking"
        lengths = {len(word) + more for more in range(-3, 4) if more or len(word) > 8}
        likely = sorted(other for other in self._own if other[0] == word[0] and len(other) in lengths)
        forms = difflib.get_close_matches(word, likely, n=1, cutoff=_TYPO)
        return forms[0] if forms else word


def read_words(path: Path = WORDS) -> tuple[list[str], NDArray[np.float32]]:
    """Words, most frequent first, and their vectors (W, K). Raises ModelFileError if the file is damaged."""
    hint = (
        "Install the add-on's engine again, or rebuild the file with engine/training/asset_builds/build_text_tables.py."
    )
    try:
        arrays = read_arrays(path, WORD_TABLE)
    except (OSError, ArrayFileError) as error:
        raise ModelFileError(f"{path} cannot be read as a table of words: {error}.", hint) from error
    return arrays["words"].tolist(), arrays["vectors"] * arrays["scale"].astype(np.float32)


def _split(text: str) -> list[str]:
    return re.findall(r"[a-z]+", _JOINED.sub(r"\1\2", text.lower().replace("'s", "")))


def side_of(text: str) -> int:
    """-1 if a text names the left side or turning left, 1 for the right, 0 for none; what comes first counts."""
    sides = [_SIDES[word] for word in _split(text) if word in _SIDES]
    return sides[0] if sides else 0


@cache
def _stem(word: str) -> str:
    """A crude stem: -ing, -ed, -s and a last -e taken off."""
    forms = _plain_forms(word)
    return (forms[0] if forms else word).removesuffix("e")


@cache
def _plain_forms(word: str) -> tuple[str, ...]:
    """What a word may be a form of, likeliest first: walking to walk, sitting to sit, waves to wave."""
    if word in _IRREGULAR:
        return (_IRREGULAR[word],)
    for ending in ("ing", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):
            rest = word[: -len(ending)]
            if len(rest) > 3 and rest[-1] == rest[-2] and rest[-1] not in "ls":
                return (rest[:-1], rest)
            return (rest, rest + "e") if ending != "s" else (rest,)
    return ()


_IRREGULAR = {
    "ran": "run", "sat": "sit", "stood": "stand", "lying": "lie", "lay": "lie", "threw": "throw", "thrown": "throw",
    "drank": "drink", "fought": "fight", "knelt": "knee", "swung": "swing", "went": "go", "gone": "go",
}  # fmt: skip
