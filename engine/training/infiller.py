"""Training of the motion in-filler that ships."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from engine.adaptation.infiller import Infilled, MotionInfiller
from engine.backbones.landmark import LANDMARK_WEIGHTS, read_network
from engine.body.model import BodyModel, load_body
from engine.body.rotations import matrix_to_six
from engine.errors import UsageError
from engine.progress import Progress
from engine.training.corpus import read_corpus
from engine.training.detector_model import DetectorModel
from engine.training.infiller_batches import FRAMES, InfillerBatch, InfillerBatches, labelled_pieces
from engine.training.infiller_score import InfillerScore, check_infiller_scorable, joints_of, score_infiller
from engine.training.run import TrainingRun
from engine.training.sentences import read_sentences
from engine.training.telling import checkpoint_of

_WARM_UP_STEPS = 100
_SIX_WEIGHT, _JOINTS_WEIGHT, _SPEED_WEIGHT, _FITS_WEIGHT = 1.0, 6.0, 10.0, 0.15
_FEWEST_FRAMES, _WHOLE = 20, 0.6


@dataclass(frozen=True)
class InfillerTraining:
    """Settings of a run."""

    steps: int = 10_000
    """Optimiser steps."""
    batch: int = 48
    """Windows a step."""
    learning_rate: float = 1e-3
    """Largest rate; warmed up, then a cosine down to a hundredth."""
    checkpoint_every: int = 100
    """Steps between checkpoints, from which a run goes on."""
    mixed: bool = True
    """Multiply matrices in bfloat16, which is faster."""
    scored_windows: int = 96
    """Windows of each kind and condition that it is scored on at the end."""

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch < 2:
            raise UsageError("A training run needs at least 1 step and 2 windows a step.", "Leave out the options.")


def train_infiller(
    corpus: Path,
    out: Path,
    settings: InfillerTraining,
    seed: int,
    progress: Progress,
    device: str = "cpu",
    backbone: Path = LANDMARK_WEIGHTS,
) -> InfillerScore:
    """Train the in-filler, or go on from the checkpoint beside `out`, and score it.

    Args:
        corpus: file of `build_corpus`.
        out: safetensors file to write; `<out>.checkpoint` beside it is what a stopped run goes on from.
        settings: length and rate.
        seed: fixes weights, windows, observations and noise.
        progress: told after every step.
        device: of torch.
        backbone: weights of the pose network whose answers are mended.

    Returns:
        Figures on the clips of held-out performers, with the right label, none, and a wrong one.

    Raises:
        UsageError: no corpus, or one without labelled clips to train on or to score on.
        ModelFileError: no weights of the pose network, the detector or the sentences.
        CancelledError: stopped; the checkpoint has every step that was done.
    """
    clips, sentences = read_corpus(corpus), read_sentences()
    known = labelled_pieces([clip for clip in clips if not clip.held_out], sentences.labels)
    held_out = [clip for clip in clips if clip.held_out]
    check_infiller_scorable(held_out, sentences.labels)
    body = load_body(None, device)
    network, detector = read_network(backbone).to(device), DetectorModel.from_file().to(device)
    batches = InfillerBatches(known, network, body, detector, sentences, torch.device(device))
    torch.manual_seed(seed)
    infiller = MotionInfiller(sentences.labels)
    infiller.sentences.copy_(torch.from_numpy(sentences.of_labels))
    infiller.to(device).mixed = settings.mixed

    def loss(generator: torch.Generator) -> Tensor:
        chance = torch.rand(2, generator=generator).tolist()
        frames = FRAMES if chance[0] < _WHOLE else round(_FEWEST_FRAMES + chance[1] * (FRAMES - _FEWEST_FRAMES))
        batch = batches.draw(settings.batch, frames, generator)
        filled = infiller(batch.rotations, batch.shown, batch.confidence, batch.times_s, batch.sentence)
        return _loss(filled, batch, body)

    run = TrainingRun(
        infiller, settings.learning_rate, _WARM_UP_STEPS, settings.steps, checkpoint_of(out), settings.checkpoint_every
    )
    run.finish(loss, seed, progress)
    infiller.cpu().eval().to_file(out)
    return score_infiller(MotionInfiller.from_file(out), held_out, backbone, sentences, settings.scored_windows)


def _loss(filled: Infilled, batch: InfillerBatch, body: BodyModel) -> Tensor:
    joints, true = (joints_of(rotations, batch.betas, body) for rotations in (filled.rotations, batch.clean))
    six = (matrix_to_six(filled.rotations) - matrix_to_six(batch.clean)).abs().mean()
    place = (joints - true).norm(dim=-1).mean()
    speed = (joints.diff(dim=1) - true.diff(dim=1)).norm(dim=-1).mean()
    told = batch.fits >= 0
    miss = functional.binary_cross_entropy_with_logits(filled.fits, batch.fits.clamp(min=0), reduction="none")
    fits = (miss * told).sum() / told.sum().clamp(min=1)
    total: Tensor = _SIX_WEIGHT * six + _JOINTS_WEIGHT * place + _SPEED_WEIGHT * speed + _FITS_WEIGHT * fits
    return total
