"""Figures of the pose backbone on performers that it never saw, on synthetic observations with the measured noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import torch

from engine.backbones.landmark_network import LandmarkNetwork, in_camera
from engine.body.landmarks import JOINT_NAMES
from engine.body.model import BodyModel
from engine.errors import UsageError
from engine.evaluation.metrics import aligned_errors, joint_errors
from engine.keypoints.joint_sets import MEDIAPIPE_33
from engine.training.backbone_batches import NOT_SPOILT, NOT_VARIED, BackboneBatch, BatchMaker
from engine.training.backbone_losses import posed
from engine.training.corpus import CorpusClip
from engine.training.detector_model import DetectorModel
from engine.training.figure import Floats
from engine.training.motion_batches import MotionWindows
from engine.training.observations import LOWER_BODY_UNSEEN, NOTHING_HIDDEN, Conditions

WINDOW = 60
"""Frames that the network is trained and used on at once."""
_LIMBS = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
_SCORED = [JOINT_NAMES.index(f"{side}_{part}") for part in _LIMBS for side in ("left", "right")]
_HIPS = (6, 7)
_LEGS = np.array([JOINT_NAMES[joint].endswith(("knee", "ankle")) for joint in _SCORED])
_AT_ONCE = 16


@dataclass(frozen=True)
class BackboneScore:
    """Figures in millimetres over shoulders, elbows, wrists, hips, knees and ankles.

    Attributes:
        windows: how many of 60 frames.
        pa_mpjpe, mpjpe: after a similarity alignment of each frame, and with the mid-hips put together.
        pa_seen, pa_unseen: PA-MPJPE of the joints that are seen and of those that are not; NaN for none.
        legs: PA-MPJPE of knees and ankles.
        acceleration: error of the joints' acceleration about the pelvis, m/s².
    """

    windows: int
    pa_mpjpe: float
    mpjpe: float
    pa_seen: float
    pa_unseen: float
    legs: float
    acceleration: float

    def rounded(self) -> dict[str, float | None]:
        """One decimal each, None for what could not be measured."""
        return {name: round(value, 1) if np.isfinite(value) else None for name, value in asdict(self).items()}


@dataclass(frozen=True)
class BackboneScores:
    """Figures on held-out performers, captured and authored motions apart: with nothing in front of the person or
    outside of the picture, with something hidden in as many windows as in training, and with the legs never seen."""

    captured: BackboneScore
    authored: BackboneScore
    captured_part_hidden: BackboneScore
    authored_part_hidden: BackboneScore
    captured_legs_unseen: BackboneScore
    authored_legs_unseen: BackboneScore

    def rounded(self) -> dict[str, dict[str, float | None]]:
        """Fit for JSON."""
        return {name: score.rounded() for name, score in vars(self).items()}


def score_all(
    network: LandmarkNetwork, clips: Sequence[CorpusClip], body: BodyModel, detector: DetectorModel, windows: int = 192
) -> BackboneScores:
    """All figures, each over `windows` windows. Raises UsageError if the corpus has no held-out clips.

    Arguments as in `score_backbone`; `clips` is the whole corpus.
    """

    return BackboneScores(
        *(
            score_backbone(network, held_out(clips, synthetic), body, detector, conditions, windows)
            for conditions in (NOTHING_HIDDEN, Conditions(), LOWER_BODY_UNSEEN)
            for synthetic in (False, True)
        )
    )


def held_out(clips: Sequence[CorpusClip], synthetic: bool) -> list[CorpusClip]:
    """The clips to score on: of held-out performers, captured or authored. Raises UsageError if there are none."""
    chosen = [clip for clip in clips if clip.held_out and clip.synthetic == synthetic]
    if not chosen:
        raise UsageError("The corpus has no held-out clips to score on.", "Build it from all the clips.")
    return chosen


def score_backbone(
    network: LandmarkNetwork,
    clips: Sequence[CorpusClip],
    body: BodyModel,
    detector: DetectorModel,
    conditions: Conditions | None = None,
    windows: int = 128,
    seed: int = 0,
) -> BackboneScore:
    """Score on windows drawn at random, motions as they were performed.

    Args:
        network: in evaluation mode; any device.
        clips: what it was not trained on.
        body, detector: on the network's device.
        conditions: what is hidden; the training's shares if none are given.
        windows: how many.
        seed: fixes what is drawn.
    """
    device = next(network.parameters()).device
    variation = replace(NOT_VARIED, mirror=0.5, shape=1.0)
    drawn = MotionWindows(clips, WINDOW, device)
    maker = BatchMaker(drawn, body, detector, variation, conditions or Conditions(), NOT_SPOILT)
    generator = torch.Generator().manual_seed(seed)
    parts = []
    for first in range(0, windows, _AT_ONCE):
        batch = maker.draw(min(_AT_ONCE, windows - first), WINDOW, generator)
        parts.append(_compared(network, batch, body))
    return _figures(*(np.concatenate(part) for part in zip(*parts, strict=True)))


def _compared(network: LandmarkNetwork, batch: BackboneBatch, body: BodyModel) -> tuple[Floats, ...]:
    """Joints (B, S, 12, 3) as predicted and as true, in metres, which are seen (B, S, 12), and times (B, S)."""
    with torch.no_grad():
        output = network(batch.features, batch.times_s, body)
        joints, _ = posed(in_camera(output, batch.turn, batch.scale)[0], output.betas, body)
    pick = [JOINT_NAMES[joint] for joint in _SCORED]
    seen = ~batch.hidden[:, :, [MEDIAPIPE_33.index(name) for name in pick]]
    arrays = (joints[:, :, _SCORED], batch.joints[:, :, _SCORED], seen, batch.times_s)
    return tuple(array.cpu().numpy().astype(np.float64) for array in arrays)


def _figures(predicted: Floats, true: Floats, seen: Floats, times: Floats) -> BackboneScore:
    flat, flat_true = predicted.reshape(-1, 12, 3), true.reshape(-1, 12, 3)
    aligned = aligned_errors(flat, flat_true, np.ones(flat.shape[:2], bool)) * 1000
    visible = seen.reshape(-1, 12) > 0.5
    step = (times[:, 1] - times[:, 0])[:, None, None]
    acceleration = np.linalg.norm(np.diff(predicted - true, 2, axis=1), axis=-1) / step**2
    return BackboneScore(
        windows=len(predicted),
        pa_mpjpe=float(aligned.mean()),
        mpjpe=float(joint_errors(flat, flat_true, _HIPS).mean() * 1000),
        pa_seen=float(aligned[visible].mean()) if visible.any() else float("nan"),
        pa_unseen=float(aligned[~visible].mean()) if (~visible).any() else float("nan"),
        legs=float(aligned[:, _LEGS].mean()),
        acceleration=float(acceleration.mean()),
    )
