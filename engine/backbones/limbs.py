"""How limbs that were seen get into a pose: what makes the `landmark` network good at poses that it never met.

A limb's direction is seen in three ways: by the detector's 3D, by its picture, and, where the picture is shorter than
the limb, by how far it must lean towards the camera or away. The network predicts how much to trust each, and what to
add; the joint's frame is then turned, the shortest way, until the limb points there. So twist comes from the network,
and direction from what was seen, as in HybrIK (Li et al., CVPR 2021).

All in the virtual camera of `engine.backbones.observation`. Legend: B windows, T frames, L limbs, K keypoints (33).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from engine.body.landmarks import JOINT_NAMES
from engine.body.model import BodyModel
from engine.keypoints.joint_sets import MEDIAPIPE_33

_SIDES = ("left", "right")
_CHAIN = (
    ("shoulder", "elbow", "shoulder", "elbow"),
    ("elbow", "wrist", "elbow", "wrist"),
    ("wrist", "hand", "wrist", "index"),
    ("hip", "knee", "hip", "knee"),
    ("knee", "ankle", "knee", "ankle"),
    ("ankle", "foot", "ankle", "foot_index"),
)
"""Joint that turns the limb, joint at its end, and the keypoints between which it is seen."""
_ACROSS = (("pelvis", "hip"), ("spine3", "shoulder"))
"""Joint whose frame carries the line from the right to the left of a pair, which are joints and keypoints."""
_TABLE = tuple(
    (f"{side}_{joint}", (f"{side}_{joint}", f"{side}_{end}"), (f"{side}_{start}", f"{side}_{stop}"))
    for side in _SIDES
    for joint, end, start, stop in _CHAIN
) + tuple((joint, (f"right_{pair}", f"left_{pair}"), (f"right_{pair}", f"left_{pair}")) for joint, pair in _ACROSS)
LIMBS = len(_TABLE)
JOINTS = [JOINT_NAMES.index(joint) for joint, _, _ in _TABLE]
"""Joint that is turned for each limb; each joint once."""
_BONES = [[JOINT_NAMES.index(name) for name in bone] for _, bone, _ in _TABLE]
_SEEN = [[MEDIAPIPE_33.index(name) for name in points] for _, _, points in _TABLE]
ANSWERS = 6
"""Numbers that the network says of each limb: three shares, as logits, and three to add to its direction."""
_SHY = -2.0
_SHORTEST_M = 0.02
_OPPOSITE = -0.98


@dataclass(frozen=True)
class SeenLimbs:
    """Limbs as they were seen.

    Attributes:
        flat: (B, T, L, 2) from start to end in the picture, half-boxes; zero unless both ends were seen.
        metres: (B, T, L, 3) by the detector's 3D; zero where there is none.
    """

    flat: Tensor
    metres: Tensor

    @classmethod
    def of(cls, points: Tensor) -> SeenLimbs:
        """From keypoints (B, T, K, 6): x, y, confidence and the detector's 3D."""
        start, end = points[..., [a for a, _ in _SEEN], :], points[..., [b for _, b in _SEEN], :]
        both = (start[..., 2:3] > 0) & (end[..., 2:3] > 0)
        way = end - start
        return cls(way[..., :2] * both, way[..., 3:])


def pointed(turns: Tensor, answers: Tensor, seen: SeenLimbs, size: Tensor, body: BodyModel) -> Tensor:
    """Turn joints' frames until their limbs point where they were seen to point.

    Args:
        turns: (B, T, 24, 3, 3) from the rest frame into the virtual camera.
        answers: (B, T, L, 6) what the network says of each limb.
        seen: the limbs.
        size: (B, T) half the box in metres.
        body: whose bones they are, on the same device.

    Returns:
        (B, T, 24, 3, 3).
    """
    bones = torch.stack([body.joint_template[end] - body.joint_template[start] for start, end in _BONES])
    length = bones.norm(dim=-1).clamp(min=_SHORTEST_M)
    frames = turns[..., JOINTS, :, :]
    guess = (frames * (bones / length[:, None])[:, None, :]).sum(-1)
    trust, by_picture, by_length = torch.split((answers[..., :3] + _SHY).sigmoid(), 1, -1)
    flat = seen.flat * size[..., None, None]
    lean = (length[:, None].square() - flat.detach().square().sum(-1, keepdim=True)).clamp(min=_SHORTEST_M**2).sqrt()
    across = torch.lerp(seen.metres[..., :2], flat, by_picture)
    ahead = torch.lerp(seen.metres[..., 2:], torch.where(seen.metres[..., 2:] < 0, -lean, lean), by_length)
    wanted = functional.normalize(torch.cat((across, ahead), -1) / length[:, None] + answers[..., 3:], dim=-1, eps=1e-4)
    target = functional.normalize(torch.lerp(guess, wanted, trust), dim=-1, eps=1e-4)
    result = turns.clone()
    result[..., JOINTS, :, :] = swing(guess, target) @ frames
    return result


def swing(start: Tensor, end: Tensor) -> Tensor:
    """The shortest turn (..., 3, 3) from unit vectors (..., 3) to others; if almost opposite, most of the way."""
    cosine = (start * end).sum(-1).clamp(min=_OPPOSITE)[..., None, None]
    x, y, z = torch.linalg.cross(start, end, dim=-1).unbind(-1)
    zero = torch.zeros_like(x)
    skew = torch.stack((zero, -z, y, z, zero, -x, -y, x, zero), -1).reshape(*start.shape, 3)
    eye = torch.eye(3, dtype=start.dtype, device=start.device)
    turn: Tensor = eye + skew + skew @ skew / (1 + cosine)
    return turn
