"""People and their 33 keypoints with MediaPipe's pose landmarker."""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import ModelFileError
from engine.footage.decoding import Frame
from engine.keypoints.following import Crop, Pose
from engine.keypoints.joint_sets import MEDIAPIPE_33
from engine.keypoints.search import Search
from engine.keypoints.types import FrameDetections

MODELS = {kind: Path(__file__).parents[1] / "assets" / f"pose_landmarker_{kind}.task" for kind in ("heavy", "full")}
"""The pose bundles that come with the engine."""

_BATCH = 2
"""Frames whose crops are placed by the same past, so that two cores have work also with one person. Not the number of
cores: results must not depend on the machine."""
_NO_OP_PROXY = "http://127.0.0.1:9"


class MediaPipeDetector:
    """Finds up to `max_people` people in each frame.

    As a context manager it keeps its networks between calls of `detect`: making them anew leaves about 10 MB behind in
    MediaPipe each time. The result is the same.

    Args:
        model: pose bundle (.task), one of `MODELS`.
        max_people: people followed at a time; of more, the largest.
        threads: inferences at a time. Results do not depend on it.
        everybody: whether all of them are looked at in every frame; else those who may be the main person are, and
            others now and then.

    Raises:
        ModelFileError: the bundle is missing or is none.
    """

    def __init__(
        self, model: Path = MODELS["heavy"], max_people: int = 4, threads: int | None = None, everybody: bool = True
    ) -> None:
        self._max_people, self._everybody = max_people, everybody
        self._threads = threads or min(os.cpu_count() or 1, 8)
        if not model.is_file():
            raise ModelFileError(
                f"There is no pose bundle {model}.", "Install the engine again, or give another bundle."
            )
        self._model = model
        self._kept: _Landmarkers | None = None
        self._open = contextlib.ExitStack()

    def __enter__(self) -> MediaPipeDetector:
        self._open.enter_context(_unreported())
        self._kept = self._open.enter_context(_Landmarkers(self._model, self._threads))
        return self

    def __exit__(self, *_: object) -> None:
        self._kept = None
        self._open.close()

    @property
    def keypoint_names(self) -> Sequence[str]:
        """MediaPipe's 33."""
        return MEDIAPIPE_33

    def detect(self, frames: Iterable[Frame]) -> Iterator[FrameDetections]:
        """Detections frame by frame while frames stream in; holds two frames.

        Each call starts with nobody known and searches the first frame thoroughly, so that footage may be worked
        through in pieces.
        """
        if self._kept is not None:
            yield from self._search(self._kept, frames)
            return
        with _unreported(), _Landmarkers(self._model, self._threads) as landmarkers:
            yield from self._search(landmarkers, frames)

    def _search(self, landmarkers: _Landmarkers, frames: Iterable[Frame]) -> Iterator[FrameDetections]:
        search = Search(landmarkers.find, self._max_people, self._everybody)
        stream = iter(frames)
        while batch := list(itertools.islice(stream, _BATCH)):
            yield from search.work(batch)


@contextlib.contextmanager
def _unreported() -> Iterator[None]:
    """Keep MediaPipe from reporting its use to its makers while the body runs, and so this process from the web.

    It does so now and then, and when it is closed, and has no switch for that. Footage is nobody's business, so it gets
    a no-op proxy. The wait lets its last report fail, too.
    """
    before = os.environ.get("https_proxy")
    os.environ["https_proxy"] = _NO_OP_PROXY
    try:
        yield
    finally:
        time.sleep(0.2)
        if before is None:
            del os.environ["https_proxy"]
        else:
            os.environ["https_proxy"] = before


class _Landmarkers:
    """MediaPipe's pose landmarker, as many as there are threads: one handles a single picture at a time."""

    def __init__(self, model: Path, threads: int) -> None:
        self._model, self._threads = model, threads
        self._own = threading.local()
        self._made: list[Any] = []

    def __enter__(self) -> _Landmarkers:
        self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="pose")
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
        for landmarker in self._made:
            landmarker.close()

    def find(self, jobs: Sequence[tuple[NDArray[np.uint8], Crop]]) -> list[list[Pose]]:
        """People in each crop of a frame, in the order of the jobs."""
        return list(self._pool.map(lambda job: self._find_one(*job), jobs))

    def _find_one(self, rgb: NDArray[np.uint8], crop: Crop) -> list[Pose]:
        import mediapipe

        image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=crop.picture(rgb))
        result = self._landmarker().detect(image)
        size = (rgb.shape[1], rgb.shape[0])
        return [
            _unclaimed_outside(crop.to_frame(_pose(points, metres)), size)
            for points, metres in zip(result.pose_landmarks, result.pose_world_landmarks, strict=True)
        ]

    def _landmarker(self) -> Any:
        if not hasattr(self._own, "landmarker"):
            self._own.landmarker = _make_landmarker(self._model)
            self._made.append(self._own.landmarker)
        return self._own.landmarker


def _make_landmarker(model: Path) -> Any:
    from mediapipe.tasks.python import BaseOptions, vision

    # The file's contents, not its path: MediaPipe cannot open every path on every system.
    options = vision.PoseLandmarkerOptions(
        base_options=BaseOptions(model_asset_buffer=model.read_bytes()),
        running_mode=vision.RunningMode.IMAGE,
        num_poses=2,  # also whoever stands in front, so that the right one of them can be chosen
    )
    try:
        return vision.PoseLandmarker.create_from_options(options)
    except (ValueError, RuntimeError) as error:
        raise ModelFileError(
            f"{model} is not a pose bundle that can be used.", "Install the engine again, or give another bundle."
        ) from error


def _pose(points: Sequence[Any], metres: Sequence[Any]) -> Pose:
    keypoints = [(point.x, point.y, min(point.visibility, point.presence)) for point in points]
    landmarks = [(point.x, point.y, point.z) for point in metres]
    return Pose(np.array(keypoints, np.float32), np.array(landmarks, np.float32))


def _unclaimed_outside(pose: Pose, size: tuple[int, int]) -> Pose:
    """The pose, without confidence in keypoints outside of the frame, which nobody has seen."""
    x, y = pose.keypoints[:, 0], pose.keypoints[:, 1]
    outside = (x < 0) | (y < 0) | (x > size[0]) | (y > size[1])
    pose.keypoints[outside, 2] = 0.0
    return pose
