"""Fits the measured detector to the pairs of `engine.training.detector_study`."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import torch
from scipy.optimize import nnls
from torch import Tensor, nn

from engine.errors import UsageError
from engine.files.atomic import write_arrays
from engine.runtime.progress import Progress
from engine.training.detector_model import (
    HIDDEN_EDGES,
    KEYPOINTS,
    LEG_KEYPOINTS,
    LOGIT_BOUND,
    MEMORY_S,
    MIRRORED_KEYPOINTS,
    NUMBERS,
    DetectorModel,
    Fitted,
    rays_of,
    see,
    turned_flat,
)

_WIDTH = 256
_DROPOUT, _WEIGHT_DECAY, _BATCH, _RATE = 0.3, 0.05, 256, 1e-3
_TAIL = 4.0
"""Degrees of freedom of the Student-t that the spread is fitted with: a few wild reports must not widen all."""
_WILDEST = 6.0
_SWAP_GAIN = 0.6
_SWAP_ERROR = 0.25


@dataclass(frozen=True)
class Pairs:
    """Sequences (B) of 24 frames: the truth, and what was reported (NaN: nobody was found)."""

    keypoints: Tensor
    landmarks3d: Tensor
    true_keypoints: Tensor
    true_landmarks: Tensor
    hidden: Tensor
    intrinsics: Tensor
    image_size: Tensor
    times_s: Tensor

    def mirrored(self) -> Pairs:
        """The same seen in a mirror."""
        flip = torch.tensor([-1.0, 1, 1])
        width = self.image_size[:, 0, None, None]
        points, truth = (
            self.keypoints[:, :, MIRRORED_KEYPOINTS].clone(),
            self.true_keypoints[:, :, MIRRORED_KEYPOINTS].clone(),
        )
        points[..., 0], truth[..., 0] = width - points[..., 0], width - truth[..., 0]
        return Pairs(
            points, self.landmarks3d[:, :, MIRRORED_KEYPOINTS] * flip,
            truth, self.true_landmarks[:, :, MIRRORED_KEYPOINTS] * flip,
            self.hidden[:, :, MIRRORED_KEYPOINTS], self.intrinsics, self.image_size, self.times_s,
        )  # fmt: skip


def read_pairs(folder: Path) -> Pairs:
    """All the pairs in a folder. Raises UsageError if there are none."""
    paths = sorted(folder.rglob("pairs_*.npz"))
    if not paths:
        raise UsageError(f"There are no pairs in {folder}.", "Draw them with: adapt-motion train detector-model")
    parts = [np.load(path, allow_pickle=False) for path in paths]
    return Pairs(**{f.name: torch.from_numpy(np.concatenate([p[f.name] for p in parts])) for f in fields(Pairs)})


def fit_detector_model(folder: Path, out: Path, steps: int, seed: int, progress: Progress) -> dict[str, float]:
    """Fit and write the measured detector.

    The left-over is measured on sequences that the network was not fitted to (two halves, each explained by the network
    of the other), or it would be too small.

    Args:
        folder: with the pairs.
        out: `.npz` to write.
        steps: optimiser steps of each of the three networks.
        seed: fixes the networks and their batches.
        progress: called after every step.

    Returns:
        Figures: what was measured, in words of the detector's card.
    """
    pairs = read_pairs(folder)
    swaps, pairs = _without_swaps(pairs)
    inputs, targets, found = _table(pairs)
    mirrored = _table(pairs.mirrored())
    halves = torch.arange(len(inputs)) % 2 == 0
    left_over = torch.full_like(targets, torch.nan)
    jobs = 3 * steps
    for number, half in enumerate((halves, ~halves)):
        network = _fit(inputs, targets, found, mirrored, half, steps, seed, _Shifted(progress, number * steps, jobs))
        mean, sigma = network(inputs[~half])
        left_over[~half] = (targets[~half] - mean) / sigma
    everything = torch.ones_like(halves)
    network = _fit(inputs, targets, found, mirrored, everything, steps, seed, _Shifted(progress, 2 * steps, jobs))
    left_over[~found] = torch.nan
    measured = (*network.arrays(), *_randomness(left_over, found, pairs.times_s), _misses(pairs, found), swaps)
    fitted = Fitted(**{item.name: value for item, value in zip(fields(Fitted), measured, strict=True)})
    fitted = _as_steady(fitted, pairs, found, seed)
    write_arrays(out, {item.name: getattr(fitted, item.name).numpy().astype(np.float16) for item in fields(Fitted)})
    return figures(DetectorModel(fitted), pairs, found, seed)


class _Shifted:
    """Progress of one part of a longer job."""

    def __init__(self, progress: Progress, start: int, total: int) -> None:
        self._progress, self._start, self._total = progress, start, total

    def __call__(self, done: int, total: int) -> None:
        self._progress(self._start + done, self._total)


class _Network(nn.Module):
    """Mean and spread of a report; `DetectorModel.spread` without the scales of its inputs."""

    def __init__(self, inputs: Tensor) -> None:
        super().__init__()
        self.middle, self.scale = inputs.mean(0), inputs.std(0).clamp(min=0.05)
        self.layers = nn.Sequential(
            nn.Linear(inputs.shape[1], _WIDTH), nn.GELU(), nn.Dropout(_DROPOUT),
            nn.Linear(_WIDTH, _WIDTH), nn.GELU(), nn.Dropout(_DROPOUT),
            nn.Linear(_WIDTH, 2 * NUMBERS),
        )  # fmt: skip

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_sigma = self.layers((inputs - self.middle) / self.scale).chunk(2, -1)
        return mean, log_sigma.clamp(-6, 1).exp()

    def arrays(self) -> list[Tensor]:
        """Weights and biases, the scales of the inputs folded into the first layer."""
        first, first_bias, *others = (tensor.detach() for tensor in self.layers.parameters())
        weight = first / self.scale
        return [weight, first_bias - weight @ self.middle, *others]


def _table(pairs: Pairs) -> tuple[Tensor, Tensor, Tensor]:
    """Inputs (B, T, 199), report less truth (B, T, F), and where somebody was found (B, T)."""
    view = see(pairs.true_keypoints, pairs.true_landmarks, pairs.hidden, pairs.intrinsics)
    flat = turned_flat(rays_of(pairs.keypoints[..., :2], pairs.intrinsics), view.turn) / view.half
    logit = torch.logit(pairs.keypoints[..., 2], 1e-3).clamp(-LOGIT_BOUND, LOGIT_BOUND)
    off = (flat - view.flat).transpose(-1, -2).flatten(-2)
    body = (pairs.landmarks3d - view.body).flatten(-2)
    return view.inputs, torch.cat((off, logit, body), -1), torch.isfinite(pairs.keypoints).all(-1).all(-1)


def _fit(
    inputs: Tensor,
    targets: Tensor,
    found: Tensor,
    mirrored: tuple[Tensor, Tensor, Tensor],
    chosen: Tensor,
    steps: int,
    seed: int,
    progress: _Shifted,
) -> _Network:
    torch.manual_seed(seed)
    rows = torch.cat((inputs[chosen][found[chosen]], mirrored[0][chosen][mirrored[2][chosen]]))
    truth = torch.cat((targets[chosen][found[chosen]], mirrored[1][chosen][mirrored[2][chosen]]))
    network = _Network(rows)
    optimiser = torch.optim.AdamW(network.parameters(), lr=_RATE, weight_decay=_WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, _RATE, total_steps=steps)
    generator = torch.Generator().manual_seed(seed)
    for step in range(steps):
        batch = torch.randint(len(rows), (_BATCH,), generator=generator)
        mean, sigma = network(rows[batch])
        error = (truth[batch] - mean) / sigma
        loss = ((_TAIL + 1) / 2 * torch.log1p(error.square() / _TAIL) + sigma.log()).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        progress(step + 1, steps)
    return network.eval().requires_grad_(False)


def _randomness(left_over: Tensor, found: Tensor, times_s: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Directions (F, F), memory (F, 5), strength (101,) and burst (1,) of what the network leaves over."""
    left_over = left_over.clamp(-_WILDEST, _WILDEST)
    whole = found.all(1)
    rms = left_over[whole].square().mean((1, 2)).sqrt()
    scaled = left_over[whole] / rms[:, None, None]
    rows = scaled.flatten(0, 1)
    values, vectors = torch.linalg.eigh(rows.T @ rows / len(rows))
    along = scaled @ vectors
    memory = _memory(along / values.clamp(min=1e-6).sqrt(), times_s[whole])
    strength = torch.quantile(rms, torch.linspace(0.005, 0.995, 101))
    # of a log-normal scale the median tells: the plain normal's is 0.6745 of its root mean square
    change = scaled.diff(dim=1).abs().flatten()
    uneven = change[::7].median() / change.square().mean().sqrt() / 0.6745
    burst = torch.sqrt(-torch.log(uneven.clamp(max=1))).reshape(1)
    return vectors * values.clamp(min=0).sqrt(), memory, strength, burst


