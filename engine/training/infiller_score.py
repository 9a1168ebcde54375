"""Figures of the in-filler on performers that it never saw: hidden joints as expected and as drawn, label and none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.adaptation.draws import Flow, draw_windows
from engine.adaptation.infiller import MotionEvidence, MotionInfiller
from engine.backbones.landmark import read_network
from engine.backbones.summary import rotation_confidence
from engine.body.model import BodyModel, load_body
from engine.body.rotations import six_to_matrix
from engine.errors import UsageError
from engine.evaluation.joints import LIMB_SET, Float
from engine.evaluation.metrics import aligned_errors
from engine.keypoints.types import SEEN_CONFIDENCE
from engine.training.backbone_batches import NOT_SPOILT, NOT_VARIED
from engine.training.corpus import CorpusClip
from engine.training.detector_model import DetectorModel
from engine.training.infiller_windows import WindowMaker, Windows, labelled_pieces
from engine.training.observations import Conditions
from engine.training.sentences import LabelSentences

_CONDITIONS = {
    "in full view": Conditions(0, 0, 0, 0, 0),
    "object crossing": Conditions(1, 0, 0, 0, 0),
    "lower body out of the picture": Conditions(0, 1, 0, 0, 0),
    "limb hidden": Conditions(0, 0, 1, 0, 0),
    "legs behind something": Conditions(0, 0, 0, 1, 0),
}
_LIMB_JOINTS = list(LIMB_SET.smpl)
_KNEES = (4, 5)
_HIPS = (1, 2)


@dataclass(frozen=True)
class LabelFigures:
    """Millimetres, mean over frames: 12 limb joints after similarity alignment, and those of them that are hidden."""

    condition: str
    method: str
    """`network`: the pose network's own motion; `expected` and `drawn`: in-filled."""
    label: str
    """`right` or `none`."""
    pa_mpjpe: float
    hidden: float
    """NaN where nothing is hidden."""
    leg_range: float
    """Range of motion of the legs over that of the truth, in windows whose legs are never seen and move; else NaN."""
    leg_phase: float
    """Correlation of the legs' angles with the truth's in those windows."""


@dataclass(frozen=True)
class InfillerScore:
    """Figures of held-out performers, captured and authored apart; empty where there are no clips of a kind."""

    captured: tuple[LabelFigures, ...]
    authored: tuple[LabelFigures, ...]


def check_infiller_scorable(clips: Sequence[CorpusClip], labels: Sequence[str]) -> None:
    """Raises UsageError if no held-out clip has a label of the dictionary."""
    if not any(row.label in labels for clip in clips for row in clip.labels):
        raise UsageError("No held-out clip has a label of the dictionary.", "Build the corpus from all the clips.")


def score_infiller(
    network: MotionInfiller,
    clips: Sequence[CorpusClip],
    backbone: Path,
    sentences: LabelSentences,
    windows: int,
    seed: int = 0,
) -> InfillerScore:
    """Score on windows of held-out clips as they are, seen in five ways.

    Args:
        network: on the CPU.
        clips: what it was not trained on.
        backbone: weights of the pose network.
        sentences: of the dictionary.
        windows: of each kind and condition.
        seed: fixes windows, cameras and noise.
    """
    kinds = ([c for c in clips if c.synthetic == synthetic] for synthetic in (False, True))
    return InfillerScore(*(_scored(network, kind, backbone, sentences, seed, windows) for kind in kinds))


def _scored(
    network: MotionInfiller,
    clips: Sequence[CorpusClip],
    backbone: Path,
    sentences: LabelSentences,
    seed: int,
    windows: int,
) -> tuple[LabelFigures, ...]:
    if not any(row.label in sentences.labels for clip in clips for row in clip.labels):
        return ()
    pieces = [piece for piece in labelled_pieces(clips, sentences.labels) if not piece.name.endswith("_mirrored")]
    body, detector, pose = load_body(None), DetectorModel.from_file(), read_network(backbone)
    rows: list[LabelFigures] = []
    for name, conditions in _CONDITIONS.items():
        maker = WindowMaker(
            pieces, sentences.labels, pose, body, detector, NOT_VARIED, conditions, NOT_SPOILT, whole_clips=False
        )
        drawn = maker.draw(windows, torch.Generator().manual_seed(seed))
        batch = drawn.rows(torch.arange(len(drawn)))
        rows.append(_figures(name, "network", "", six_to_matrix(batch.predicted), batch, body))
        for label in ("right", "none"):
            evidence = as_evidence(batch, network, label == "right")
            for method, flow in (("expected", Flow(draws=1)), ("drawn", Flow(draws=2))):
                generator = torch.Generator().manual_seed(seed + 1)
                filled = draw_windows(network, evidence, flow, generator)[-1]
                rows.append(_figures(name, method, label, filled, batch, body))
    return tuple(rows)


