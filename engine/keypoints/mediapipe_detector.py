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
from engine.keypoints.following import (
    CROP_MARGINS,
    SAME_POSE,
    TRUNK,
    Crop,
    Followed,
    Pose,
    box_of,
    distinct,
    pose_distance,
    quarter_turns,
    side_of,
    tiles,
)
from engine.keypoints.joint_sets import MEDIAPIPE_33
from engine.keypoints.types import SEEN_CONFIDENCE, FrameDetections

MODELS = {kind: Path(__file__).parents[1] / "assets" / f"pose_landmarker_{kind}.task" for kind in ("heavy", "full")}
"""The pose bundles that come with the engine."""

_BATCH = 2
"""Frames whose crops are placed by the same past, so that two cores have work also with one person. Not the number of
cores: results must not depend on the machine."""
_SEARCH_EVERY_S = 0.33
_SEARCH_SMALL_EVERY_S = 1.0
_FORGET_AFTER_S = 0.7
_NO_OP_PROXY = "http://127.0.0.1:9"
_TRY_HARDER_EVERY = 3
"""Frames between further attempts at people who stay hidden: each attempt costs as much as seeing someone."""
_MOVED_TOO_FAR = 0.35
_SMALLEST_PERSON = 0.06
"""Larger side of a person's box over the frame's shorter side."""


class MediaPipeDetector:
    """Finds up to `max_people` people in each frame.

    As a context manager it keeps its networks between calls of `detect`: making them anew leaves about 10 MB behind in
    MediaPipe each time. The result is the same.

    Args:
        model: pose bundle (.task), one of `MODELS`.
        max_people: people followed at a time; of more, the largest.
        threads: inferences at a time. Results do not depend on it.

    Raises:
        ModelFileError: the bundle is missing or is none.
    """

    def __init__(self, model: Path = MODELS["heavy"], max_people: int = 4, threads: int | None = None) -> None:
        self._max_people = max_people
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
        search = _Search(landmarkers, self._max_people)
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


