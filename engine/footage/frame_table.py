"""When each frame of footage is shown and where decoding may begin, noted while all of it is read once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.footage.pictures import Timed

_INTRA = 1
"""FFmpeg's picture type I. A decoder may also begin at others that refresh the picture bit by bit: not whole ones."""


@dataclass(frozen=True, eq=False)
class FrameTable:
    """Frames from the footage's first one on.

    Attributes:
        times: (N,) seconds since the first frame, float64.
        entries: (M,) ascending indices of frames that can be decoded without those before them; the first is 0.
        ticks: (M,) their times on the file's own clock.
    """

    times: NDArray[np.float64]
    entries: NDArray[np.int64]
    ticks: NDArray[np.int64]

    def range(self, start_s: float | None, end_s: float | None) -> range:
        """Indices of the frames with start_s <= time < end_s; None leaves that side open."""
        first = 0 if start_s is None else int(np.searchsorted(self.times, start_s))
        stop = len(self.times) if end_s is None else int(np.searchsorted(self.times, end_s))
        return range(first, stop)

    def entry(self, index: int) -> tuple[int, int]:
        """The last entry at or before a frame, and its tick."""
        number = int(np.searchsorted(self.entries, index, side="right")) - 1
        return int(self.entries[number]), int(self.ticks[number])


NO_FRAMES = FrameTable(np.zeros(0), np.zeros(0, np.int64), np.zeros(0, np.int64))


class TableMaker:
    """Makes the table while the pictures go by.

    Footage that is interlaced, damaged, or without times of its own can only be read from its beginning: there a
    picture depends on others than those since the last entry, or cannot be found again.
    """

    def __init__(self) -> None:
        self._times: list[float] = []
        self._entries: list[tuple[int, int]] = []
        self._start_s: float | None = None
        self._forwards = False

    def watch(self, pictures: Iterator[Timed]) -> Iterator[Timed]:
        """The pictures as they are."""
        for timed in pictures:
            self._note(timed[0], timed[1])
            yield timed

    def damaged(self) -> None:
        """Parts of the footage could not be decoded."""
        self._forwards = True

    def table(self) -> FrameTable:
        """What was noted."""
        entries = [] if self._forwards else self._entries
        indices, ticks = np.array(entries or [(0, 0)], np.int64).T
        return FrameTable(np.array(self._times, np.float64), indices.copy(), ticks.copy())

    def _note(self, time_s: float, picture: Any) -> None:
        known = picture.pts is not None and picture.time_base
        shown_s = float(picture.pts * picture.time_base) if known else float("nan")
        self._start_s = shown_s if self._start_s is None else self._start_s
        if shown_s - self._start_s != time_s or picture.interlaced_frame or picture.is_corrupt:
            self._forwards = True
        elif not self._times or (picture.key_frame and picture.pict_type == _INTRA):
            self._entries.append((len(self._times), picture.pts))
        self._times.append(time_s)
