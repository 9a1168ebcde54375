"""Containers of footage, opened with care: which formats, how large, and what damaged ones still give."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import av.error

from engine.errors import FootageError
from engine.files.plain_file import open_plain

MAX_PIXELS = 8192 * 8192
MAX_SIDE = 16384
MAX_IMAGE_BYTES = 640 * 2**20
"""Of an image file: 8192 x 8192 pixels with four channels of 16 bits take 512 MiB."""

# Only containers that hold their own pictures. Playlists (hls, concat, dash, sdp, image2, …) could make footage from
# strangers open other files or addresses.
_VIDEO_FORMATS = (
    "mov,mp4,matroska,webm,avi,mpegts,mpeg,mpegvideo,m4v,flv,asf,mxf,ogg,gif,apng,dv,h264,hevc,ivf,nut,mjpeg"
)
_IMAGE_FORMATS = (
    "png_pipe,jpeg_pipe,tiff_pipe,exr_pipe,bmp_pipe,webp_pipe,dpx_pipe,ppm_pipe,pgm_pipe,pam_pipe,hdr_pipe,j2k_pipe,"
    "jpegxl_pipe,sgi_pipe"
)
Warn = Callable[[str, str], None]


def open_video(path: Path) -> Any:
    """Open a video file for reading. Raises FootageError."""
    try:
        # An absolute path is never taken for an address ("concat:…", "http:…"), whatever the file is called.
        container = av.open(
            str(path.absolute()),
            options={"protocol_whitelist": "file", "format_whitelist": _VIDEO_FORMATS},
            metadata_errors="replace",
        )
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise unreadable(path, error) from error
    return container


def unreadable(path: Path, error: Exception) -> FootageError:
    """Why a file cannot be read, as a sentence."""
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


def video_stream(container: Any, path: Path) -> Any:
    """The largest moving picture of the file (cover art is not), set up for decoding."""
    from av.stream import Disposition

    moving = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    streams = [stream for stream in moving if stream.codec_context is not None]
    if moving and not streams:
        raise unreadable(path, ValueError("its pictures are coded in no known way"))
    if not streams:
        raise FootageError(f"{path} has no picture in it, only sound or data.", "Choose a video file.")
    stream = max(streams, key=lambda s: s.codec_context.width * s.codec_context.height)
    if stream.codec_context.width:  # unknown until decoded in some transport streams
        check_size(stream.codec_context.width, stream.codec_context.height, path)
    stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
    stream.codec_context.thread_type = "AUTO"
    stream.codec_context.thread_count = min(os.cpu_count() or 1, 8)  # each thread holds a frame
    return stream


def check_size(width: int, height: int, path: Path) -> None:
    """Raises FootageError for a picture that is absurdly large or small."""
    if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE or min(width, height) < 16:
        raise FootageError(
            f"The picture of {path} has {width} x {height} pixels, which cannot be worked with.",
            "Scale the clip to something like 1920 x 1080.",
        )


def decoded(container: Any, stream: Any, path: Path, warn: Warn) -> Iterator[tuple[float, Any]]:
    """Time (seconds on the file's own clock, strictly increasing) and picture of each frame that decodes."""
    interval = 1.0 / float(stated_rate(container, stream) or 25)
    last: float | None = None
    packets = damaged = 0
    for packet in packets_of(container, stream):
        packets += packet.size > 0
        try:
            pictures = packet.decode()
        except (av.error.FFmpegError, OSError, ValueError):
            damaged += 1
            continue
        for picture in pictures:
            check_size(picture.width, picture.height, path)
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


def stated_rate(container: Any, stream: Any) -> Fraction | None:
    """Frames a second as the file states them, None if it does not."""
    # A raw stream has no clock; its average is what FFmpeg takes for all of them, the guess is from its pictures.
    rates = (stream.average_rate, stream.guessed_rate)
    found: Fraction | None = (rates[0] or rates[1]) if container.duration else (rates[1] or rates[0])
    return found


def packets_of(container: Any, stream: Any) -> Iterator[Any]:
    """Packets of the stream up to where the file ends or breaks off."""
    try:
        yield from container.demux(stream)
    except (av.error.FFmpegError, OSError):
        return


def check_bytes(image: Path, size: int) -> None:
    """Raises FootageError for an image file of more bytes than are ever read."""
    if size > MAX_IMAGE_BYTES:
        raise FootageError(
            f"The image file {image} has more than {MAX_IMAGE_BYTES // 2**20} MiB, which cannot be worked with.",
            "Scale the images to something like 1920 x 1080.",
        )


def read_image(path: Path) -> tuple[Any, Fraction | None]:
    """The picture in an image file. Raises FootageError if there is none."""
    try:
        with open_plain(path) as file:
            check_bytes(path, file.seek(0, os.SEEK_END))
            file.seek(0)
            # Without its name, which may hold % or # and plays no part in choosing the format then.
            nameless = SimpleNamespace(read=file.read, seek=file.seek, tell=file.tell)
            with av.open(
                nameless, "r", options={"protocol_whitelist": "file", "format_whitelist": _IMAGE_FORMATS}
            ) as container:
                stream = container.streams.video[0]
                check_size(stream.codec_context.width, stream.codec_context.height, path)
                stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
                return next(iter(container.decode(stream))), None
    except (av.error.FFmpegError, OSError, ValueError, IndexError, StopIteration) as error:
        if isinstance(error, PermissionError):
            raise FootageError(f"{path} may not be read.", "Check the file's permissions.") from error
        raise FootageError(
            f"{path} is not an image that can be read.", "Take it out of the sequence or export it again."
        ) from error
