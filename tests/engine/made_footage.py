"""Footage made of real footage: cuts, flashes and fades put into it. Pictures are small, as they are compared small."""

from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import cv2
import numpy as np

from engine.footage.decoding import Frame, frames, probe

ROOT = Path(__file__).resolve().parents[2]
REAL = ROOT.parent / "shared" / "data" / "footage"
DEMO = ROOT / "presets" / "demo" / "demo.mp4"
HEIGHT = 320


@cache
def pictures(path):
    """(T, H, W, 3) all frames of a clip, 320 pixels high, and its frames a second."""
    found = []
    for frame in frames(path):
        height, width = frame.rgb.shape[:2]
        size = (round(width * HEIGHT / height / 2) * 2, HEIGHT)
        found.append(cv2.resize(frame.rgb, size, interpolation=cv2.INTER_AREA))
    return np.array(found), float(probe(path).frame_rate)


def stream(rgb, rate=25.0):
    """Frames of pictures that come in that order."""
    return (Frame(number, number / rate, np.ascontiguousarray(picture)) for number, picture in enumerate(rgb))


def nearer(rgb, factor, mirrored=False):
    """Pictures as a camera has them that is nearer, or mirrored."""
    height, width = rgb.shape[1:3]
    rows, columns = int(height / factor), int(width / factor)
    top, left = (height - rows) // 2, (width - columns) // 2
    found = [cv2.resize(one[top : top + rows, left : left + columns], (width, height)) for one in rgb]
    return np.array(found)[:, :, ::-1] if mirrored else np.array(found)


def shaped_like(rgb, other):
    """Pictures cropped and scaled to the shape of others."""
    height, width = other.shape[1:3]
    scale = max(height / rgb.shape[1], width / rgb.shape[2])
    size = (max(round(rgb.shape[2] * scale), width), max(round(rgb.shape[1] * scale), height))
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    return np.array([cv2.resize(one, size)[top : top + height, left : left + width] for one in rgb])


def write_video(path, rgb, rate, options=None):
    """Write pictures as H.264."""
    with av.open(str(path), "w") as container:
        options = {"crf": "18", **(options or {})}
        video = container.add_stream("libx264", rate=Fraction(rate).limit_denominator(1001), options=options)
        video.height, video.width = (side // 2 * 2 for side in rgb[0].shape[:2])
        video.pix_fmt = "yuv420p"
        for picture in rgb:
            inside = np.ascontiguousarray(picture[: video.height, : video.width])
            container.mux(video.encode(av.VideoFrame.from_ndarray(inside, format="rgb24")))
        container.mux(video.encode())
    return path


NUMBERED = (64, 176)


def numbered(number):
    """A picture that tells its number in eight blocks."""
    one = np.full((*NUMBERED, 3), 40, np.uint8)
    for bit in range(8):
        one[16:48, 8 + 20 * bit : 24 + 20 * bit] = 230 if number >> bit & 1 else 40
    return one


def number_of(rgb):
    return sum(1 << bit for bit in range(8) if rgb[20:44, 11 + 20 * bit : 21 + 20 * bit].mean() > 130)


def with_edit_list(path, whole, cut):
    """The film of `whole` without its first `cut` pictures, which stay in the file: what trimming on a phone leaves."""
    with av.open(str(whole)) as source, av.open(str(path), "w") as container:
        given = source.streams.video[0]
        stream = container.add_stream_from_template(given)
        step = int(1 / given.average_rate / given.time_base)
        for packet in source.demux(given):
            if packet.dts is None:
                continue
            packet.pts, packet.dts, packet.stream = packet.pts - cut * step, packet.dts - cut * step, stream
            container.mux(packet)
    return path


def numbered_film(path, count=60):
    """A film of numbered pictures, whose pictures depend on later ones."""
    return write_video(path, [numbered(number) for number in range(count)], 25, {"g": "12", "bf": "2"})
