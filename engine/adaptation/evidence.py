"""What was seen of one person, as adaptation compares with it: tensors on the device of the pose network.

Legend: T rows, K keypoints that the body has.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from engine.adaptation.targets import Targets
from engine.backbones import evidence
from engine.backbones.summary import joint_confidence
from engine.backbones.types import Camera
from engine.body.model import BodyModel
from engine.keypoints.types import PersonTrack

_STEADY_S = 1.0
_SMALLEST_SHARE = 0.25


@dataclass(frozen=True)
class Seen:
    """Evidence of a track.

    Attributes:
        track: the track itself.
        gathered: the same on the CPU, for the summary at the end.
        columns: (K,) places of the keypoints in the track.
        places: (K,) places in the body's landmarks.
        points: (T, K, 2) pixels.
        valid: (T, K) bool: v_k of eq. 5, confidence of at least 0.3.
        confidence: (T, K) the detector's, 0 where not valid.
        joints: (T, 24) mean confidence of the keypoints that show each joint.
        importance: (K,) weight of a keypoint beside the others, since detectors give a face many.
        box_px: (T,) longer side of the person's box, steady over time.
        found: (T,) bool, on the CPU: rows in which the person was found.
        detected: (T,) the same as 0 and 1.
        camera: (3, 3) intrinsics.
    """

    track: PersonTrack
    gathered: evidence.Evidence
    columns: tuple[int, ...]
    places: Tensor
    points: Tensor
    valid: Tensor
    confidence: Tensor
    joints: Tensor
    importance: Tensor
    box_px: Tensor
    found: Tensor
    detected: Tensor
    camera: Tensor

    @classmethod
    def of(cls, track: PersonTrack, camera: Camera, body: BodyModel, device: torch.device) -> Seen:
        """The evidence of a track."""
        gathered = evidence.gather(track, camera.intrinsics, body.landmark_names)
        importance = torch.tensor([evidence.importance(name) for name in gathered.names], dtype=torch.float32)
        detected = torch.as_tensor(track.detected).float()
        return cls(
            track=track,
            gathered=gathered,
            columns=tuple(track.keypoint_names.index(name) for name in gathered.names),
            places=gathered.places.to(device),
            points=gathered.points.to(device),
            valid=(gathered.weights > 0).to(device),
            confidence=(gathered.weights / importance).to(device),
            joints=torch.from_numpy(joint_confidence(gathered)).to(device),
            importance=importance.to(device),
            box_px=_steady_sides(gathered.boxes, detected, gathered.times).to(device),
            found=detected > 0,
            detected=detected.to(device),
            camera=gathered.camera.to(device),
        )

    def targets(self) -> Targets:
        """The 2D targets of the first epoch."""
        return Targets.detected(self.points, self.valid)

    def weights(self, by_confidence: bool) -> Tensor:
        """(T, K) what each keypoint counts in eq. 5, beside its importance, 1 on the mean.

        Args:
            by_confidence: the detector's confidence; else the same for all, as in the paper.
        """
        if not by_confidence or not bool(self.valid.any()):
            return torch.ones_like(self.confidence)
        usual = self.confidence[self.valid].mean()
        return torch.where(self.valid, self.confidence / usual.clamp(min=0.01), torch.ones_like(self.confidence))


def _steady_sides(boxes: Tensor, detected: Tensor, times: Tensor) -> Tensor:
    """(T,) longer side of boxes (T, 4), a running mean over a second; never much less than is usual in the clip."""
    sides = torch.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])
    good = (detected > 0) & (sides > 1) & sides.isfinite()
    if not bool(good.any()):
        return torch.full_like(sides, 224.0)
    usual = sides[good].median()
    return steady(sides, good, times, _STEADY_S, usual).clamp(min=float(_SMALLEST_SHARE * usual))


def steady(values: Tensor, known: Tensor, times: Tensor, over_s: float, otherwise: Tensor) -> Tensor:
    """(T,) running mean over `over_s` seconds of those values that are known, `otherwise` where none is near."""
    step = float(times.diff().median()) if len(times) > 1 else over_s
    reach = max(round(over_s / 2 / max(step, 1e-6)), 1)
    total, count = (
        functional.avg_pool1d(functional.pad(part[None, None], (reach, reach)), 2 * reach + 1, 1)[0, 0]
        for part in (torch.where(known, values, 0.0), known.to(values.dtype))
    )
    return torch.where(count > 0, total / count.clamp(min=1e-9), otherwise)
