"""How the camera turns: read from the background, with the people left out.

Corners of the background are followed from frame to frame (Lucas and Kanade, IJCAI 1981, as OpenCV has it) from a key
frame on. A camera that only turns takes rays to rays by a rotation, whatever the distance; so the rotation that suits
most corners is found (least median of squares over pairs, then weighted by how well each corner agrees), and what it
leaves over is parallax: the camera moves through the room, or zooms. The key frame stays as long as enough of it can be
seen, so that a camera on a tripod does not drift.

Pixels here are those of small pictures, `SIDE_PX` on the longer side.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from engine.footage.decoding import Frame

Array = NDArray[np.float64]
Points = NDArray[np.float32]
Picture = NDArray[np.uint8]
Kind = Literal["still", "turning", "moving", "unknown"]

SIDE_PX = 640
STILL = 0.002
"""Of the picture's diagonal: how far a turn may shift the picture for the camera to count as standing still."""
_MOST_CORNERS, _LEAST_CORNERS = 500, 24
_APART_PX = 8
_WINDOW_PX, _LEVELS = 21, 4
_THERE_AND_BACK_PX = 1.0
_FOLLOWED = 0.2
"""Share of the corners of the frame before that have to be found again: those found by chance are fewer."""
_KEPT = 0.5
"""Share of a key frame's corners that have to be there, and to fit, for it to stay the key frame."""
_TURNED_RAD = 0.15
"""A larger turn makes a new key frame, while enough of the old one is in view."""
_PAIRS = 128
_AGREES_PX = 1.0
"""Corners are found to about that."""
_PARALLAX_PX, _PARALLAX = 0.3, 0.045
"""What a turn may leave over of the corners' shift, in the middle: pixels, and as a share. A focal length that is wrong
by a quarter leaves up to 0.038."""
_OFTEN = 0.25
"""Share of the frames that have to show parallax for the camera to count as moving."""


@dataclass(frozen=True)
class CameraTurns:
    """What one shot's background tells of the camera.

    Attributes:
        kind: `still`, `turning` (it stays where it is), `moving` (or zooming: a turn leaves parallax over), `unknown`
            (too little to see behind the people).
        indices: (F,) frames of the footage.
        turns: (F, 3, 3) from each frame's camera to that of the shot's first frame; x right, y down, z away.
        lost: frames before which the background was lost; there the camera counts as not turning.
    """

    kind: Kind
    indices: NDArray[np.int64]
    turns: Array
    lost: tuple[int, ...] = ()

    @property
    def most_degrees(self) -> float:
        """The largest turn between two frames' cameras, of the first and any other."""
        return float(np.degrees(Rotation.from_matrix(self.turns).magnitude().max(initial=0.0)))


@dataclass
class _Shot:
    """A shot as far as it has been followed."""

    focal_px: float
    centre: Array
    diagonal_px: float
    indices: list[int] = field(default_factory=list)
    turns: list[Array] = field(default_factory=list)
    parallax: list[bool] = field(default_factory=list)
    lost: list[int] = field(default_factory=list)
    key_turn: Array = field(default_factory=lambda: np.eye(3))
    key_points: Points = field(default_factory=lambda: np.zeros((0, 2), np.float32))
    points: Points = field(default_factory=lambda: np.zeros((0, 2), np.float32))
    of_key: int = 0
    picture: Picture = field(default_factory=lambda: np.zeros((0, 0), np.uint8))

    def add(self, index: int, picture: Picture, hidden: Picture) -> None:
        """One more frame; `hidden` is 0 where people are."""
        turn = self.turns[-1] if self.turns else np.eye(3)
        parallax, keep = False, False
        before = len(self.points)
        if before:
            self._follow(picture, hidden)
        if len(self.points) >= max(_LEAST_CORNERS, _FOLLOWED * before):
            relative, left_over = rotation_between(self._rays(self.key_points), self._rays(self.points))
            left_over *= self.focal_px
            shift = np.linalg.norm(self.points - self.key_points, axis=1)
            turn = self.key_turn @ relative
            parallax = bool(np.median(left_over) > max(_PARALLAX_PX, _PARALLAX * float(np.median(shift))))
            fits = float((left_over < 3 * _AGREES_PX).sum())
            keep = fits >= _KEPT * self.of_key and Rotation.from_matrix(relative).magnitude() < _TURNED_RAD
        elif before >= _LEAST_CORNERS:
            self.lost.append(index)
        self.indices.append(index)
        self.turns.append(turn)
        self.parallax.append(parallax)
        self.picture = picture
        if not keep:
            self._new_key(turn, hidden)

    def _follow(self, picture: Picture, hidden: Picture) -> None:
        """Find the corners again; those that are lost, or that people hide, go."""
        before = self.points[:, None]
        now, found = _followed(self.picture, picture, before)
        back, found_back = _followed(picture, self.picture, now)
        kept = (found[:, 0] == 1) & (found_back[:, 0] == 1)
        kept &= np.linalg.norm(back[:, 0] - before[:, 0], axis=1) < _THERE_AND_BACK_PX
        column, row = np.round(np.nan_to_num(now[:, 0])).astype(int).T
        height, width = picture.shape
        kept &= (column >= 0) & (column < width) & (row >= 0) & (row < height)
        kept[kept] = hidden[row[kept], column[kept]] > 0
        self.points, self.key_points = now[kept, 0], self.key_points[kept]

    def _new_key(self, turn: Array, hidden: Picture) -> None:
        corners = cv2.goodFeaturesToTrack(self.picture, _MOST_CORNERS, 0.01, _APART_PX, mask=hidden)
        self.points = np.zeros((0, 2), np.float32) if corners is None else np.asarray(corners[:, 0], np.float32)
        self.key_points, self.key_turn, self.of_key = self.points, turn, len(self.points)

    def _rays(self, points: Points) -> Array:
        """Unit rays (N, 3) of pixels."""
        flat = (points.astype(np.float64) + 0.5 - self.centre) / self.focal_px
        rays = np.concatenate([flat, np.ones((len(flat), 1))], 1)
        found: Array = rays / np.linalg.norm(rays, axis=1, keepdims=True)
        return found

    def result(self) -> CameraTurns:
        turns, indices = np.stack(self.turns), np.array(self.indices)
        shift = np.quantile(Rotation.from_matrix(turns).magnitude(), 0.98) * self.focal_px / self.diagonal_px
        followed = len(self.indices) - len(self.lost)
        if followed < 2 or (not self.of_key and not np.any(self.parallax)):
            return CameraTurns("unknown", indices, np.repeat(np.eye(3)[None], len(indices), 0))
        kind: Kind = "moving" if np.mean(self.parallax) > _OFTEN else "turning"
        if kind == "turning" and shift < STILL:
            return CameraTurns("still", indices, np.repeat(np.eye(3)[None], len(indices), 0))
        return CameraTurns(kind, indices, turns, tuple(self.lost))


