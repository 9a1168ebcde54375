"""Pictures for a vision-language model: the person cut out of some frames of each segment, as JPEG."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.footage.decoding import Frame
from engine.keypoints.types import PersonTrack
from engine.semantics.vlm_settings import VlmSettings

SEGMENT_S = 2.0
"""60 frames at 30 a second, as adaptation compares them with labels."""
_SHORTEST_S = 0.5  # what is left at the end goes to the segment before it, if it is shorter
_ROOM = 1.3  # the box about the keypoints ends at the nose and the ankles
_COLUMNS = 4
_QUALITY = 85
_BORDER = (32, 32, 32)


@dataclass(frozen=True)
class Stretch:
    """A segment of a track: rows from `first` to before `last`, and the rows that are shown."""

    first: int
    last: int
    shown: tuple[int, ...]


@dataclass(frozen=True)
class Pictures:
    """What is sent of a segment.

    Attributes:
        stretch: the segment.
        jpegs: one contact sheet, or one for each shown row.
        side: of each picture in pixels.
        size: width and height of each JPEG.
    """

    stretch: Stretch
    jpegs: tuple[bytes, ...]
    side: int
    size: tuple[int, int]

    def tiles(self) -> list[NDArray[np.uint8]]:
        """The pictures (side, side, 3) RGB, as they are sent."""
        sent: list[Any] = [cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR_RGB) for jpeg in self.jpegs]
        rows = [part for one in sent for part in np.split(one, len(one) // self.side)]
        parts = [part for row in rows for part in np.split(row, row.shape[1] // self.side, axis=1)]
        return [np.asarray(part, np.uint8) for part in parts[: len(self.stretch.shown)]]


def stretches(
    timestamps: NDArray[np.float64], wanted: NDArray[np.bool_], detected: NDArray[np.bool_], pictures: int
) -> list[Stretch]:
    """Segments of two seconds in which a label is wanted and the person is seen.

    Args:
        timestamps: (T,) seconds.
        wanted: (T,) rows without a typed label.
        detected: (T,) rows in which the person is seen.
        pictures: rows to show of each.
    """
    edges = np.arange(timestamps[0], timestamps[-1] + 1e-6, SEGMENT_S)
    if len(edges) > 1 and timestamps[-1] - edges[-1] < _SHORTEST_S:
        edges = edges[:-1]
    starts = np.searchsorted(timestamps, edges - 1e-6).tolist()
    found = []
    for first, last in zip(starts, [*starts[1:], len(timestamps)], strict=True):
        rows = np.flatnonzero(wanted[first:last] & detected[first:last]) + first
        if len(rows):
            places = np.linspace(0, len(rows) - 1, min(pictures, len(rows))).round().astype(int)
            found.append(Stretch(first, last, tuple(rows[np.unique(places)].tolist())))
    return found


def take(
    frames: Callable[[], Iterable[Frame]], track: PersonTrack, segments: list[Stretch], settings: VlmSettings
) -> Iterator[Pictures]:
    """Pictures of each segment in order, in one run through the footage. What cannot be read any more is left out."""
    first_frame, waiting = int(track.frame_indices[0]), list(segments)
    tiles: list[NDArray[np.uint8]] = []
    for frame in frames():
        row = frame.index - first_frame
        while waiting and row >= waiting[0].last:
            yield from _finished(waiting.pop(0), tiles, settings)
            tiles = []
        if not waiting:
            return
        if row in waiting[0].shown:
            tiles.append(_tile(frame.rgb, track.boxes[row], settings))
    if waiting:
        yield from _finished(waiting[0], tiles, settings)


def _finished(stretch: Stretch, tiles: list[NDArray[np.uint8]], settings: VlmSettings) -> Iterator[Pictures]:
    if len(tiles) == len(stretch.shown):
        pictures = [contact_sheet(tiles)] if settings.layout == "sheet" else tiles
        height, width = pictures[0].shape[:2]
        yield Pictures(stretch, tuple(map(_jpeg, pictures)), settings.picture_px, (width, height))


def _tile(rgb: NDArray[np.uint8], box: NDArray[np.float32], settings: VlmSettings) -> NDArray[np.uint8]:
    """A square picture: of the person with a little room, or of the whole frame, grey where there is nothing."""
    height, width = rgb.shape[:2]
    if settings.whole_picture:
        side = float(max(width, height))
        left, top = (width - side) / 2, (height - side) / 2
    else:
        side = max(_ROOM * float(max(box[2] - box[0], box[3] - box[1])), 8.0)
        left, top = float(box[0] + box[2] - side) / 2, float(box[1] + box[3] - side) / 2
    scale = settings.picture_px / side
    x0, y0 = max(int(left), 0), max(int(top), 0)
    part = rgb[y0 : max(int(np.ceil(top + side)), y0 + 1), x0 : max(int(np.ceil(left + side)), x0 + 1)]
    shrunk: NDArray[Any] = part
    while min(shrunk.shape[:2]) > 1 and scale * part.shape[0] / shrunk.shape[0] < 0.5:  # by halves, or lines break up
        shrunk = cv2.resize(shrunk, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    zoom = (scale * part.shape[1] / shrunk.shape[1], scale * part.shape[0] / shrunk.shape[0])
    affine = np.array([[zoom[0], 0, (x0 - left) * scale], [0, zoom[1], (y0 - top) * scale]])
    size = (settings.picture_px, settings.picture_px)
    tile = cv2.warpAffine(shrunk, affine, size, flags=cv2.INTER_LINEAR, borderValue=_BORDER)
    return np.asarray(tile, np.uint8)


def contact_sheet(tiles: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """The pictures in rows of four, numbered from 1 in their corners."""
    side, columns = tiles[0].shape[0], min(_COLUMNS, len(tiles))
    rows = -(-len(tiles) // columns)
    sheet = np.full((rows * side, columns * side, 3), _BORDER, np.uint8)
    for index, tile in enumerate(tiles):
        top, left = index // columns * side, index % columns * side
        sheet[top : top + side, left : left + side] = tile
        place, text = (left + 6, top + 22), str(index + 1)
        for colour, thickness in (((0, 0, 0), 4), ((255, 255, 255), 2)):
            cv2.putText(sheet, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.7, colour, thickness, cv2.LINE_AA)
    return sheet


def _jpeg(rgb: NDArray[np.uint8]) -> bytes:
    _, encoded = cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return encoded.tobytes()
