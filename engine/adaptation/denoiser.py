"""The motion denoiser that ships: a window of 49 frames, noisy and some hidden, back as a clean one.

It has the part of CycleAdapt's MDNet (Nam et al. 2023) in the method, but is a network of our own. What a window could
be comes from Whittaker's smoother (1923; Eilers 2003) at several strengths, which bridges hidden frames as it smooths.
The network chooses between these for each joint and frame, so that clean motion passes nearly unchanged, and adds what
smoothing cannot know. It works in the frame of the body's mean orientation: the camera and the heading do not matter.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from engine.adaptation.mdnet import WINDOW, merge_windows, window_starts
from engine.backbones.threads import Step, side_by_side
from engine.body.rotations import matrix_to_six, six_to_matrix
from engine.errors import ModelFileError

SHIPPED = Path(__file__).parents[1] / "assets" / "denoiser.safetensors"
_JOINTS, _NUMBERS = 24, 144
_WIDTH, _BLOCKS, _WIDENING, _TIME_GROUPS = 256, 4, 2, 8
_STRENGTHS = ((1, 1e-3), (2, 1e-2), (2, 1.0), (2, 10.0), (2, 100.0), (2, 1000.0))
"""Order of the differences that are kept small, and how small: straight and curved bridges, then stronger smoothing."""
_STRAIGHT, _CURVED, _MIDDLE, _STRONG = 0, 1, 3, 4
_STEADY = 1e-3
"""Weight of first differences beside second ones: ends level out, and a single seen frame is enough."""
_QUIET = 1e-3
"""Roughness, in sixes, below which a joint counts as still; the logarithm needs one."""
_TINY = 1e-12
"""Keeps the gradient of a root finite at zero."""
_REACH = 3.0
"""How far a correction goes, in sizes of the roughness."""
_ROUGH_SCALE, _LEVEL_SCALE = 10.0, 0.25
"""Bring the features near to 1."""


class _OverTime(nn.Module):
    """Linear over time, one matrix for each group of features."""

    def __init__(self, groups: int) -> None:
        super().__init__()
        limit = WINDOW**-0.5
        self.weight = nn.Parameter(torch.empty(groups, WINDOW, WINDOW).uniform_(-limit, limit))
        self.bias = nn.Parameter(torch.zeros(WINDOW, 1))

    def forward(self, features: Tensor) -> Tensor:
        grouped = features.reshape(*features.shape[:2], len(self.weight), -1).transpose(1, 2)  # (B, groups, 49, …)
        out: Tensor = (self.weight @ grouped).transpose(1, 2).flatten(2) + self.bias
        return out


class _Block(nn.Module):
    """Mixes over time, then within each frame."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.before_time = nn.LayerNorm(width)
        self.over_time = _OverTime(_TIME_GROUPS)
        self.before_frame = nn.LayerNorm(width)
        self.within_frame = nn.Sequential(
            nn.Linear(width, _WIDENING * width), nn.GELU(), nn.Linear(_WIDENING * width, width)
        )

    def forward(self, features: Tensor) -> Tensor:
        features = features + self.over_time(self.before_time(features))
        out: Tensor = features + self.within_frame(self.before_frame(features))
        return out


class MotionDenoiser(nn.Module):
    """The network. Legend: B windows, 49 frames, 24 SMPL joints, rotations relative to the parent.

    Attributes:
        mixed: multiply matrices in bfloat16, for training; exact enough and faster.
    """

    def __init__(self, width: int = _WIDTH, blocks: int = _BLOCKS) -> None:
        super().__init__()
        self.mixed = False
        self.enter = nn.Linear(2 * _NUMBERS + 3 * _JOINTS, width)
        self.blocks = nn.Sequential(*(_Block(width) for _ in range(blocks)))
        self.leave = nn.Linear(width, _NUMBERS + _JOINTS * len(_STRENGTHS))
        nn.init.zeros_(self.leave.weight)  # untrained, it bridges and smooths
        nn.init.zeros_(self.leave.bias)
        with torch.no_grad():
            self.leave.bias[_NUMBERS:].view(_JOINTS, -1)[:, _MIDDLE] = 3.0

    def forward(self, rotations: Tensor, shown: Tensor) -> Tensor:
        """Clean windows.

        Args:
            rotations: (B, 49, 24, 3, 3), the root in any frame that stands still.
            shown: (B, 49), or (B, 49, 24) for each joint: 1 where it is seen, 0 where it is hidden. What is never
                seen in a window is taken as it comes in.

        Returns:
            (B, 49, 24, 3, 3) of all frames, true rotations.
        """
        shown = shown[..., None] if shown.dim() == 2 else shown
        fits = shown.shape[:2] == rotations.shape[:2] and shown.shape[2:] in ((1,), (_JOINTS,))
        if rotations.shape[1:] != (WINDOW, _JOINTS, 3, 3) or not fits:
            raise ValueError(f"rotations {tuple(rotations.shape)} and shown {tuple(shown.shape)} are no windows of 49")
        shown = _seen_somewhere(shown)
        reference = mean_rotation(rotations[:, :, 0], shown[..., 0])
        aligned = torch.cat((reference.mT[:, None, None] @ rotations[:, :, :1], rotations[:, :, 1:]), 2)
        bank = _smoothed(matrix_to_six(aligned), shown)  # (B, strengths, 49, 24, 6)
        seen, middle = shown.expand(-1, -1, _JOINTS), bank[:, _MIDDLE]
        rough, slow = bank[:, _CURVED] - middle, middle - bank[:, _STRONG]
        sizes = [_size_over_time(part, seen) for part in (rough, slow)]  # (B, 1, 24)
        levels = [(_LEVEL_SCALE * (size.square() + _QUIET**2).log()).expand(-1, WINDOW, -1) for size in sizes]
        features = torch.cat((middle.flatten(2), _ROUGH_SCALE * rough.flatten(2), seen, *levels), -1)
        with torch.autocast(features.device.type, torch.bfloat16, self.mixed):  # rotations stay in full precision
            out = self.leave(self.blocks(self.enter(features))).float()
        choice = out[..., _NUMBERS:].unflatten(-1, (_JOINTS, -1)).softmax(-1)
        chosen = torch.einsum("btjk,bktjc->btjc", choice, bank)
        # where frames are seen, what is added is in proportion to the noise: clean motion needs nothing
        reach = 1 - seen + seen * (_REACH * sizes[0]).clamp(max=1)
        clean = six_to_matrix(chosen + reach[..., None] * out[..., :_NUMBERS].unflatten(-1, (_JOINTS, 6)))
        return torch.cat((reference[:, None, None] @ clean[:, :, :1], clean[:, :, 1:]), 2)

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


