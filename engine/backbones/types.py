"""What every pose backbone gives: SMPL in the camera frame, per frame of a track."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from engine.body.model import BodyModel
from engine.camera.lens import Lens
from engine.keypoints.types import PersonTrack
from engine.runtime.progress import Progress

Float = NDArray[np.float32]


@dataclass(frozen=True)
class Camera:
    """A pinhole camera; it stands still unless its path or its turns are known.

    Attributes:
        intrinsics: (3, 3) pixels of the full upright frame.
        focal_source: where the focal length comes from: `given`, `metadata` or `guess` (the image diagonal).
        path: (F, 4, 4) camera to world for each frame of the footage, or one for all; None where it is not known.
        turns: (F, 3, 3) from the camera of each frame of the footage to that of its shot's first frame, for a camera
            that stays in its place and turns there; None where it stands still.
        motion: `given`, or what the background shows: `still`, `turning`, `moving`, `unknown`; of the shot that moves
            most.
        lens: what the real camera differs from the pinhole in; tracks are straightened with it, so that only those who
            look at the footage itself need it. None for nothing.
    """

    intrinsics: NDArray[np.float64]
    focal_source: str
    path: NDArray[np.float64] | None = None
    lens: Lens | None = None
    turns: NDArray[np.float64] | None = None
    motion: str = "given"


@dataclass(frozen=True)
class Prediction:
    """SMPL motion of one person in the camera frame (x right, y down, z away, metres).

    Attributes:
        rotations: (T, 24, 3, 3) SMPL joint rotations relative to the parent; index 0 is the global orient in the camera
            frame (someone upright who faces the camera is near diag(1, -1, -1)).
        betas: (10,) shape, one for the clip.
        transl: (T, 3) what is added to the posed SMPL joints to bring them into the camera frame. SMPL turns about the
            pelvis joint, which at rest lies at J_0(betas), so the pelvis ends up at J_0(betas) + transl.
        joint_confidence: (T, 24) how much evidence each joint has, 0..1.
        residual_px: (T,) mean reprojection error of the seen keypoints.
    """

    rotations: Float
    betas: Float
    transl: Float
    joint_confidence: Float
    residual_px: Float


class Backbone(Protocol):
    """Predicts SMPL parameters from one person's track."""

    def predict(self, track: PersonTrack, camera: Camera, body: BodyModel, progress: Progress) -> Prediction:
        """One `Prediction` row per row of the track, gaps included."""


@dataclass(frozen=True)
class PoseBatch:
    """What a pose network says of rows of a track, differentiable. Camera frame, metres. B segments, S frames.

    Attributes:
        rotations: (B, S, 24, 3, 3) relative to the parent; the root's in the camera frame.
        betas: (B, S, 10) shape.
        transl: (B, S, 3) as in `Prediction`.
        contact_logits: (B, S, 4) left heel, left toe, right heel, right toe; None from a network without contacts.
        log_error: (B, S, 24) logarithm of the error to expect of each joint after similarity alignment, metres; None
            from a network that does not say.
        features: (B, S, F) what the answer is read from; rows that are alike have features that are; None
            from a network that does not give them.
    """

    rotations: Tensor
    betas: Tensor
    transl: Tensor
    contact_logits: Tensor | None = None
    log_error: Tensor | None = None
    features: Tensor | None = None


class PoseNetwork(Protocol):
    """A pose network bound to one person's track: what adaptation fine-tunes."""

    @property
    def frame_by_frame(self) -> bool:
        """Whether a row's prediction rests on that row alone, so that windows need no overlap and gaps a bridge."""

    def parameters(self) -> list[nn.Parameter]:
        """The weights that are adapted."""

    def __call__(self, rows: Tensor) -> PoseBatch:
        """Predict rows (B, S) int64 of the track, each segment in the order of time. Gradients reach the weights."""

    def state(self) -> dict[str, Tensor]:
        """A copy of the weights, to `restore` later."""

    def restore(self, state: dict[str, Tensor]) -> None:
        """Put weights back, such as the pre-trained ones for the next clip."""


class TrainableBackbone(Backbone, Protocol):
    """A backbone that is a network with weights, which adaptation fine-tunes."""

    def bind(self, track: PersonTrack, camera: Camera, body: BodyModel, device: torch.device) -> PoseNetwork:
        """The network, with pre-trained weights of its own, that sees this track through this camera."""


PREDICTION = ("rotations", "betas", "transl", "joint_confidence", "residual_px")
"""Names of a prediction's arrays in the cache."""
