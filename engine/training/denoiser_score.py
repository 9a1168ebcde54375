"""Figures of the motion denoiser on performers that it never saw, captured and authored apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d
from torch import Tensor

from engine.adaptation.denoiser import MotionDenoiser
from engine.adaptation.mdnet import WINDOW
from engine.body.model import BodyModel, load_body
from engine.body.rotations import axis_angle_to_matrix, matrix_to_six, six_to_matrix
from engine.errors import UsageError
from engine.evaluation.metrics import aligned_errors
from engine.training.corpus import CorpusClip
from engine.training.figure import Floats
from engine.training.motion_noise import LOWER_BODY, Noise, spoiled

_LEVELS = (1.0, 0.5, 0.25, 0.0)
"""Levels of noise that are scored; the last tells what is lost of clean motion."""
_GAPS = ((10, False), (20, False), (10, True), (20, True))
"""Gaps that are scored: frames, and whether only the lower body is hidden."""
_SMOOTHING_FRAMES = 2.0
_FPS = 30.0


@dataclass(frozen=True)
class LevelScore:
    """Before and after, at one level of noise. Metres per second squared, and millimetres."""

    level: float
    """Share of the training noise's largest strength."""
    acceleration_noisy: float
    """Mean error of the joints' acceleration before."""
    acceleration_denoised: float
    """The same after."""
    acceleration_smoothed: float
    """The same after plain Gaussian smoothing over 2 frames, for comparison."""
    pa_mpjpe_noisy: float
    pa_mpjpe_denoised: float
    pa_mpjpe_smoothed: float


@dataclass(frozen=True)
class GapScore:
    """Mean error of the root-relative hidden joints in hidden frames, the rest clean. Millimetres."""

    frames: int
    """Length of the gap in the middle of the window."""
    lower_body_only: bool
    """Only the legs are hidden; else all joints are."""
    infill: float
    interpolated: float
    """The same for straight interpolation, for comparison."""


@dataclass(frozen=True)
class MotionScore:
    """Figures on some windows."""

    windows: int
    levels: tuple[LevelScore, ...]
    gaps: tuple[GapScore, ...]


@dataclass(frozen=True)
class DenoiserScore:
    """Figures on performers that were held out; None where no clip of the kind is long enough."""

    captured: MotionScore | None
    authored: MotionScore | None


def score_denoiser(network: MotionDenoiser, clips: Sequence[CorpusClip], noise: Noise, seed: int = 0) -> DenoiserScore:
    """Score on windows that follow each other without overlap, captured and authored apart.

    Args:
        network: on the CPU.
        clips: what it was not trained on.
        noise: its `white`, `wander` and bursts are applied, no frames hidden, for denoising.
        seed: fixes the noise.

    Raises:
        UsageError: no clip is as long as a window.
    """
    score_windows(clips)
    kinds = ([c for c in clips if c.synthetic == synthetic and len(c.poses) >= WINDOW] for synthetic in (False, True))
    return DenoiserScore(
        *(_motion_score(network, score_windows(kind), noise, seed) if kind else None for kind in kinds)
    )


def _motion_score(network: MotionDenoiser, clean: Tensor, noise: Noise, seed: int) -> MotionScore:
    errors = _Errors(clean, load_body(None))
    with torch.no_grad():
        levels = tuple(_level_score(network, clean, errors, noise, level, seed) for level in _LEVELS)
        gaps = tuple(_gap_score(network, clean, errors, *gap) for gap in _GAPS)
    return MotionScore(len(clean), levels, gaps)


def _level_score(
    network: MotionDenoiser, clean: Tensor, errors: _Errors, noise: Noise, level: float, seed: int
) -> LevelScore:
    noisy = spoiled(clean, noise, torch.Generator().manual_seed(seed), level)
    denoised = network(noisy, torch.ones(clean.shape[:2]))
    smooth = gaussian_filter1d(matrix_to_six(noisy).numpy(), _SMOOTHING_FRAMES, axis=1, mode="nearest")
    results = (noisy, denoised, six_to_matrix(torch.from_numpy(smooth)))
    return LevelScore(level, *map(errors.acceleration, results), *map(errors.aligned_mm, results))


def _gap_score(network: MotionDenoiser, clean: Tensor, errors: _Errors, frames: int, lower_body_only: bool) -> GapScore:
    first = (WINDOW - frames) // 2
    gap, joints = slice(first, first + frames), LOWER_BODY if lower_body_only else list(range(24))
    shown = torch.ones(clean.shape[:3])
    shown[:, gap, joints] = 0
    share = (torch.arange(1, frames + 1) / (frames + 1))[:, None, None]
    sixes = matrix_to_six(clean)
    straight = sixes.clone()
    before, after = sixes[:, first - 1 : first, joints], sixes[:, gap.stop : gap.stop + 1, joints]
    straight[:, gap, joints] = torch.lerp(before, after, share)
    results = network(clean, shown), six_to_matrix(straight)
    return GapScore(frames, lower_body_only, *(errors.millimetres(result, gap, joints) for result in results))


class _Errors:
    """Errors of windows (N, 49, 24, 3, 3) against clean ones."""

    def __init__(self, clean: Tensor, body: BodyModel) -> None:
        self._body = body
        self._true = self._places(clean)

    def _places(self, rotations: Tensor) -> Floats:
        places: Floats = joints_about_pelvis(rotations, self._body).detach().numpy().astype(np.float64)
        return places

    def acceleration(self, rotations: Tensor) -> float:
        difference = np.diff(self._places(rotations) - self._true, 2, axis=1) * _FPS**2
        return float(np.linalg.norm(difference, axis=-1).mean())

    def aligned_mm(self, rotations: Tensor) -> float:
        flat, true = self._places(rotations).reshape(-1, 24, 3), self._true.reshape(-1, 24, 3)
        return float(aligned_errors(flat, true, np.ones(flat.shape[:2], bool)).mean() * 1000)

    def millimetres(self, rotations: Tensor, frames: slice, joints: list[int]) -> float:
        distance = np.linalg.norm(self._places(rotations) - self._true, axis=-1)
        return float(distance[:, frames][:, :, joints].mean() * 1000)


def score_windows(clips: Sequence[CorpusClip]) -> Tensor:
    """(N, 49, 24, 3, 3) windows of the clips, one after the other; clips that are too short are left out."""
    windows = [
        clip.poses[start : start + WINDOW].reshape(WINDOW, 24, 3)
        for clip in clips
        for start in range(0, len(clip.poses) - WINDOW + 1, WINDOW)
    ]
    if not windows:
        raise UsageError("No held-out clip is as long as a window.", "Build the corpus from all the clips.")
    return axis_angle_to_matrix(torch.from_numpy(np.stack(windows)))


def joints_about_pelvis(rotations: Tensor, body: BodyModel) -> Tensor:
    """(B, T, 24, 3) joints about the pelvis, mean body."""
    flat = rotations.flatten(0, 1)
    joints = body.joints(flat, torch.zeros(10, device=flat.device)).reshape(*rotations.shape[:3], 3)
    centred: Tensor = joints - joints[:, :, :1]
    return centred
