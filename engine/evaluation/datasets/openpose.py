"""OpenPose's keypoints beside a data set: of the people in each frame, the one that is nearest to the person scored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.evaluation.datasets.shared import Float, Licensed
from engine.evaluation.joints import LIMB_SET
from engine.footage.decoding import Frame
from engine.keypoints.openpose_json import OpenPoseJson
from engine.keypoints.types import SEEN_CONFIDENCE

TRUE_2D = "the methods were given the true 2D keypoints: no --keypoints were given"


def read(
    folder: Path, frames: int, size: tuple[int, int], middles: NDArray[np.float64]
) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """Keypoints (T, K, 3) and their names. Raises UsageError where the folder has no such files.

    Args:
        folder: with one `*_keypoints.json` a frame.
        frames: T.
        size: width and height of the pictures.
        middles: (T, 2) pixels, where the person is; identifies people and nothing else.
    """
    reader = OpenPoseJson(folder)
    names = tuple(reader.keypoint_names)
    blank = np.broadcast_to(np.zeros(3, np.uint8), (size[1], size[0], 3))
    keypoints = np.zeros((frames, len(names), 3), np.float32)
    found = reader.detect(Frame(index, index / 30, blank) for index in range(frames))
    for row, detections in enumerate(found):
        distances = [_distance(person, middles[row]) for person in detections.keypoints]
        if distances and np.isfinite(min(distances)):
            keypoints[row] = detections.keypoints[int(np.argmin(distances))]
    return keypoints, names


def seen_or_true(
    licensed: Licensed, name: str, joints: Float, there: NDArray[np.bool_], intrinsics: Float, size: tuple[int, int]
) -> tuple[NDArray[np.float32], tuple[str, ...], str]:
    """OpenPose's keypoints of a sequence, or SMPL's own joints where there are none: keypoints, names and a note.

    Args:
        licensed: where OpenPose's files are.
        name: of their folder.
        joints: (T, 24, 3) true, camera frame.
        there: (T,) frames in which the person can be seen.
        intrinsics: (3, 3).
        size: width and height of the pictures.
    """
    limbs = joints[:, list(LIMB_SET.smpl)]
    points = limbs[..., :2] / limbs[..., 2:].clip(min=1e-3) @ intrinsics[:2, :2].T + intrinsics[:2, 2]
    if licensed.keypoints is not None:
        keypoints, names = read(licensed.keypoints / name, len(points), size, points.mean(1))
        return keypoints, names, ""
    inside = ((points >= 0) & (points < np.array(size))).all(-1) & (limbs[..., 2] > 0) & there[:, None]
    return np.concatenate((points, inside[..., None]), -1).astype(np.float32), LIMB_SET.names, TRUE_2D


def _distance(person: NDArray[np.float32], middle: NDArray[np.float64]) -> float:
    seen = person[:, 2] >= SEEN_CONFIDENCE
    return float(np.linalg.norm(person[seen, :2].mean(0) - middle)) if seen.any() else float("inf")
