"""Footage in, upright RGB frames with their true times out. Frames are streamed: memory does not grow with length.

Video files are decoded with PyAV. An image sequence is a folder, a numbered pattern (`shot_%04d.png`, `shot.####.png`)
or a single image; it has no clock, so it runs at `image_rate`, 24 frames a second unless set otherwise.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import av.error
import numpy as np
from numpy.typing import NDArray

from engine.errors import FootageError
from engine.files.plain_file import open_plain
from engine.footage.frame_rate import FASTEST, exact_rate, plausible
from engine.footage.pictures import Shape, Timed, whole
from engine.footage.sources import IMAGE_SUFFIXES, VIDEO_SUFFIXES, expand, fingerprint, sequence_files

__all__ = ["IMAGE_SUFFIXES", "VIDEO_SUFFIXES", "FootageInfo", "Frame", "expand", "fingerprint", "frames", "probe"]

IMAGE_RATE = Fraction(24)
MAX_PIXELS = 8192 * 8192
MAX_SIDE = 16384
MAX_IMAGE_BYTES = 640 * 2**20
"""Of an image file: 8192 x 8192 pixels with four channels of 16 bits take 512 MiB."""

MAX_HOURS = 48
FULL_FRAME_DIAGONAL_MM = 43.267
"""Of 36 x 24 mm film, which "35 mm equivalent" focal lengths refer to."""

_SCANNED_PACKETS = 20_000
# Only containers that hold their own pictures. Playlists (hls, concat, dash, sdp, image2, …) could make footage from
# strangers open other files or addresses.
_VIDEO_FORMATS = (
    "mov,mp4,matroska,webm,avi,mpegts,mpeg,mpegvideo,m4v,flv,asf,mxf,ogg,gif,apng,dv,h264,hevc,ivf,nut,mjpeg"
)
_IMAGE_FORMATS = (
    "png_pipe,jpeg_pipe,tiff_pipe,exr_pipe,bmp_pipe,webp_pipe,dpx_pipe,ppm_pipe,pgm_pipe,pam_pipe,hdr_pipe,j2k_pipe,"
    "jpegxl_pipe,sgi_pipe"
)
_Warn = Callable[[str, str], None]


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
                _check_bytes(image, image.stat().st_size)
        picture, _ = _read_image(images[0])
        shape = _shape(picture, None, path)
        count, rate, variable = len(images), Fraction(image_rate), False
        duration: float | None = float(count / rate)
        tags: Mapping[str, str] = picture.metadata
        expected: int | None = count
    else:
        with _open_video(path) as container:
            stream = _video_stream(container, path)
            first = next(_decoded(container, stream, path, lambda *_: None), None)
            if first is None:
                raise FootageError(f"{path} has no frames.", "Export or download the clip again.")
            shape = _shape(first[1], stream.sample_aspect_ratio, path)
            tags = {**container.metadata, **stream.metadata, **first[1].metadata}
        rate, variable, expected, duration = _timing(path)
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
    warn: _Warn | None = None,
) -> Iterator[Frame]:
    """Frames of footage in the order and at the times they are shown, one at a time.

    Args:
        path: a video file, a folder of images, a numbered pattern or one image.
        start_s, end_s: only frames with start_s <= time_s < end_s; None leaves that side open.
        image_rate: frames a second of an image sequence.
        mirrored: whether the footage is and has to be flipped back.
        warn: called with a code and a sentence when parts of the footage are damaged; the rest is still given.

    Raises:
        FootageError: as `probe`, or no frame lies in the range.
    """
    shape: Shape | None = None
    given = 0
    for index, (time_s, picture, aspect) in enumerate(whole(_timed(path, image_rate, warn or (lambda *_: None)))):
        if shape is None:
            shape = _shape(picture, aspect, path, mirrored)
        if end_s is not None and time_s >= end_s:
            break
        if start_s is None or time_s >= start_s:
            given += 1
            try:
                rgb = shape.upright_rgb(picture)
            except (av.error.FFmpegError, OSError, ValueError, OverflowError) as error:
                raise _unreadable(path, error) from error
            yield Frame(index, time_s, rgb)
    if shape is None:
        raise FootageError(f"{path} has no frames.", "Export or download the clip again.")
    if not given:
        raise FootageError(
            f"{path} has no frames between {start_s or 0:g} s and {'its end' if end_s is None else f'{end_s:g} s'}.",
            "Choose a start and an end within the clip.",
        )


def _timed(path: Path, image_rate: Fraction, warn: _Warn) -> Iterator[Timed]:
    """Seconds since the first frame, the decoded picture, and the shape of a pixel."""
    images = sequence_files(path)
    if images is not None:
        for index, image in enumerate(images):
            picture, sample_aspect = _read_image(image)
            yield float(index / Fraction(image_rate)), picture, sample_aspect
        return
    with _open_video(path) as container:
        stream = _video_stream(container, path)
        start: float | None = None
        for time_s, picture in _decoded(container, stream, path, warn):
            start = time_s if start is None else start
            yield time_s - start, picture, stream.sample_aspect_ratio


def _open_video(path: Path) -> Any:
    try:
        # An absolute path is never taken for an address ("concat:…", "http:…"), whatever the file is called.
        container = av.open(
            str(path.absolute()),
            options={"protocol_whitelist": "file", "format_whitelist": _VIDEO_FORMATS},
            metadata_errors="replace",
        )
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    return container


def _unreadable(path: Path, error: Exception) -> FootageError:
    if isinstance(error, PermissionError):
        return FootageError(f"{path} may not be read.", "Check the file's permissions.")
    if path.is_file() and path.stat().st_size == 0:
        return FootageError(f"{path} is empty.", "Export or download the clip again.")
    if isinstance(error, EOFError):
        return FootageError(f"{path} has no frames.", "Export or download the clip again.")
    return FootageError(
        f"{path} is not a video that can be read: it is damaged, incomplete or something else.",
        "Play it in a video player; if that works, convert it to mp4 (H.264).",
    )


def _video_stream(container: Any, path: Path) -> Any:
    """The largest moving picture of the file (cover art is not), set up for decoding."""
    from av.stream import Disposition

    moving = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    streams = [stream for stream in moving if stream.codec_context is not None]
    if moving and not streams:
        raise _unreadable(path, ValueError("its pictures are coded in no known way"))
    if not streams:
        raise FootageError(f"{path} has no picture in it, only sound or data.", "Choose a video file.")
    stream = max(streams, key=lambda s: s.codec_context.width * s.codec_context.height)
    if stream.codec_context.width:  # unknown until decoded in some transport streams
        _check_size(stream.codec_context.width, stream.codec_context.height, path)
    stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
    stream.codec_context.thread_type = "AUTO"
    stream.codec_context.thread_count = min(os.cpu_count() or 1, 8)  # each thread holds a frame
    return stream


def _check_size(width: int, height: int, path: Path) -> None:
    if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE or min(width, height) < 16:
        raise FootageError(
            f"The picture of {path} has {width} x {height} pixels, which cannot be worked with.",
            "Scale the clip to something like 1920 x 1080.",
        )


def _decoded(container: Any, stream: Any, path: Path, warn: _Warn) -> Iterator[tuple[float, Any]]:
    """Time (seconds on the file's own clock, strictly increasing) and picture of each frame that decodes."""
    interval = 1.0 / float(_stated_rate(container, stream) or 25)
    last: float | None = None
    packets = damaged = 0
    for packet in _packets(container, stream):
        packets += packet.size > 0
        try:
            pictures = packet.decode()
        except (av.error.FFmpegError, OSError, ValueError):
            damaged += 1
            continue
        for picture in pictures:
            _check_size(picture.width, picture.height, path)
            damaged += bool(picture.is_corrupt)
            known = picture.pts is not None and picture.time_base
            time_s = float(picture.pts * picture.time_base) if known else None
            if last is not None and (time_s is None or time_s <= last):
                time_s = last + interval  # AVI and raw streams may lack times
            last = time_s or 0.0
            yield last, picture
    if damaged or packets < stream.frames:
        missing = max(damaged, stream.frames - packets)
        warn("footage_damaged", f"{path.name} is damaged or cut off: about {missing} frames could not be read in full.")


def _stated_rate(container: Any, stream: Any) -> Fraction | None:
    # A raw stream has no clock; its average is what FFmpeg takes for all of them, the guess is from its pictures.
    rates = (stream.average_rate, stream.guessed_rate)
    found: Fraction | None = (rates[0] or rates[1]) if container.duration else (rates[1] or rates[0])
    return found


def _packets(container: Any, stream: Any) -> Iterator[Any]:
    """Packets of the stream up to where the file ends or breaks off."""
    try:
        yield from container.demux(stream)
    except (av.error.FFmpegError, OSError):
        return


def _check_bytes(image: Path, size: int) -> None:
    """Raises FootageError for an image file of more bytes than are ever read."""
    if size > MAX_IMAGE_BYTES:
        raise FootageError(
            f"The image file {image} has more than {MAX_IMAGE_BYTES // 2**20} MiB, which cannot be worked with.",
            "Scale the images to something like 1920 x 1080.",
        )


def _read_image(path: Path) -> tuple[Any, Fraction | None]:
    """The picture in an image file. Raises FootageError if there is none."""
    try:
        with open_plain(path) as file:
            _check_bytes(path, file.seek(0, os.SEEK_END))
            file.seek(0)
            # Without its name, which may hold % or # and plays no part in choosing the format then.
            nameless = SimpleNamespace(read=file.read, seek=file.seek, tell=file.tell)
            with av.open(
                nameless, "r", options={"protocol_whitelist": "file", "format_whitelist": _IMAGE_FORMATS}
            ) as container:
                stream = container.streams.video[0]
                _check_size(stream.codec_context.width, stream.codec_context.height, path)
                stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
                return next(iter(container.decode(stream))), None
    except (av.error.FFmpegError, OSError, ValueError, IndexError, StopIteration) as error:
        if isinstance(error, PermissionError):
            raise FootageError(f"{path} may not be read.", "Check the file's permissions.") from error
        raise FootageError(
            f"{path} is not an image that can be read.", "Take it out of the sequence or export it again."
        ) from error


def _shape(picture: Any, sample_aspect: Fraction | None, path: Path, mirrored: bool = False) -> Shape:
    """How the pictures become upright ones. Raises FootageError for a shape that cannot be worked with."""
    aspect = float(sample_aspect or 1)
    width = picture.width if abs(aspect - 1) < 0.01 else round(picture.width * aspect)
    _check_size(width, picture.height, path)
    return Shape(width, picture.height, round(picture.rotation / 90) % 4, mirrored)


def _timing(path: Path) -> tuple[Fraction, bool, int | None, float | None]:
    """Frame rate, whether it varies, frame count and duration, from the times of up to `_SCANNED_PACKETS` packets."""
    with _open_video(path) as container:
        stream = _video_stream(container, path)
        given = _stated_rate(container, stream)
        tick = float(stream.time_base or 0)
        stated_count, length = stream.frames or None, stream.duration
        stated_duration = length * tick if length else (container.duration / 1e6 if container.duration else None)
        ticks, complete = _packet_ticks(container, stream)
    times = np.asarray(ticks, np.float64) * tick
    if len(times) < 2 or times[-1] <= times[0]:
        rate = plausible(given)
        count = max(len(times), 1) if complete else stated_count
        return rate, False, count, (None if count is None else float(count / rate))
    intervals = np.diff(times)
    span = float(times[-1] - times[0])
    if span > MAX_HOURS * 3600:
        raise FootageError(
            f"The times in {path} span {span / 3600:.0f} hours, more than {MAX_HOURS}.",
            "Cut the clip, or convert it to mp4 (H.264) if its times are wrong.",
        )
    rate = exact_rate(len(intervals) / span, tick / span, given)
    if rate > FASTEST:
        raise FootageError(
            f"The times in {path} make {float(rate):.0f} frames a second, more than {FASTEST}.",
            "Convert the clip to mp4 (H.264) at the rate that it was taken with.",
        )
    variable = bool(np.any(np.abs(intervals - 1 / float(rate)) > 0.25 / float(rate) + tick))
    if complete:
        return rate, variable, len(times), span + 1 / float(rate)
    return rate, variable, stated_count or (round(stated_duration * rate) if stated_duration else None), stated_duration


def _packet_ticks(container: Any, stream: Any) -> tuple[list[int], bool]:
    """Sorted times of the packets that are shown, in ticks of the stream, and whether these are all of them."""
    shown: list[tuple[int | None, int | None]] = []
    complete = True
    for packet in _packets(container, stream):
        if packet.size and not packet.is_discard:
            shown.append((packet.pts, packet.dts))
        if len(shown) >= _SCANNED_PACKETS:
            complete = False
            break
    column = 0 if all(pts is not None for pts, _ in shown) else 1
    known = [pair[column] for pair in shown]
    if all(value is None for value in known):  # a raw stream, whose ticks have no length then
        return [0] * len(known), complete
    return sorted(value if value is not None else index for index, value in enumerate(known)), complete


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