def follow_background(
    frames: Iterable[Frame], people: Mapping[int, Array], starts: Collection[int], intrinsics: Array
) -> Iterator[CameraTurns]:
    """How the camera turns in each shot. Frames are streamed.

    Args:
        frames: of the footage, upright.
        people: (N, 4) boxes of everybody in a frame, by its index: left, top, right, bottom in pixels of the footage.
        starts: frames that begin a new shot.
        intrinsics: (3, 3) pixels of the footage.
    """
    shot: _Shot | None = None
    for frame in frames:
        height, width = frame.rgb.shape[:2]
        scale = min(1.0, SIDE_PX / max(height, width))
        picture = small(frame.rgb, scale)
        if shot is None or frame.index in starts:
            if shot is not None:
                yield shot.result()
            shot = _Shot(intrinsics[0, 0] * scale, intrinsics[:2, 2] * scale, float(np.hypot(width, height)) * scale)
        shot.add(frame.index, picture, without(people.get(frame.index, np.zeros((0, 4))) * scale, picture.shape))
    if shot is not None:
        yield shot.result()


def _followed(before: Picture, after: Picture, points: Points) -> tuple[Points, NDArray[np.uint8]]:
    """Where points (N, 1, 2) are in the next picture, and which of them (N, 1) were found."""
    size = (_WINDOW_PX, _WINDOW_PX)
    now, found, _ = cv2.calcOpticalFlowPyrLK(
        before, after, points, np.zeros_like(points), winSize=size, maxLevel=_LEVELS
    )
    return np.asarray(now, np.float32), np.asarray(found, np.uint8)


def rotation_between(key: Array, now: Array) -> tuple[Array, Array]:
    """The rotation (3, 3) that takes unit rays `now` (N, 3) to `key`, and what it leaves over (N,), in tangents.

    Up to half of the pairs may be anything.
    """
    chosen = np.random.default_rng(0).integers(len(key), size=(_PAIRS, 2))
    tried = _aligned(key[chosen], now[chosen], np.ones(chosen.shape))
    best = tried[np.argmin(np.median(_left_over(tried, key, now), axis=1))]
    for _ in range(5):
        left_over = _left_over(best[None], key, now)[0]
        unit = max(1.5 * float(np.median(left_over)), 1e-6)
        best = _aligned(key[None], now[None], 1 / (1 + (left_over / unit)[None] ** 2))[0]
    return best, _left_over(best[None], key, now)[0]


def _aligned(key: Array, now: Array, weights: Array) -> Array:
    """Rotations (B, 3, 3) that take `now` (B, N, 3) nearest to `key` (Wahba, SIAM Review 1965)."""
    u, _, v = np.linalg.svd(np.einsum("bni,bnj,bn->bij", key, now, weights))
    side = np.ones((len(u), 3))
    side[:, 2] = np.linalg.det(u @ v)
    found: Array = (u * side[:, None]) @ v
    return found


def _left_over(turns: Array, key: Array, now: Array) -> Array:
    """(B, N) distances between rays, which are the tangents of small angles."""
    found: Array = np.linalg.norm(np.einsum("bij,nj->bni", turns, now) - key, axis=2)
    return found


def small(rgb: Picture, scale: float) -> Picture:
    """A frame in grey, `scale` (at most 1) of its size."""
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    if scale < 1:
        grey = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(grey, np.uint8)


def without(boxes: Array, shape: tuple[int, ...]) -> Picture:
    """A mask of `shape`: 255 where nobody is, 0 in the boxes (N, 4)."""
    mask = np.full(shape, 255, np.uint8)
    for left, top, right, bottom in np.nan_to_num(boxes).clip(0, 1e5).round().astype(int):
        mask[top:bottom, left:right] = 0
    return mask
