"""The last layer of the motion-text space's decoder, solved for when its encoder is done.

It learns motions from their points, and what a label looks like from the label's own. Legend: W windows of a label, B
windows in all.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.runtime.progress import Progress
from engine.semantics.motion_text import MotionTextSpace, facing_ahead
from engine.training.figure import INDEX
from engine.training.motion_text_windows import LabelledWindows

_DRAWN, _KEPT = 40, 16
"""Windows of each label that are drawn, and that are kept since they lie nearest to it."""
_LABEL_WEIGHT = 300.0
"""How many windows a label's own motion counts for."""
_SHARPNESS, _ROUNDS = 100.0, 2
_RIDGE = 1e-5
_SMALL = ("wrist", "hand", "foot", "collar")


def fit_decoder(space: MotionTextSpace, windows: LabelledWindows, seed: int, progress: Progress) -> None:
    """Solve for the decoder's last layer in place: weighted least squares over windows and labels.

    Args:
        space: its encoder and the decoder's other layers stay as they are.
        windows: what the labels look like.
        seed: fixes which windows are drawn.
        progress: called after every label.
    """
    generator = torch.Generator().manual_seed(seed)
    labels = windows.covered
    motions, points, weights = [], [], []
    with torch.no_grad():
        for done, row in enumerate(labels.tolist(), 1):
            point = space.label_points[row]
            drawn = facing_ahead(windows.of_labels(torch.tensor([row]), _DRAWN, generator)[0])
            lie = space.encode_motion(drawn)
            nearest = (lie @ point).topk(_KEPT).indices
            motions += [drawn[nearest], typical(drawn[nearest])[None]]
            points += [lie[nearest], point[None]]
            weights += [1.0] * _KEPT + [_LABEL_WEIGHT]
            progress(done, len(labels))
        for row in set(range(len(space.labels))) - set(labels.tolist()):
            # nobody performed it: what is nearest in meaning has to do
            near = int((space.label_points[labels] @ space.label_points[row]).argmax())
            motions.append(motions[2 * near + 1])
            points.append(space.label_points[row][None])
            weights.append(_LABEL_WEIGHT)
        _solve(space, torch.cat(motions), torch.cat(points), torch.tensor(weights))


def typical(motions: Tensor) -> Tensor:
    """What motions (W, 60, 24, 6), the best first, have in common in one phase: (60, 24, 6).

    The mean over all phases of a repeated motion would stand still, so those count that run like the best one.
    """
    middle = motions[0]
    for _ in range(_ROUNDS):
        away = motion_difference(motions, middle.expand_as(motions))
        share = torch.softmax(-_SHARPNESS * away, 0)
        middle = (share[:, None, None, None] * motions).sum(0)
    return middle


def _solve(space: MotionTextSpace, motions: Tensor, points: Tensor, weights: Tensor) -> None:
    waves = space.decoder.waves
    strengths = (torch.linalg.pinv(waves) @ motions.flatten(2)).flatten(1)  # (B, waves · 144)
    last = space.decoder.layers[-1]
    assert isinstance(last, nn.Linear)
    features = functional.pad(space.decoder.layers[:-1](points), (0, 1), value=1.0).double()
    scale = weights.to(features)[:, None]
    square = features.T @ (scale * features)
    ridge = _RIDGE * square.diagonal().mean() * torch.eye(len(square), dtype=square.dtype, device=square.device)
    ridge[-1, -1] = 0
    solution = torch.linalg.solve(square + ridge, features.T @ (scale * strengths.double())).to(last.weight)
    last.weight.copy_(solution[:-1].T)
    last.bias.copy_(solution[-1])


def motion_difference(made: Tensor, real: Tensor) -> Tensor:
    """(B,) of windows (B, 60, 24, 6), in place and in speed; the joints that move much of the body count more."""
    weight = made.new_full((24, 1), 1.0)
    weight[[row for name, row in INDEX.items() if name.endswith(_SMALL)]] = 0.3
    weight[0] = 3.0
    place = (weight * (made - real).abs()).flatten(1).mean(1)
    speed = (weight * (made - real).diff(dim=1).abs()).flatten(1).mean(1)
    return place + 5 * speed
