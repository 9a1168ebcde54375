"""Training of the motion denoiser, and its figures on the performers that it never saw."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from safetensors.torch import save as safetensors_bytes
from scipy.ndimage import gaussian_filter1d
from torch import Tensor

from engine.adaptation.denoiser import MotionDenoiser, bridge
from engine.adaptation.mdnet import WINDOW
from engine.body.model import BodyModel, load_body
from engine.body.rotations import axis_angle_to_matrix, matrix_to_six, six_to_matrix
from engine.errors import UsageError
from engine.evaluation.metrics import aligned_errors
from engine.files import replacing
from engine.progress import Progress
from engine.training.corpus import CorpusClip, read_corpus
from engine.training.figure import Floats
from engine.training.motion_batches import MotionWindows, Variation

_WARM_UP_STEPS = 200
_JOINTS_WEIGHT, _SPEED_WEIGHT, _SIX_WEIGHT = 4.0, 20.0, 1.0
_FILLED = slice(20, 30)
"""The ten frames in the middle of a window that the in-fill score hides."""
_FPS = 30.0


@dataclass(frozen=True)
class Noise:
    """What is done to clean windows. Angles in radians; the root gets as much as every other joint."""

    white: float = 0.06
    """Standard deviation of what is new in every frame, at most."""
    wander: float = 0.12
    """Standard deviation of what drifts, at most."""
    wander_memory: float = 0.85
    """Share of the drift that lasts to the next frame."""
    burst_share: float = 0.02
    """Share of joints in a window that jump away for some frames."""
    burst: float = 0.8
    """Standard deviation of such a jump."""
    hidden: float = 0.5
    """Largest share of frames that are hidden at random."""
    longest_gap: int = 16
    """Longest gap of hidden frames."""


@dataclass(frozen=True)
class DenoiserTraining:
    """Settings of a run."""

    steps: int = 20000
    """Optimiser steps."""
    batch: int = 64
    """Windows a step."""
    learning_rate: float = 5e-4
    """Largest rate; warmed up, then a cosine down to a hundredth."""
    checkpoint_every: int = 100
    """Steps between checkpoints, from which a run goes on."""
    noise: Noise = Noise()

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch < 2:
            raise UsageError("A training run needs at least 1 step and 2 windows a step.", "Leave out the options.")


@dataclass(frozen=True)
class DenoiserScore:
    """Figures on windows of held-out performers. Millimetres, and metres per second squared."""

    windows: int
    acceleration_noisy: float
    """Mean error of the joints' acceleration before."""
    acceleration_denoised: float
    """The same after."""
    acceleration_smoothed: float
    """The same after plain Gaussian smoothing over 2 frames, for comparison."""
    pa_mpjpe_noisy: float
    pa_mpjpe_denoised: float
    pa_mpjpe_smoothed: float
    infill: float
    """Mean error of the root-relative joints in 10 hidden frames, the other frames clean."""
    infill_bridged: float
    """The same for straight interpolation, for comparison."""


def spoiled(rotations: Tensor, noise: Noise, generator: torch.Generator) -> Tensor:
    """Windows (B, T, 24, 3, 3) with noise; each window and joint has its own strength."""
    count, frames = rotations.shape[:2]
    device = rotations.device

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator).to(device)

    def rand(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator).to(device)

    strength = rand(count, 1, 1, 1) * (0.4 + 0.6 * rand(count, 1, 24, 1))
    turn = strength * noise.white * normal(count, frames, 24, 3)
    drift = normal(count, 24, 3)
    fresh = math.sqrt(1 - noise.wander_memory**2)
    steps = normal(count, frames, 24, 3)
    strength = rand(count, 1, 1) * (0.4 + 0.6 * rand(count, 24, 1))
    for t in range(frames):
        turn[:, t] += strength * noise.wander * drift
        drift = noise.wander_memory * drift + fresh * steps[:, t]
    start, length = rand(count, 1, 24) * frames, 1 + rand(count, 1, 24) * 5
    at = torch.arange(frames, device=device)[None, :, None]
    burst = (rand(count, 1, 24) < noise.burst_share) & (at >= start) & (at < start + length)
    turn += burst[..., None] * noise.burst * normal(count, 1, 24, 3)
    return rotations @ axis_angle_to_matrix(turn)


