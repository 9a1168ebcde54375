"""Squared errors as SPIN, BOA and DynaBOA count them: pictures of two units, metres about the pelvis, matrix entries.

Weights are those of the authors' programs, which their papers leave out. Legend: N rows, K keypoints.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from engine.backbones.types import PoseBatch
from engine.body.model import BodyModel
from engine.camera.pinhole import project

KEYPOINTS_2D, JOINTS_3D, POSE, SHAPE = 5.0, 5.0, 1.0, 0.001
"""Weights of a pose beside one that is known: the same for a teacher's and for the truth."""


@dataclass(frozen=True)
class Posed:
    """Rows of a motion, posed.

    Attributes:
        rotations: (N, 24, 3, 3); betas: (N, 10).
        joints: (N, 24, 3) metres about the pelvis.
        points: (N, K, 2) pixels of the camera that was given.
    """

    rotations: Tensor
    betas: Tensor
    joints: Tensor
    points: Tensor

    @classmethod
    def of(
        cls, rotations: Tensor, betas: Tensor, transl: Tensor, body: BodyModel, places: Tensor, camera: Tensor
    ) -> Posed:
        """Pose rows (N, ...) of a prediction; `places` (K,) are those of the keypoints in the body's landmarks."""
        rotations, betas, transl = rotations.float(), betas.float(), transl.float()
        joints, landmarks = body.joints_and_landmarks(rotations, betas, transl)
        return cls(rotations, betas, joints - joints[:, :1], project(landmarks[:, places], camera))

    @classmethod
    def of_batch(cls, batch: PoseBatch, body: BodyModel, places: Tensor, camera: Tensor) -> Posed:
        """All rows of a batch, one after the other."""
        parts = (batch.rotations.flatten(0, 1), batch.betas.flatten(0, 1), batch.transl.flatten(0, 1))
        return cls.of(*parts, body, places, camera)


def keypoint_term(points: Tensor, targets: Tensor, weight: Tensor, box_px: Tensor) -> Tensor:
    """Mean squared miss of points (N, K, 2), in halves of the box (N,), weighted (N, K); unseen ones count as 0."""
    miss = (points - targets) * (2 / box_px)[:, None, None]
    return (weight[..., None] * miss.square()).mean()


def beside(one: Posed, other: Posed, box_px: Tensor) -> Tensor:
    """How far a pose is from one that is held for right: keypoints, joints, rotations and shape."""
    everywhere = torch.ones_like(one.points[..., 0])
    return (
        KEYPOINTS_2D * keypoint_term(one.points, other.points, everywhere, box_px)
        + JOINTS_3D * (one.joints - other.joints).square().mean()
        + POSE * (one.rotations - other.rotations).square().mean()
        + SHAPE * (one.betas - other.betas).square().mean()
    )
