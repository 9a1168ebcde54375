"""Keypoints that OpenPose wrote: a folder with one `*_keypoints.json` a frame (BODY_25 or COCO)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import UsageError
from engine.files.json_file import read_json
from engine.footage.decoding import Frame
from engine.keypoints.joint_sets import BODY_25, COCO_17, COCO_18
from engine.keypoints.types import Float, FrameDetections

_SETS = {3 * len(names): names for names in (BODY_25, COCO_18, COCO_17)}
MOST_PEOPLE = 20
"""In a frame; of more, the largest. Following a crowd takes long, and nobody in it is seen well."""

_MOST_BYTES, _MOST_LISTED, _FARTHEST = 2**23, 2000, 1e6
_HINT = "Write keypoints with OpenPose's --write_json, models BODY_25 or COCO."


class OpenPoseJson:
    """Reads people from OpenPose's files; of the footage only frame numbers and times are used.

    Args:
        folder: files named `…_<frame number>_keypoints.json`; the lowest number belongs to the first frame.

    Raises:
        UsageError: the folder has no such files, or a requested one cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        files = sorted(folder.glob("*_keypoints.json")) if folder.is_dir() else []
        if not files:
            raise UsageError(f"There are no OpenPose files (*_keypoints.json) in {folder}.", _HINT)
        numbers = [re.search(r"(\d+)_keypoints\.json$", file.name) for file in files]
        if all(numbers):
            by_number = {int(number[1]): file for number, file in zip(numbers, files, strict=True) if number}
            self._files = {number - min(by_number): file for number, file in by_number.items()}
        else:
            self._files = dict(enumerate(files))
        self._names = self._find_names()

    def _find_names(self) -> tuple[str, ...]:
        for index in sorted(self._files):
            for person in _people(self._files[index]):
                return _SETS[len(person)]
        return BODY_25

    @property
    def keypoint_names(self) -> Sequence[str]:
        """Those of the model that wrote the files."""
        return self._names

    def detect(self, frames: Iterable[Frame]) -> Iterator[FrameDetections]:
        """What the files hold for each frame; nobody where a frame has no file. 3D landmarks are NaN."""
        for frame in frames:
            file = self._files.get(frame.index)
            people = _people(file) if file else []
            if any(_SETS[len(person)] != self._names for person in people):
                raise UsageError(f"{file} has other keypoints than the files before it.", _HINT)
            keypoints = np.array(people, np.float32).reshape(len(people), len(self._names), 3)
            yield FrameDetections(
                index=frame.index,
                time_s=frame.time_s,
                keypoints=_without_outside(keypoints, frame),
                landmarks3d=np.full_like(keypoints, np.nan),
            )


def _without_outside(keypoints: Float, frame: Frame) -> Float:
    height, width = frame.rgb.shape[:2]
    x, y = keypoints[..., 0], keypoints[..., 1]
    keypoints[..., 2] = np.clip(keypoints[..., 2], 0, 1)
    keypoints[(x < 0) | (y < 0) | (x > width) | (y > height), 2] = 0
    return keypoints


def _people(file: Path) -> list[list[float]]:
    """Each person's x, y, confidence, … . Raises UsageError with the file and what is wrong with it."""
    try:
        content: Any = read_json(file, _MOST_BYTES)
    except (OSError, ValueError) as error:
        raise UsageError(f"{file} is damaged: it is not JSON that can be read.", _HINT) from error
    people = content.get("people") if isinstance(content, dict) else None
    if not isinstance(people, list):
        raise UsageError(f"{file} is no OpenPose file: it has no list of people.", _HINT)
    if len(people) > _MOST_LISTED:
        raise UsageError(f"{file} is no OpenPose file: it has a list of {len(people)} people.", _HINT)
    found = [_numbers(person, file) for person in people]
    return found if len(found) <= MOST_PEOPLE else sorted(found, key=_area, reverse=True)[:MOST_PEOPLE]


def _area(values: list[float]) -> float:
    """Square pixels of the box about the keypoints that were found."""
    seen = np.asarray(values, np.float64).reshape(-1, 3)
    seen = seen[seen[:, 2] > 0, :2]
    return float(np.prod(np.ptp(seen, axis=0))) if len(seen) else 0.0


def _numbers(person: Any, file: Path) -> list[float]:
    values = person.get("pose_keypoints_2d", person.get("pose_keypoints")) if isinstance(person, dict) else None
    if not isinstance(values, list) or len(values) not in _SETS:
        known = ", ".join(str(count) for count in _SETS)
        raise UsageError(f"{file} has a person whose keypoints are not {known} numbers.", _HINT)
    if not all(isinstance(value, int | float) and abs(value) <= _FARTHEST for value in values):
        raise UsageError(f"{file} has a keypoint that is not a number, or beyond every picture.", _HINT)
    return values
