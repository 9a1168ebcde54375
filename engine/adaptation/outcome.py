"""What adaptation hands on: motion, the final 2D targets, similarity, and what happened.

Legend: T rows, K keypoints of the track.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.adaptation.evidence import Seen
from engine.adaptation.infill import Infilled
from engine.adaptation.state import History
from engine.adaptation.targets import Targets
from engine.adaptation.track_inference import Estimate
from engine.backbones.known_height import at_height
from engine.backbones.summary import joint_confidence, residual_px
from engine.backbones.types import Prediction
from engine.body.model import BodyModel
from engine.keypoints.types import SEEN_CONFIDENCE
from engine.output.motion_file import ORIGIN_DETECTED, ORIGIN_FILLED, ORIGIN_NONE


@dataclass(frozen=True)
class AdaptationResult:
    """Result of one track.

    Attributes:
        initial: the motion before.
        prediction: the motion after, camera frame.
        keypoints: (T, K, 3) final 2D targets, pixels and confidence; of those filled in, it is their similarity.
        origins: (T, K) ORIGIN_NONE, ORIGIN_DETECTED or ORIGIN_FILLED.
        similarity: (T,) of motion and label, 0 where there is none.
        history: for each epoch its losses, similarity, keypoints filled in so far, seconds.
        labels: what each typed label was taken for, '' if it is not known.
        keypoint_weight: what keypoints weigh, mean over the rows.
        infilled: motion for hidden joints, with all its draws; None where nothing is hidden.
    """

    initial: Prediction
    prediction: Prediction
    keypoints: NDArray[np.float32]
    origins: NDArray[np.uint8]
    similarity: NDArray[np.float32]
    history: History
    labels: dict[str, str] = field(default_factory=dict)
    keypoint_weight: float = 1.0
    infilled: Infilled | None = None


def outcome(
    seen: Seen,
    body: BodyModel,
    initial: Prediction,
    motion: Estimate,
    targets: Targets,
    similarity: Tensor,
    history: History,
) -> AdaptationResult:
    """The result of a track, on the CPU. `similarity` (T,); the other arguments as they are at the end."""
    rows = similarity.cpu().numpy().astype(np.float32)
    keypoints, origins = _keypoints(seen, targets, rows)
    return AdaptationResult(initial, as_prediction(motion, seen, body), keypoints, origins, rows, history)


def as_prediction(motion: Estimate, seen: Seen, body: BodyModel) -> Prediction:
    """An estimate with one shape for the clip: the mean over the rows, as far as the body was seen in each."""
    weight = seen.valid.float().sum(1)
    weight = (weight if bool(weight.any()) else torch.ones_like(weight))[:, None]
    betas = (motion.betas * weight).sum(0) / weight.sum()
    # the pelvis stays where it was although the shape is another
    transl = motion.transl + body.rest_joints(motion.betas)[:, 0] - body.rest_joints(betas)[0]
    here = Estimate(motion.rotations, betas, transl).to(seen.gathered.points.device)
    residual = residual_px(seen.gathered, _on_cpu(body), here.rotations, here.betas, here.transl)
    prediction = Prediction(
        rotations=here.rotations.numpy(),
        betas=here.betas.numpy(),
        transl=here.transl.numpy(),
        joint_confidence=joint_confidence(seen.gathered),
        residual_px=residual,
    )
    return at_height(prediction, body, seen.track.height_m)


def _on_cpu(body: BodyModel) -> BodyModel:
    import copy

    return body if next(body.buffers()).device.type == "cpu" else copy.deepcopy(body).to("cpu")


def _keypoints(
    seen: Seen, targets: Targets, similarity: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Targets among all the keypoints of the track; those that the body lacks stay as detected."""
    keypoints = np.nan_to_num(np.asarray(seen.track.keypoints, np.float32)).copy()
    origins = np.where(keypoints[..., 2] >= SEEN_CONFIDENCE, ORIGIN_DETECTED, ORIGIN_NONE).astype(np.uint8)
    columns = list(seen.columns)
    points, valid, filled = (part.cpu().numpy() for part in (targets.points, targets.valid, targets.filled))
    keypoints[:, columns, :2] = np.where(valid[..., None], points, keypoints[:, columns, :2])
    confidence = np.broadcast_to(similarity[:, None].clip(0, 1), filled.shape)
    keypoints[:, columns, 2] = np.where(filled, confidence, keypoints[:, columns, 2])
    origins[:, columns] = np.where(filled, ORIGIN_FILLED, origins[:, columns])
    return keypoints, origins
