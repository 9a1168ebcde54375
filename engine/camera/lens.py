"""Lenses that distort and that zoom: from pixels of the footage to those of one pinhole camera, and back.

Everything after tracking works with a pinhole camera of one focal length. Where a camera file describes distortion, or
has intrinsics that change, keypoints are carried over to such a camera beforehand, and pictures are straightened.
Distortion works on normalised coordinates, x = (u - c_x) / f_x:

* `polynomial`: distorted = x (1 + k1 r² + k2 r⁴ + k3 r⁶ + k4 r⁸) plus the tangential part of p1, p2 (Brown,
  "Decentering distortion of lenses", 1966); OpenCV's k1, k2, p1, p2, k3 are k = [k1, k2, k3] and p = [p1, p2].
* `division`: x = distorted / (1 + k1 r² + k2 r⁴), r of the distorted point (Fitzgibbon, CVPR 2001).
* `reciprocal`: the same the other way, distorted = x / (1 + k1 r² + k2 r⁴), r of x: what Blender calls division.

Pixels as in `keypoints.types`: x right, y down.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.errors import UsageError
from engine.footage.decoding import Frame
from engine.keypoints.types import PersonTrack

Array = NDArray[np.float64]

MOST_BENDING = 1e6
"""Larger coefficients than any lens has, also a long one with high powers."""

_FAR = 1e7
"""Pixels. Far outside of its picture a lens may put points anywhere, or nowhere."""

_ROUNDS = 20
_STEP = 1e-5
_ZOOM = 1e-3
"""Relative change of the focal length, or of the centre by focal lengths, from which on a camera zooms."""


@dataclass(frozen=True)
class Distortion:
    """How a lens bends straight lines: see the module. `k` holds up to four numbers, two but for `polynomial`."""

    model: Literal["polynomial", "division", "reciprocal"]
    k: tuple[float, ...]
    p: tuple[float, float] = (0.0, 0.0)

    def distort(self, points: Array) -> Array:
        """Where the lens puts normalised points (N, 2)."""
        return _solve(self._shrink, points) if self.model == "division" else self._forward(points)

    def undistort(self, points: Array) -> Array:
        """The normalised points (N, 2) that the lens puts at `points`."""
        return self._shrink(points) if self.model == "division" else _solve(self._forward, points)

    def _forward(self, points: Array) -> Array:
        return self._bend(points) if self.model == "polynomial" else self._shrink(points)

    def _bend(self, points: Array) -> Array:
        x, y = points[:, 0], points[:, 1]
        square = x * x + y * y
        factor = 1.0 + sum(number * square**power for power, number in enumerate(self.k, 1))
        p1, p2 = self.p
        across = p1 * (2 * x * y) + p2 * (square + 2 * x * x)
        down = p1 * (square + 2 * y * y) + p2 * (2 * x * y)
        return np.stack([x * factor + across, y * factor + down], -1)

    def _shrink(self, points: Array) -> Array:
        square = (points**2).sum(-1, keepdims=True)
        bent: Array = points / (1.0 + sum(number * square**power for power, number in enumerate(self.k, 1)))
        return bent


@dataclass(frozen=True)
class Lens:
    """The real lens of a camera that is computed with as a pinhole.

    Attributes:
        pinhole: (3, 3) pixels of the pinhole camera.
        each: (F, 3, 3) pixels of the real camera in each frame of the footage, or (1, 3, 3) for all.
        distortion: None for a lens that keeps straight lines straight.
    """

    pinhole: Array
    each: Array
    distortion: Distortion | None

    @property
    def zooms(self) -> bool:
        """Whether the real camera's intrinsics change."""
        return len(self.each) > 1

    def key(self) -> dict[str, Any]:
        """What results that rest on this lens depend on; plain values."""
        bent = self.distortion
        about = None if bent is None else {"model": bent.model, "k": list(bent.k), "p": list(bent.p)}
        return {"intrinsics": self.each.tolist(), "distortion": about}

    def rows(self, frame_indices: NDArray[np.int64]) -> Array:
        """(T, 3, 3) the real camera in frames of the footage. Raises UsageError where it is not stated."""
        if self.zooms and frame_indices.max() >= len(self.each):
            raise UsageError(
                f"The camera file has intrinsics for {len(self.each)} frames, and frame {int(frame_indices.max()) + 1} "
                "needs them.",
                "Write one matrix for each frame of the footage, or --end-s to stop before.",
            )
        cameras: Array = self.each[frame_indices if self.zooms else np.zeros_like(frame_indices)]
        return cameras

    def to_pinhole(self, points: Array, camera: Array) -> Array:
        """Pixels (N, 2) of the footage as the pinhole camera sees them; `camera` (3, 3) is the real one then."""
        with np.errstate(all="ignore"):
            return _pixels(self._flat(_normalised(points, camera)), self.pinhole)

    def to_footage(self, points: Array, camera: Array) -> Array:
        """The other way round."""
        normalised = _normalised(points, self.pinhole)
        with np.errstate(all="ignore"):
            bent = normalised if self.distortion is None else self.distortion.distort(normalised)
            return _pixels(bent, camera)

    def straighten(self, track: PersonTrack) -> PersonTrack:
        """The track as the pinhole camera sees it."""
        keypoints = track.keypoints.copy()
        boxes = track.boxes.copy()
        for row, camera in enumerate(self.rows(track.frame_indices)):
            keypoints[row, :, :2] = self.to_pinhole(keypoints[row, :, :2].astype(np.float64), camera)
            left, top, right, bottom = track.boxes[row].astype(np.float64)
            across, down = (left, (left + right) / 2, right), (top, (top + bottom) / 2, bottom)
            moved = self.to_pinhole(np.array([(x, y) for x in across for y in down]), camera)
            boxes[row] = (*moved.min(0), *moved.max(0))
        return replace(track, keypoints=keypoints, boxes=boxes)

    def bend(self, keypoints: NDArray[np.float32], frame_indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """Keypoints (T, K, 3) of the pinhole camera in pixels of the footage."""
        bent = keypoints.copy()
        for row, camera in enumerate(self.rows(frame_indices)):
            bent[row, :, :2] = self.to_footage(keypoints[row, :, :2].astype(np.float64), camera)
        return bent

    def pictures(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """Frames as the pinhole camera would have taken them; what it sees and the real one did not is black."""
        known: tuple[Array, tuple[NDArray[np.float32], NDArray[np.float32]]] | None = None
        for frame in frames:
            camera = self.rows(np.array([frame.index]))[0]
            if known is None or not np.array_equal(known[0], camera):
                known = (camera, self._map(camera, frame.rgb.shape[:2]))
            columns, rows = known[1]
            picture = cv2.remap(frame.rgb, columns, rows, cv2.INTER_LINEAR)
            yield replace(frame, rgb=picture.astype(np.uint8))

    def _flat(self, points: Array) -> Array:
        return points if self.distortion is None else self.distortion.undistort(points)

    def _map(self, camera: Array, shape: tuple[int, ...]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """For each pixel of the straight picture where it is in the footage; `remap` counts from pixels' centres."""
        rows, columns = np.mgrid[: shape[0], : shape[1]] + 0.5
        places = self.to_footage(np.stack([columns.ravel(), rows.ravel()], -1), camera).astype(np.float32) - 0.5
        return places[:, 0].reshape(shape), places[:, 1].reshape(shape)


def make_lens(cameras: Array, distortion: Distortion | None) -> Lens | None:
    """The lens of a camera with intrinsics (F, 3, 3); None where it is a pinhole already.

    The pinhole camera gets the median of the intrinsics, so that pixels keep about their size.
    """
    middle = np.median(cameras, 0)
    change = np.abs(cameras - middle).max(axis=(1, 2)) / middle[0, 0]
    each = cameras if bool((change > _ZOOM).any()) else middle[None]
    if distortion is not None and not any((*distortion.k, *distortion.p)):
        distortion = None
    return None if distortion is None and len(each) == 1 else Lens(middle, each, distortion)


def _normalised(points: Array, camera: Array) -> Array:
    found: Array = (points - camera[:2, 2]) / camera[(0, 1), (0, 1)]
    return found


def _pixels(points: Array, camera: Array) -> Array:
    found: Array = points * camera[(0, 1), (0, 1)] + camera[:2, 2]
    return np.clip(np.nan_to_num(found, nan=_FAR), -_FAR, _FAR)


def _solve(function: Callable[[Array], Array], wanted: Array) -> Array:
    """Points that `function` takes to `wanted` (N, 2), by Newton's method.

    Far outside of the picture a polynomial may lead nowhere; the nearest that was found stands then.
    """
    best, points = wanted.copy(), wanted.copy()
    least = np.full(len(wanted), np.inf)
    for _ in range(_ROUNDS):
        value = function(points)
        error = value - wanted
        off = np.abs(error).max(-1)
        better = off < least
        best[better], least[better] = points[better], off[better]
        if not bool((least > 1e-10).any()):
            break
        along = [(function(points + step) - value) / _STEP for step in ((_STEP, 0.0), (0.0, _STEP))]
        (a, c), (b, d) = along[0].T, along[1].T
        size = a * d - b * c
        size = np.where(np.abs(size) < 0.05, 0.05, size)
        steps = np.stack([(d * error[:, 0] - b * error[:, 1]) / size, (a * error[:, 1] - c * error[:, 0]) / size], -1)
        points = points - np.clip(steps, -0.5, 0.5)
    return best
