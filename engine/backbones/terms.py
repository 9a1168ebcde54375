"""What the fit makes small: one function a term. Each is a mean over rows, so that length and frame rate do not matter.

Legend: S rows, K keypoints, P limbs, L body points, M control points.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from engine.backbones.evidence import Evidence, Limbs
from engine.body.landmarks import JOINT_NAMES
from engine.body.rotations import axis_angle_to_matrix
from engine.camera.pinhole import project

_USUAL_ACCELERATION = 30.0  # of body points, m/s²
_USUAL_TURN_ACCELERATION = 100.0  # of rotation matrix entries, 1/s²
_LIMB_ERROR = 0.25  # of unit vectors
_LIMB_OUTLIER = 3.0

# Relaxed pose (degrees about x, y, z), and how far people usually go from it: ranges of ordinary movement, rounded.
_RELAXED: dict[str, tuple[float, float, float]] = {
    "hip": (-8, 0, 0), "knee": (15, 0, 0), "shoulder": (0, 0, -60), "elbow": (0, -25, 0),
}  # fmt: skip
_USUAL: dict[str, tuple[float, float, float]] = {
    "hip": (45, 25, 20), "knee": (60, 8, 6), "ankle": (20, 12, 12), "foot": (8, 8, 8), "spine": (14, 10, 8),
    "neck": (18, 18, 12), "head": (18, 18, 12), "collar": (8, 10, 10), "shoulder": (45, 45, 45),
    "elbow": (35, 60, 12), "wrist": (20, 20, 20), "hand": (5, 5, 5),
}  # fmt: skip
_FOOT_HEIGHT_M, _FOOT_SPEED_M_S, _FOOT_OUTLIER = 0.02, 0.1, 4.0
_LOWER_FLOOR_M = 0.25
_USUAL_OFF = 0.06  # of squared matrix entries: ten degrees
_WRAP = 0.5  # weight of 1 - cos(angle), which still grows where the sines fall again, beyond a right angle
_KNEES = [JOINT_NAMES.index("left_knee"), JOINT_NAMES.index("right_knee")]
_ELBOWS = [JOINT_NAMES.index("left_elbow"), JOINT_NAMES.index("right_elbow")]


def geman_mcclure(squared: Tensor, scale: float) -> Tensor:
    """Squared errors, in units of the usual one, that level off beyond `scale` of them (Geman and McClure 1987)."""
    return squared / (1 + squared / scale**2)


def reprojection(points: Tensor, evidence: Evidence, usual_px: Tensor, outlier: float) -> Tensor:
    """Robust distance in the image, full perspective, of body points (S, K, 3) to the keypoints.

    Args:
        points: camera frame, metres.
        evidence: the keypoints.
        usual_px: (S,) what counts as one error.
        outlier: errors beyond which a keypoint loses its say.
    """
    miss = (project(points, evidence.camera) - evidence.points) / usual_px[:, None, None]
    return (evidence.weights * geman_mcclure(miss.square().sum(-1), outlier)).sum(1).mean()


def limb_directions(points: Tensor, limbs: Limbs, across: float, along: float) -> Tensor:
    """Robust difference of limb directions, weighted apart across and along the view. Points (S, K, 3)."""
    miss = (functional.normalize(limbs.mix @ points, dim=-1) - limbs.directions) / _LIMB_ERROR
    squared = across * miss[..., :2].square().sum(-1) + along * miss[..., 2].square()
    return (limbs.weights * geman_mcclure(squared, _LIMB_OUTLIER)).sum(1).mean()


def path_acceleration(points: Tensor, times: Tensor) -> Tensor:
    """Squared accelerations of body points (S, L, 3) at times (S,), seconds."""
    if len(times) < 3:
        return points.new_zeros(())
    steps = times.diff().float()
    velocity = points.diff(dim=0) / steps[:, None, None]
    acceleration = velocity.diff(dim=0) / ((steps[1:] + steps[:-1]) / 2)[:, None, None]
    return (acceleration / _USUAL_ACCELERATION).square().sum(-1).mean(0).sum()


def turn_acceleration(acceleration: Tensor) -> Tensor:
    """Squared second derivatives (M - 2, C) of the curves of the rotations."""
    return (acceleration / _USUAL_TURN_ACCELERATION).square().sum(1).mean()


class PosePrior:
    """Distance of joint rotations from a relaxed pose, in units of the usual range of each axis; on `device`."""

    def __init__(self, device: torch.device | None = None) -> None:
        self._relaxed = axis_angle_to_matrix(torch.deg2rad(_table(_RELAXED, 0.0))).to(device)
        self._usual = torch.deg2rad(_table(_USUAL, 20.0)).to(device)

    def __call__(self, rotations: Tensor) -> Tensor:
        """Of (S, 24, 3, 3); the root is free."""
        off = self._relaxed.mT[1:] @ rotations[:, 1:]
        skew = (off - off.mT) / 2
        sines = torch.stack((skew[..., 2, 1], skew[..., 0, 2], skew[..., 1, 0]), -1)
        cosine = (off.diagonal(dim1=-2, dim2=-1).sum(-1) - 1) / 2
        return ((sines / self._usual[1:]).square().sum(-1) + _WRAP * (1 - cosine)).sum(1).mean()


def held(rotations: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Distance of joint rotations (S, 24, 3, 3) from others, each with its weight (S, 24): 1 a joint that is off by
    about ten degrees."""
    off = (rotations - targets).square().sum((-1, -2)) / _USUAL_OFF
    return (weights * off).sum(1).mean()


