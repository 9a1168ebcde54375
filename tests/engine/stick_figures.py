"""Stick figures that walk, for tests of tracking: 33 keypoints as MediaPipe has them."""

import numpy as np

from engine.footage.decoding import FootageInfo
from engine.keypoints.joint_sets import MEDIAPIPE_33
from engine.keypoints.types import FrameDetections

_STANDING = {
    "nose": (0, 0.06), "eye_inner": (0.01, 0.05), "eye": (0.02, 0.05), "eye_outer": (0.03, 0.05), "ear": (0.04, 0.06),
    "mouth": (0.01, 0.08), "shoulder": (0.1, 0.18), "elbow": (0.13, 0.33), "wrist": (0.14, 0.47), "pinky": (0.14, 0.5),
    "index": (0.14, 0.51), "thumb": (0.13, 0.49), "hip": (0.06, 0.5), "knee": (0.07, 0.73), "ankle": (0.07, 0.94),
    "heel": (0.07, 0.97), "foot_index": (0.09, 1.0),
}  # fmt: skip


def figure(x, top, height, swing=0.0, confidence=0.9):
    """(33, 3) somebody who faces us, with the middle at `x` and limbs swung by `swing` (-1..1)."""
    points = np.zeros((33, 3), np.float32)
    for index, name in enumerate(MEDIAPIPE_33):
        part = name.replace("left_", "").replace("right_", "").replace("_left", "").replace("_right", "")
        across, down = _STANDING[part]
        side = 1 if "left" in name else -1
        reach = {"elbow": 0.05, "wrist": 0.1, "knee": 0.05, "ankle": 0.1, "heel": 0.1, "foot_index": 0.1}.get(part, 0)
        points[index] = x + height * side * (across + reach * swing), top + height * down, confidence
    return points


def detections(frames_of_people, rate=30.0):
    """One FrameDetections a list of (33, 3) people."""
    return [
        FrameDetections(
            index=index,
            time_s=index / rate,
            keypoints=np.array(people, np.float32).reshape(-1, 33, 3),
            landmarks3d=np.zeros((len(people), 33, 3), np.float32),
        )
        for index, people in enumerate(frames_of_people)
    ]


def info(width=1280, height=720, rate=30, count=None):
    """Footage of that size."""
    return FootageInfo(None, width, height, rate, False, count, None, 0, None)
