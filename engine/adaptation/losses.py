"""CycleAdapt's losses (Nam et al. 2023), which eq. 5 and 9 of the paper build on.

What is not valid counts as 0 on both sides, and the mean is over all entries, invalid ones included.
"""

from __future__ import annotations

from torch import Tensor


def pose_loss(rotations: Tensor, targets: Tensor, valid: Tensor) -> Tensor:
    """Mean absolute difference of matrix entries: (B, 24, 3, 3) twice, (B,) 1 where the frame has a target."""
    return _masked_mean(rotations, targets, valid)


def shape_loss(betas: Tensor, targets: Tensor, valid: Tensor) -> Tensor:
    """Mean absolute difference of shape numbers: (B, 10) twice, (B,) 1 where the frame has a target."""
    return _masked_mean(betas, targets, valid)


def projection_loss(joints: Tensor, targets: Tensor, valid: Tensor) -> Tensor:
    """Mean absolute difference in crop pixels: (B, K, 2) twice, (B, K) 1 where the joint has a target."""
    return _masked_mean(joints, targets, valid)


def _masked_mean(values: Tensor, targets: Tensor, valid: Tensor) -> Tensor:
    weight = valid.to(values).reshape(*valid.shape, *(1,) * (values.dim() - valid.dim()))
    return ((values - targets) * weight).abs().mean()