def standing(feet: Tensor, contacts: Tensor, times: Tensor, heights: Tensor) -> Tensor:
    """Feet that stand but move, or are off the floor; and feet below the floor.

    Args:
        feet: (S, 4, 3) metres, in a frame that does not move.
        contacts: (S, 4) probability that each stands.
        times: (S,) seconds.
        heights: (S, 4) metres over the floor.
    """
    below = (heights.clamp(max=0) / _FOOT_HEIGHT_M).square()
    off = geman_mcclure((heights / _FOOT_HEIGHT_M).square(), _FOOT_OUTLIER)
    value = (contacts * off + below * (heights > -_LOWER_FLOOR_M)).sum(1).mean()
    if len(times) < 2:
        return value
    speed = feet.diff(dim=0) / times.diff().float()[:, None, None]
    slide = geman_mcclure((speed / _FOOT_SPEED_M_S).square().sum(-1), _FOOT_OUTLIER)
    return value + (contacts[1:] * contacts[:-1] * slide).sum(1).mean()


def _table(values: dict[str, tuple[float, float, float]], otherwise: float) -> Tensor:
    """(24, 3): the left side's values, mirrored for the right."""
    rows = []
    for name in JOINT_NAMES:
        part = name.split("_")[-1].rstrip("123")
        x, y, z = values.get(part, (otherwise,) * 3)
        right = -1.0 if name.startswith("right") and values is _RELAXED else 1.0
        rows.append((x, right * y, right * z))
    return torch.tensor(rows, dtype=torch.float32)


def hinges(rotations: Tensor) -> Tensor:
    """Knees and elbows (of (S, 24, 3, 3)) that bend sideways or backwards."""
    shin = -rotations[:, _KNEES, :, 1]
    forearm = rotations[:, _ELBOWS, :, 0] * torch.tensor([1.0, -1.0])[:, None]
    sideways = (shin[..., 0] / 0.08).square() + (forearm[..., 1] / 0.15).square()
    backwards = (shin[..., 2].clamp(min=0) / 0.1).square() + ((-forearm[..., 2]).clamp(min=0) / 0.1).square()
    return (sideways + backwards).sum(1).mean()


def cosine_schedule(step: int, steps: int) -> float:
    """Share of the learning rate at `step`: from 1 down to 0.05."""
    return 0.05 + 0.475 * (1 + math.cos(math.pi * min(1.0, step / steps)))
