"""A camera that turns, made of footage of one that stands still: a narrower view into each frame, turned about the
camera's place. Exact but for the moving people's own motion blur, so that its turns are known."""

from __future__ import annotations

import math
from pathlib import Path

import av
import cv2
import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from engine.footage.decoding import frames, probe

NARROWER = 1.4
"""Focal length of the virtual camera over the real one's."""


def pan(count: int, degrees: float) -> np.ndarray:
    """(count, 3, 3) turns to and fro about the vertical, from each frame to the first."""
    angle = np.radians(degrees) * np.sin(np.linspace(0, 2 * math.pi, count))
    return Rotation.from_rotvec(np.stack([0 * angle, angle, 0 * angle], 1)).as_matrix()


def shake(count: int, degrees: float, seed: int = 0) -> np.ndarray:
    """(count, 3, 3) turns of a camera in a hand: all axes, some tenths of a second long."""
    noise = gaussian_filter1d(np.random.default_rng(seed).normal(size=(count + 40, 3)), 4, axis=0)[20:-20]
    noise *= math.radians(degrees) / noise.std()
    turns = Rotation.from_rotvec(noise)
    return (turns[0].inv() * turns).as_matrix()


def film(source: Path, target: Path, turns: np.ndarray, focal_px: float) -> np.ndarray:
    """Write what the virtual camera sees; its intrinsics (3, 3).

    Args:
        source: footage of a camera that stands still.
        target: file to write.
        turns: (F, 3, 3) from each frame's camera to the real one.
        focal_px: of the real camera.
    """
    info = probe(source)
    centre = np.array([info.width / 2, info.height / 2])
    real = np.array([[focal_px, 0, centre[0]], [0, focal_px, centre[1]], [0, 0, 1.0]])
    virtual = np.array([[focal_px * NARROWER, 0, centre[0]], [0, focal_px * NARROWER, centre[1]], [0, 0, 1.0]])
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1.0]])  # OpenCV counts from pixels' centres
    with av.open(str(target), "w") as container:
        stream = container.add_stream("libx264", rate=info.frame_rate, options={"crf": "16"})
        stream.width, stream.height, stream.pix_fmt = info.width // 2 * 2, info.height // 2 * 2, "yuv420p"
        for frame, turn in zip(frames(source), turns, strict=False):
            to_real = np.linalg.inv(half) @ real @ turn @ np.linalg.inv(virtual) @ half
            seen = cv2.warpPerspective(
                frame.rgb, to_real, (stream.width, stream.height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
            )
            container.mux(stream.encode(av.VideoFrame.from_ndarray(seen, format="rgb24")))
        container.mux(stream.encode())
    return virtual
