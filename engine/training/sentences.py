"""Sentence embeddings of the dictionary's labels and paraphrases, from a table that ships, so that training needs no
sentence encoder. `engine/training/asset_builds/build_text_tables.py` makes the table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.errors import ModelFileError
from engine.files.array_file import ArrayFileError, read_arrays
from engine.files.array_tables import SENTENCES as SENTENCE_TABLE
from engine.semantics.dictionary import MotionDictionary

SENTENCES = Path(__file__).resolve().parents[1] / "assets" / "action_sentences.npz"
_HINT = "Rebuild it with engine/training/asset_builds/build_text_tables.py."


@dataclass(frozen=True)
class LabelSentences:
    """What the sentence encoder says of the dictionary. Legend: N labels, M texts (labels and paraphrases)."""

    labels: tuple[str, ...]
    embeddings: NDArray[np.float32]
    """(M, 384) unit vectors."""
    rows: NDArray[np.int64]
    """(M,) row of the label that each text belongs to."""

    @property
    def of_labels(self) -> NDArray[np.float32]:
        """(N, 384) unit vectors: the mean of each label and its paraphrases."""
        means = np.stack([self.embeddings[self.rows == row].mean(0) for row in range(len(self.labels))])
        unit: NDArray[np.float32] = means / np.linalg.norm(means, axis=1, keepdims=True)
        return unit


def read_sentences(path: Path = SENTENCES, dictionary: MotionDictionary | None = None) -> LabelSentences:
    """The table, checked against the dictionary.

    Raises:
        ModelFileError: it cannot be read, or was made for another dictionary.
    """
    dictionary = dictionary or MotionDictionary.from_files()
    try:
        arrays = read_arrays(path, SENTENCE_TABLE)
    except (OSError, ArrayFileError) as error:
        raise ModelFileError(f"{path} cannot be read as a table of sentence embeddings.", _HINT) from error
    texts, embeddings = arrays["texts"].tolist(), arrays["embeddings"].astype(np.float32)
    known = [(text, row) for row, label in enumerate(dictionary.labels) for text in dictionary.texts(label)]
    if texts != [text for text, _ in known] or embeddings.shape != (len(texts), 384):
        raise ModelFileError(f"{path} was made for another dictionary than presets/actions.json.", _HINT)
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    return LabelSentences(dictionary.labels, embeddings, np.array([row for _, row in known], np.int64))
