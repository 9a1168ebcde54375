"""What the pose backbone is trained to get right: rotations, joints, place, projection, shape, contacts, movement."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from engine.backbones.landmark_network import NetworkOutput, in_camera
from engine.body.landmarks import JOINT_NAMES
from engine.body.model import BodyModel
from engine.body.rotations import matrix_to_six
from engine.body.similarity import aligned
from engine.keypoints.joint_sets import MEDIAPIPE_33
from engine.training.backbone_batches import BackboneBatch

_NEAREST_M = 0.3
_FARTHEST = 2.0
_EVEN_S = 1e-3
_LIMBS = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle", "foot", "hand")
_TRUNK_SHARE = 0.5
"""Weight of a joint of the trunk, which hardly moves, beside one of a limb."""


@dataclass(frozen=True)
class Weights:
    """Of the parts of the loss. Lengths are metres."""

    joints: float = 6.0
    aligned: float = 4.0
    """Of the joints after the turn, scale and shift of each frame that fits them best."""
    landmarks: float = 3.0
    six: float = 1.0
    place: float = 1.0
    """Of the pelvis, in half-boxes, and of the logarithm of its depth."""
    projection: float = 2.0
    """In half-boxes."""
    betas: float = 0.02
    contacts: float = 0.05
    speed: float = 3.0
    """Of the joints' way from frame to frame."""
    error: float = 1.0
    """Of the error that the network expects of each joint: the negative log-likelihood of a Laplace distribution. It
    changes nothing else of the network."""
    acceleration: float = 8.0
    """Of how that way changes, between frames that follow each other evenly."""


def posed(rotations: Tensor, betas: Tensor, body: BodyModel) -> tuple[Tensor, Tensor]:
    """Joints (B, S, 24, 3) and MediaPipe's landmarks (B, S, 33, 3) about the pelvis; betas (B, 10)."""
    shape = betas[:, None].expand(-1, rotations.shape[1], -1).flatten(0, 1)
    joints, landmarks = body.joints_and_landmarks(rotations.flatten(0, 1), shape)
    order = [body.landmark_names.index(name) for name in MEDIAPIPE_33]
    pelvis, size = joints[:, :1], rotations.shape[:2]
    return (joints - pelvis).reshape(*size, -1, 3), (landmarks[:, order] - pelvis).reshape(*size, -1, 3)


def backbone_losses(output: NetworkOutput, batch: BackboneBatch, body: BodyModel) -> dict[str, Tensor]:
    """The parts of the loss, each a mean, unweighted; names are those of `Weights`."""
    rotations, pelvis = in_camera(output, batch.turn, batch.scale)
    joints, landmarks = posed(rotations, output.betas, body)
    seen_depth = _depth(batch)
    true_flat = _projected(batch.landmarks, batch.pelvis)
    flat = _projected(landmarks, pelvis)
    miss = (flat - true_flat).norm(dim=-1) / batch.scale[..., None]
    true_offset = _offset(batch)
    known = batch.contacts >= 0
    contacts = functional.binary_cross_entropy_with_logits(
        output.contact_logits, batch.contacts.clamp(min=0), reduction="none"
    )
    fitted = aligned(joints, batch.joints)
    return {
        "joints": ((joints - batch.joints).norm(dim=-1) * _joint_weights(joints)).mean(),
        "aligned": ((fitted - batch.joints).norm(dim=-1) * _joint_weights(joints)).mean(),
        "landmarks": (landmarks - batch.landmarks).norm(dim=-1).mean(),
        "six": (matrix_to_six(rotations) - matrix_to_six(batch.rotations)).abs().mean(),
        "place": (output.log_depth - seen_depth).abs().clamp(max=_FARTHEST).mean()
        + (output.offset - true_offset).abs().clamp(max=_FARTHEST).mean(),
        "projection": miss.clamp(max=_FARTHEST).mean(),
        "betas": (output.betas - batch.betas).square().mean(),
        "contacts": (contacts * known).sum() / known.sum().clamp(min=1),
        "error": _expected(output.log_error, (fitted - batch.joints).norm(dim=-1).detach()),
        "speed": (joints - batch.joints).diff(dim=1).norm(dim=-1).mean(),
        "acceleration": _acceleration(joints - batch.joints, batch.times_s),
    }


def _expected(log_error: Tensor, error: Tensor) -> Tensor:
    """How badly the expected errors (B, S, 24), as logarithms of metres, tell the real ones."""
    mean: Tensor = (error * (-log_error).exp() + log_error).mean()
    return mean


def _acceleration(error: Tensor, times_s: Tensor) -> Tensor:
    """Mean second difference of joints' errors (B, S, 24, 3) where steps of time (B, S) are even."""
    even = (times_s.diff(n=2, dim=1).abs() < _EVEN_S).float()
    size = error.diff(n=2, dim=1).norm(dim=-1).mean(-1)
    mean: Tensor = (size * even).sum() / even.sum().clamp(min=1)
    return mean


def total(losses: dict[str, Tensor], weights: Weights) -> Tensor:
    """The weighted sum."""
    return torch.stack([getattr(weights, name) * value for name, value in losses.items()]).sum()


def _joint_weights(joints: Tensor) -> Tensor:
    shares = [1.0 if name.rpartition("_")[2] in _LIMBS else _TRUNK_SHARE for name in JOINT_NAMES]
    return torch.tensor(shares, device=joints.device)


def _projected(points: Tensor, pelvis: Tensor) -> Tensor:
    placed = points + pelvis[:, :, None]
    return placed[..., :2] / placed[..., 2:].clamp(min=_NEAREST_M)


def _virtual_pelvis(batch: BackboneBatch) -> Tensor:
    return (batch.turn.transpose(-1, -2) @ batch.pelvis[..., None]).squeeze(-1)


def _depth(batch: BackboneBatch) -> Tensor:
    return (_virtual_pelvis(batch)[..., 2].clamp(min=_NEAREST_M) * batch.scale).log()


def _offset(batch: BackboneBatch) -> Tensor:
    point = _virtual_pelvis(batch)
    return point[..., :2] / point[..., 2:].clamp(min=_NEAREST_M) / batch.scale[..., None]
