"""Decoded pictures as upright RGB: interlaced ones made whole, high dynamic range tone-mapped, alpha laid over grey.

The filters are FFmpeg's, through PyAV's graphs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

import av
import av.error
import numpy as np
from av.filter import Graph
from numpy.typing import NDArray

GREY = 128
"""What transparent parts lie on: on black dark clothes would be lost, on white light ones."""

_ROWS = 256
"""Of a picture that are laid over grey at once."""

_PQ, _HLG = 16, 18
"""Transfer functions of high dynamic range, as the pictures state them (ITU-T H.273)."""

_TO_SDR = "out_primaries=bt709:out_transfer=iec61966-2-1:out_color_matrix=bt709:flags=fast_bilinear"
"""As bright as a standard picture of the same scene; what is brighter than its white becomes white."""

_DEINTERLACE = "mode=send_frame:deint=interlaced"
"""One picture for each, so that times and count stay; those that are whole already are left alone."""

Timed = tuple[float, Any, Any]
"""Seconds, the decoded picture, and the shape of a pixel."""


@dataclass(frozen=True)
class Shape:
    """How stored pictures become upright ones: all are brought to the size of the first.

    Attributes:
        width, height: pixels of the stored picture, made square.
        quarter_turns: counter-clockwise, that make it upright.
        mirrored: whether it is flipped after that.
    """

    width: int
    height: int
    quarter_turns: int
    mirrored: bool = False

    @property
    def upright(self) -> tuple[int, int]:
        """Width and height of the upright picture."""
        return (self.height, self.width) if self.quarter_turns % 2 else (self.width, self.height)

    def upright_rgb(self, picture: Any) -> NDArray[np.uint8]:
        """(H, W, 3) of a decoded picture. Raises what PyAV raises."""
        transparent = picture.format.has_palette or any(part.is_alpha for part in picture.format.components)
        if picture.color_trc in (_PQ, _HLG):
            picture = _to_sdr(picture)
        pixels = picture.to_ndarray(width=self.width, height=self.height, format="rgba" if transparent else "rgb24")
        if transparent:
            pixels = _over_grey(pixels)
        turned = np.rot90(pixels, self.quarter_turns)
        return np.ascontiguousarray(turned[:, ::-1] if self.mirrored else turned)


def _over_grey(rgba: NDArray[np.uint8]) -> NDArray[np.uint8]:
    solid = np.empty((*rgba.shape[:2], 3), np.uint8)
    for top in range(0, len(rgba), _ROWS):  # all at once takes six times the picture
        rows = rgba[top : top + _ROWS]
        alpha = rows[..., 3:].astype(np.uint16)
        alpha += alpha >> 7  # 0 to 256
        solid[top : top + _ROWS] = (rows[..., :3] * alpha + GREY * (256 - alpha)) >> 8
    return solid


def whole(pictures: Iterator[Timed]) -> Iterator[Timed]:
    """The pictures with interlaced ones made whole, from the first of those on."""
    graph: Graph | None = None
    waiting: deque[Timed] = deque()
    size = (0, 0)
    for timed in pictures:
        picture = timed[1]
        if graph is not None and (picture.width, picture.height) != size:
            yield from _rest(graph, waiting)
            graph = None
        if graph is None and picture.interlaced_frame:
            size, clock = (picture.width, picture.height), picture.time_base or Fraction(1, 25)
            graph = _graph(*size, picture.format.name, clock, ("bwdif", _DEINTERLACE))
        if graph is None:
            yield timed
            continue
        waiting.append(timed)
        graph.push(picture)
        yield from _ready(graph, waiting)
    if graph is not None:
        yield from _rest(graph, waiting)


def _rest(graph: Graph, waiting: deque[Timed]) -> Iterator[Timed]:
    """What the filter still holds back at the end."""
    graph.push(None)
    yield from _ready(graph, waiting)


def _ready(graph: Graph, waiting: deque[Timed]) -> Iterator[Timed]:
    while waiting:
        try:
            picture = graph.pull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return
        time_s, _, aspect = waiting.popleft()
        yield time_s, picture, aspect


def _graph(width: int, height: int, pixels: str, clock: Fraction, *filters: tuple[str, str]) -> Graph:
    """A chain of filters for pictures of this size and format, whose times count in `clock`."""
    graph = Graph()
    last = graph.add_buffer(width=width, height=height, format=av.VideoFormat(pixels, width, height), time_base=clock)
    for name, options in (*filters, ("buffersink", "")):
        following = graph.add(name, options)
        last.link_to(following)
        last = following
    graph.configure()
    return graph


def _to_sdr(picture: Any) -> Any:
    """A picture of high dynamic range as a standard one."""
    clock = picture.time_base or Fraction(1, 25)
    graph = _sdr_graph(picture.width, picture.height, picture.format.name, clock, picture.color_trc)
    graph.push(picture)
    return graph.pull()


@lru_cache(maxsize=1)
def _sdr_graph(width: int, height: int, pixels: str, clock: Fraction, _transfer: int) -> Graph:
    """The filter takes seconds to make its table of colours, and footage is read several times."""
    return _graph(width, height, pixels, clock, ("scale", _TO_SDR), ("format", "pix_fmts=rgb24"))
