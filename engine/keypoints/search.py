"""Follows people through frames with crops of their own, and looks for new ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

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
    overlap,
    pose_distance,
    quarter_turns,
    side_of,
    tiles,
)
from engine.keypoints.joint_sets import MEDIAPIPE_33
from engine.keypoints.prominence import prominence_of
from engine.keypoints.types import SEEN_CONFIDENCE, FrameDetections

GLANCE_S = 0.2
"""How often those are looked at who are not followed closely."""
_SEARCH_EVERY_S = 0.33
_SEARCH_OTHERS_EVERY_S = 1.0
"""While all who are followed closely are seen, and others matter little."""
_SEARCH_SMALL_EVERY_S = 1.0
_FORGET_AFTER_S = 0.7
_TRY_HARDER_EVERY = 3
"""Frames between further attempts at people who stay hidden: each attempt costs as much as seeing someone."""
_MOVED_TOO_FAR = 0.35
_SMALLEST_PERSON = 0.06
"""Larger side of a person's box over the frame's shorter side."""
_MAY_BE_MAIN = 0.5
"""Share of the prominence of whoever stands out most at the moment."""

Find = Callable[[Sequence[tuple[NDArray[np.uint8], Crop]]], list[list[Pose]]]
"""People in each crop of a frame, in the order of the jobs."""


class Search:
    """Follows people through frames that come in order, beginning with nobody known.

    Args:
        find: the network.
        max_people: people followed at a time; of more, the largest.
        everybody: whether all of them are looked at in every frame. Else those are who may be the main person, as they
            stand out at that moment; the others are looked at now and then, and claim what is theirs in the crops of
            those. People who could not stand out are not searched for.
    """

    def __init__(self, find: Find, max_people: int, everybody: bool = True) -> None:
        self._find, self._max_people, self._everybody = find, max_people, everybody
        self._people: list[Followed] = []
        self._searched_s = self._searched_small_s = -np.inf
        self._lost = False
        """Whether anybody who was followed closely has been out of sight for so long that crops follow them no more."""
        self._stranger_s = -np.inf
        """When somebody was last in a crop who is not followed."""

    def work(self, batch: Sequence[Frame]) -> Iterator[FrameDetections]:
        """Detections of frames that follow one another."""
        size = (batch[0].rgb.shape[1], batch[0].rgb.shape[0])
        self._welcome(batch[0], size)
        # One crop per person and frame, all placed by what was known before the batch.
        people, close = list(self._people), self._close(batch[0].time_s, size)
        looked_at = [self._looked_at(people, close, frame.time_s) for frame in batch]
        jobs = [
            (frame.rgb, one.crop(frame.time_s, size))
            for frame, those in zip(batch, looked_at, strict=True)
            for one in those
        ]
        found = iter(self._find(jobs))
        for frame, those in zip(batch, looked_at, strict=True):
            yield self._follow(frame, size, people, {one: next(found) for one in those}, close)

    def _close(self, time_s: float, size: tuple[int, int]) -> list[Followed]:
        """Those who are looked at in every frame: who stands out, and whoever touches them in the picture, who could be
        taken for them. Whoever is out of sight outshines nobody."""
        if self._everybody:
            return list(self._people)
        boxes = [box_of(one.predicted(time_s), size) for one in self._people]
        shown = [prominence_of(box, size) for box in boxes]
        there = [here for one, here in zip(self._people, shown, strict=True) if time_s - one.time_s <= GLANCE_S]
        least = _MAY_BE_MAIN * max(there, default=0.0)
        apart = [box for box, here in zip(boxes, shown, strict=True) if here >= least]
        return [
            one
            for one, box, here in zip(self._people, boxes, shown, strict=True)
            if here >= least or any(overlap(box, other) > 0 for other in apart)
        ]

    def _looked_at(self, people: Sequence[Followed], close: Sequence[Followed], time_s: float) -> list[Followed]:
        those = [one for one in people if one in close or time_s - one.looked_s >= GLANCE_S]
        for one in those:
            one.looked_s = time_s
        return those

    def _follow(
        self,
        frame: Frame,
        size: tuple[int, int],
        people: Sequence[Followed],
        own: dict[Followed, list[Pose]],
        close: Sequence[Followed],
    ) -> FrameDetections:
        """Who is seen in a frame, by the poses found in each one's `own` crop."""
        all_poses = [pose for poses in own.values() for pose in poses]
        taken = self._settle(frame, size, people, [own.get(one, all_poses) for one in people], [])
        for attempt in range(1, len(CROP_MARGINS)):
            lost = [one for one in own if one.time_s != frame.time_s and one.missed % _TRY_HARDER_EVERY == 0]
            again = self._find([(frame.rgb, one.crop(frame.time_s, size, attempt)) for one in lost])
            taken += self._settle(frame, size, lost, again, taken)
        for person in own:
            person.missed += person.time_s != frame.time_s
        if any(not any(_same(pose, other) for other in taken) for pose in all_poses if _credible(pose)):
            self._stranger_s = frame.time_s
        gone = [one for one in self._people if frame.time_s - one.time_s > _FORGET_AFTER_S]
        self._lost |= any(one in close for one in gone)
        self._people = [one for one in self._people if one not in gone]
        followed = {id(one.pose) for one in close}
        return FrameDetections(
            index=frame.index,
            time_s=frame.time_s,
            keypoints=np.array([pose.keypoints for pose in taken], np.float32).reshape(-1, len(MEDIAPIPE_33), 3),
            landmarks3d=np.array([pose.landmarks3d for pose in taken], np.float32).reshape(-1, len(MEDIAPIPE_33), 3),
            glimpses=tuple(number for number, pose in enumerate(taken) if id(pose) not in followed),
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
        if frame.time_s - self._searched_s < self._search_every_s(frame.time_s, size):
            return
        self._searched_s = frame.time_s
        small = frame.time_s - self._searched_small_s >= _SEARCH_SMALL_EVERY_S
        if small:
            self._searched_small_s = frame.time_s
        large, areas = tiles(size, levels=1), tiles(size, levels=2 if small else 1)
        if self._everybody:
            self._meet(frame, size, areas)
            return
        self._meet(frame, size, large)
        if small and not self._small_ones_matter_little(size):
            self._meet(frame, size, areas[len(large) :])

    def _search_every_s(self, time_s: float, size: tuple[int, int]) -> float:
        if not self._people:
            return _SEARCH_EVERY_S / 3
        crowded = time_s - self._stranger_s <= _SEARCH_EVERY_S or len(self._close(time_s, size)) > 1
        unsure = self._everybody or self._lost or crowded or any(one.missed for one in self._people)
        return _SEARCH_EVERY_S if unsure else _SEARCH_OTHERS_EVERY_S

    def _small_ones_matter_little(self, size: tuple[int, int]) -> bool:
        """Whether somebody stands out as much as anybody could whom only smaller tiles show."""
        half = min(size) / 2
        at_best = prominence_of(np.array([-half, -half, half, half]) / 2 + np.tile(size, 2) / 2, size)
        return any(prominence_of(box_of(one.pose.keypoints, size), size) >= at_best for one in self._people)

    def _meet(self, frame: Frame, size: tuple[int, int], areas: Sequence[Crop]) -> None:
        """Follow those, too, who are found in some areas and again in crops about them."""
        poses = [
            pose
            for poses in self._find([(frame.rgb, area) for area in areas])
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
        waiting = {
            number: Followed(pose, frame.time_s, turns=quarter_turns(pose.keypoints))
            for number, pose in enumerate(poses)
        }
        confirmed: dict[int, Pose] = {}
        for attempt in (0, 1):
            crops = [(frame.rgb, one.crop(frame.time_s, size, attempt)) for one in waiting.values()]
            for number, again in zip(list(waiting), self._find(crops), strict=True):
                near = [
                    one
                    for one in again
                    if _credible(one) and pose_distance(one.keypoints, poses[number].keypoints) < 0.2
                ]
                if near:
                    confirmed[number] = near[0]
                    del waiting[number]
        return [confirmed[number] for number in sorted(confirmed)]


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
