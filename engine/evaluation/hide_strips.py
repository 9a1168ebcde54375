"""Strips of pictures for `bench --hide`: full view with its body, hidden footage, result over it and from the side."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.body.model import BodyModel
from engine.files.atomic import replacing
from engine.footage.decoding import frames
from engine.output.motion_file import Motion
from engine.output.preview import Artist

Image = NDArray[np.uint8]

_FRAMES = 6
_TILE_PX = (320, 300)
_EDGE_RGB, _TEXT_RGB = (20, 20, 24), (235, 235, 235)
_HEAD_PX = 22
_FONT = cv2.FONT_HERSHEY_SIMPLEX


class Strips:
    """Pictures of one footage in full view and with a part hidden, for several results.

    Args:
        body: that the motions were made with.
        full: motion in full view.
        footage, hidden: files.
        hidden_rows: (T,) rows of `full` in which something is hidden; the pictures are taken from these.
        image_rate: frames a second of an image sequence.

    Raises:
        FootageError: a file cannot be read.
    """

    def __init__(
        self,
        body: BodyModel,
        full: Motion,
        footage: Path,
        hidden: Path,
        hidden_rows: NDArray[np.bool_],
        image_rate: Fraction,
    ) -> None:
        there = np.flatnonzero(hidden_rows) if hidden_rows.any() else np.arange(len(hidden_rows))
        places = np.linspace(0, len(there) - 1, min(len(there), _FRAMES)).round().astype(int)
        rows = there[places]
        self._body, self._times = body, full.timestamps[rows]
        width, height = (int(side) for side in full.image_size)
        self._scale = min(_TILE_PX[0] / width, _TILE_PX[1] / height)
        self._size = max(round(width * self._scale), 2), max(round(height * self._scale), 2)
        artist = Artist(full, body)
        pictures = _pictures_at(footage, self._times, image_rate)
        self._full = [artist.over_footage(int(row), rgb) for row, rgb in zip(rows, pictures, strict=True)]
        self._hidden = _pictures_at(hidden, self._times, image_rate)

    def write(self, result: Motion, title: str, path: Path) -> None:
        """Write the strip of one result as PNG, a line for each time. Raises OutputError."""
        artist = Artist(result, self._body)
        lines = [_head(title, 4 * self._size[0])]
        for time_s, full, hidden in zip(self._times.tolist(), self._full, self._hidden, strict=True):
            row = int(np.abs(result.timestamps - time_s).argmin())
            drawn = abs(result.timestamps[row] - time_s) <= 0.6 / result.mocap_framerate
            shown = [artist.over_footage(row, hidden), artist.from_side(row)] if drawn else [hidden, hidden * 0]
            tiles = [self._tile(picture) for picture in (full, hidden, *shown)]
            cv2.putText(tiles[-1], f"{time_s:.2f} s", (6, 16), _FONT, 0.45, _TEXT_RGB, 1, cv2.LINE_AA)
            lines.append(np.hstack(tiles))
        _, content = cv2.imencode(".png", cv2.cvtColor(np.vstack(lines), cv2.COLOR_RGB2BGR))
        with replacing(path) as file:
            file.write(content.tobytes())

    def _tile(self, picture: Image) -> Image:
        """The picture at the strip's scale, on a ground of one tile's size."""
        width, height = self._size
        tall, wide = picture.shape[:2]
        scale = min(width / wide, height / tall)
        size = max(round(wide * scale), 1), max(round(tall * scale), 1)
        tile: Any = np.full((height, width, 3), _EDGE_RGB, np.uint8)
        tile[: size[1], : size[0]] = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        tile[:, -1] = _EDGE_RGB
        return np.asarray(tile, np.uint8)


def _pictures_at(footage: Path, times: NDArray[np.float64], image_rate: Fraction) -> list[Image]:
    """The frames nearest to increasing `times`, in one reading."""
    best: list[tuple[float, Image]] = [(np.inf, np.zeros((1, 1, 3), np.uint8))] * len(times)
    for frame in frames(footage, image_rate=image_rate):
        for number in np.flatnonzero(np.abs(times - frame.time_s) < [away for away, _ in best]).tolist():
            best[number] = abs(float(times[number]) - frame.time_s), frame.rgb
    return [picture for _, picture in best]


def _head(title: str, width: int) -> Image:
    """A line of text; what ASCII lacks is shown as a question mark."""
    image: Any = np.full((_HEAD_PX, width, 3), _EDGE_RGB, np.uint8)
    text = title.encode("ascii", "replace").decode("ascii")
    cv2.putText(image, text, (6, 16), _FONT, 0.45, _TEXT_RGB, 1, cv2.LINE_AA)
    return np.asarray(image, np.uint8)


def strip_name(parts: Sequence[str]) -> str:
    """File name of a strip: clip, kind and row."""
    return "-".join(parts) + ".png"
