"""How well a fitted motion is supported: confidence of joints and reprojection error of frames."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.backbones.evidence import Evidence, importance
from engine.body.landmarks import JOINT_NAMES
from engine.body.model import BodyModel
from engine.body.smpl_file import PARENTS
from engine.camera.pinhole import project

_TRUNK = ("left_shoulder", "right_shoulder", "left_hip", "right_hip")
_HEAD = ("nose", "left_ear", "right_ear", "left_eye", "right_eye")
_ROWS_AT_ONCE = 512
CHILDREN = {joint: [child for child, above in enumerate(PARENTS) if above == joint] for joint in range(len(PARENTS))}


def joint_confidence(evidence: Evidence) -> NDArray[np.float32]:
    """(S, 24) mean confidence of the keypoints that show each joint, 0 where none was seen."""
    seen = evidence.weights / torch.tensor([importance(name) for name in evidence.names], dtype=torch.float32)
    columns = []
    for joint in JOINT_NAMES:
        places = [evidence.names.index(name) for name in shown_by(joint) if name in evidence.names]
        columns.append(seen[:, places].mean(1) if places else torch.zeros(len(seen)))
    confidence: NDArray[np.float32] = torch.stack(columns, 1).clamp(0, 1).numpy()
    return confidence


def rotation_confidence(confidence: Tensor) -> Tensor:
    """How well the rotation of each joint is seen, from how well the joints are: (..., 24) to (..., 24).

    A rotation shows in where it puts the joint's children, so it is seen no better than the best of them.
    """
    ends = [confidence[..., below].amax(-1) if below else confidence[..., joint] for joint, below in CHILDREN.items()]
    return torch.minimum(confidence, torch.stack(ends, -1))


def shown_by(joint: str) -> tuple[str, ...]:
    """Keypoints that show an SMPL joint, of any detector."""
    side, _, part = joint.rpartition("_")
    if part == "foot":
        return (f"{side}_foot_index", f"{side}_big_toe", f"{side}_heel")
    if part == "hand":
        return (f"{side}_index", f"{side}_pinky", f"{side}_wrist")
    if part == "collar":
        return (f"{side}_shoulder",)
    if part in ("head", "neck"):
        return _HEAD
    return (joint,) if side else _TRUNK


def residual_px(
    evidence: Evidence, body: BodyModel, rotations: Tensor, betas: Tensor, transl: Tensor
) -> NDArray[np.float32]:
    """(S,) mean distance in pixels of the seen keypoints from the body's, 0 where none was seen."""
    parts = []
    with torch.no_grad():
        for start in range(0, len(rotations), _ROWS_AT_ONCE):
            some = slice(start, start + _ROWS_AT_ONCE)
            points = body.landmarks(rotations[some], betas, transl[some])[:, evidence.places]
            miss = (project(points, evidence.camera) - evidence.points[some]).norm(dim=-1)
            seen = evidence.weights[some] > 0
            parts.append((miss * seen).sum(1) / seen.sum(1).clamp(min=1))
    residual: NDArray[np.float32] = torch.cat(parts).numpy()
    return residual