class _Search:
    """Follows people through frames and looks for new ones."""

    def __init__(self, landmarkers: _Landmarkers, max_people: int) -> None:
        self._landmarkers, self._max_people = landmarkers, max_people
        self._people: list[Followed] = []
        self._searched_s = self._searched_small_s = -np.inf

    def work(self, batch: Sequence[Frame]) -> Iterator[FrameDetections]:
        """Detections of frames that follow one another."""
        size = (batch[0].rgb.shape[1], batch[0].rgb.shape[0])
        self._welcome(batch[0], size)
        # One crop per person and frame, all placed by what was known before the batch.
        people = list(self._people)
        jobs = [(frame.rgb, person.crop(frame.time_s, size)) for frame in batch for person in people]
        found = iter(self._landmarkers.find(jobs))
        for frame in batch:
            yield self._follow(frame, size, people, [next(found) for _ in people])

    def _follow(
        self, frame: Frame, size: tuple[int, int], people: Sequence[Followed], found: Sequence[list[Pose]]
    ) -> FrameDetections:
        taken = self._settle(frame, size, people, found, [])
        for attempt in range(1, len(CROP_MARGINS)):
            lost = [one for one in people if one.time_s != frame.time_s and one.missed % _TRY_HARDER_EVERY == 0]
            again = self._landmarkers.find([(frame.rgb, one.crop(frame.time_s, size, attempt)) for one in lost])
            taken += self._settle(frame, size, lost, again, taken)
        for person in people:
            person.missed += person.time_s != frame.time_s
        self._people = [one for one in self._people if frame.time_s - one.time_s <= _FORGET_AFTER_S]
        return FrameDetections(
            index=frame.index,
            time_s=frame.time_s,
            keypoints=np.array([pose.keypoints for pose in taken], np.float32).reshape(-1, len(MEDIAPIPE_33), 3),
            landmarks3d=np.array([pose.landmarks3d for pose in taken], np.float32).reshape(-1, len(MEDIAPIPE_33), 3),
        )

    def _settle(
        self,
        frame: Frame,
        size: tuple[int, int],
        people: Sequence[Followed],
        found: Sequence[list[Pose]],
        taken: Sequence[Pose],
    ) -> list[Pose]:
        """Give each person the pose nearest to what was expected of them, and no pose to two people."""
        choices: list[tuple[float, Followed, Pose]] = []
        for person, poses in zip(people, found, strict=True):
            expected = person.predicted(frame.time_s)
            for pose in filter(_credible, poses):
                distance = pose_distance(pose.keypoints, expected)
                if distance < _MOVED_TOO_FAR * (1 + 0.2 * min(person.missed, 5)):
                    choices.append((distance, person, pose))
        settled: list[Pose] = []
        for _, person, pose in sorted(choices, key=lambda choice: choice[0]):
            if person.time_s != frame.time_s and not any(_same(pose, other) for other in (*taken, *settled)):
                person.seen(pose, frame.time_s, size)
                settled.append(pose)
        return settled

    def _welcome(self, frame: Frame, size: tuple[int, int]) -> None:
        """Look for people who are not followed yet, if it is time to."""
        if frame.time_s - self._searched_s < (_SEARCH_EVERY_S if self._people else _SEARCH_EVERY_S / 3):
            return
        self._searched_s = frame.time_s
        small = frame.time_s - self._searched_small_s >= _SEARCH_SMALL_EVERY_S
        if small:
            self._searched_small_s = frame.time_s
        areas = tiles(size, levels=2 if small else 1)
        poses = [
            pose
            for poses in self._landmarkers.find([(frame.rgb, area) for area in areas])
            for pose in poses
            if _credible(pose) and side_of(box_of(pose.keypoints, size)) >= _SMALLEST_PERSON * min(size)
        ]
        known = [Pose(one.predicted(frame.time_s), one.pose.landmarks3d) for one in self._people]
        for pose in distinct(self._confirmed(frame, size, _unlike(poses, known)), known, size):
            self._people.append(Followed(pose, frame.time_s - 1e-6, turns=quarter_turns(pose.keypoints)))
        self._people.sort(key=lambda one: -side_of(box_of(one.pose.keypoints, size)))
        del self._people[self._max_people :]

    def _confirmed(self, frame: Frame, size: tuple[int, int], poses: Sequence[Pose]) -> list[Pose]:
        """Poses that are found again in a crop about them: halves of people and tricks of the light are not."""
        people = [Followed(pose, frame.time_s, turns=quarter_turns(pose.keypoints)) for pose in poses]
        attempts = [0, 1]
        found = self._landmarkers.find(
            [(frame.rgb, one.crop(frame.time_s, size, attempt)) for one in people for attempt in attempts]
        )
        confirmed = []
        for number, pose in enumerate(poses):
            again = [one for poses in found[number * len(attempts) :][: len(attempts)] for one in poses]
            near = [one for one in again if _credible(one) and pose_distance(one.keypoints, pose.keypoints) < 0.2]
            confirmed += near[:1]
        return confirmed


def _unlike(poses: Sequence[Pose], known: Sequence[Pose]) -> list[Pose]:
    """The poses, each once, without those of `known`."""
    kept: list[Pose] = []
    for pose in sorted(poses, key=lambda one: -float(one.keypoints[:, 2].mean())):
        if not any(_same(pose, other) for other in (*known, *kept)):
            kept.append(pose)
    return kept


def _credible(pose: Pose) -> bool:
    """Whether a pose shows a person: most of the trunk is seen, or most of all there is."""
    confidence = pose.keypoints[:, 2]
    return bool(np.count_nonzero(confidence[TRUNK] >= SEEN_CONFIDENCE) >= 2 and confidence.mean() >= SEEN_CONFIDENCE)


def _same(first: Pose, second: Pose) -> bool:
    return pose_distance(first.keypoints, second.keypoints) < SAME_POSE
