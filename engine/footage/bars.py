"""Black bars: where the picture lies in footage that was put into a frame of another shape."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from engine.footage.decoding import Frame

Picture = tuple[int, int, int, int]
"""Left, top, right and bottom edge of the picture in pixels of the frame."""

_EVERY_S, _MOST_FRAMES = 0.5, 60
_DARK = 24
_ALWAYS = 0.95
_EMPTY = 0.9
"""Share of a row's pixels that are dark in a bar: captions may cover the others."""

_FULL = 0.5
"""Share of them that may be dark at the picture's edge, at most: a dark scene has no such edge."""

_CLEAR = 0.5
"""Share of a bar's rows that no captions are in, at least."""

_LEAST, _EVEN = 0.02, 0.02
"""Shares of the side: the narrowest bar, and how much wider one may be than the other where no captions are in it."""


class Bars:
    """Looks for bars while the frames go by."""

    def __init__(self) -> None:
        self._next_s, self._frames = 0.0, 0
        self._dark: NDArray[np.uint16] | None = None

    def watch(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """The frames as they are."""
        for frame in frames:
            if self._frames < _MOST_FRAMES and frame.time_s >= self._next_s:
                self._look(frame)
            yield frame

    def _look(self, frame: Frame) -> None:
        dark = frame.rgb.max(-1) <= _DARK
        if self._dark is None:
            self._dark = np.zeros(dark.shape, np.uint16)
        self._dark += dark
        self._frames, self._next_s = self._frames + 1, frame.time_s + _EVERY_S

    def picture(self) -> Picture | None:
        """Where the picture is by what was seen; None if it fills the frame."""
        if self._dark is None:
            return None
        dark = self._dark >= _ALWAYS * self._frames
        height, width = dark.shape
        top, bottom = _edges(dark)
        left, right = _edges(dark[top:bottom].T)
        return None if (left, top, right, bottom) == (0, 0, width, height) else (left, top, right, bottom)


def _edges(dark: NDArray[np.bool_]) -> tuple[int, int]:
    """First row of the picture and the first after it, by which pixels (H, W) are always dark; all where no bars are.

    Bars are on both sides, as wide, and end at a straight edge.
    """
    shares = dark.mean(1)
    side = len(shares)
    lit = np.flatnonzero(shares < _EMPTY)
    if not len(lit):
        return 0, side
    first, last = int(lit[0]), int(lit[-1]) + 1
    if abs(first - (side - last)) > _EVEN * side:  # one of them has captions in it, or is none
        widest = max(first, side - last)
        first, last = widest, side - widest
    if first < _LEAST * side or any(np.mean(bar >= _EMPTY) < _CLEAR for bar in (shares[:first], shares[last:])):
        return 0, side
    margin = max(round(0.005 * side), 1)  # codecs smear the edge over a few rows
    inside = shares[first : first + 2 * margin], shares[last - 2 * margin : last]
    return (first, last) if all(part.min() <= _FULL for part in inside) else (0, side)
