"""Footage in, upright RGB frames with their true times out. Frames are streamed: memory does not grow with length.

Video files are decoded with PyAV. An image sequence is a folder, a numbered pattern (`shot_%04d.png`, `shot.####.png`)
or a single image; it has no clock, so it runs at `image_rate`, 24 frames a second unless set otherwise.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av.error
import numpy as np
from numpy.typing import NDArray

from engine.errors import FootageError
from engine.footage.containers import (
    Warn,
    check_bytes,
    check_size,
    decoded,
    open_video,
    read_image,
    unreadable,
    video_stream,
)
from engine.footage.frame_table import TableMaker
from engine.footage.pictures import Shape, Timed, whole
from engine.footage.sources import IMAGE_SUFFIXES, VIDEO_SUFFIXES, expand, fingerprint, sequence_files
from engine.footage.timing import timing

__all__ = ["IMAGE_SUFFIXES", "VIDEO_SUFFIXES", "FootageInfo", "Frame", "expand", "fingerprint", "frames", "probe"]

IMAGE_RATE = Fraction(24)
FULL_FRAME_DIAGONAL_MM = 43.267
"""Of 36 x 24 mm film, which "35 mm equivalent" focal lengths refer to."""


@dataclass(frozen=True)
class Frame:
    """One frame of footage.

    Attributes:
        index: counted from 0 at the first frame of the footage, also where only a range is read.
        time_s: seconds since the first frame of the footage.
        rgb: (H, W, 3) uint8, upright, square pixels, standard range; transparent parts on grey.
    """

    index: int
    time_s: float
    rgb: NDArray[np.uint8]


@dataclass(frozen=True)
class FootageInfo:
    """What is known of footage before it is read.

    Attributes:
        path: the video file, the folder of images or the numbered pattern.
        width, height: pixels of the upright frame.
        frame_rate: frames a second, exact (30000/1001, …); the average where `variable_rate`.
        variable_rate: frames are not evenly spaced, a dropped frame included.
        frame_count: frames to expect; None if that is not known.
        duration_s: from the first frame to the end of the last; None if that is not known.
        rotation_degrees: clockwise turn (0, 90, 180, 270) that makes the stored picture upright; done already.
        focal_px: focal length in pixels of the upright frame, from the file's metadata; None where it has none.
    """

    path: Path
    width: int
    height: int
    frame_rate: Fraction
    variable_rate: bool
    frame_count: int | None
    duration_s: float | None
    rotation_degrees: int
    focal_px: float | None


def probe(path: Path, image_rate: Fraction = IMAGE_RATE) -> FootageInfo:
    """Look at footage without reading all of it: decodes the first frame and runs over the packets' times.

    Args:
        path: a video file, a folder of images, a numbered pattern or one image.
        image_rate: frames a second of an image sequence.

    Raises:
        FootageError: missing, no footage, damaged beyond reading, without frames, or absurdly large.
    """
    images = sequence_files(path)
    if images is not None:
        for image in images:  # now, not after the ones before it have been worked on
            with contextlib.suppress(OSError):
                check_bytes(image, image.stat().st_size)
        picture, _ = read_image(images[0])
        shape = shape_of(picture, None, path)
        count, rate, variable = len(images), Fraction(image_rate), False
        duration: float | None = float(count / rate)
        tags: Mapping[str, str] = picture.metadata
        expected: int | None = count
    else:
        with open_video(path) as container:
            stream = video_stream(container, path)
            first = next(decoded(container, stream, path, lambda *_: None), None)
            if first is None:
                raise FootageError(f"{path} has no frames.", "Export or download the clip again.")
            shape = shape_of(first[1], stream.sample_aspect_ratio, path)
            tags = {**container.metadata, **stream.metadata, **first[1].metadata}
        rate, variable, expected, duration = timing(path)
    width, height = shape.upright
    return FootageInfo(
        path=path,
        width=width,
        height=height,
        frame_rate=rate,
        variable_rate=variable,
        frame_count=expected,
        duration_s=duration,
        rotation_degrees=-90 * shape.quarter_turns % 360,
        focal_px=_focal_px(tags, width, height),
    )


def frames(
    path: Path,
    start_s: float | None = None,
    end_s: float | None = None,
    *,
    image_rate: Fraction = IMAGE_RATE,
    mirrored: bool = False,
    warn: Warn | None = None,
    table: TableMaker | None = None,
) -> Iterator[Frame]:
    """Frames of footage in the order and at the times they are shown, one at a time.

    Args:
        path: a video file, a folder of images, a numbered pattern or one image.
        start_s, end_s: only frames with start_s <= time_s < end_s; None leaves that side open.
        image_rate: frames a second of an image sequence.
        mirrored: whether the footage is and has to be flipped back.
        warn: called with a code and a sentence when parts of the footage are damaged; the rest is still given.
        table: notes the frames, those before the range too.

    Raises:
        FootageError: as `probe`, or no frame lies in the range.
    """
    shape: Shape | None = None
    given = 0

    def damaged(code: str, message: str) -> None:
        if table is not None:
            table.damaged()
        if warn is not None:
            warn(code, message)

    pictures = timed_pictures(path, image_rate, damaged)
    for index, (time_s, picture, aspect) in enumerate(whole(pictures if table is None else table.watch(pictures))):
        if shape is None:
            shape = shape_of(picture, aspect, path, mirrored)
        if end_s is not None and time_s >= end_s:
            break
        if start_s is None or time_s >= start_s:
            given += 1
            yield Frame(index, time_s, rgb_of(picture, shape, path))
    if shape is None:
        raise FootageError(f"{path} has no frames.", "Export or download the clip again.")
    if not given:
        raise FootageError(
            f"{path} has no frames between {start_s or 0:g} s and {'its end' if end_s is None else f'{end_s:g} s'}.",
            "Choose a start and an end within the clip.",
        )


def timed_pictures(path: Path, image_rate: Fraction, warn: Warn) -> Iterator[Timed]:
    """Seconds since the first frame, the decoded picture, and the shape of a pixel."""
    images = sequence_files(path)
    if images is not None:
        for index, image in enumerate(images):
            picture, sample_aspect = read_image(image)
            yield float(index / Fraction(image_rate)), picture, sample_aspect
        return
    with open_video(path) as container:
        stream = video_stream(container, path)
        start: float | None = None
        for time_s, picture in decoded(container, stream, path, warn):
            start = time_s if start is None else start
            yield time_s - start, picture, stream.sample_aspect_ratio


def rgb_of(picture: Any, shape: Shape, path: Path) -> NDArray[np.uint8]:
    """(H, W, 3) of a decoded picture. Raises FootageError if it cannot be converted."""
    try:
        return shape.upright_rgb(picture)
    except (av.error.FFmpegError, OSError, ValueError, OverflowError) as error:
        raise unreadable(path, error) from error


def shape_of(picture: Any, sample_aspect: Fraction | None, path: Path, mirrored: bool = False) -> Shape:
    """How the pictures become upright ones. Raises FootageError for a shape that cannot be worked with."""
    aspect = float(sample_aspect or 1)
    width = picture.width if abs(aspect - 1) < 0.01 else round(picture.width * aspect)
    check_size(width, picture.height, path)
    return Shape(width, picture.height, round(picture.rotation / 90) % 4, mirrored)


def _focal_px(tags: Mapping[str, str], width: int, height: int) -> float | None:
    """Focal length in pixels from a "35 mm equivalent" (a phone's video tag or an image's EXIF), by the diagonals."""
    for name, value in tags.items():
        key = name.lower().replace("_", "")
        if "focallengthin35mm" in key or "focallength.35mm" in key:
            try:
                focal_mm = float(value)
            except ValueError:
                continue
            if 5 <= focal_mm <= 1000:
                return float(focal_mm * np.hypot(width, height) / FULL_FRAME_DIAGONAL_MM)
    return None