def masks(count: int, noise: Noise, generator: torch.Generator) -> Tensor:
    """(count, 49) 1 seen, 0 hidden: frames at random, and one gap."""
    share = torch.rand(count, 1, generator=generator) * noise.hidden
    seen = torch.rand(count, WINDOW, generator=generator) >= share
    length = torch.rand(count, 1, generator=generator) * noise.longest_gap
    start = torch.rand(count, 1, generator=generator) * WINDOW
    at = torch.arange(WINDOW)[None]
    seen &= ~((at >= start) & (at < start + length))
    seen[:, 0] |= ~seen.any(1)
    return seen.float()


def train_denoiser(
    corpus: Path, out: Path, settings: DenoiserTraining, seed: int, progress: Progress, device: str = "cpu"
) -> DenoiserScore:
    """Train the denoiser, or go on from the checkpoint beside `out`, and score it.

    Args:
        corpus: file of `build_corpus`.
        out: safetensors file to write; `<out>.checkpoint` beside it is what a stopped run goes on from.
        settings: length and noise.
        seed: fixes weights, windows and noise.
        progress: told after every step.
        device: of torch.

    Returns:
        Figures on the captured clips of held-out performers.

    Raises:
        UsageError: no corpus, or one without held-out clips.
        CancelledError: stopped; the checkpoint stays.
    """
    clips = read_corpus(corpus)
    body = load_body(None, device)
    torch.manual_seed(seed)
    network = MotionDenoiser().to(device)
    optimiser = torch.optim.AdamW(network.parameters(), lr=settings.learning_rate, weight_decay=0.01)
    checkpoint = out.with_name(out.name + ".checkpoint")
    windows = MotionWindows([c for c in clips if not c.held_out], WINDOW, torch.device(device))
    for step in range(_resumed(checkpoint, network, optimiser), settings.steps):
        for group in optimiser.param_groups:
            group["lr"] = settings.learning_rate * _rate(step, settings.steps)
        # a generator for each step: a run that was stopped goes on exactly as it would have
        generator = torch.Generator().manual_seed(seed * 1_000_003 + step)
        clean = windows.draw(settings.batch, generator, Variation()).rotations
        noisy = spoiled(clean, settings.noise, generator)
        shown = masks(settings.batch, settings.noise, generator).to(device)
        loss = _loss(network(noisy, shown), clean, body)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        if (step + 1) % settings.checkpoint_every == 0 or step + 1 == settings.steps:
            _save(checkpoint, network, optimiser, step + 1)
        progress(step + 1, settings.steps)
    with replacing(out) as file:
        file.write(safetensors_bytes({k: v.cpu().contiguous() for k, v in network.state_dict().items()}))
    return score_denoiser(network.cpu().eval(), [c for c in clips if c.held_out and not c.synthetic], settings.noise)


def _rate(step: int, steps: int) -> float:
    warm = min(1.0, (step + 1) / min(_WARM_UP_STEPS, steps))
    return warm * (0.01 + 0.99 * (1 + math.cos(math.pi * step / steps)) / 2)


def _loss(denoised: Tensor, clean: Tensor, body: BodyModel) -> Tensor:
    joints, true = (_joints(r, body) for r in (denoised, clean))
    six = (matrix_to_six(denoised) - matrix_to_six(clean)).abs().mean()
    speed = (joints.diff(dim=1) - true.diff(dim=1)).norm(dim=-1).mean()
    total: Tensor = _SIX_WEIGHT * six + _JOINTS_WEIGHT * (joints - true).norm(dim=-1).mean() + _SPEED_WEIGHT * speed
    return total


def _joints(rotations: Tensor, body: BodyModel) -> Tensor:
    """(B, T, 24, 3) joints about the pelvis, mean body."""
    flat = rotations.flatten(0, 1)
    joints = body.joints(flat, torch.zeros(10, device=flat.device)).reshape(*rotations.shape[:3], 3)
    centred: Tensor = joints - joints[:, :, :1]
    return centred


