"""MDNet, CycleAdapt's motion denoiser (Nam et al. 2023): a window of 49 frames, some hidden, back as a smooth one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from engine.runtime.progress import Progress
from engine.weights.checkpoints import MDNET, build, open_checkpoint

WINDOW = 49
HIDDEN = 25
POSE_NUMBERS = 144
_BLOCKS = 4
_EPSILON = 1e-5


class _OverTime(nn.Module):
    """A linear layer over time; the name `fc` is the checkpoint's."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(WINDOW, WINDOW)


class _FrameNorm(nn.Module):
    """Layer norm over the features of each frame, which here are the second of three axes."""

    def __init__(self) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.ones(1, POSE_NUMBERS, 1))
        self.beta = nn.Parameter(torch.zeros(1, POSE_NUMBERS, 1))

    def forward(self, features: Tensor) -> Tensor:
        centred = features - features.mean(1, keepdim=True)
        return centred / (centred.square().mean(1, keepdim=True) + _EPSILON).sqrt() * self.alpha + self.beta


class _Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc0 = _OverTime()
        self.norm0 = _FrameNorm()

    def forward(self, features: Tensor) -> Tensor:
        added: Tensor = features + self.norm0(self.fc0.fc(features))
        return added


class _Blocks(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.mlps = nn.Sequential(*(_Block() for _ in range(_BLOCKS)))


class MdNet(nn.Module):
    """The denoiser. Its output is absolute: nothing of the input is passed round it."""

    def __init__(self) -> None:
        super().__init__()
        self.motion_fc_in = nn.Linear(POSE_NUMBERS, POSE_NUMBERS)
        self.motion_mlp = _Blocks()
        self.motion_fc_out = nn.Linear(POSE_NUMBERS, POSE_NUMBERS)

    def forward(self, poses: Tensor, shown: Tensor) -> Tensor:
        """Denoise windows.

        Args:
            poses: (B, 49, 144) 24 rotations as interleaved sixes, made from true rotations.
            shown: (B, 49) 1 where the network sees the frame, 0 where it is hidden.

        Returns:
            (B, 49, 144) sixes of every frame, shown or hidden.
        """
        features = self.motion_fc_in(poses * shown[..., None]).transpose(1, 2)
        denoised: Tensor = self.motion_fc_out(self.motion_mlp.mlps(features).transpose(1, 2))
        return denoised

    @classmethod
    def from_checkpoint(cls, path: Path, progress: Progress | None = None) -> MdNet:
        """CycleAdapt's published file, or one that it wrote after adapting. Raises ModelFileError."""
        with open_checkpoint(path, MDNET) as checkpoint:
            return build(checkpoint, cls, progress)


def evaluation_mask() -> Tensor:
    """(49,) with the even frames hidden."""
    return (torch.arange(WINDOW) % 2).float()


def random_masks(count: int, generator: torch.Generator) -> Tensor:
    """(count, 49) masks of training: the middle frame and 24 others are hidden."""
    order = torch.rand(count, WINDOW, generator=generator)
    order[:, WINDOW // 2] = -1.0  # first in order, so always hidden
    hidden = order.argsort(1)[:, :HIDDEN]
    return torch.ones(count, WINDOW).scatter_(1, hidden, 0.0)


def window_starts(frames: int) -> Sequence[int]:
    """First frames of all windows of a track; none where it is shorter than a window."""
    return range(max(frames - WINDOW + 1, 0))


def merge_windows(windows: Tensor) -> Tensor:
    """Windows (T - 48, 49, C), one starting at each frame, to their plain average (T, C) per frame."""
    count, length, channels = windows.shape
    total = windows.new_zeros(count + length - 1, channels)
    times = windows.new_zeros(count + length - 1, 1)
    frames = torch.arange(count, device=windows.device)[:, None] + torch.arange(length, device=windows.device)
    total.index_add_(0, frames.flatten(), windows.flatten(0, 1))
    times.index_add_(0, frames.flatten(), windows.new_ones(count * length, 1))
    return total / times


def hidden_loss(denoised: Tensor, poses: Tensor, shown: Tensor) -> Tensor:
    """Mean absolute difference where frames are hidden, over the count of all entries. Shapes as in `MdNet.forward`."""
    return ((denoised - poses).abs() * (1 - shown[..., None])).mean()
