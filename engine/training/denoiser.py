"""Training of the motion denoiser that ships."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors.torch import save as safetensors_bytes
from torch import Tensor

from engine.adaptation.denoiser import MotionDenoiser
from engine.adaptation.mdnet import WINDOW
from engine.body.model import BodyModel, load_body
from engine.body.rotations import matrix_to_six
from engine.errors import UsageError
from engine.files.atomic import replacing
from engine.runtime.precision import fast_bfloat16
from engine.runtime.progress import Progress
from engine.training.corpus import learnt_from, read_corpus
from engine.training.denoiser_score import DenoiserScore, joints_about_pelvis, score_denoiser, score_windows
from engine.training.motion_batches import MotionWindows, Variation, clip_weights
from engine.training.motion_noise import Noise, masks, spoiled
from engine.training.run import TrainingRun
from engine.training.training_report import checkpoint_of

_WARM_UP_STEPS = 200
_JOINTS_WEIGHT, _SPEED_WEIGHT, _SIX_WEIGHT = 4.0, 20.0, 1.0
_LEAST_LEVEL = 0.2


@dataclass(frozen=True)
class DenoiserTraining:
    """Settings of a run. The weights that ship are of fewer minutes, drawn by the length of the clips alone."""

    steps: int = 1700
    """Optimiser steps."""
    batch: int = 48
    """Windows a step."""
    learning_rate: float = 1e-3
    """Largest rate; warmed up, then a cosine down to a hundredth."""
    checkpoint_every: int = 100
    """Steps between checkpoints, from which a run goes on."""
    mixed: bool = True
    """Multiply matrices in bfloat16 where the device has instructions for it."""
    noise: Noise = field(default_factory=Noise)
    share: float = 1.0
    """How much of the motion is trained on, of `learnt_from`."""
    synthetic: float = 0.25
    """Share of the windows that are authored motion."""

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch < 2:
            raise UsageError("A training run needs at least 1 step and 2 windows a step.", "Leave out the options.")


def train_denoiser(
    corpus: Path, out: Path, settings: DenoiserTraining, seed: int, progress: Progress, device: str = "cpu"
) -> DenoiserScore:
    """Train the denoiser, or go on from the checkpoint beside `out`, and score it.

    Args:
        corpus: file of `build_corpus`.
        out: safetensors file to write; `<out>.checkpoint` beside it is what a stopped run goes on from.
        settings: length and noise.
        seed: fixes weights, windows and noise.
        progress: called after every step.
        device: of torch.

    Returns:
        Figures on the clips of held-out performers.

    Raises:
        UsageError: no corpus, or one without clips to train on or held-out clips.
        CancelledError: stopped; the checkpoint has every step that was done.
    """
    clips = read_corpus(corpus)
    known, held_out = learnt_from(clips, settings.share, seed), [c for c in clips if c.held_out]
    if not known:
        raise UsageError(f"{corpus} has no clip that is not held out.", "Build the corpus from all the clips.")
    score_windows(held_out)  # that there are any is better known before the training than after
    torch.manual_seed(seed)
    denoiser = MotionDenoiser().to(device)
    denoiser.mixed = settings.mixed and fast_bfloat16(device)
    windows = MotionWindows(known, WINDOW, torch.device(device), clip_weights(known, settings.synthetic))
    body = load_body(None, device)

    def loss(generator: torch.Generator) -> Tensor:
        clean = windows.draw(settings.batch, generator, Variation()).rotations
        level = torch.rand(settings.batch, generator=generator)
        level *= torch.rand(settings.batch, generator=generator) >= settings.noise.unspoiled
        noisy = spoiled(clean, settings.noise, generator, level)
        shown = masks(settings.batch, settings.noise, generator).to(device)
        return _loss(denoiser(noisy, shown), clean, body, level.to(device))

    run = TrainingRun(
        denoiser, settings.learning_rate, _WARM_UP_STEPS, settings.steps, checkpoint_of(out), settings.checkpoint_every
    )
    run.finish(loss, seed, progress)
    network = denoiser.cpu().eval()
    with replacing(out) as file:
        file.write(safetensors_bytes({k: v.half().contiguous() for k, v in network.state_dict().items()}))
    return score_denoiser(MotionDenoiser.from_file(out), held_out, settings.noise)


def _loss(denoised: Tensor, clean: Tensor, body: BodyModel, level: Tensor) -> Tensor:
    joints, true = (joints_about_pelvis(r, body) for r in (denoised, clean))
    six = (matrix_to_six(denoised) - matrix_to_six(clean)).abs().mean((1, 2, 3))
    place = (joints - true).norm(dim=-1).mean((1, 2))
    speed = (joints.diff(dim=1) - true.diff(dim=1)).norm(dim=-1).mean((1, 2))
    # windows with little noise have small errors; their weight keeps them from being drowned by the others
    weight = 1 / (_LEAST_LEVEL + level)
    each = _SIX_WEIGHT * six + _JOINTS_WEIGHT * place + _SPEED_WEIGHT * speed
    total: Tensor = (weight * each).sum() / weight.sum()
    return total
