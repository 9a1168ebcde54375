"""Cuts: where footage was edited from one shot to the next.

`scenedetect` finds them: by how much of the content (hue, saturation, brightness, edges) changes from one frame to the
next, against how much changes round about, so that fast motion of people and camera is none. Where the picture is back
within half a second it was a flash, and a fade changes little at a time: neither is a cut. Where a camera stands still
and only people jump, little of the picture changes, and a cloud may change as much: such cuts are possible ones until
it is known whether anybody goes on across them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.footage.decoding import Frame

Picture = NDArray[np.uint8]

_SIDE_PX = 256
_WEIGHTS = (1.0, 1.0, 1.0, 2.0)
"""Of changes of hue, saturation, brightness and edges. Edges stay where they are when the sun goes behind a cloud."""
_CHANGE, _LEAST_CHANGE = 28.0, 12.0
"""At a cut, and at one where the camera stands still."""
_TIMES_AROUND = 2.0
"""The onset of lasting motion changes at most twice as much as the frames around it on average."""
_AROUND = 2
_BACK_S = 0.5
_RATE = 25.0
"""Of scenedetect's clock, which counts frames here: no time is taken from it."""
_BLANK = 6.0
"""Spread of the grey levels of a picture that shows nothing: black between two shots, white of a flash."""
_SAME = 0.5
_MOST_SAME = 2


@dataclass(frozen=True)
class Cuts:
    """Indices of frames that begin a new shot, without the first of all.

    Attributes:
        sure: the picture says so.
        possible: it is for the people in it to say.
    """

    sure: tuple[int, ...] = ()
    possible: tuple[int, ...] = ()


NO_CUTS = Cuts()


@dataclass(frozen=True)
class _Small:
    index: int
    time_s: float
    bgr: Picture


@dataclass
class _Candidate:
    """A frame that may begin a shot, and the one before it."""

    first: _Small
    before: _Small
    sure: bool
    back: int = -1
    """Index of a frame soon after it that shows again what was before, -1 if there is none."""


def find_cuts(frames: Iterable[Frame]) -> Cuts:
    """Where new shots begin. Frames are streamed.

    Cuts in the first two and the last two frames are not found: there is nothing to compare them with, nor anybody to
    follow.
    """
    from scenedetect import AdaptiveDetector, FrameTimecode  # late, as it looks for ffmpeg by starting it

    detector = AdaptiveDetector(
        _TIMES_AROUND, 0, _AROUND, _LEAST_CHANGE, weights=AdaptiveDetector.Components(*_WEIGHTS)
    )
    recent: deque[_Small] = deque(maxlen=_AROUND + 2)
    found: list[_Candidate] = []
    for number, small in enumerate(_informative(frames)):
        recent.append(small)
        _look_for_return(found, [small])
        if detector.process_frame(FrameTimecode(number, _RATE), small.bgr):
            before, first, *later = recent
            found.append(_Candidate(first, before, change(before.bgr, first.bgr) >= _CHANGE))
            _look_for_return(found, later)
    backs = np.maximum.accumulate([-1, *(candidate.back for candidate in found)])
    cuts = [one for one, back in zip(found, backs, strict=False) if one.first.index > max(back, one.back)]
    return Cuts(
        tuple(cut.first.index for cut in cuts if cut.sure), tuple(cut.first.index for cut in cuts if not cut.sure)
    )


def _informative(frames: Iterable[Frame]) -> Iterator[_Small]:
    """Small pictures of the frames, without those that show nothing and those that repeat the one before."""
    last: Picture | None = None
    repeated = 0
    for frame in frames:
        picture = _small(frame.rgb)
        if float(picture.std(axis=(0, 1)).max()) < _BLANK:
            continue
        repeated = repeated + 1 if last is not None and float(cv2.absdiff(picture, last).mean()) < _SAME else 0
        if 0 < repeated <= _MOST_SAME:
            continue
        last, repeated = picture, 0
        yield _Small(frame.index, frame.time_s, picture)


def _look_for_return(found: list[_Candidate], later: list[_Small]) -> None:
    """Note at candidates that are recent where one of the `later` frames shows again what was before them."""
    for candidate in reversed(found):
        limit = _CHANGE if candidate.sure else _LEAST_CHANGE
        for frame in later:
            if frame.time_s - candidate.first.time_s > _BACK_S:
                return
            if candidate.back < 0 and change(candidate.before.bgr, frame.bgr) < limit:
                candidate.back = frame.index


def change(first: Picture, second: Picture) -> float:
    """How different two small pictures are, as the detector counts it."""
    from scenedetect import ContentDetector, FrameTimecode, StatsManager

    detector, stats = ContentDetector(weights=ContentDetector.Components(*_WEIGHTS)), StatsManager()
    detector.stats_manager = stats
    for number, picture in enumerate((first, second)):
        detector.process_frame(FrameTimecode(number, _RATE), picture)
    (score,) = stats.get_metrics(FrameTimecode(1, _RATE), [ContentDetector.FRAME_SCORE_KEY])
    return float(score)


def _small(rgb: Picture) -> Picture:
    height, width = rgb.shape[:2]
    scale = min(_SIDE_PX / max(height, width), 1.0)
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    return np.asarray(cv2.cvtColor(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2BGR), np.uint8)
