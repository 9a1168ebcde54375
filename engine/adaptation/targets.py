"""The 2D targets that the pose network is drawn to, and how they change between epochs (eq. 6 to 8 of the paper).

Legend: T rows of the track, K keypoints that the body has.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Targets:
    """2D targets of a track.

    Attributes:
        points: (T, K, 2) pixels of the full frame.
        valid: (T, K) bool, whether there is a target.
        filled: (T, K) bool, whether it came from the motion, not from the detector.
    """

    points: Tensor
    valid: Tensor
    filled: Tensor

    @classmethod
    def detected(cls, points: Tensor, seen: Tensor) -> Targets:
        """What the detector gives: points (T, K, 2), seen (T, K) bool with a confidence of at least 0.3."""
        return cls(points.clone(), seen.clone(), torch.zeros_like(seen))


def fill_in(targets: Targets, projected: Tensor, aligned: Tensor) -> Targets:
    """Eq. 6: what has no target gets the projected keypoint where motion and label agree.

    Args:
        targets: of this epoch.
        projected: (T, K, 2) pixels.
        aligned: (T,) bool, whether the similarity of motion and label is above the threshold.
    """
    new = ~targets.valid & aligned[:, None] & projected.isfinite().all(-1)
    points = torch.where(new[..., None], projected, targets.points)
    return Targets(points, targets.valid | new, targets.filled | new)


def move(targets: Targets, projected: Tensor, ema: float) -> Targets:
    """Eq. 7: what has a target moves to the projected keypoint; `ema` is the share that stays."""
    moved = torch.lerp(projected, targets.points, ema)
    usable = targets.valid & moved.isfinite().all(-1)
    return Targets(torch.where(usable[..., None], moved, targets.points), targets.valid, targets.filled)


def updated(targets: Targets, projected: Tensor, aligned: Tensor | None, ema: float) -> Targets:
    """Eq. 8: the next epoch's targets.

    A target, detected or filled in earlier, follows eq. 7. What has none gets one by eq. 6 if its frame is aligned,
    else it stays without.

    Args:
        targets: of this epoch.
        projected: (T, K, 2) pixels, at the end of this epoch.
        aligned: (T,) bool; None without fill-in.
        ema: share of a target that stays; 1 leaves targets as they are.
    """
    moved = move(targets, projected, ema)  # first, so that what is filled in now is not moved at once
    return moved if aligned is None else fill_in(moved, projected, aligned)