def _memory(along: Tensor, times_s: Tensor) -> Tensor:
    """(F, 5) non-negative shares that explain the products of every two frames of a sequence by the time between."""
    first, second = torch.triu_indices(along.shape[1], along.shape[1])
    gaps = (times_s[:, second] - times_s[:, first]).flatten()
    bins = torch.bucketize(gaps, torch.tensor([1e-4, 0.03, 0.05, 0.08, 0.12, 0.18, 0.26, 0.38, 0.55, 0.8]))
    count = torch.bincount(bins, minlength=11).clamp(min=1)
    lag = torch.bincount(bins, gaps.double(), minlength=11) / count
    lengths = torch.tensor(MEMORY_S).double()
    basis = torch.where(lengths > 0, torch.exp(-lag[:, None] / lengths.clamp(min=1e-9)), (lag[:, None] < 1e-4).double())
    weight = count.double().sqrt().numpy()
    shares = []
    for number in range(NUMBERS):
        products = (along[:, first, number] * along[:, second, number]).flatten().double()
        correlation = torch.bincount(bins, products, minlength=11) / count
        share, _ = nnls(basis.numpy() * weight[:, None], (correlation.numpy() * weight))
        shares.append(share / max(share.sum(), 1e-9))
    return torch.from_numpy(np.array(shares)).float()