def as_evidence(windows: Windows, network: MotionInfiller, labelled: bool) -> MotionEvidence:
    """Windows as adaptation gives them to the in-filler, with the mean sentence of each label, or none."""
    shown = (rotation_confidence(windows.confidence) >= SEEN_CONFIDENCE).float()
    label = windows.label.long()
    sentence = network.sentences[label.clamp(min=0)] * ((label >= 0) & labelled)[..., None]
    velocity = torch.ones(len(label))
    return MotionEvidence(
        six_to_matrix(windows.predicted),
        shown,
        windows.confidence,
        windows.pelvis,
        windows.upper,
        velocity,
        windows.times_s,
        sentence,
    )


def _figures(
    condition: str, method: str, label: str, rotations: Tensor, windows: Windows, body: BodyModel
) -> LabelFigures:
    made, true = (
        joints_of(part, windows.betas, body).double().numpy() for part in (rotations, six_to_matrix(windows.clean))
    )
    errors = _errors(made, true)
    hidden = windows.hidden.numpy()[..., _LIMB_JOINTS]
    unseen = windows.hidden.numpy()[..., _KNEES].all((1, 2))
    legs = _leg_figures(made[unseen], true[unseen])
    return LabelFigures(condition, method, label, *_means(errors, hidden), *legs)


def _errors(made: Float, true: Float) -> Float:
    """(B, T, 12) millimetres after similarity alignment of each frame."""
    have, want = (part[..., _LIMB_JOINTS, :].reshape(-1, len(_LIMB_JOINTS), 3) for part in (made, true))
    errors = aligned_errors(have, want, np.ones(want.shape[:2], bool)) * 1000
    return errors.reshape(*made.shape[:2], -1)


def _means(errors: Float, hidden: NDArray[np.bool_]) -> tuple[float, float]:
    return float(errors.mean()), float(errors[hidden].mean()) if hidden.any() else float("nan")


def _leg_figures(made: Float, true: Float) -> tuple[float, float]:
    """Range and phase of hip swing and knee bend (B, T, 24, 3), where the true ones move by 8° or more."""
    if not len(true):
        return float("nan"), float("nan")
    have, want = (_leg_angles(joints) for joints in (made, true))
    moves = want.std(1).mean(-1) > 8.0
    if not moves.any():
        return float("nan"), float("nan")
    have, want = have[moves], want[moves]
    spread = have.std(1).mean(-1) / want.std(1).mean(-1)
    have, want = have - have.mean(1, keepdims=True), want - want.mean(1, keepdims=True)
    phase = (have * want).sum((1, 2)) / np.sqrt(np.square(have).sum((1, 2)) * np.square(want).sum((1, 2))).clip(1e-9)
    return float(np.median(spread)), float(phase.mean())


def _leg_angles(joints: Float) -> Float:
    """(B, T, 4) degrees between trunk and thighs and between thighs and shins."""
    trunk = joints[..., 0, :] - joints[..., 12, :]
    angles = []
    for hip, knee, ankle in zip(_HIPS, _KNEES, (7, 8), strict=True):
        upper, lower = joints[..., knee, :] - joints[..., hip, :], joints[..., ankle, :] - joints[..., knee, :]
        angles += [_between(trunk, upper), _between(upper, lower)]
    return np.stack(angles, -1)


def _between(one: Float, other: Float) -> Float:
    cosine = (one * other).sum(-1) / np.linalg.norm(one, axis=-1) / np.linalg.norm(other, axis=-1)
    angle: Float = np.degrees(np.arccos(cosine.clip(-1, 1)))
    return angle


def joints_of(rotations: Tensor, betas: Tensor, body: BodyModel) -> Tensor:
    """(B, T, 24, 3) joints about the pelvis of rotations (B, T, 24, 3, 3) and shapes (B, 10)."""
    flat = rotations.flatten(0, 1)
    joints = body.joints(flat, betas.repeat_interleave(rotations.shape[1], 0)).reshape(*rotations.shape[:3], 3)
    centred: Tensor = joints - joints[:, :, :1]
    return centred
