"""Figures of the in-filler on performers that it never saw: with the right label, without one, with a wrong one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.adaptation.infiller import MotionInfiller
from engine.backbones.landmark import read_network
from engine.body.model import BodyModel, load_body
from engine.errors import UsageError
from engine.evaluation.joints import LIMB_SET, Float
from engine.evaluation.metrics import aligned_errors
from engine.training.backbone_batches import NOT_SPOILT, NOT_VARIED
from engine.training.corpus import CorpusClip
from engine.training.detector_model import DetectorModel
from engine.training.infiller_batches import (
    EMPTY,
    FRAMES,
    NOT_SPOILED,
    RIGHT,
    WRONG,
    InfillerBatches,
    Telling,
    labelled_pieces,
)
from engine.training.observations import Conditions
from engine.training.sentences import LabelSentences

_CONDITIONS = {
    "in full view": Conditions(0, 0, 0, 0, 0),
    "object crossing": Conditions(1, 0, 0, 0, 0),
    "lower body out of the picture": Conditions(0, 1, 0, 0, 0),
    "limb hidden": Conditions(0, 0, 1, 0, 0),
}
_SAID = {"right": RIGHT, "none": EMPTY, "wrong": WRONG}
_LIMB_JOINTS = list(LIMB_SET.smpl)


@dataclass(frozen=True)
class LabelFigures:
    """Millimetres, mean over frames: 12 limb joints after similarity alignment, and those of them that are hidden."""

    condition: str
    label: str
    """What is said: `right`, `none`, `wrong`; `not in-filled` is the pose network's own motion."""
    pa_mpjpe: float
    hidden: float
    """NaN where nothing is hidden."""
    fits: float
    """Mean chance that the sentence fits, by the network."""


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
    """Score on windows of held-out clips as they are, seen in four ways.

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
    rows = []
    for name, conditions in _CONDITIONS.items():

        def draw(telling: Telling, conditions: Conditions = conditions) -> InfillerBatches:
            return InfillerBatches(
                pieces, pose, body, detector, sentences, torch.device("cpu"), NOT_VARIED, conditions, NOT_SPOILT,
                NOT_SPOILED, telling,
            )  # fmt: skip

        for label, telling in _SAID.items():
            batch = draw(telling).draw(
                windows, FRAMES, torch.Generator().manual_seed(seed)
            )  # the same but for the label
            with torch.no_grad():
                filled = network(batch.rotations, batch.shown, batch.confidence, batch.times_s, batch.sentence)
            hidden = batch.hidden.numpy()[..., _LIMB_JOINTS]
            if label == "right":
                errors = _errors(batch.rotations, batch.clean, batch.betas, body)
                rows.append(LabelFigures(name, "not in-filled", *_means(errors, hidden), float("nan")))
            errors = _errors(filled.rotations, batch.clean, batch.betas, body)
            rows.append(LabelFigures(name, label, *_means(errors, hidden), float(filled.fits.sigmoid().mean())))
    return tuple(rows)


def _errors(rotations: Tensor, clean: Tensor, betas: Tensor, body: BodyModel) -> Float:
    """(B, S, 12) millimetres after similarity alignment of each frame."""

    def places(some: Tensor) -> Float:
        return joints_of(some, betas, body)[..., _LIMB_JOINTS, :].flatten(0, 1).double().numpy()

    true = places(clean)
    errors = aligned_errors(places(rotations), true, np.ones(true.shape[:2], bool)) * 1000
    return errors.reshape(*rotations.shape[:2], -1)


def _means(errors: Float, hidden: NDArray[np.bool_]) -> tuple[float, float]:
    return float(errors.mean()), float(errors[hidden].mean()) if hidden.any() else float("nan")


def joints_of(rotations: Tensor, betas: Tensor, body: BodyModel) -> Tensor:
    """(B, T, 24, 3) joints about the pelvis of rotations (B, T, 24, 3, 3) and shapes (B, 10)."""
    flat = rotations.flatten(0, 1)
    joints = body.joints(flat, betas.repeat_interleave(rotations.shape[1], 0)).reshape(*rotations.shape[:3], 3)
    centred: Tensor = joints - joints[:, :, :1]
    return centred
