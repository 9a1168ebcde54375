"""The `landmark` backbone's network: a temporal transformer from one person's observations to SMPL.

The person is seen through a virtual camera that looks at the middle of their box (no roll) and whose unit is half the
box, so that place in the picture and distance do not matter; what they give, perspective and depth, is an input and an
output of its own. Where limbs point is then taken from what was seen of them (`engine.backbones.limbs`).

Legend: B windows, T frames, K keypoints (MediaPipe's 33).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.backbones.evidence import SIDES
from engine.backbones.limbs import ANSWERS, LIMBS, SeenLimbs, pointed
from engine.backbones.transformer import Block, rotary
from engine.body.model import BodyModel
from engine.body.rotations import six_to_matrix
from engine.body.smpl_file import PARENTS
from engine.keypoints.joint_sets import MEDIAPIPE_33

KEYPOINTS = 33
FEATURES = KEYPOINTS * 6 + 4
JOINTS = 24
_OUTPUTS = JOINTS * 6 + 3 + 4
_SIDED = (
    ("shoulder", "elbow"), ("elbow", "wrist"), ("wrist", "index"), ("wrist", "pinky"), ("hip", "knee"),
    ("knee", "ankle"), ("ankle", "heel"), ("heel", "foot_index"),
)  # fmt: skip
_ACROSS = ("hip", "shoulder", "ear")
_UPWARDS = (("hip", "shoulder"), ("ear", "eye"))
_WAYS = 2 * len(_SIDED) + len(_ACROSS) + len(_UPWARDS)
_INPUTS = FEATURES + 5 * _WAYS
_FARTHEST_LOG = 5.0
_USUAL_LOG_ERROR = -3.0
_WORKING_RATE = 30.0
"""Time is counted in thirtieths of a second inside of the network, whatever the footage's rate."""


@dataclass(frozen=True)
class NetworkShape:
    """Size of the network."""

    width: int = 256
    layers: int = 4
    heads: int = 4


@dataclass(frozen=True)
class NetworkOutput:
    """What the network says of each frame, in the virtual camera.

    Attributes:
        rotations: (B, T, 24, 3, 3) relative to the parent; the root's in the virtual camera.
        betas: (B, 10) one shape for the window.
        log_depth: (B, T) logarithm of the pelvis's depth in half-box units: depth = exp(log_depth) / scale.
        offset: (B, T, 2) pelvis from the box's middle, in half-boxes.
        contact_logits: (B, T, 4) left heel, left toe, right heel, right toe.
        log_error: (B, T, 24) logarithm of the error to expect of each joint's place after similarity alignment, metres.
        features: (B, T, width) what all of it is read from; None where they are not kept.
    """

    rotations: Tensor
    betas: Tensor
    log_depth: Tensor
    offset: Tensor
    contact_logits: Tensor
    log_error: Tensor
    features: Tensor | None = None


