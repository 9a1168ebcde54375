"""Which joints are compared, and how they are got from a body. Frames go through in batches, so memory stays level."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.body.landmarks import JOINT_NAMES
from engine.body.model import BodyModel
from engine.keypoints.joint_sets import LIMBS

Float = NDArray[np.float64]
_BATCH = 32


@dataclass(frozen=True)
class Pose:
    """A body in the camera frame: rotations (T, 24, 3, 3) and transl (T, 3) as in `Prediction`, betas (10,) or (T, 10).

    Metres; NumPy of any float type.
    """

    rotations: NDArray[np.floating]
    betas: NDArray[np.floating]
    transl: NDArray[np.floating]

    def every(self, step: int) -> Pose:
        """Every `step`-th frame."""
        betas = self.betas if np.ndim(self.betas) == 1 else self.betas[::step]
        return Pose(self.rotations[::step], betas, self.transl[::step])

    def batches(self, device: torch.device) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Rotations, betas and translation of a few frames at a time."""
        rotations, betas, transl = (
            torch.as_tensor(np.asarray(value, np.float32)) for value in (self.rotations, self.betas, self.transl)
        )
        for first in range(0, len(rotations), _BATCH):
            rows = slice(first, first + _BATCH)
            yield tuple(  # type: ignore[misc]
                value.to(device)
                for value in (rotations[rows], betas if betas.dim() == 1 else betas[rows], transl[rows])
            )


@dataclass(frozen=True)
class JointSet:
    """Joints that are compared.

    Attributes:
        names: J names.
        roots: names of those whose mean is put together for MPJPE.
        smpl: (J,) their places among SMPL's 24; without a regressor these are compared.
        regressor: (J, V) joints as means of vertices, for data sets whose protocol has one.
    """

    names: tuple[str, ...]
    roots: tuple[str, ...]
    smpl: tuple[int, ...] = ()
    regressor: Float | None = None

    @property
    def root_places(self) -> tuple[int, ...]:
        """Where the roots are among the names."""
        return tuple(self.names.index(name) for name in self.roots)

    def of(self, body: BodyModel, pose: Pose) -> Float:
        """(T, J, 3) metres, camera frame."""
        if self.regressor is None:
            return joints_of(body, pose)[:, list(self.smpl)]
        return np.concatenate([np.einsum("jv,tvc->tjc", self.regressor, part) for part in vertices_of(body, pose)])


LIMB_SET = JointSet(LIMBS, ("left_hip", "right_hip"), tuple(JOINT_NAMES.index(name) for name in LIMBS))
"""Shoulders, elbows, wrists, hips, knees and ankles: what detectors and SMPL share, as for the real yardstick."""
SMPL_SET = JointSet(JOINT_NAMES, ("pelvis",), tuple(range(24)))
"""All of SMPL's joints."""


def joints_of(body: BodyModel, pose: Pose) -> Float:
    """SMPL's joints (T, 24, 3), metres, camera frame."""
    device = body.joint_template.device
    with torch.no_grad():
        parts = [body.joints(*batch).cpu().numpy() for batch in pose.batches(device)]
    return np.concatenate(parts).astype(np.float64)


def marks_of(body: BodyModel, pose: Pose, names: tuple[str, ...]) -> Float:
    """Keypoints (T, K, 3) by name as the body has them, metres, camera frame; NaN for those that it lacks."""
    device = body.joint_template.device
    with torch.no_grad():
        marks = np.concatenate([body.landmarks(*batch).cpu().numpy() for batch in pose.batches(device)])
    places = {name: place for place, name in enumerate(body.landmark_names)}
    found = np.full((len(marks), len(names), 3), np.nan)
    for column, name in enumerate(names):
        if name in places:
            found[:, column] = marks[:, places[name]]
    return found


def vertices_of(body: BodyModel, pose: Pose) -> Iterator[Float]:
    """Vertices (t, V, 3) of a few frames at a time, metres, camera frame."""
    for batch in pose.batches(body.joint_template.device):
        with torch.no_grad():  # not around the yield, or whoever goes through this would be without gradients too
            vertices = body.vertices(*batch).cpu().numpy()
        yield vertices.astype(np.float64)


def vertex_count(body: BodyModel) -> int:
    """V of the body's mesh."""
    return body.vertex_count
