"""A person's track as a pose network sees it, computed once for all rows; memory does not grow with the square of time.

Legend: T rows of the track, K keypoints (MediaPipe's 33).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.backbones.observation import observe
from engine.backbones.types import Camera
from engine.keypoints.joint_sets import MEDIAPIPE_33
from engine.keypoints.types import SEEN_CONFIDENCE, PersonTrack

_CHUNK, _CONTEXT = 512, 128
_LEAST_POINTS = 3
_FARTHEST = 10.0
"""Keypoints further outside than this many pictures are brought there."""
_ALIKE = {"left_foot_index": "left_big_toe", "right_foot_index": "right_big_toe"}
"""Where another detector's keypoint stands for MediaPipe's."""


@dataclass(frozen=True)
class TrackView:
    """What `engine.backbones.observation.Observation` holds, for all rows.

    Attributes:
        features: (T, FEATURES); turn: (T, 3, 3); scale: (T,).
        times_s: (T,) seconds from the first row.
        evidence: (T,) mean confidence of the seen keypoints, 0 where nobody was found.
    """

    features: Tensor
    turn: Tensor
    scale: Tensor
    times_s: Tensor
    evidence: Tensor


def view_of(track: PersonTrack, camera: Camera, device: torch.device) -> TrackView:
    """The whole track as the network sees it.

    Args:
        track: of any keypoint set; what MediaPipe's 33 have and the set lacks counts as not seen.
        camera: that saw it.
        device: of the result.
    """
    keypoints, landmarks3d = _as_mediapipe(track)
    times = torch.as_tensor(np.asarray(track.timestamps, np.float64) - float(track.timestamps[0])).float()
    there = np.flatnonzero((keypoints[..., 2] >= SEEN_CONFIDENCE).sum(1) >= _LEAST_POINTS)
    matrix = torch.as_tensor(np.asarray(camera.intrinsics)).float()
    parts = []
    for start in range(0, len(times), _CHUNK):
        rows, inside = _with_context(start, min(start + _CHUNK, len(times)), len(times), there)
        view = observe(
            torch.from_numpy(keypoints[rows])[None],
            torch.from_numpy(landmarks3d[rows])[None],
            matrix,
            times[torch.from_numpy(rows)][None],
        )
        parts.append([value[0, inside] for value in (view.features, view.turn, view.scale)])
    features, turn, scale = (torch.cat(part).to(device) for part in zip(*parts, strict=True))
    evidence = torch.from_numpy(keypoints[..., 2].mean(1))
    return TrackView(features, turn, scale, times.to(device), evidence.to(device))


def _as_mediapipe(track: PersonTrack) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(T, 33, 3) pixels and confidence, 0 where not seen, and (T, 33, 3) metres, NaN where there are none."""
    names = list(track.keypoint_names)
    found = [name if name in names else _ALIKE.get(name, "") for name in MEDIAPIPE_33]
    known = np.array([name in names for name in found])
    order = [names.index(name) if name in names else 0 for name in found]
    keypoints = np.asarray(track.keypoints, np.float32)[:, order]
    finite = np.isfinite(keypoints).all(-1)
    detected = np.asarray(track.detected, bool)[:, None]
    keypoints = np.where((finite & known & detected)[..., None], keypoints, np.float32(0))
    keypoints[..., 2] = keypoints[..., 2].clip(0, 1)
    limit = _FARTHEST * max(track.image_size)
    keypoints[..., :2] = keypoints[..., :2].clip(-limit, limit)
    landmarks3d = np.asarray(track.landmarks3d, np.float32)[:, order]
    landmarks3d = np.where((known & detected)[..., None], landmarks3d, np.float32(np.nan))
    return keypoints, landmarks3d


def _with_context(start: int, end: int, total: int, there: NDArray[np.int64]) -> tuple[NDArray[np.int64], slice]:
    """Rows to look at so that rows `start` to `end` come out as if all rows were looked at, and where those then stand:
    neighbours, and over long gaps the nearest rows in which the person is seen."""
    first, last = max(0, start - _CONTEXT), min(total, end + _CONTEXT)
    before, after = there[there < first][-1:], there[there >= last][:1]
    rows = np.concatenate((before, np.arange(first, last), after))
    place = len(before) + start - first
    return rows, slice(place, place + end - start)