def _save(path: Path, network: MotionDenoiser, optimiser: torch.optim.Optimizer, step: int) -> None:
    with replacing(path) as file:
        torch.save({"network": network.state_dict(), "optimiser": optimiser.state_dict(), "step": step}, file)


def _resumed(path: Path, network: MotionDenoiser, optimiser: torch.optim.Optimizer) -> int:
    """Steps already done."""
    if not path.is_file():
        return 0
    try:
        state: dict[str, Any] = torch.load(path, weights_only=True, map_location="cpu")
        network.load_state_dict(state["network"])
        optimiser.load_state_dict(state["optimiser"])
        return int(state["step"])
    except (RuntimeError, KeyError, ValueError, EOFError, UnpicklingError) as error:
        raise UsageError(f"{path} is no checkpoint of this training.", "Delete it to start anew.") from error


def score_denoiser(network: MotionDenoiser, clips: Sequence[CorpusClip], noise: Noise, seed: int = 0) -> DenoiserScore:
    """Score on windows that follow each other without overlap.

    Args:
        network: on the CPU.
        clips: what it was not trained on.
        noise: its `white`, `wander` and bursts are applied, no frames hidden, for denoising.
        seed: fixes the noise.
    """
    clean = _score_windows(clips)
    body = load_body(None)
    generator = torch.Generator().manual_seed(seed)
    noisy = spoiled(clean, noise, generator)
    everything = torch.ones(clean.shape[:2])
    gap = everything.clone()
    gap[:, _FILLED] = 0
    with torch.no_grad():
        denoised, filled = network(noisy, everything), network(clean, gap)
    bridged = six_to_matrix(bridge(matrix_to_six(clean).flatten(2), gap).reshape(*clean.shape[:3], 6))
    smooth = gaussian_filter1d(matrix_to_six(noisy).numpy(), 2.0, axis=1, mode="nearest")
    smoothed = six_to_matrix(torch.from_numpy(smooth))
    errors = _Errors(clean, body)
    return DenoiserScore(
        windows=len(clean),
        acceleration_noisy=errors.acceleration(noisy),
        acceleration_denoised=errors.acceleration(denoised),
        acceleration_smoothed=errors.acceleration(smoothed),
        pa_mpjpe_noisy=errors.aligned_mm(noisy),
        pa_mpjpe_denoised=errors.aligned_mm(denoised),
        pa_mpjpe_smoothed=errors.aligned_mm(smoothed),
        infill=errors.gap_mm(filled),
        infill_bridged=errors.gap_mm(bridged),
    )


class _Errors:
    """Errors of windows (N, 49, 24, 3, 3) against clean ones."""

    def __init__(self, clean: Tensor, body: BodyModel) -> None:
        self._body = body
        self._true = self._places(clean)

    def _places(self, rotations: Tensor) -> Floats:
        places: Floats = _joints(rotations, self._body).detach().numpy().astype(np.float64)
        return places

    def acceleration(self, rotations: Tensor) -> float:
        difference = np.diff(self._places(rotations) - self._true, 2, axis=1) * _FPS**2
        return float(np.linalg.norm(difference, axis=-1).mean())

    def aligned_mm(self, rotations: Tensor) -> float:
        flat, true = self._places(rotations).reshape(-1, 24, 3), self._true.reshape(-1, 24, 3)
        return float(aligned_errors(flat, true, np.ones(flat.shape[:2], bool)).mean() * 1000)

    def gap_mm(self, rotations: Tensor) -> float:
        return float(np.linalg.norm(self._places(rotations) - self._true, axis=-1)[:, _FILLED].mean() * 1000)


def _score_windows(clips: Sequence[CorpusClip]) -> Tensor:
    """(N, 49, 24, 3, 3) windows of the clips, one after the other; clips that are too short are left out."""
    windows = [
        clip.poses[start : start + WINDOW].reshape(WINDOW, 24, 3)
        for clip in clips
        for start in range(0, len(clip.poses) - WINDOW + 1, WINDOW)
    ]
    if not windows:
        raise UsageError("No held-out clip is as long as a window.", "Build the corpus from all the clips.")
    return axis_angle_to_matrix(torch.from_numpy(np.stack(windows)))
