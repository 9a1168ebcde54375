"""Short clips of different rate, size and number of people, cut from the demo clip."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

DEMO = Path(__file__).resolve().parents[2] / "presets" / "demo" / "demo.mp4"
DEMO_RATE = 60

CLIPS = {
    "portrait": (Fraction(60), 24),
    "landscape": (Fraction(30), 20),
    "mirrored": (Fraction(24), 20),
    "two people": (Fraction(25), 16),
    "cut": (Fraction(30), 30),
    "ntsc": (Fraction(30000, 1001), 16),
}
"""Frames a second and number of frames of each."""


def make(folder: Path) -> dict[str, Path]:
    """Write all of them; gives back their files by name."""
    with av.open(str(DEMO)) as source:
        pictures = [frame.to_ndarray(format="bgr24") for frame in source.decode(video=0)]
    paths = {}
    for name, (rate, frames) in CLIPS.items():
        paths[name] = folder / f"{name}.mp4"
        _write(paths[name], rate, _pictures(name, pictures, rate, frames))
    return paths


def _pictures(name: str, demo: list[np.ndarray], rate: Fraction, frames: int) -> Iterator[np.ndarray]:
    for number in range(frames):
        picture = cv2.resize(demo[min(round(number * DEMO_RATE / rate), len(demo) - 1)], (544, 960))
        if name == "landscape":  # the upright picture between two bars
            wide = np.zeros((720, 1280, 3), np.uint8)
            wide[:, 440:848] = cv2.resize(picture, (408, 720))
            picture = wide
        elif name == "mirrored":
            picture = picture[:, ::-1]
        elif name == "two people":
            picture = np.concatenate([picture, picture[:, ::-1]], axis=1)
        elif name == "cut" and number >= frames // 2:  # another place, in another light
            picture = cv2.resize(picture[100:820, 40:448, ::-1][:, ::-1], (544, 960)) // 2 + 90
        yield np.ascontiguousarray(picture)


def _write(path: Path, rate: Fraction, pictures: Iterator[np.ndarray]) -> None:
    with av.open(str(path), "w") as target:
        stream = target.add_stream("libx264", rate=rate)
        stream.pix_fmt = "yuv420p"
        for picture in pictures:
            if not stream.codec_context.is_open:
                stream.height, stream.width = picture.shape[:2]
            target.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        target.mux(stream.encode())
