"""Detectors of people and keypoints, and tracks over time.

May import: `body`, `footage` and what lies before them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.config import DetectionSettings
    from engine.keypoints.types import Detector


def _mediapipe(settings: DetectionSettings, keypoints: Path | None) -> Detector:
    from engine.keypoints.mediapipe_detector import MODELS, MediaPipeDetector

    return MediaPipeDetector(MODELS[settings.model], settings.max_people)


def _openpose_json(settings: DetectionSettings, keypoints: Path | None) -> Detector:
    from engine.keypoints.openpose_json import OpenPoseJson

    if keypoints is None:
        raise ValueError("OpenPose keypoints need a folder")
    return OpenPoseJson(keypoints)


DETECTORS: dict[str, Callable[[DetectionSettings, Path | None], Detector]] = {
    "mediapipe": _mediapipe,
    "openpose_json": _openpose_json,
}
"""Name to what makes the detector, from the settings and a folder of keypoints."""


def make_detector(settings: DetectionSettings, keypoints: Path | None = None) -> Detector:
    """MediaPipe as the settings say or, where there is a folder of OpenPose `keypoints`, what it holds.

    Raises:
        ModelFileError: the pose bundle is missing.
        UsageError: the folder has no keypoints that can be read.
    """
    return DETECTORS["mediapipe" if keypoints is None else "openpose_json"](settings, keypoints)
