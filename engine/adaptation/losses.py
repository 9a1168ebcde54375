"""The terms of the objective, numbered as in the paper (Lin et al. 2025), on CycleAdapt's losses (Nam et al. 2023).

What is not valid counts as 0 on both sides, and the mean is over all entries, invalid ones included.
Legend: B segments, S frames, K keypoints, D numbers of the motion-text space.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

CROP_PX = 224.0
"""CycleAdapt measures keypoints in pixels of a crop this large, and its weights are meant for that."""


def pose_loss(rotations: Tensor, targets: Tensor, valid: Tensor) -> Tensor:
    """Mean absolute difference of matrix entries: (B, 24, 3, 3) twice, (B,) 1 where the frame has a target."""
    return _masked_mean(rotations, targets, valid)


def shape_loss(betas: Tensor, targets: Tensor, valid: Tensor) -> Tensor:
    """Mean absolute difference of shape numbers: (B, 10) twice, (B,) 1 where the frame has a target."""
    return _masked_mean(betas, targets, valid)


def projection_loss(joints: Tensor, targets: Tensor, valid: Tensor) -> Tensor:
    """Mean absolute difference in crop pixels: (B, K, 2) twice, (B, K) 1 where the joint has a target."""
    return _masked_mean(joints, targets, valid)


@dataclass(frozen=True)
class Weights:
    """Weights of eq. 9 and 10."""

    projection: float
    alignment: float
    smoothing: float
    shape: float


@dataclass(frozen=True)
class Terms:
    """Values of eq. 4, 5 and 9, scalars."""

    projection: Tensor
    alignment: Tensor
    smoothing: Tensor


def motion_text_similarity(motion: Tensor, text: Tensor) -> Tensor:
    """Eq. 3: cosine (B,) between unit vectors (B, D) of motion and of text."""
    return (motion * text).sum(-1)


def with_root_of(local: Tensor, exemplar: Tensor) -> Tensor:
    """M' of eq. 4: motion (B, 60, 24, 6) whose global rotation is that of the label's exemplar (B, 60, 24, 6)."""
    return torch.cat((exemplar[:, :, :1].to(local), local[:, :, 1:]), 2)


def alignment_loss(similarity: Tensor, share: Tensor) -> Tensor:
    """Eq. 4: 1 - sim(M', T), over segments.

    Args:
        similarity: (B,) of eq. 3.
        share: (B,) what each segment counts: 0 without a label of its own; together 1 where all the batch is given.
    """
    return ((1 - similarity) * share).sum()


def unpaired_loss(local: Tensor, decoded: Tensor, share: Tensor) -> Tensor:
    """What the paper's Table 4 compares eq. 4 with: mean absolute difference of local rotations.

    Args:
        local: (B, 60, 24, 6) predicted.
        decoded: (B, 60, 24, 6) made from the label; no frame of it belongs to a frame of the clip.
        share: (B,) as in `alignment_loss`.
    """
    return ((local[:, :, 1:] - decoded[:, :, 1:]).abs().mean((1, 2, 3)) * share).sum()


def keypoint_loss(projected: Tensor, targets: Tensor, valid: Tensor, box_px: Tensor) -> Tensor:
    """Eq. 5 in the full picture with full perspective, in CycleAdapt's unit whatever the resolution.

    Args:
        projected: (B, S, K, 2) pixels.
        targets: (B, S, K, 2) pixels.
        valid: (B, S, K) v_k, times the keypoint's importance.
        box_px: (B, S) longer side of the person's box.
    """
    unit = (CROP_PX / box_px)[..., None, None]
    return projection_loss(projected * unit, targets * unit, valid)


def smoothing_loss(
    rotations: Tensor, denoised: Tensor, betas: Tensor, steady: Tensor, valid: Tensor, shape_weight: float
) -> Tensor:
    """Eq. 9: near the denoiser's rotations, and the shape near its mean over a window of time.

    Args:
        rotations: (B, S, 24, 3, 3).
        denoised: (B, S, 24, 3, 3).
        betas: (B, S, 10).
        steady: (B, S, 10).
        valid: (B, S) 1 where there is a target.
        shape_weight: of the second part.
    """
    return pose_loss(rotations, denoised, valid) + shape_weight * shape_loss(betas, steady, valid)


def objective(terms: Terms, weights: Weights) -> Tensor:
    """Eq. 10."""
    total = weights.projection * terms.projection + weights.alignment * terms.alignment
    return total + weights.smoothing * terms.smoothing


def _masked_mean(values: Tensor, targets: Tensor, valid: Tensor) -> Tensor:
    weight = valid.to(values).reshape(*valid.shape, *(1,) * (values.dim() - valid.dim()))
    return ((values - targets) * weight).abs().mean()
