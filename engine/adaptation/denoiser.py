"""The motion denoiser that ships: a window of 49 frames, noisy and some hidden, back as a clean one.

It has the part of CycleAdapt's MDNet (Nam et al. 2023) in the method, but is a network of our own: it bridges hidden
frames, smooths, and corrects what that does wrong, in the frame of the body's mean orientation, so that the camera's
orientation and the heading do not matter.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from engine.adaptation.mdnet import WINDOW, merge_windows, window_starts
from engine.body.rotations import matrix_to_six, six_to_matrix
from engine.errors import ModelFileError

_NUMBERS = 144
_WIDTH, _BLOCKS, _WIDENING = 256, 4, 2
_TAPS, _SMOOTHING_FRAMES = 13, 1.8


class _Block(nn.Module):
    """Mixes over time, then within each frame."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.before_time = nn.LayerNorm(width)
        self.over_time = nn.Linear(WINDOW, WINDOW)
        self.before_frame = nn.LayerNorm(width)
        self.within_frame = nn.Sequential(
            nn.Linear(width, _WIDENING * width), nn.GELU(), nn.Linear(_WIDENING * width, width)
        )

    def forward(self, features: Tensor) -> Tensor:
        mixed = self.over_time(self.before_time(features).transpose(1, 2)).transpose(1, 2)
        features = features + mixed
        out: Tensor = features + self.within_frame(self.before_frame(features))
        return out


class MotionDenoiser(nn.Module):
    """The network. Legend: B windows, 49 frames, 24 SMPL joints, rotations relative to the parent."""

    def __init__(self, width: int = _WIDTH, blocks: int = _BLOCKS) -> None:
        super().__init__()
        taps = torch.arange(_TAPS) - _TAPS // 2
        self.smoothing = nn.Parameter(torch.exp(-0.5 * (taps / _SMOOTHING_FRAMES) ** 2))
        self.enter = nn.Linear(2 * _NUMBERS + 1, width)
        self.blocks = nn.Sequential(*(_Block(width) for _ in range(blocks)))
        self.leave = nn.Linear(width, _NUMBERS)
        nn.init.zeros_(self.leave.weight)  # untrained, it bridges and smooths
        nn.init.zeros_(self.leave.bias)

    def forward(self, rotations: Tensor, shown: Tensor) -> Tensor:
        """Clean windows.

        Args:
            rotations: (B, 49, 24, 3, 3), the root in any frame that stands still.
            shown: (B, 49) 1 where the frame is seen, 0 where it is hidden; each window has at least one seen frame.

        Returns:
            (B, 49, 24, 3, 3) of all frames, true rotations.
        """
        if rotations.shape[1:] != (WINDOW, 24, 3, 3) or shown.shape != rotations.shape[:2]:
            raise ValueError(f"rotations {tuple(rotations.shape)} and shown {tuple(shown.shape)} are no windows of 49")
        reference = mean_rotation(rotations[:, :, 0], shown)
        aligned = rotations.clone()
        aligned[:, :, 0] = reference.transpose(-1, -2)[:, None] @ rotations[:, :, 0]
        six = bridge(matrix_to_six(aligned).flatten(2), shown)
        smooth = self._smoothed(six)
        features = self.enter(torch.cat((smooth, six - smooth, shown[..., None]), -1))
        corrected = smooth + self.leave(self.blocks(features))
        clean = six_to_matrix(corrected.reshape(*rotations.shape[:3], 6))
        root = reference[:, None] @ clean[:, :, 0]
        return torch.cat((root[:, :, None], clean[:, :, 1:]), 2)

    def _smoothed(self, values: Tensor) -> Tensor:
        """(B, 49, C) weighted over neighbouring frames by the learned taps; the ends are held."""
        reach = _TAPS // 2
        held = torch.cat((values[:, :1].expand(-1, reach, -1), values, values[:, -1:].expand(-1, reach, -1)), 1)
        taps = self.smoothing / self.smoothing.sum()
        return (held.unfold(1, _TAPS, 1) * taps).sum(-1)

    @classmethod
    def from_file(cls, path: Path) -> MotionDenoiser:
        """The network with the weights of a safetensors file. Raises ModelFileError if it holds anything else."""
        hint = "Install the add-on's engine again, or rebuild the file with: adapt-motion train denoiser"
        try:
            weights = load_file(path)
        except Exception as error:
            raise ModelFileError(f"{path} cannot be read as weights of the motion denoiser.", hint) from error
        try:
            network = cls(*_size(weights))
            network.load_state_dict(weights)
        except (KeyError, RuntimeError) as error:
            raise ModelFileError(f"{path} holds the weights of another network.", hint) from error
        return network.eval()


