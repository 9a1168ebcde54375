"""Draws of the in-filler: the flow from noise to motion, for windows and for a whole track (not of the paper).

A track longer than a window is drawn in windows that overlap by half; after every step of the flow they are blended, so
that one draw is one motion from end to end. Legend: D draws, B windows, T frames or rows of the track, J joints (24).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from engine.adaptation.infiller import WINDOW, Condition, MotionEvidence, MotionInfiller, in_camera
from engine.backbones.windows import blend
from engine.body.rotations import six_to_matrix

_AT_ONCE = 64


@dataclass(frozen=True)
class Flow:
    """How motion is drawn.

    Attributes:
        draws: different motions.
        steps: from noise to motion.
        expected: whether the first draw is the expected motion, which needs one step and no noise.
        guidance: how far joints move for the sentence beyond what it says by itself: classifier-free guidance (Ho and
            Salimans, 2022) of the motion about its mean over the window; 1 for not at all. The mean pose stays, or
            knees that sit would be bent too far.
    """

    draws: int = 8
    steps: int = 8
    expected: bool = True
    guidance: float = 1.0

    def takes(self) -> list[tuple[float, int]]:
        """Strength of the noise and steps of each draw."""
        return [(0.0, 1) if self.expected and not number else (1.0, self.steps) for number in range(self.draws)]


@dataclass(frozen=True)
class Draws:
    """Different motions of one track.

    Attributes:
        rotations: (D, T, 24, 3, 3) relative to the parent, root in the camera frame.
        contacts: (D, T, 4) probability of touching the ground: left heel, left toe, right heel, right toe.
    """

    rotations: Tensor
    contacts: Tensor


def draw_windows(network: MotionInfiller, evidence: MotionEvidence, flow: Flow, generator: torch.Generator) -> Tensor:
    """(D, B, T, 24, 3, 3) rotations for windows that have nothing to do with each other."""
    condition = network.condition(evidence)
    drawn = []
    for strength, steps in flow.takes():
        state = network.noise(evidence.times_s.shape, generator, strength)
        for step in range(steps):
            clean, _ = _clean(network, condition, state, step / steps, flow.guidance)
            state = torch.lerp(state, clean, 1 / (steps - step))
        drawn.append(in_camera(state, condition.reference))
    return torch.stack(drawn)


def draw_track(
    network: MotionInfiller,
    evidence: MotionEvidence,
    flow: Flow,
    generator: torch.Generator,
    beat: Callable[[], None] = lambda: None,
) -> Draws:
    """Draws of a whole track.

    Args:
        network: the in-filler.
        evidence: the track as one window (1, T, …).
        flow: how many draws, and how.
        generator: on the CPU: same seed, same draws.
        beat: called before every step of the flow; may raise.
    """
    rows = _window_rows(evidence.times_s.shape[1]).to(evidence.times_s.device)
    windows = {item.name: getattr(evidence, item.name) for item in fields(MotionEvidence)}
    cut = {name: part.expand(len(rows)) if name == "velocity" else part[0][rows] for name, part in windows.items()}
    condition = network.condition(MotionEvidence(**cut))
    drawn = [_draw(network, condition, rows, *take, flow.guidance, generator, beat) for take in flow.takes()]
    rotations, contacts = (torch.stack(part) for part in zip(*drawn, strict=True))
    return Draws(rotations, contacts)


def _draw(
    network: MotionInfiller,
    condition: Condition,
    rows: Tensor,
    strength: float,
    steps: int,
    guidance: float,
    generator: torch.Generator,
    beat: Callable[[], None],
) -> tuple[Tensor, Tensor]:
    """One motion (T, 24, 3, 3) of the track with contacts (T, 4), blended after every step of the flow."""
    count = int(rows.max()) + 1
    state = network.noise((count,), generator, strength)[rows]
    for step in range(steps):
        beat()
        clean, touch = _clean(network, condition, state, step / steps, guidance)
        state = _shared(torch.lerp(state, clean, 1 / (steps - step)), condition.reference, rows)
    six = _to_camera(state, condition.reference).flatten(2)
    whole = blend(_pieces(rows, torch.cat((six, touch.sigmoid()), -1)), count).to(state.device)
    return six_to_matrix(whole[:, :-4].reshape(count, 24, 6)), whole[:, -4:]


def _clean(
    network: MotionInfiller, condition: Condition, state: Tensor, level: float, guidance: float
) -> tuple[Tensor, Tensor]:
    """The clean motion that the network expects of windows (B, T, 24, 6) at a level, some windows at a time."""
    parts = []
    with torch.no_grad():
        for some in torch.split(torch.arange(len(state), device=state.device), _AT_ONCE):
            part, levels = condition.rows(some), torch.full((len(some),), level, device=state.device)
            clean, touch = network(part, state[some], levels)
            if guidance != 1 and bool(part.sentence.any()):  # without a sentence nothing pulls
                silent, _ = network(replace(part, sentence=torch.zeros_like(part.sentence)), state[some], levels)
                pull = clean - silent
                clean = clean + (guidance - 1) * (pull - pull.mean(1, keepdim=True))
            parts.append((clean, touch))
    clean, touch = (torch.cat(part) for part in zip(*parts, strict=True))
    return clean, touch


def _shared(state: Tensor, reference: Tensor, rows: Tensor) -> Tensor:
    """Windows (B, T, 24, 6) that agree where they overlap: blended over the track, and cut again."""
    if len(rows) == 1:
        return state
    whole = blend(_pieces(rows, _to_camera(state, reference).flatten(2)), int(rows.max()) + 1)
    shared = whole.to(state.device)[rows].reshape(state.shape)
    return _to_camera(shared, reference.mT)


def _to_camera(six: Tensor, reference: Tensor) -> Tensor:
    """Numbers (B, T, 24, 6) with the root turned by `reference` (B, 3, 3); they need not be true rotations."""
    columns = six[:, :, 0].reshape(*six.shape[:2], 2, 3)  # the first two columns of the matrix
    root = (reference[:, None, None] @ columns[..., None])[..., 0].flatten(-2)
    return torch.cat((root[:, :, None], six[:, :, 1:]), 2)


def _pieces(rows: Tensor, values: Tensor) -> list[tuple[slice, Tensor]]:
    return [(slice(int(some[0]), int(some[-1]) + 1), part.cpu()) for some, part in zip(rows, values, strict=True)]


def _window_rows(count: int) -> Tensor:
    """(B, T) rows of windows that overlap by half."""
    size = min(WINDOW, count)
    starts = sorted({*range(0, count - size, max(1, size // 2)), count - size})
    return torch.tensor(starts)[:, None] + torch.arange(size)
