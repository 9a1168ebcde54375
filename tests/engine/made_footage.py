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


def write_video(path, rgb, rate):
    """Write pictures as H.264."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=Fraction(rate).limit_denominator(1001), options={"crf": "18"})
        video.height, video.width = (side // 2 * 2 for side in rgb[0].shape[:2])
        video.pix_fmt = "yuv420p"
        for picture in rgb:
            inside = np.ascontiguousarray(picture[: video.height, : video.width])
            container.mux(video.encode(av.VideoFrame.from_ndarray(inside, format="rgb24")))
        container.mux(video.encode())
    return path
