"""Who is who from frame to frame: detections joined into one track per person."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from engine.errors import NobodyFoundError, UsageError
from engine.files.plain_zip import shown
from engine.footage.decoding import FootageInfo
from engine.keypoints.following import pose_distance
from engine.keypoints.joint_sets import JOINT_SETS
from engine.keypoints.prominence import prominence
from engine.keypoints.types import SEEN_CONFIDENCE, Float, FrameDetections, PersonTrack

_GIVE_UP_S = 0.5
"""Somebody not seen for this long gets a new track, which may be joined to the old one at the end."""
_JOIN_S = 1.5
_JOIN_SIDES_PER_S = 0.4
_REACH_SIDES = 0.35
_REACH_SIDES_PER_S = 0.9
_SIDE_RATIO = 1.6
_SHORTEST_S = 0.3
_SHORTEST_FRAMES = 5
_LINE_S = 0.25
_LINE_SIGHTINGS = 4
_POSE_LASTS_S = 0.1


@dataclass
class _Tracklet:
    """Sightings of one person: rows of the detections, with what was seen there."""

    rows: list[int] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    keypoints: list[Float] = field(default_factory=list)
    landmarks3d: list[Float] = field(default_factory=list)
    boxes: list[Float] = field(default_factory=list)
    lines: dict[int, tuple[Float, Float]] = field(default_factory=dict)

    def add(self, row: int, found: FrameDetections, person: int) -> None:
        self.rows.append(row)
        self.times.append(found.time_s)
        self.keypoints.append(found.keypoints[person])
        self.landmarks3d.append(found.landmarks3d[person])
        self.boxes.append(_box(found.keypoints[person]))
        self.lines.clear()

    def line(self, end: int) -> tuple[Float, Float]:
        """(2,) velocity in pixels a second, and (2,) middle at time 0, of a straight line through the first (0) or last
        (-1) sightings: of medians, since single sightings may be of limbs in a tangle or of somebody else."""
        if end not in self.lines:
            order = range(len(self.times)) if end == 0 else range(len(self.times) - 1, -1, -1)
            near = list(itertools.takewhile(lambda index: abs(self.times[index] - self.times[end]) <= _LINE_S, order))
            times, middles = np.array([self.times[i] for i in near]), np.array([_middle(self.boxes[i]) for i in near])
            velocity = np.zeros(2)
            if len(near) >= _LINE_SIGHTINGS:
                first, second = np.triu_indices(len(near), 1)
                velocity = np.median(
                    (middles[second] - middles[first]) / (times[second] - times[first])[:, None], axis=0
                )
            start = np.median(middles - times[:, None] * velocity, axis=0)
            self.lines[end] = velocity.astype(np.float32), start.astype(np.float32)
        return self.lines[end]

    def distance(self, keypoints: Float, time_s: float, end: int = -1) -> float:
        """How far `keypoints` at `time_s` are from where this person must have been then, over their larger side."""
        velocity, start = self.line(end)
        elapsed = time_s - self.times[end]
        moved = self.keypoints[end].copy()
        moved[:, :2] += velocity * np.clip(elapsed, -0.5, 0.5)
        apart = pose_distance(moved, keypoints)
        if abs(elapsed) > _POSE_LASTS_S or not np.isfinite(apart):  # the pose may have changed since: compare middles
            side = max(_side(self.boxes[end]), _side(_box(keypoints)))
            for on_s in (np.clip(elapsed, -0.5, 0.5), 0.0):  # gone on, or stopped
                middle = start + velocity * (self.times[end] + on_s)
                apart = min(apart, float(np.linalg.norm(_middle(_box(keypoints)) - middle) / side))
        return apart

    def extended(self, other: _Tracklet) -> _Tracklet:
        return _Tracklet(
            self.rows + other.rows,
            self.times + other.times,
            self.keypoints + other.keypoints,
            self.landmarks3d + other.landmarks3d,
            self.boxes + other.boxes,
        )


def track_people(
    detections: Iterable[FrameDetections], info: FootageInfo, cuts: Sequence[int] = ()
) -> list[PersonTrack]:
    """Tracks of everybody who is seen for long enough, the most prominent (`prominence`) first. None runs over a cut.

    Sightings are joined by where the person's motion would have taken their keypoints and by size, so that people
    keep their tracks when they cross or disappear for a moment.

    Args:
        detections: every frame of the footage in order, also those without anybody.
        info: the footage's size.
        cuts: indices of the frames that begin another shot.
    """
    frames = list(detections)
    tracklets = [one for shot in _shots(frames, cuts) for one in _joined(_linked(frames, shot))]
    enough = min(_SHORTEST_FRAMES, (len(frames) + 1) // 2)
    lasting = [
        one
        for one in tracklets
        if len(one.rows) >= enough and (one.times[-1] - one.times[0] >= _SHORTEST_S or len(one.rows) * 2 >= len(frames))
    ]
    tracks = [_person_track(one, frames, (info.width, info.height)) for one in lasting]
    tracks.sort(key=prominence, reverse=True)
    shots = [1 + sum(cut <= int(one.frame_indices[0]) for cut in cuts) for one in tracks]
    return [
        replace(one, person=number, stretch=number, shot=shot)
        for number, (one, shot) in enumerate(zip(tracks, shots, strict=True), start=1)
    ]


def _shots(frames: Sequence[FrameDetections], cuts: Sequence[int]) -> list[range]:
    """Rows of each shot."""
    starts = [row for row, frame in enumerate(frames) if frame.index in set(cuts)]
    return [range(first, last) for first, last in itertools.pairwise([0, *starts, len(frames)])]


def chosen_numbers(person: str) -> tuple[int, ...]:
    """The numbers that `person` names, such as (1, 3) for `1,3`; () for `main` and `all`.

    Raises UsageError if it is something else.
    """
    if person in ("main", "all"):
        return ()
    words = [word.strip() for word in person.split(",")]
    if not all(len(word) < 10 and word.isascii() and word.isdigit() and int(word) > 0 for word in words):
        raise UsageError(
            f"'{shown(person)}' is no choice of person.",
            "Choose main, all, a number from 1, or numbers with commas such as 1,3.",
        )
    return tuple(dict.fromkeys(int(word) for word in words))


def choose(tracks: Sequence[PersonTrack], person: str) -> list[PersonTrack]:
    """The tracks of those whom `person` asks for: `main` (the first), `all`, a number from 1, or numbers with commas.

    Raises:
        NobodyFoundError: there is nobody, or nobody of that number.
        UsageError: `person` is something else.
    """
    numbers = chosen_numbers(person)
    if not tracks:
        raise NobodyFoundError(
            "Nobody was found in the footage.",
            "Use footage in which a person is seen whole and not too small, for at least half a second.",
        )
    if person == "all":
        return list(tracks)
    numbers = numbers or (tracks[0].person,)
    known = sorted({track.person for track in tracks})
    missing = [number for number in numbers if number not in known]
    if missing:
        there_are = "only one person was" if len(known) == 1 else f"only {len(known)} people were"
        raise NobodyFoundError(
            f"There is no person {max(missing)} in the footage: {there_are} found.",
            f"Choose {'1' if known == [1] else _listed(known)}, main or all.",
        )
    return [track for track in tracks if track.person in numbers]


def _listed(numbers: Sequence[int]) -> str:
    """Numbers in words: `1 to 4` where none is missing, else `1, 2 or 4`."""
    if numbers[-1] - numbers[0] == len(numbers) - 1:
        return f"{numbers[0]} to {numbers[-1]}"
    return f"{', '.join(map(str, numbers[:-1]))} or {numbers[-1]}"


def _linked(frames: Sequence[FrameDetections], rows: range) -> list[_Tracklet]:
    """Sightings in some rows joined frame by frame."""
    finished: list[_Tracklet] = []
    active: list[_Tracklet] = []
    for row in rows:
        found = frames[row]
        finished += [one for one in active if found.time_s - one.times[-1] > _GIVE_UP_S]
        active = [one for one in active if found.time_s - one.times[-1] <= _GIVE_UP_S]
        costs = np.array(
            [[_unlikeness(one, keypoints, found.time_s) for keypoints in found.keypoints] for one in active]
        ).reshape(len(active), len(found.keypoints))
        matched = set()
        for track, person in _assigned(costs):
            active[track].add(row, found, person)
            matched.add(person)
        for person in range(len(found.keypoints)):
            if person not in matched:
                active.append(_Tracklet())
                active[-1].add(row, found, person)
    return finished + active


def _unlikeness(track: _Tracklet, keypoints: Float, time_s: float) -> float:
    """Near 0 where the person was expected, about 1 at the edge of what they can have reached, inf beyond."""
    gap = time_s - track.times[-1]
    box, reach = _box(keypoints), _REACH_SIDES + _REACH_SIDES_PER_S * gap
    if np.abs(_middle(box) - _middle(track.boxes[-1])).max() > 3 * max(_side(box), _side(track.boxes[-1])):
        return float("inf")
    # Whoever was seen just now goes before whoever may be coming back.
    return _judged(track.distance(keypoints, time_s), track.boxes[-1], box, reach) + gap


def _judged(distance: float, first: Float, second: Float, reach: float) -> float:
    ratio = abs(math.log(_side(first) / _side(second))) / math.log(_SIDE_RATIO)
    if distance > reach or ratio > 2:
        return float("inf")
    return distance / reach + 0.3 * ratio


def _joined(tracklets: Sequence[_Tracklet]) -> list[_Tracklet]:
    """Tracklets that continue one another made one."""
    parts = sorted(tracklets, key=lambda one: one.times[0])
    costs = np.array([[_gap_cost(first, second) for second in parts] for first in parts]).reshape(
        len(parts), len(parts)
    )
    whole: dict[int, _Tracklet] = dict(enumerate(parts))
    # From the end backwards, so that what is joined on has already been joined with what follows it.
    for first, second in sorted(_assigned(costs), reverse=True):
        whole[first] = whole[first].extended(whole.pop(second))
    return list(whole.values())


def _gap_cost(first: _Tracklet, second: _Tracklet) -> float:
    """How unlikely it is that `second` continues `first`; inf if it cannot."""
    gap = second.times[0] - first.times[-1]
    if not 0 < gap <= _JOIN_S:
        return float("inf")
    forward = first.distance(second.keypoints[0], second.times[0])
    backward = second.distance(first.keypoints[-1], first.times[-1], end=0)
    reach = _REACH_SIDES + _JOIN_SIDES_PER_S * gap
    return _judged(min(forward, backward), first.boxes[-1], second.boxes[0], reach) + gap / _JOIN_S


def _assigned(costs: Float) -> list[tuple[int, int]]:
    """Pairs (row, column) of the cheapest assignment, without those that cost inf."""
    if costs.size == 0:
        return []
    from scipy.optimize import linear_sum_assignment  # late: it takes half a second to load

    rows, columns = linear_sum_assignment(np.where(np.isfinite(costs), costs, 1e6))
    return [
        (int(row), int(column)) for row, column in zip(rows, columns, strict=True) if np.isfinite(costs[row, column])
    ]


def _box(keypoints: Float) -> Float:
    """(4,) left, top, right, bottom of the keypoints that are seen, of all if that is less than two."""
    seen = keypoints[keypoints[:, 2] >= SEEN_CONFIDENCE, :2]
    points = seen if len(seen) > 1 else keypoints[:, :2]
    return np.concatenate([points.min(0), points.max(0)]).astype(np.float32)


def _middle(box: Float) -> Float:
    return np.asarray((box[:2] + box[2:]) / 2, np.float32)


def _side(box: Float) -> float:
    return max(float(box[2] - box[0]), float(box[3] - box[1]), 1.0)


def _person_track(tracklet: _Tracklet, frames: Sequence[FrameDetections], size: tuple[int, int]) -> PersonTrack:
    """A tracklet as a track that has no number yet."""
    start, stop = tracklet.rows[0], tracklet.rows[-1] + 1
    rows = np.asarray(tracklet.rows) - start
    count, parts = stop - start, len(tracklet.keypoints[0])
    keypoints = np.zeros((count, parts, 3), np.float32)
    landmarks3d = np.full((count, parts, 3), np.nan, np.float32)
    detected = np.zeros(count, np.bool_)
    keypoints[rows], landmarks3d[rows], detected[rows] = tracklet.keypoints, tracklet.landmarks3d, True
    seen = np.asarray(tracklet.boxes)
    boxes = np.stack([np.interp(np.arange(count), rows, seen[:, edge]) for edge in range(4)], axis=1)
    names = next(names for names in JOINT_SETS.values() if len(names) == parts)
    return PersonTrack(
        person=0,
        frame_indices=np.array([frame.index for frame in frames[start:stop]], np.int64),
        timestamps=np.array([frame.time_s for frame in frames[start:stop]], np.float64),
        keypoints=keypoints,
        landmarks3d=landmarks3d,
        boxes=boxes.astype(np.float32),
        detected=detected,
        keypoint_names=names,
        image_size=size,
    )