def _size(weights: dict[str, Tensor]) -> tuple[int, int]:
    blocks = {name.split(".")[1] for name in weights if name.startswith("blocks.")}
    return len(weights["enter.bias"]), len(blocks)


def mean_rotation(rotations: Tensor, weights: Tensor) -> Tensor:
    """Rotations (B, 3, 3) nearest to the weighted mean of (B, T, 3, 3), weights (B, T). Gradients do not pass."""
    with torch.no_grad():
        mean = (rotations * weights[..., None, None]).sum(1)
        u, _, v = torch.linalg.svd(mean)
        side = torch.ones(mean.shape[:-1], dtype=mean.dtype, device=mean.device)
        side[:, 2] = torch.det(u @ v)
        nearest: Tensor = (u * side[:, None]) @ v
    return nearest


def bridge(values: Tensor, shown: Tensor) -> Tensor:
    """Values (B, T, C) with hidden frames interpolated between the nearest shown ones, held at the ends."""
    frames = torch.arange(values.shape[1], device=values.device).expand(shown.shape)
    seen = shown > 0.5
    before = torch.where(seen, frames, -1).cummax(1).values
    after = torch.where(seen, frames, values.shape[1]).flip(1).cummin(1).values.flip(1)
    low = torch.where(before < 0, after, before)
    high = torch.where(after >= values.shape[1], before, after)
    share = (frames - low) / (high - low).clamp(min=1)
    rows = torch.arange(len(values), device=values.device)[:, None]
    return torch.lerp(values[rows, low], values[rows, high], share[..., None].to(values.dtype))


def denoise_track(network: MotionDenoiser, rotations: Tensor, shown: Tensor, batch: int = 64) -> Tensor:
    """A whole track, cleaned in windows that overlap by all but one frame and are averaged.

    Args:
        network: the denoiser.
        rotations: (T, 24, 3, 3), any number of frames.
        shown: (T,) 1 where the frame is seen.
        batch: windows at once.

    Returns:
        (T, 24, 3, 3).
    """
    frames = len(rotations)
    if frames < WINDOW:  # too short for a window: it runs to and fro
        last = max(frames - 1, 1)
        there = last - (torch.arange(WINDOW, device=rotations.device) % (2 * last) - last).abs()
        rotations, shown = rotations[there.clamp(max=frames - 1)], shown[there.clamp(max=frames - 1)]
    if not bool((shown > 0.5).any()):
        return rotations[:frames].clone()
    starts = list(window_starts(len(rotations)))
    sixes = []
    with torch.no_grad():
        for first in range(0, len(starts), batch):
            rows = torch.tensor(starts[first : first + batch], device=rotations.device)[:, None]
            rows = rows + torch.arange(WINDOW, device=rotations.device)
            clean = network(rotations[rows], _seen_somewhere(shown[rows]))
            sixes.append(matrix_to_six(clean).flatten(2))
    return six_to_matrix(merge_windows(torch.cat(sixes)).reshape(-1, 24, 6))[:frames]


def _seen_somewhere(shown: Tensor) -> Tensor:
    """A window without a single seen frame is given all of them: what came in is better than nothing."""
    return torch.where((shown > 0.5).any(1, keepdim=True), shown, torch.ones_like(shown))
