"""What a pose network sees of a person: keypoints through a virtual camera that looks at the middle of their box.

Turning the camera instead of shifting the picture keeps perspective exact: a person at the edge of a wide picture looks
to the network as they would in the middle. Legend: B windows, T frames, K keypoints.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from engine.keypoints.types import SEEN_CONFIDENCE

_SMOOTHING_S = 0.25
_SMALLEST_HALF_BOX = 0.01
_LIMIT = 3.0


@dataclass(frozen=True)
class Observation:
    """Inputs of a network, and the way back to the full picture.

    Attributes:
        features: (B, T, 6 K + 4) x, y (half-boxes), confidence and the detector's 3D (metres) of each keypoint; then
            the direction of the box's middle (2), the logarithm of half the box in units of the focal length, and
            whether there is any 3D.
        turn: (B, T, 3, 3) from the virtual camera's axes to the camera's.
        scale: (B, T) half the box's longer side in units of the focal length.
    """

    features: Tensor
    turn: Tensor
    scale: Tensor


def observe(keypoints: Tensor, landmarks3d: Tensor, intrinsics: Tensor, times_s: Tensor) -> Observation:
    """Features of keypoints.

    Args:
        keypoints: (B, T, K, 3) x, y in pixels of the full frame and confidence.
        landmarks3d: (B, T, K, 3) metres about the hips, camera axes as the detector gives them; NaN where there is
            none.
        intrinsics: (B, 3, 3) or (3, 3).
        times_s: (B, T) seconds, increasing.
    """
    seen = keypoints[..., 2] >= SEEN_CONFIDENCE
    focal = torch.stack((intrinsics[..., 0, 0], intrinsics[..., 1, 1]), -1).reshape(-1, 1, 1, 2)
    middle = intrinsics[..., :2, 2].reshape(-1, 1, 1, 2)
    rays = (keypoints[..., :2] - middle) / focal
    centre, scale = _boxes(rays, seen, times_s)
    turn = look_at(centre)
    homogeneous = functional.pad(rays, (0, 1), value=1.0)
    turned = (turn.transpose(-1, -2).unsqueeze(-3) @ homogeneous.unsqueeze(-1)).squeeze(-1)
    flat = turned[..., :2] / turned[..., 2:].clamp(min=0.05) / scale[..., None, None]
    flat = torch.where(seen[..., None], flat.clamp(-_LIMIT, _LIMIT), torch.zeros_like(flat))
    has_3d = torch.isfinite(landmarks3d).all(-1)
    depth = torch.where(has_3d[..., None], landmarks3d, torch.zeros_like(landmarks3d))
    confidence = keypoints[..., 2:] * seen[..., None]
    points = torch.cat((flat, confidence, depth.clamp(-_LIMIT, _LIMIT)), -1).flatten(-2)
    extra = torch.cat((centre, scale.log()[..., None], has_3d.any(-1, keepdim=True).to(flat)), -1)
    return Observation(torch.cat((points, extra), -1), turn, scale)


def look_at(centre: Tensor) -> Tensor:
    """(..., 3, 3) from the axes of a camera that looks at `centre` (..., 2: x / z, y / z), without roll, to ours."""
    x, y = centre.unbind(-1)
    yaw, pitch = torch.atan(x), torch.atan2(y, torch.sqrt(1 + x.square()))
    cos_yaw, sin_yaw, cos_pitch, sin_pitch = yaw.cos(), yaw.sin(), pitch.cos(), pitch.sin()
    zero = torch.zeros_like(x)
    right = torch.stack((cos_yaw, zero, -sin_yaw), -1)
    down = torch.stack((-sin_yaw * sin_pitch, cos_pitch, -cos_yaw * sin_pitch), -1)
    ahead = torch.stack((sin_yaw * cos_pitch, sin_pitch, cos_yaw * cos_pitch), -1)
    return torch.stack((right, down, ahead), -1)


def _boxes(rays: Tensor, seen: Tensor, times_s: Tensor) -> tuple[Tensor, Tensor]:
    """Middle (B, T, 2) and half the longer side (B, T) of the box of what is seen, smooth over time and gaps."""
    infinity = torch.full_like(rays, math.inf)
    low = torch.where(seen[..., None], rays, infinity).amin(-2)
    high = torch.where(seen[..., None], rays, -infinity).amax(-2)
    there = seen.sum(-1) >= 3
    centre = torch.where(there[..., None], (low + high) / 2, torch.zeros_like(low))
    half = torch.where(there, ((high - low) / 2).amax(-1), torch.ones_like(low[..., 0])).clamp(min=_SMALLEST_HALF_BOX)
    lag = (times_s[:, :, None] - times_s[:, None, :]) / _SMOOTHING_S
    # far from any box the nearest one counts: the kernel has a long, faint tail
    weight = (torch.exp(-0.5 * lag.square()) + 1e-6 / (1 + lag.square())) * there[:, None, :]
    weight = weight / weight.sum(-1, keepdim=True).clamp(min=1e-12)
    smooth = torch.where(there.any(-1)[:, None], (weight @ half.log().unsqueeze(-1)).squeeze(-1), half.log())
    return weight @ centre, smooth.exp()