class LandmarkNetwork(nn.Module):
    """Transformer encoder with rotary positions by time, so any frame rate and any gap is an input like another."""

    limbs: Tensor

    def __init__(self, shape: NetworkShape | None = None) -> None:
        super().__init__()
        self.shape = shape or NetworkShape()
        width = self.shape.width
        self.embed = nn.Sequential(nn.Linear(_INPUTS, width), nn.GELU(), nn.Linear(width, width))
        self.blocks = nn.ModuleList(Block(width, self.shape.heads) for _ in range(self.shape.layers))
        self.norm = nn.LayerNorm(width)
        self.frame_head = nn.Linear(width, _OUTPUTS)
        self.shape_head = nn.Linear(width, 10)
        self.direct = nn.Linear(_INPUTS, _OUTPUTS, bias=False)
        self.register_buffer("limbs", _limbs(), persistent=False)
        self.limb_head = nn.Linear(width, LIMBS * ANSWERS)
        self.error_head = nn.Linear(width, JOINTS)
        self._start_at_rest()

    def _start_at_rest(self) -> None:
        """Start from an upright T-pose that faces the camera, so that training begins near people."""
        nn.init.normal_(self.frame_head.weight, std=0.01)
        nn.init.zeros_(self.frame_head.bias)
        nn.init.zeros_(self.direct.weight)
        nn.init.normal_(self.shape_head.weight, std=0.01)
        nn.init.zeros_(self.shape_head.bias)
        nn.init.normal_(self.limb_head.weight, std=0.01)
        nn.init.zeros_(self.limb_head.bias)
        nn.init.zeros_(self.error_head.weight)
        nn.init.constant_(self.error_head.bias, _USUAL_LOG_ERROR)
        with torch.no_grad():
            six = self.frame_head.bias[: JOINTS * 6].view(JOINTS, 6)
            six[:, 0], six[:, 4] = 1.0, -1.0

    def _directions(self, points: Tensor) -> Tensor:
        """(B, T, 5 _WAYS) each limb in the picture, zero unless both ends are seen, and its direction by the 3D."""
        seen = (self.limbs != 0).float() @ (points[..., 2:3] <= 0).float() == 0
        ways = self.limbs @ points
        directions = functional.normalize(ways[..., 3:], dim=-1, eps=1e-4)
        return torch.cat((ways[..., :2] * seen, directions), -1).flatten(-2)

    def forward(self, features: Tensor, times_s: Tensor, body: BodyModel, real: Tensor | None = None) -> NetworkOutput:
        """Predict every frame of each window.

        Args:
            features: (B, T, FEATURES) from `engine.backbones.observation`.
            times_s: (B, T) seconds.
            body: whose pose is predicted, on the same device: the directions of its bones count, not their lengths.
            real: (B, T) bool, False for padding; None where there is no padding.
        """
        points = features[..., : KEYPOINTS * 6].reshape(*features.shape[:-1], KEYPOINTS, 6).float()
        inputs = torch.cat((features, self._directions(points)), -1)
        hidden = self.embed(inputs)
        turn = rotary(times_s * _WORKING_RATE, self.shape.width // self.shape.heads)
        mask = None if real is None else real[:, None, None, :]
        for block in self.blocks:
            hidden = block(hidden, turn, mask)
        hidden = self.norm(hidden)
        output = (self.frame_head(hidden) + self.direct(inputs)).float()
        pooled = hidden.mean(1) if real is None else _mean(hidden, real)
        six, place, contacts = output.split([JOINTS * 6, 3, 4], -1)
        with torch.autocast(hidden.device.type, enabled=False):
            limbs = self.limb_head(hidden.float()).reshape(*hidden.shape[:-1], LIMBS, ANSWERS)
            size = place[..., 0].clamp(max=_FARTHEST_LOG).exp()
            turns = six_to_matrix(six.reshape(*six.shape[:-1], JOINTS, 6))
            turns = pointed(turns, limbs, SeenLimbs.of(points), size, body)
            rotations = _relative(turns)
        # what the network expects of itself changes nothing of what it answers
        error = self.error_head(hidden.detach()).float()
        shape = self.shape_head(pooled).float()
        return NetworkOutput(rotations, shape, place[..., 0], place[..., 1:], contacts, error, hidden)


def _relative(turns: Tensor) -> Tensor:
    """Rotations relative to the parent (..., 24, 3, 3) from those of the joints' frames in the virtual camera.

    The network tells the latter: a limb's direction is then a number of the output, and not the product of a chain.
    """
    relative = turns[..., PARENTS[1:], :, :].transpose(-1, -2) @ turns[..., 1:, :, :]
    return torch.cat((turns[..., :1, :, :], relative), -3)


def in_camera(output: NetworkOutput, turn: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
    """The network's answer out of the virtual camera: rotations (B, T, 24, 3, 3) and pelvis (B, T, 3) metres.

    Args:
        output: of the network.
        turn: (B, T, 3, 3) from the virtual camera's axes to the camera's.
        scale: (B, T) half the box in units of the focal length.
    """
    root = turn @ output.rotations[:, :, 0]
    rotations = torch.cat((root[:, :, None], output.rotations[:, :, 1:]), 2)
    depth = output.log_depth.clamp(max=_FARTHEST_LOG).exp() / scale
    ahead = torch.cat((output.offset * scale[..., None], torch.ones_like(depth)[..., None]), -1)
    return rotations, (turn @ (ahead * depth[..., None])[..., None]).squeeze(-1)


def _mean(hidden: Tensor, real: Tensor) -> Tensor:
    weight = real[..., None].to(hidden.dtype)
    return (hidden * weight).sum(1) / weight.sum(1).clamp(min=1)


def _limbs() -> Tensor:
    """(_WAYS, 33) each limb as a difference of keypoints, or of the middles of two."""
    rows = [{f"{side}_{start}": -1.0, f"{side}_{end}": 1.0} for side in SIDES for start, end in _SIDED]
    rows += [{f"right_{part}": -1.0, f"left_{part}": 1.0} for part in _ACROSS]
    rows += [{f"{side}_{part}": half for side in SIDES for part, half in ((a, -0.5), (b, 0.5))} for a, b in _UPWARDS]
    return torch.tensor([[row.get(name, 0.0) for name in MEDIAPIPE_33] for row in rows])
