"""The denoiser's part (eq. 9): what the pose network is to stay near, and how the denoiser is adapted in turn.

As in CycleAdapt (Nam et al. 2023), the denoiser learns to reproduce the network's sequence from one with frames hidden,
and what it then makes of the sequence is the next epoch's target. Legend: T rows, W windows of 49 frames.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.adaptation.denoiser import denoise_track
from engine.adaptation.mdnet import WINDOW, MdNet, hidden_loss, random_masks, window_starts
from engine.adaptation.schedule import make_optimiser
from engine.adaptation.track_inference import Estimate
from engine.body.rotations import matrix_to_six, six_to_matrix

_BATCH = 32
_ROWS_AT_ONCE = 2000


class Denoiser(Protocol):
    """A network that cleans windows: `MotionDenoiser`, or `MdNetDenoiser` for the published weights."""

    def __call__(self, rotations: Tensor, shown: Tensor) -> Tensor:
        """(B, 49, 24, 3, 3) and (B, 49), 1 where a frame is seen, to clean (B, 49, 24, 3, 3)."""


class MdNetDenoiser(nn.Module):
    """CycleAdapt's own denoiser in the place of ours."""

    def __init__(self, network: MdNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, rotations: Tensor, shown: Tensor) -> Tensor:
        """As `Denoiser`."""
        denoised = self.network(matrix_to_six(rotations, "interleaved").flatten(2), shown)
        return six_to_matrix(denoised.reshape(*rotations.shape[:3], 6), "interleaved")


class Smoother:
    """Makes the targets of eq. 9, and adapts the denoiser.

    Args:
        denoiser: pre-trained; it is changed.
        seen: (T,) 1 for rows in which the person was detected.
        stride: rows from one that the denoiser sees to the next; it knows 30 frames a second.
        window_step: frames from one window of its training to the next.
        threads: of `denoise_track`.
    """

    def __init__(self, denoiser: nn.Module, seen: Tensor, stride: int, window_step: int, threads: int = 1) -> None:
        self.denoiser, self.stride, self._threads = denoiser, stride, threads
        self.seen = seen[::stride]
        self.optimiser = make_optimiser(denoiser.parameters())
        self._windows = _windows(len(self.seen), window_step).to(seen.device)

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        return -(-len(self._windows) // _BATCH)

    def adapt(self, rotations: Tensor, rate: float, generator: torch.Generator, tick: Callable[[], None]) -> Tensor:
        """One epoch of the denoiser on the network's motion (T, 24, 3, 3). Returns its mean loss, a scalar."""
        self.optimiser.rate = rate
        motion = rotations[:: self.stride]
        order = torch.randperm(len(self._windows), generator=generator).to(motion.device)
        losses = []
        for some in torch.split(order, _BATCH):
            shown = random_masks(len(some), generator).to(motion)
            clean = motion[self._windows[some]]
            made = matrix_to_six(self.denoiser(clean, shown)).flatten(2)
            loss = hidden_loss(made, matrix_to_six(clean).flatten(2), shown)
            self.optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            self.optimiser.step()
            losses.append(loss.detach())
            tick()
        return torch.stack(losses).mean()

    def targets(self, estimated: Estimate) -> Estimate:
        """R_md and the windowed mean of the shape, for every row; the translation passes through."""
        motion = estimated.rotations
        denoised = self._denoised(motion[:: self.stride])
        return Estimate(
            spread_rows(denoised, len(motion), self.stride), windowed_mean(estimated.betas), estimated.transl
        )

    def _denoised(self, motion: Tensor) -> Tensor:
        """The whole motion, some thousand rows at once with what windows reach on both sides: the same as in one go."""
        pieces, reach = [], WINDOW - 1
        for first in range(0, len(motion), _ROWS_AT_ONCE):
            start = max(first - reach, 0)
            rows = slice(start, first + _ROWS_AT_ONCE + reach)
            if len(motion) - first < WINDOW:  # the last piece has to be as long as a window
                rows = slice(max(min(start, len(motion) - 2 * WINDOW), 0), len(motion))
            denoiser: Any = self.denoiser
            clean = denoise_track(denoiser, motion[rows], self.seen[rows], threads=self._threads)
            pieces.append(clean[first - rows.start :][:_ROWS_AT_ONCE])
        return torch.cat(pieces)


def _windows(frames: int, step: int) -> Tensor:
    """(W, 49) rows of windows that cover `frames`; a sequence shorter than a window runs to and fro."""
    if frames < WINDOW:
        last = max(frames - 1, 1)
        there = last - (torch.arange(WINDOW) % (2 * last) - last).abs()
        return there.clamp(max=frames - 1)[None]
    starts = window_starts(frames)
    chosen = torch.tensor(sorted({*starts[::step], starts[-1]}))
    return chosen[:, None] + torch.arange(WINDOW)


def spread_rows(rotations: Tensor, rows: int, stride: int) -> Tensor:
    """Every n-th row's rotations to all rows (T, 24, 3, 3), in between straight in six numbers."""
    if stride == 1:
        return rotations
    place = torch.arange(rows, device=rotations.device) / stride
    before = place.floor().long().clamp(max=len(rotations) - 1)
    after = (before + 1).clamp(max=len(rotations) - 1)
    six = matrix_to_six(rotations)
    return six_to_matrix(torch.lerp(six[before], six[after], (place - before)[:, None, None]))


def windowed_mean(betas: Tensor, window: int = WINDOW) -> Tensor:
    """Mean of the shape (T, 10) over the window about each row; at the ends, over what there is of it."""
    reach = min(window // 2, len(betas) - 1)
    if reach < 1:
        return betas.clone()
    kernel = torch.ones(1, 1, 2 * reach + 1, device=betas.device, dtype=betas.dtype)
    total = functional.conv1d(betas.T[:, None], kernel, padding=reach)[:, 0].T
    times = functional.conv1d(torch.ones_like(betas[:, :1]).T[:, None], kernel, padding=reach)[:, 0].T
    return total / times
