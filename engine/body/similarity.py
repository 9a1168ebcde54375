"""Sets of points put together as well as turning, scaling and shifting can, with gradients."""

from __future__ import annotations

import torch
from torch import Tensor


def aligned(points: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
    """Points (..., N, 3) turned, scaled and shifted onto others, `target`, as well as can be (Umeyama, 1991); `weight`
    (..., N) of each, by default the same for all.

    As `engine.evaluation.metrics.aligned_errors` does, which gives errors alone and has no gradients. In these the
    alignment counts as given: it is the best, so its own change matters in the second order alone.
    """
    with torch.no_grad():
        share = torch.ones_like(points[..., :1]) if weight is None else weight[..., None].to(points)
        share = share / share.sum(-2, keepdim=True).clamp(min=1e-9)
        middle, goal = (points * share).sum(-2, keepdim=True), (target * share).sum(-2, keepdim=True)
        centred, weighed = (points - middle).float(), ((points - middle) * share).float()
        left, size, right = torch.linalg.svd((target - goal).float().transpose(-1, -2) @ weighed)
        unmirrored = (left @ right).det().sign()
        size[..., 2] *= unmirrored
        left[..., 2] *= unmirrored[..., None]
        scale = size.sum(-1) / (weighed * centred).sum((-1, -2)).clamp(min=1e-9)
        turn = scale[..., None, None] * (left @ right).transpose(-1, -2)
    moved: Tensor = (points - middle) @ turn + goal
    return moved
