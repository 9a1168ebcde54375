"""Training of the decoder of the motion-text space, when its encoder is done: motions from their points, and what a
label looks like from the label's. Legend: L labels, W windows of each, B windows in all."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from engine.progress import Progress
from engine.semantics.motion_text import MotionTextSpace, facing_ahead
from engine.training.figure import INDEX
from engine.training.motion_text_windows import LabelledWindows

_DRAWN, _KEPT = 20, 6
"""Windows of each label that are drawn, and that are kept since they lie nearest to it."""
_REBUILT, _LABELS = 64, 24
_SHARPNESS = 60.0
_SMALL = ("wrist", "hand", "foot", "collar")


def fit_decoder(space: MotionTextSpace, windows: LabelledWindows, steps: int, seed: int, progress: Progress) -> None:
    """Train the decoder in place, to the end; the encoder stays as it is.

    A label's motion is drawn to the windows that are nearest to what it is already. So it settles for one phase of a
    repeated motion; the mean over all phases would stand still.
    """
    generator = torch.Generator().manual_seed(seed)
    labels = windows.covered
    real, points = _examples(space, windows, labels, generator)
    told = space.label_points[labels.to(space.label_points.device)]
    optimiser = torch.optim.AdamW(space.decoder.parameters(), lr=2e-3, weight_decay=1e-3)
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = 2e-3 * (0.01 + 0.99 * (1 + math.cos(math.pi * step / steps)) / 2)
        some = torch.randint(len(points), (_REBUILT,), generator=generator).to(points.device)
        rebuilt = motion_difference(space.decoder(points[some]), real.flatten(0, 1)[some]).mean()
        rows = torch.randperm(len(labels), generator=generator)[:_LABELS].to(points.device)
        made = space.decoder(told[rows])
        away = torch.stack([motion_difference(made, real[rows, i]) for i in range(real.shape[1])], 1)
        share = torch.softmax(-_SHARPNESS * away.detach(), 1)
        optimiser.zero_grad()
        (rebuilt + (share * away).sum(1).mean()).backward()
        optimiser.step()
        progress(step + 1, steps)


def _examples(
    space: MotionTextSpace, windows: LabelledWindows, labels: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Windows (L, W, 60, 24, 6) that lie nearest to their label, facing ahead, and where they lie (L·W, D)."""
    kept, lie = [], []
    with torch.no_grad():
        for row in labels.split(1):
            drawn = facing_ahead(windows.of_labels(row, _DRAWN, generator)[0])
            points = space.encode_motion(drawn)
            nearest = (points @ space.label_points[row.to(points.device)].T)[:, 0].topk(_KEPT).indices
            kept.append(drawn[nearest])
            lie.append(points[nearest])
    return torch.stack(kept), torch.cat(lie)


def motion_difference(made: Tensor, real: Tensor) -> Tensor:
    """(B,) of windows (B, 60, 24, 6), in place and in speed; the joints that move much of the body count more."""
    weight = made.new_full((24, 1), 1.0)
    weight[[row for name, row in INDEX.items() if name.endswith(_SMALL)]] = 0.3
    weight[0] = 3.0
    place = (weight * (made - real).abs()).flatten(1).mean(1)
    speed = (weight * (made - real).diff(dim=1).abs()).flatten(1).mean(1)
    return place + 5 * speed
