"""What a track says about the body, as tensors that the fit compares with.

Legend: S sampled rows of the track, K keypoints that the body has, P limbs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from engine.keypoints.types import SEEN_CONFIDENCE, PersonTrack

PERSON_HEIGHT_M = 1.7

SIDES = ("left", "right")
_LIMBS = (("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle"), ("heel", "foot_index"))
_FOOT_WEIGHT = 0.3  # the feet's 3D directions are the worst of all
_TORSO = {"left_hip": -0.5, "right_hip": -0.5, "left_shoulder": 0.5, "right_shoulder": 0.5}
# Detectors give the face and the hands many points; all of them together should not outweigh a leg.
_LESS = {"eye": 0.2, "mouth": 0.2, "pinky": 0.3, "thumb": 0.3, "index": 0.3, "toe": 0.5, "neck": 0.5, "mid_hip": 0.5}


@dataclass(frozen=True)
class Evidence:
    """What was seen of one person at S times.

    Attributes:
        times: (S,) seconds, increasing.
        names: K keypoint names, all of which the body has.
        places: (K,) where they stand in the body's landmarks.
        points: (S, K, 2) pixels.
        weights: (S, K) confidence times the keypoint's importance; 0 where not seen.
        landmarks3d: (S, K, 3) the detector's metres in camera axes; NaN where there are none.
        boxes: (S, 4) pixels.
        camera: (3, 3) intrinsics.
    """

    times: Tensor
    names: tuple[str, ...]
    places: Tensor
    points: Tensor
    weights: Tensor
    landmarks3d: Tensor
    boxes: Tensor
    camera: Tensor

    def rows(self, index: slice | Tensor) -> Evidence:
        """The same for some of the rows."""
        pick = (self.times[index], self.points[index], self.weights[index], self.landmarks3d[index], self.boxes[index])
        times, points, weights, landmarks3d, boxes = pick
        return Evidence(times, self.names, self.places, points, weights, landmarks3d, boxes, self.camera)


def gather(track: PersonTrack, intrinsics: NDArray[np.float64], landmark_names: Sequence[str]) -> Evidence:
    """All rows of the track, keypoints that the body lacks left out."""
    places = {name: place for place, name in enumerate(landmark_names)}
    use = [place for place, name in enumerate(track.keypoint_names) if name in places]
    names = tuple(track.keypoint_names[place] for place in use)
    keypoints = np.nan_to_num(np.asarray(track.keypoints, np.float32)[:, use])
    confidence = keypoints[..., 2] * np.asarray(track.detected)[:, None]
    confidence = np.where(confidence < SEEN_CONFIDENCE, 0, confidence.clip(0, 1))
    shares = np.array([importance(name) for name in names], np.float32)
    return Evidence(
        times=torch.as_tensor(np.asarray(track.timestamps, np.float64)),
        names=names,
        places=torch.tensor([places[name] for name in names], dtype=torch.long),
        points=torch.as_tensor(keypoints[..., :2]),
        weights=torch.as_tensor(confidence * shares).float(),
        landmarks3d=torch.as_tensor(np.asarray(track.landmarks3d, np.float32)[:, use]),
        boxes=torch.as_tensor(np.nan_to_num(np.asarray(track.boxes, np.float32))),
        camera=torch.as_tensor(intrinsics).float(),
    )


def importance(name: str) -> float:
    """Weight of a keypoint beside the others."""
    if name.endswith("foot_index"):
        return 1.0
    return next((weight for part, weight in _LESS.items() if part in name), 1.0)


@dataclass(frozen=True)
class Limbs:
    """The detector's 3D as directions of limbs, which is the part of it worth using: its lengths and depths are off.

    Attributes:
        mix: (P, K) the limbs as differences of keypoints.
        directions: (S, P, 3) unit vectors in camera axes.
        weights: (S, P), 0 where there is no 3D or an end was not seen.
    """

    mix: Tensor
    directions: Tensor
    weights: Tensor

    @classmethod
    def of(cls, evidence: Evidence) -> Limbs:
        """The limbs whose ends are among the keypoints."""
        rows: list[tuple[dict[str, float], float]] = []
        for start, end in _LIMBS:
            weight = _FOOT_WEIGHT if start == "heel" else 1.0
            rows += [({f"{side}_{start}": -1.0, f"{side}_{end}": 1.0}, weight) for side in SIDES]
        rows += [({f"left_{part}": -1.0, f"right_{part}": 1.0}, 1.0) for part in ("shoulder", "hip")]
        rows += [(_TORSO, 1.0)]
        rows = [row for row in rows if set(row[0]) <= set(evidence.names)]
        mix = torch.tensor([_mix(row, evidence.names) for row, _ in rows], dtype=torch.float32).reshape(
            len(rows), len(evidence.names)
        )
        seen = (evidence.weights > 0).float()
        ends = torch.stack([seen[:, line != 0].amin(1) for line in mix], 1) if len(mix) else seen[:, :0]
        usable = evidence.landmarks3d.isfinite().all(-1)
        vectors = mix @ torch.nan_to_num(evidence.landmarks3d)
        there = torch.stack([usable[:, line != 0].all(1) for line in mix], 1) if len(mix) else usable[:, :0]
        weights = ends * there * torch.tensor([weight for _, weight in rows], dtype=torch.float32)
        return cls(mix, functional.normalize(vectors, dim=-1), weights)


def _mix(row: Mapping[str, float], names: Sequence[str]) -> list[float]:
    return [row.get(name, 0.0) for name in names]