def load_denoiser(path: Path | None = None, device: str | torch.device = "cpu") -> MotionDenoiser:
    """The denoiser with the weights in `path`, or those that ship. Raises ModelFileError."""
    return MotionDenoiser.from_file(SHIPPED if path is None else path).to(device)


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


def _size_over_time(part: Tensor, seen: Tensor) -> Tensor:
    """Root mean square over the seen frames of (B, 49, 24, 6): (B, 1, 24)."""
    total = (part.square().sum(-1) * seen).sum(1, keepdim=True)
    return (total / seen.sum(1, keepdim=True) + _TINY).sqrt()


def _smoothed(sixes: Tensor, shown: Tensor) -> Tensor:
    """All strengths (B, K, 49, 24, 6) of sixes (B, 49, 24, 6), bridged where `shown` (B, 49, 1 or 24) is 0."""
    masks = shown.transpose(1, 2)  # (B, 1 or 24, 49)
    values = sixes.transpose(1, 2).reshape(*masks.shape[:2], -1, WINDOW, 6)  # (B, G, 24 / G, 49, 6)
    values = values.transpose(2, 3).flatten(3)  # (B, G, 49, 24 / G * 6)
    smooth = _smoothers(masks) @ values  # (B, G, K * 49, 24 / G * 6)
    smooth = smooth.reshape(*smooth.shape[:2], len(_STRENGTHS), WINDOW, -1, 6)
    return smooth.permute(0, 2, 3, 1, 4, 5).flatten(3, 4)


def _smoothers(masks: Tensor) -> Tensor:
    """Matrices (..., K * 49, 49) that turn a row of values into its smooth versions, for masks (..., 49) of 0 and 1.

    Minimises the squared difference to what is seen plus the weighted squared differences between neighbours: a linear
    system for each mask, solved once for masks that are alike, in double precision on the CPU (long gaps are stiff).
    """
    powers = 2.0 ** torch.arange(WINDOW, dtype=torch.float64)
    codes = (masks.detach().cpu() > 0.5).double() @ powers  # exact: 49 bits fit
    distinct, which = torch.unique(codes, return_inverse=True)
    seen = (distinct[:, None] / powers).floor() % 2  # (U, 49)
    eye = torch.eye(WINDOW, dtype=torch.float64)
    first, second = (eye.diff(n=order, dim=0) for order in (1, 2))
    first, second = first.mT @ first, second.mT @ second
    stiff = [weight * (first if order == 1 else second + _STEADY * first) for order, weight in _STRENGTHS]
    system = seen.diag_embed()[:, None] + torch.stack(stiff)
    solved = torch.cholesky_inverse(torch.linalg.cholesky(system)) * seen[:, None, None]
    matrices: Tensor = solved.flatten(1, 2).to(masks.device, torch.float32)
    return matrices[which.to(masks.device)]


def denoise_track(
    network: MotionDenoiser, rotations: Tensor, shown: Tensor, batch: int = 64, threads: int = 1
) -> Tensor:
    """A whole track, cleaned in windows that overlap by all but one frame and are averaged.

    Args:
        network: the denoiser.
        rotations: (T, 24, 3, 3), any number of frames.
        shown: (T,), or (T, 24) for each joint: 1 where it is seen, 0 where it is hidden.
        batch: windows at once.
        threads: batches at a time. The result does not depend on it.

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

    def cleaned(first: int, _: Step) -> Tensor:
        rows = torch.tensor(starts[first : first + batch], device=rotations.device)[:, None]
        rows = rows + torch.arange(WINDOW, device=rotations.device)
        with torch.no_grad():
            return matrix_to_six(network(rotations[rows], shown[rows])).flatten(2)

    jobs = [partial(cleaned, first) for first in range(0, len(starts), batch)]
    sixes = side_by_side(jobs, threads, lambda _: None)
    return six_to_matrix(merge_windows(torch.cat(sixes)).reshape(-1, 24, 6))[:frames]


def _seen_somewhere(shown: Tensor) -> Tensor:
    """Masks (B, 49, G) in which what is never seen counts as seen: what came in is better than nothing."""
    return torch.where((shown > 0.5).any(1, keepdim=True), shown, torch.ones_like(shown))
