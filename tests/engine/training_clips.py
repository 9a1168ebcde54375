"""What the tests of trainings share: authored performances as clips of a corpus, and a stop on the way."""

import numpy as np

from engine.errors import CancelledError
from engine.progress import Silent
from engine.training.corpus import CorpusClip
from engine.training.figure import vectors


def corpus_clip(name, motion, performer, synthetic, held_out, labels=()):
    """A clip of the mean body from what `engine.training.authored.author` gives."""
    return CorpusClip(
        name, "x", performer, synthetic, held_out, vectors(motion.rotations).reshape(-1, 72).astype(np.float32),
        motion.pelvis.astype(np.float32), motion.contacts.astype(np.int8), np.zeros(10, np.float32), labels,
    )  # fmt: skip


class StopAt(Silent):
    """Stops after a step, as Cancel does."""

    def __init__(self, step):
        self.step = step

    def __call__(self, done, total):
        if done == self.step:
            raise CancelledError("Stopped.")
