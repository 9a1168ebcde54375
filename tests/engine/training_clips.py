"""What the tests of trainings share: authored performances as clips of a corpus, and a stop on the way."""

import numpy as np

from engine.errors import CancelledError
from engine.runtime.progress import Silent
from engine.training.corpus import CorpusClip
from engine.training.figure import vectors

_TO_Z_UP = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])


def corpus_clip(name, motion, performer, synthetic, held_out, labels=()):
    """A clip of the mean body, on its feet, from what `engine.training.authored.author` gives."""
    rotations = motion.rotations.copy()
    rotations[:, 0] = _TO_Z_UP @ rotations[:, 0]
    return CorpusClip(
        name, "x", performer, synthetic, held_out, vectors(rotations).reshape(-1, 72).astype(np.float32),
        (motion.pelvis @ _TO_Z_UP.T).astype(np.float32), motion.contacts.astype(np.int8),
        np.zeros(10, np.float32), labels,
    )  # fmt: skip


class StopAt(Silent):
    """Stops after a step, as Cancel does."""

    def __init__(self, step):
        self.step = step

    def __call__(self, done, total):
        if done == self.step:
            raise CancelledError("Stopped.")
