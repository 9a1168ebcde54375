"""Frames of footage by their index: the same ones, with the same times, as when all of it is read."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from engine.errors import FootageError
from engine.footage.containers import decoded, open_video, read_image, video_stream
from engine.footage.decoding import Frame, rgb_of, shape_of, timed_pictures
from engine.footage.frame_table import FrameTable
from engine.footage.pictures import Shape, Timed, whole
from engine.footage.sources import sequence_files


class FrameReader:
    """Reads stretches of footage. It goes on where it is if that is before the stretch, and else seeks.

    Args:
        path: as `engine.footage.decoding.frames` takes it.
        table: of that footage.
        image_rate: frames a second of an image sequence.
        mirrored: whether the footage is and has to be flipped back.
    """

    def __init__(self, path: Path, table: FrameTable, image_rate: Fraction, mirrored: bool = False) -> None:
        self._path, self._table, self._image_rate, self._mirrored = path, table, image_rate, mirrored
        self._images = sequence_files(path)
        self._shape: Shape | None = None
        self._pictures: Iterator[Timed] | None = None
        self._next = 0
        self._seeks = True

    def read(self, frames: range) -> Iterator[Frame]:
        """Consecutive frames. Raises FootageError if the file is not what it was when the table was made."""
        for index in frames:
            time_s, picture, aspect = self._picture(index)
            self._shape = self._shape or shape_of(picture, aspect, self._path, self._mirrored)
            yield Frame(index, time_s, rgb_of(picture, self._shape, self._path))

    def close(self) -> None:
        """Let go of the file."""
        if self._pictures is not None:
            self._pictures.close()  # type: ignore[attr-defined]
        self._pictures = None

    def _picture(self, index: int) -> Timed:
        entry, tick = self._entry(index)
        if self._pictures is None or not entry <= self._next <= index:
            self.close()
            self._pictures, self._next = self._opened(entry, tick), entry
        while True:
            timed = next(self._pictures, None)
            if timed is None or timed[0] != self._table.times[self._next]:
                if not self._seeks or entry == 0:
                    raise FootageError(f"{self._path} changed while it was read.", "Run it again.")
                self._seeks = False  # the file's index of itself is wrong
                self.close()
                return self._picture(index)
            self._next += 1
            if self._next > index:
                return timed

    def _entry(self, index: int) -> tuple[int, int]:
        if self._images is not None:
            return index, 0
        return self._table.entry(index) if self._seeks else (0, 0)

    def _opened(self, entry: int, tick: int) -> Iterator[Timed]:
        """Pictures from an entry on."""
        if self._images is not None:
            return self._images_from(entry)
        if entry == 0:
            return whole(timed_pictures(self._path, self._image_rate, lambda *_: None))
        return self._video_from(tick)

    def _images_from(self, index: int) -> Iterator[Timed]:
        images = self._images or []
        if self._shape is None:
            self._shape = shape_of(*read_image(images[0]), self._path, self._mirrored)
        for number in range(index, len(images)):
            yield float(number / Fraction(self._image_rate)), *read_image(images[number])

    def _video_from(self, tick: int) -> Iterator[Timed]:
        with open_video(self._path) as container:
            stream = video_stream(container, self._path)
            start_s, picture = next(decoded(container, stream, self._path, lambda *_: None), (0.0, None))
            if picture is None:
                return
            aspect = stream.sample_aspect_ratio
            self._shape = self._shape or shape_of(picture, aspect, self._path, self._mirrored)
            container.seek(tick, stream=stream)
            entry_s = float(tick * picture.time_base)
            for time_s, picture in decoded(container, stream, self._path, lambda *_: None):
                if time_s >= entry_s:  # before it lie pictures that need what was not read
                    yield time_s - start_s, picture, aspect
