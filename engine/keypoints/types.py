"""What detection and tracking hand on.

Legend (whole engine): B windows, T frames, P people, J joints (24), K keypoints, V vertices, N detections.
Pixels are those of the upright full frame: x right, y down, the centre of the top left pixel at (0.5, 0.5).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engine.footage.decoding import Frame

Float = NDArray[np.float32]

SEEN_CONFIDENCE = 0.3
"""Keypoints below this count as not seen (paper, eq. 5)."""


@dataclass(frozen=True)
class FrameDetections:
    """Everybody found in one frame.

    Attributes:
        index: frame index in the footage.
        time_s: seconds into the footage.
        keypoints: (P, K, 3) x, y in pixels and confidence in 0..1; keypoints may lie outside of the frame.
        landmarks3d: (P, K, 3) metres about the middle of the hips, camera axes (x right, y down, z away), NaN where the
            detector gives none.
        glimpses: which of the people are not looked at in every frame, so that they may be missing in others.
    """

    index: int
    time_s: float
    keypoints: Float
    landmarks3d: Float
    glimpses: tuple[int, ...] = ()


class Detector(Protocol):
    """Finds people and their keypoints. Implementations: MediaPipe, OpenPose JSON."""

    @property
    def keypoint_names(self) -> Sequence[str]:
        """K names, from `engine.keypoints.joint_sets`."""

    def detect(self, frames: Iterable[Frame]) -> Iterable[FrameDetections]:
        """Detections frame by frame, in order, while frames stream in. Holds a bounded number of frames."""


@dataclass(frozen=True)
class PersonTrack:
    """One person from the first to the last frame of a stretch in which they are seen, one row per footage frame.

    Somebody who leaves and comes back has a track for each stretch, and so has somebody who is in several shots.

    Attributes:
        person: 1, 2, … by prominence; the same in all of a person's stretches.
        frame_indices: (T,) footage frame of each row, consecutive.
        timestamps: (T,) seconds into the footage, strictly increasing.
        keypoints: (T, K, 3) x, y in pixels and confidence; confidence 0 where nothing was detected.
        landmarks3d: (T, K, 3) the detector's metres about the hips, camera axes; NaN where there are none.
        boxes: (T, 4) left, top, right, bottom in pixels; interpolated where the person was not detected.
        detected: (T,) bool, False in gaps of the track.
        keypoint_names: K names.
        image_size: width, height in pixels.
        height_m: how tall the person stands, where the user knows it.
        shot: 1, 2, … in which shot of the footage it lies.
        stretch: 1, 2, …, a number of its own among all the tracks of the footage.
    """

    person: int
    frame_indices: NDArray[np.int64]
    timestamps: NDArray[np.float64]
    keypoints: Float
    landmarks3d: Float
    boxes: Float
    detected: NDArray[np.bool_]
    keypoint_names: tuple[str, ...]
    image_size: tuple[int, int]
    height_m: float | None = None
    shot: int = 1
    stretch: int = 1
