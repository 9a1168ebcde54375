"""Detection of a clip in pieces. Each starts with nobody known, so they may be worked on side by side, and anywhere.

Where pieces begin depends on the footage alone, so that the result is the same for any number of workers.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from engine.footage.clip import Clip
from engine.footage.decoding import Frame
from engine.footage.frame_reader import FrameReader
from engine.keypoints.mediapipe_detector import MODELS, MediaPipeDetector
from engine.keypoints.types import FrameDetections

FRAMES = 100
"""Of a piece: looking for everybody at its start is worth it, and an interruption costs little."""


@dataclass(frozen=True)
class Looking:
    """How people are looked for. Plain values that another process or machine takes.

    Attributes:
        model: of `engine.keypoints.mediapipe_detector.MODELS`.
        max_people: followed at a time.
        image_rate: frames a second of an image sequence.
        everybody: whether all are looked at in every frame; else those who may be the main person.
    """

    model: str
    max_people: int
    image_rate: Fraction
    everybody: bool = True


def pieces_of(clip: Clip, frames: range) -> list[range]:
    """Frame indices of each piece of a stretch of the clip, in order; none reaches over a cut.

    Args:
        clip: with its cuts.
        frames: of the stretch.
    """
    cuts = sorted({cut for cut in (*clip.cuts.sure, *clip.cuts.possible) if frames.start < cut < frames.stop})
    return [
        range(begin, min(begin + FRAMES, stop))
        for first, stop in itertools.pairwise([frames.start, *cuts, frames.stop])
        for begin in range(first, stop, FRAMES)
    ]


@contextlib.contextmanager
def piece_detector(clip: Clip, looking: Looking, threads: int = 1) -> Iterator[Callable[..., list[FrameDetections]]]:
    """While the body runs: a function that detects one piece of the clip after another.

    It takes the piece's frame indices and, if wanted, what is called with the number of its frames that are done. It
    keeps its networks and its place in the file; the result of a piece does not depend on what it did before.

    Args:
        clip: with the table of its frames.
        looking: how.
        threads: inferences at a time; more than two are of use only with many people. Results do not depend on it.

    Raises:
        ModelFileError: the pose bundle is missing.
        FootageError: the footage cannot be read, or changed.
    """
    reader = clip.reader(looking.image_rate)

    def detect(piece: range, step: Callable[[int], None] = lambda done: None) -> list[FrameDetections]:
        return list(detector.detect(_counted(reader, piece, step)))

    with MediaPipeDetector(MODELS[looking.model], looking.max_people, threads, looking.everybody) as detector:
        try:
            yield detect
        finally:
            reader.close()


def detect_piece(clip: Clip, piece: range, looking: Looking) -> list[FrameDetections]:
    """Everybody in each frame of one piece of the clip. Raises as `piece_detector` does."""
    with piece_detector(clip, looking) as detect:
        return detect(piece)


def _counted(reader: FrameReader, piece: range, step: Callable[[int], None]) -> Iterator[Frame]:
    for frame in reader.read(piece):
        step(frame.index - piece.start)
        yield frame
