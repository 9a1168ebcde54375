"""What is done to clean motion for training and scoring the denoiser: noise, and hidden frames and joints."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.adaptation.mdnet import WINDOW
from engine.body.rotations import axis_angle_to_matrix
from engine.training.figure import INDEX

_LEG, _ARM = ("hip", "knee", "ankle", "foot"), ("collar", "shoulder", "elbow", "wrist", "hand")
LOWER_BODY = [INDEX[f"{side}_{joint}"] for side in ("left", "right") for joint in _LEG]
"""SMPL joints of both legs."""
_LIMBS = [[INDEX[f"{side}_{joint}"] for joint in chain] for side in ("left", "right") for chain in (_LEG, _ARM)]
_PARTS = [[joint in part for joint in range(24)] for part in (LOWER_BODY, LOWER_BODY, *_LIMBS)]
"""Parts of the body that are hidden together; the lower body is so most often."""


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
    longest_gap: int = 30
    """Longest gap of hidden frames."""
    unspoiled: float = 0.15
    """Share of training windows without noise, so that clean motion passes unchanged."""
    unhidden: float = 0.3
    """Share of training windows with nothing hidden."""
    parts: float = 0.3
    """Share of training batches in which a part of the body is hidden for longer than the rest."""


def spoiled(rotations: Tensor, noise: Noise, generator: torch.Generator, level: Tensor | float = 1.0) -> Tensor:
    """Windows (B, T, 24, 3, 3) with noise; each window and joint has its own strength, times `level` (B,) or one."""
    count, frames = rotations.shape[:2]
    device = rotations.device
    scale = torch.as_tensor(level, dtype=torch.float32).to(device).reshape(-1, 1, 1, 1)

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
    return rotations @ axis_angle_to_matrix(scale * turn)


def masks(count: int, noise: Noise, generator: torch.Generator) -> Tensor:
    """(count, 49, 1 or 24) 1 seen, 0 hidden: frames at random, one gap, and in some batches one of a part of the body.

    Masks of 24 joints are slow, so a batch has them or not.
    """
    seen = torch.rand(count, WINDOW, generator=generator) >= torch.rand(count, 1, generator=generator) * noise.hidden
    seen |= torch.rand(count, 1, generator=generator) < 0.5
    seen &= ~_gap(count, noise.longest_gap, generator)
    seen |= torch.rand(count, 1, generator=generator) < noise.unhidden
    seen[:, 0] |= ~seen.any(1)
    if torch.rand(1, generator=generator) >= noise.parts:
        return seen[..., None].float()
    part = torch.tensor(_PARTS)[torch.randint(len(_PARTS), (count,), generator=generator)]
    hidden = _gap(count, WINDOW, generator)[..., None] & part[:, None]
    return (seen[..., None] & ~hidden).float()


def _gap(count: int, longest: int, generator: torch.Generator) -> Tensor:
    """(count, 49) true in one run of up to `longest` frames, which may begin before the window or end after it."""
    length = torch.rand(count, 1, generator=generator) * longest
    start = torch.rand(count, 1, generator=generator) * (WINDOW + length) - length
    at = torch.arange(WINDOW)[None]
    return (at >= start) & (at < start + length)
