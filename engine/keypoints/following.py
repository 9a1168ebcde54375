"""Where in the picture each person is looked for next: crops that follow people, and poses kept apart.

A pose detector that sees a whole frame misses people who are small or partly hidden behind one another. Each person
is therefore followed with a square crop of their own; now and then the whole frame, and tiles of it, are searched for
people who are not followed yet. Points are (x, y) pixels of the full frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from engine.keypoints.joint_sets import MEDIAPIPE_33
from engine.keypoints.types import SEEN_CONFIDENCE, Float

CROP_MARGINS = (2.0, 1.4, 2.6)
"""Side of a person's crop over the larger side of their box, at the first attempt and at those after it. The detector
finds people best who fill half of the picture; the others are for those it overlooks so."""
TRUNK = [MEDIAPIPE_33.index(f"{side}_{part}") for part in ("shoulder", "hip") for side in ("left", "right")]
PICTURE_SIDE = 400
"""Crops twice as large and more are averaged down: to between this and twice this many pixels."""
SAME_POSE = 0.08
"""Distance of two poses (as `pose_distance` has it) below which they show one person; two side by side lie at 0.1."""
_SMALLEST_CROP = 64.0
_MOST_TILES = 24
"""Side by side, without their overlap."""

_TURN_AGAIN_DEGREES = 60.0
_FASTEST_SIDES_PER_S = 4.0


@dataclass(frozen=True, eq=False)
class Pose:
    """One person found in one frame: (33, 3) x, y, confidence in pixels of the frame, and (33, 3) metres."""

    keypoints: Float
    landmarks3d: Float


@dataclass(frozen=True)
class Crop:
    """A square of the frame, turned by quarters so that whoever is in it stands upright.

    Attributes:
        left, top, side: pixels; the square may reach out of the frame. Multiples of what `picture` averages over.
        turns: quarter turns counter-clockwise.
    """

    left: int
    top: int
    side: int
    turns: int = 0

    @classmethod
    def about(cls, x: float, y: float, side: float, turns: int = 0) -> Crop:
        """The crop of about `side` pixels with (x, y) in its middle, its edges where `picture` can average exactly."""
        step = max(int(side) // PICTURE_SIDE, 1)
        left, top = (round((middle - side / 2) / step) * step for middle in (x, y))
        return cls(left, top, round(side / step) * step, turns)

    def picture(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The square of the frame, black where it reaches out of it, at most about 1000 pixels large.

        Larger crops are averaged down by a whole number: the networks see 256 pixels, sampled coarsely.
        """
        import cv2

        height, width = rgb.shape[:2]
        step = max(self.side // PICTURE_SIDE, 1)
        rows = slice(max(self.top, 0), min(self.top + self.side, height // step * step))
        columns = slice(max(self.left, 0), min(self.left + self.side, width // step * step))
        inside, side = rgb[rows, columns], self.side // step
        if not inside.size:  # a frame that is thinner than what is averaged over, or elsewhere
            return np.zeros((side, side, 3), np.uint8)
        if step > 1:
            size = (inside.shape[1] // step, inside.shape[0] // step)
            inside = np.asarray(cv2.resize(inside, size, interpolation=cv2.INTER_AREA), np.uint8)
        if inside.shape[:2] != (side, side):
            padded = np.zeros((side, side, 3), np.uint8)
            y, x = (rows.start - self.top) // step, (columns.start - self.left) // step
            padded[y : y + inside.shape[0], x : x + inside.shape[1]] = inside
            inside = padded
        return np.ascontiguousarray(np.rot90(inside, self.turns), dtype=np.uint8)

    def to_frame(self, pose: Pose) -> Pose:
        """A pose found in the picture (in fractions of its side) as one of the frame."""
        keypoints, landmarks = pose.keypoints.copy(), pose.landmarks3d.copy()
        for _ in range(self.turns):
            keypoints[:, :2] = np.stack([1 - keypoints[:, 1], keypoints[:, 0]], axis=1)
            landmarks[:, :2] = np.stack([-landmarks[:, 1], landmarks[:, 0]], axis=1)
        keypoints[:, :2] = keypoints[:, :2] * self.side + (self.left, self.top)
        return Pose(keypoints, landmarks)


def box_of(keypoints: Float, size: tuple[int, int]) -> Float:
    """(4,) left, top, right, bottom about all keypoints, kept within a frame of `size` (width, height)."""
    points = np.clip(keypoints[:, :2], 0, np.asarray(size, np.float32))
    return np.concatenate([points.min(0), points.max(0)]).astype(np.float32)


def side_of(box: Float) -> float:
    """The larger side of a box in pixels, at least 1."""
    return float(max(box[2] - box[0], box[3] - box[1], 1.0))


def overlap(first: Float, second: Float) -> float:
    """Intersection of two boxes over the smaller one's area: 1 where one lies within the other."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    smaller = min((box[2] - box[0]) * (box[3] - box[1]) for box in (first, second))
    return float(max(width, 0) * max(height, 0) / max(smaller, 1.0))


def pose_distance(first: Float, second: Float) -> float:
    """Mean distance of the keypoints that are seen in both (K, 3) poses, over the larger side; inf if under four."""
    seen = (first[:, 2] >= SEEN_CONFIDENCE) & (second[:, 2] >= SEEN_CONFIDENCE)
    if np.count_nonzero(seen) < 4:
        return float("inf")
    a, b = first[seen, :2], second[seen, :2]
    side = max(float(np.ptp(a, axis=0).max()), float(np.ptp(b, axis=0).max()), 1.0)
    return float(np.linalg.norm(a - b, axis=1).mean() / side)


def quarter_turns(keypoints: Float, current: int = 0) -> int:
    """Quarter turns counter-clockwise that bring a person's trunk upright; `current` is kept unless clearly wrong."""
    shoulders, hips = keypoints[TRUNK[:2], :2].mean(0), keypoints[TRUNK[2:], :2].mean(0)
    x, y = shoulders - hips
    clockwise = float(np.degrees(np.arctan2(x, -y)))
    away = (clockwise - 90 * current + 180) % 360 - 180
    return current if abs(away) <= _TURN_AGAIN_DEGREES else round(clockwise / 90) % 4


@dataclass(eq=False)
class Followed:
    """A person whom crops follow."""

    pose: Pose
    time_s: float
    velocity: Float = field(default_factory=lambda: np.zeros(2, np.float32))
    turns: int = 0
    missed: int = 0
    looked_s: float = -np.inf

    def predicted(self, time_s: float) -> Float:
        """(33, 3) keypoints moved on to `time_s`."""
        moved = self.pose.keypoints.copy()
        moved[:, :2] += self.velocity * min(time_s - self.time_s, 0.2)
        return moved

    def crop(self, time_s: float, size: tuple[int, int], attempt: int = 0) -> Crop:
        """The square in which to look at `time_s`; the last attempt also tries another way up."""
        box = box_of(self.predicted(time_s), size)
        side = max(side_of(box) * CROP_MARGINS[attempt], _SMALLEST_CROP)
        x, y = (box[:2] + box[2:]) / 2
        other_way = 1 + self.missed % 3 if attempt == len(CROP_MARGINS) - 1 else 0
        return Crop.about(float(x), float(y), side, (self.turns + other_way) % 4)

    def seen(self, pose: Pose, time_s: float, size: tuple[int, int]) -> None:
        """Go on from `pose`, found at `time_s`."""
        elapsed = time_s - self.time_s
        if elapsed > 0:
            box, before = box_of(pose.keypoints, size), box_of(self.pose.keypoints, size)
            velocity = ((box[:2] + box[2:]) - (before[:2] + before[2:])) / 2 / elapsed
            fastest = _FASTEST_SIDES_PER_S * side_of(box)
            self.velocity = (0.5 * self.velocity + 0.5 * np.clip(velocity, -fastest, fastest)).astype(np.float32)
        self.pose, self.time_s, self.missed = pose, time_s, 0
        self.turns = quarter_turns(pose.keypoints, self.turns)


def tiles(size: tuple[int, int], levels: int) -> list[Crop]:
    """Overlapping squares to search a frame of `size` (width, height): the whole of it, then each level half of it.

    Of a strip they are larger than it is high, so that there are never thousands of them.
    """
    width, height = size
    longer, shorter = max(size), min(size)
    found = [Crop.about(width / 2, height / 2, longer)]
    for level in range(levels):
        side = max(shorter >> level, longer // _MOST_TILES)
        columns, rows = (max(int(np.ceil((length - side) / (0.6 * side))), 0) + 1 for length in size)
        found += [
            Crop.about(left + side / 2, top + side / 2, side)
            for top in np.linspace(0, height - side, rows)
            for left in np.linspace(0, width - side, columns)
        ]
    return found


def distinct(poses: Sequence[Pose], known: Sequence[Pose], size: tuple[int, int]) -> list[Pose]:
    """Those of `poses` that show nobody of `known`, each person once, the surest first."""
    kept: list[Pose] = []
    boxes = [box_of(pose.keypoints, size) for pose in known]
    for pose in sorted(poses, key=lambda one: -float(one.keypoints[:, 2].mean())):
        box = box_of(pose.keypoints, size)
        if all(
            (apart := pose_distance(pose.keypoints, one.keypoints)) > SAME_POSE
            and (apart > 0.5 or overlap(box, other) < 0.75)
            for one, other in zip([*known, *kept], boxes, strict=True)
        ):
            kept.append(pose)
            boxes.append(box)
    return kept