def _as_steady(fitted: Fitted, pairs: Pairs, found: Tensor, seed: int) -> Fitted:
    """The same with as much of what changes in every frame as makes the drawn 3D jitter like the measured.

    The spread is given per frame, and its own changes add to the jitter; so the share without memory, which the
    correlations alone would give, is too large.
    """
    wanted = _jitter(pairs.landmarks3d[found.all(1)])
    best, least = fitted, float("inf")
    for share in (1.0, 0.7, 0.5, 0.35, 0.25, 0.15, 0.05, 0.0):
        memory = fitted.memory.clone()
        memory[:, 2] += (1 - share) * memory[:, :2].sum(1)
        memory[:, :2] *= share
        changed = replace(fitted, memory=memory)
        body = _drawn(DetectorModel(changed), pairs, seed)[1]
        off = abs(math.log(_jitter(body[body.isfinite().flatten(1).all(1)]) / wanted))
        if off < least:
            best, least = changed, off
    return best


def _jitter(landmarks3d: Tensor) -> float:
    return float(landmarks3d.diff(n=2, dim=1).norm(dim=-1).mean())


def _misses(pairs: Pairs, found: Tensor) -> Tensor:
    """(5, 2) chances, for frames a thirtieth of a second apart, that a person is lost and found again."""
    kind = torch.bucketize(pairs.hidden.sum(-1), torch.tensor(HIDDEN_EDGES), right=True)[:, 1:]
    steps = pairs.times_s.diff(dim=1) * 30
    table = torch.zeros(len(HIDDEN_EDGES) + 1, 2)
    for row in range(len(table)):
        for column, before in enumerate((found[:, :-1], ~found[:, :-1])):
            here = (kind == row) & before
            changed = (found[:, 1:] == bool(column))[here]
            exposure = steps[here].sum()
            table[row, column] = float(changed.sum() + 0.05) / float(exposure + 0.1 + column)
    return table.clamp(1e-4, 1.0)


