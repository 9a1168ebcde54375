"""The pinhole camera: x right, y down, z away, metres in; pixels out.

Pixels are those of the upright full frame, with the centre of the top left pixel at (0.5, 0.5).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

NEAREST_M = 0.01


def default_focal_px(width: int, height: int) -> float:
    """The focal length to assume where nothing is known: the image diagonal, about 53 degrees across it."""
    return math.hypot(width, height)


def intrinsics(focal_px: float, width: int, height: int) -> Tensor:
    """(3, 3) float64 camera matrix with square pixels and the principal point in the middle of the image."""
    return torch.tensor([[focal_px, 0.0, width / 2], [0.0, focal_px, height / 2], [0.0, 0.0, 1.0]], dtype=torch.float64)


def project(points: Tensor, camera: Tensor) -> Tensor:
    """Camera points (..., 3) in metres to pixels (..., 2), with full perspective.

    What lies nearer than 1 cm, or behind the camera, is projected as if it were 1 cm away, so that results and
    gradients stay finite.

    Args:
        points: (..., 3) camera frame.
        camera: (3, 3) intrinsics.
    """
    matrix = camera.to(points)
    depth = points[..., 2:].clamp(min=NEAREST_M)
    flat = points[..., :2] / depth
    return flat @ matrix[:2, :2].T + matrix[:2, 2]