def _without_swaps(pairs: Pairs) -> tuple[Tensor, Pairs]:
    """How often and how long left and right are exchanged (2, 2), and the pairs with that undone."""
    points, body = pairs.keypoints.clone(), pairs.landmarks3d.clone()
    tall = (pairs.true_keypoints.amax(2) - pairs.true_keypoints.amin(2)).amax(-1)[..., None]
    duration = float((pairs.times_s[:, -1] - pairs.times_s[:, 0]).sum())
    table = torch.zeros(2, 2)
    for row, members in enumerate((list(range(KEYPOINTS)), LEG_KEYPOINTS)):
        order = [MIRRORED_KEYPOINTS[k] if k in members else k for k in range(KEYPOINTS)]
        seen = (~pairs.hidden)[:, :, members].float()
        errors = [
            ((points[:, :, keys][:, :, members, :2] - pairs.true_keypoints[:, :, members]).norm(dim=-1) / tall * seen)
            .sum(-1) / seen.sum(-1).clamp(min=1)
            for keys in (list(range(KEYPOINTS)), order)
        ]  # fmt: skip
        apart = (
            pairs.true_keypoints[:, :, members] - pairs.true_keypoints[:, :, [MIRRORED_KEYPOINTS[k] for k in members]]
        )
        wide = apart.norm(dim=-1).mean(-1) / tall[..., 0]
        swapped = (errors[1] < _SWAP_GAIN * errors[0]) & (errors[0] > _SWAP_ERROR * wide) & (wide > 0.06)
        begins = int((swapped[:, 1:] & ~swapped[:, :-1]).sum()) + int(swapped[:, 0].sum())
        step = float(pairs.times_s.diff(dim=1).mean())
        table[row, 0] = begins / duration
        table[row, 1] = float(swapped.sum()) * step / max(begins, 1)
        chosen = swapped[..., None, None]
        points, body = torch.where(chosen, points[:, :, order], points), torch.where(chosen, body[:, :, order], body)
    return table, Pairs(**{**vars(pairs), "keypoints": points, "landmarks3d": body})


def figures(model: DetectorModel, pairs: Pairs, found: Tensor, seed: int) -> dict[str, float]:
    """The detector as it was and as the model draws it, side by side: medians over keypoints in view and hidden."""
    drawn = _drawn(model, pairs, seed)
    view = see(pairs.true_keypoints, pairs.true_landmarks, pairs.hidden, pairs.intrinsics)
    tall = (pairs.true_keypoints.amax(2) - pairs.true_keypoints.amin(2)).amax(-1)[..., None]
    result = {"sequences": float(len(found)), "found": float(found.float().mean())}
    for name, (points, body) in {"real": (pairs.keypoints, pairs.landmarks3d), "drawn": drawn}.items():
        there = torch.isfinite(body).all(-1)
        off = (points[..., :2] - pairs.true_keypoints).norm(dim=-1) / tall * 100
        depth = (body - view.body).norm(dim=-1) * 1000
        pace = (points[..., :2].diff(dim=1) - pairs.true_keypoints.diff(dim=1)).norm(dim=-1) / tall[:, 1:] * 100
        both = there[:, 1:] & there[:, :-1]
        for kind, mask in {"seen": ~pairs.hidden, "hidden": pairs.hidden}.items():
            result[f"{name}_{kind}_percent_of_height"] = float(off[there & mask].median())
            result[f"{name}_{kind}_jitter_percent"] = float(pace[both & mask[:, 1:]].median())
            result[f"{name}_{kind}_3d_mm"] = float(depth[there & mask].median())
            result[f"{name}_{kind}_confidence"] = float(points[..., 2][there & mask].mean())
        result[f"{name}_missed"] = float(1 - there.all(-1).float().mean())
    return result


def _drawn(model: DetectorModel, pairs: Pairs, seed: int) -> tuple[Tensor, Tensor]:
    """What the model reports of the same sequences."""
    return model.observe(
        pairs.true_keypoints, pairs.true_landmarks, pairs.hidden, pairs.intrinsics, pairs.image_size, pairs.times_s,
        torch.Generator().manual_seed(seed),
    )  # fmt: skip
