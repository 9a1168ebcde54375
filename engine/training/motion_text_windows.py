"""Labelled windows for the motion-text space, varied in ways that leave the label true.

Legend: B windows of 60 frames at 30 frames a second, J joints (24). World frame z up.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.body.rotations import axis_angle_to_matrix, matrix_to_six, six_to_matrix
from engine.semantics.types import WINDOW
from engine.training.corpus import CorpusClip, LabelRow
from engine.training.figure import INDEX, MIRROR

_LEGS = [INDEX[f"{side}_{part}"] for side in ("left", "right") for part in ("hip", "knee", "ankle", "foot")]
_SMALL = [INDEX[f"{side}_{part}"] for side in ("left", "right") for part in ("collar", "wrist", "hand", "foot")]
_SMALL += [INDEX["neck"], INDEX["head"]]
_CAPTURED = 4.0
"""How much more often a frame of captured motion is drawn than one of authored motion with the same label."""
_FREQUENT = 0.5
"""Power of a label's frames that says how often it is drawn: 0 all labels alike, 1 as they come."""


@dataclass(frozen=True)
class LabelVariation:
    """How windows are varied. Angles in radians. Zero everywhere: motions as they were captured."""

    mirror: float = 0.5
    """Share that is mirrored, and left and right in the label with it."""
    speed: float = 0.06
    """Standard deviation of the logarithm of the speed: small, since labels tell slow from brisk."""
    jitter: float = 0.12
    """Standard deviation of a steady turn of each joint: other bodies, other suits."""
    noise: float = 0.08
    """Strongest noise over time, as predictions have it; in half of the windows."""
    lean: float = 0.08
    """Standard deviation of the lean of the world, as a guessed gravity has it."""
    heading: float = 0.3
    """Standard deviation of the heading about the one that the space turns to."""
    small_joints: float = 0.4
    """Share whose wrists, hands, collars, toes, neck and head come from another window: no label hangs on them."""
    other_root: float = 0.2
    """Share whose global rotation comes from another window of the same label, as eq. 4 has it."""
    other_legs: float = 0.2
    """Share whose legs come from a window of another label; their label is half the other's."""


@dataclass(frozen=True)
class LabelledBatch:
    """Windows with their labels.

    Attributes:
        six: (B, 60, 24, 6).
        label: (B,) row of the label.
        other: (B,) row of the label of the legs; the same as `label` where they are the window's own.
    """

    six: Tensor
    label: Tensor
    other: Tensor


class LabelledWindows:
    """Draws windows of labelled intervals.

    Args:
        clips: whose labelled intervals are drawn from; mirrored copies are made on the way.
        labels: all labels; intervals of others are left out.
        device: where everything is kept and done.
    """

    def __init__(self, clips: Sequence[CorpusClip], labels: Sequence[str], device: torch.device) -> None:
        row_of = {label: row for row, label in enumerate(labels)}
        starts = np.cumsum([0, *(len(clip.poses) for clip in clips)])
        table = [
            (start + row.start, row.end - row.start, row_of[row.label], row_of.get(row.mirrored().label, -1))
            for start, clip in zip(starts, clips, strict=False)
            for row in clip.labels
            if _usable(row, row_of)
        ]
        if not table:
            raise ValueError("there are no labelled intervals to draw windows from")
        poses = torch.from_numpy(np.concatenate([clip.poses for clip in clips]))
        self._six = matrix_to_six(axis_angle_to_matrix(poses.reshape(-1, 24, 3))).to(device)
        self._table = torch.tensor(table)
        self._labels, self.device = len(labels), device
        authored = torch.tensor([clip.synthetic for clip in clips for row in clip.labels if _usable(row, row_of)])
        counted = self._table[:, 1].float() * torch.where(authored, 1.0, _CAPTURED)
        frames = torch.zeros(len(labels)).index_add_(0, self._table[:, 2], counted)
        # rare labels are drawn more often than they come, frequent ones still more often than rare ones
        self._weights = counted / frames[self._table[:, 2]] * frames[self._table[:, 2]].pow(_FREQUENT)

    def draw(self, count: int, generator: torch.Generator, variation: LabelVariation) -> LabelledBatch:
        """Draw `count` windows. `generator` is a CPU generator, so that a seed means the same on every device."""
        rows = torch.multinomial(self._weights, count, replacement=True, generator=generator)
        mirrored = torch.rand(count, generator=generator) < variation.mirror
        six, label = self._windows(rows, mirrored, variation.speed, generator)
        return self._varied(six, label, generator, variation)

    def of_labels(self, labels: Tensor, each: int, generator: torch.Generator) -> Tensor:
        """(L, each, 60, 24, 6) plain windows of labels (L,), mirrored ones for a label that only its mirror has."""
        own = self._table[:, 2] == labels[:, None]
        turned = self._table[:, 3] == labels[:, None]
        there = torch.where(own.any(1, keepdim=True), own, turned)
        if not bool(there.any(1).all()):
            raise ValueError("a label has no window")
        rows = torch.multinomial(self._table[:, 1].float() * there, each, replacement=True, generator=generator)
        mirrored = ~own.any(1, keepdim=True).expand_as(rows)
        six, _ = self._windows(rows.flatten(), mirrored.flatten(), 0.0, generator)
        return six.reshape(*rows.shape, WINDOW, 24, 6)

    @property
    def covered(self) -> Tensor:
        """Rows of the labels that have a window."""
        own, turned = self._table[:, 2].tolist(), self._table[:, 3].tolist()
        return torch.tensor(sorted({*own, *turned} - {-1}))

    def _windows(
        self, rows: Tensor, mirrored: Tensor, speed: float, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        start, length, label, mirror_label = self._table[rows].unbind(1)
        pace = torch.exp(speed * torch.randn(len(rows), generator=generator))
        steps = torch.arange(WINDOW) * pace[:, None]
        at = _within(steps, (length - 1).float(), generator)
        low = at.floor().long()
        high = torch.minimum(low + 1, (length - 1)[:, None])
        share = (at - low)[..., None, None].to(self.device)
        low, high = ((start[:, None] + place).to(self.device) for place in (low, high))
        six = torch.lerp(self._six[low], self._six[high], share)
        mirrored = mirrored & (mirror_label >= 0)
        six = torch.where(mirrored.to(self.device)[:, None, None, None], mirrored_six(six), six)
        return six, torch.where(mirrored, mirror_label, label).to(self.device)

    def _varied(
        self, six: Tensor, label: Tensor, generator: torch.Generator, variation: LabelVariation
    ) -> LabelledBatch:
        def rand(*shape: int) -> Tensor:
            return torch.rand(*shape, generator=generator).to(self.device)

        def normal(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=generator).to(self.device)

        count = len(six)
        six, other = six.clone(), label.clone()
        chosen = rand(count) < variation.other_legs
        six[:, :, _LEGS] = torch.where(chosen[:, None, None, None], six.roll(1, 0)[:, :, _LEGS], six[:, :, _LEGS])
        other = torch.where(chosen, label.roll(1, 0), other)
        chosen = (rand(count) < variation.small_joints)[:, None, None, None]
        six[:, :, _SMALL] = torch.where(chosen, six.roll(2, 0)[:, :, _SMALL], six[:, :, _SMALL])
        partner = _partner(label)
        chosen = (rand(count) < variation.other_root)[:, None, None]
        six[:, :, 0] = torch.where(chosen, six[partner, :, 0], six[:, :, 0])
        rotations = six_to_matrix(six) @ axis_angle_to_matrix(_disturbance(count, variation, normal, rand))
        tilt = torch.cat((variation.lean * normal(count, 2), variation.heading * normal(count, 1)), -1)
        rotations[:, :, 0] = axis_angle_to_matrix(tilt)[:, None] @ rotations[:, :, 0]
        return LabelledBatch(matrix_to_six(rotations), label, other)


def _usable(row: LabelRow, row_of: Mapping[str, int]) -> bool:
    return row.label in row_of and row.end > row.start


def _within(steps: Tensor, last: Tensor, generator: torch.Generator) -> Tensor:
    """Places (B, 60) in intervals whose last frame is `last` (B,), from steps (B, 60).

    Intervals that are long enough are entered anywhere. Shorter ones are held at their ends, run to and fro, or run
    again from the start, each in a third of the draws: footage has what the clips lack about a short action.
    """
    room = last[:, None] - steps[:, -1:]
    place = torch.rand(len(steps), 1, generator=generator)
    way = torch.randint(3, (len(steps), 1), generator=generator)
    inside = steps + place * room.clamp(min=0)
    held = (steps + place * room).clamp(min=0).minimum(last[:, None])
    moved = steps + place * last[:, None]
    period = (2 * last[:, None]).clamp(min=1)
    to_and_fro = last[:, None] - (moved % period - last[:, None]).abs()
    again = (moved % (last[:, None] + 1)).minimum(last[:, None])
    short = torch.where(way == 0, held, torch.where(way == 1, to_and_fro, again))
    return torch.where(room >= 0, inside, short).clamp(min=0)


def mirrored_six(six: Tensor) -> Tensor:
    """Motion (..., 24, 6) with left and right changed: reflection in the plane x = 0 of rest frame and world."""
    sign = six.new_tensor([1, -1, -1, -1, 1, 1])
    return six[..., torch.as_tensor(MIRROR, device=six.device), :] * sign


def _partner(label: Tensor) -> Tensor:
    """(B,) the next row of the batch with the same label, the row itself if there is none."""
    count = len(label)
    rows = torch.arange(count, device=label.device)
    ahead = (rows[None] - rows[:, None]) % count  # how far each column lies ahead of each row
    ahead = torch.where(ahead == 0, count, ahead).masked_fill(label[:, None] != label[None], count + 1)
    return ahead.argmin(1)


def _disturbance(
    count: int, variation: LabelVariation, normal: Callable[..., Tensor], rand: Callable[..., Tensor]
) -> Tensor:
    """(B, 60, 24, 3) turns: steady ones, and in half of the windows white noise and drift."""
    turn = variation.jitter * normal(count, 1, 24, 3)
    turn[:, :, 0] = 0
    strength = variation.noise * rand(count, 1, 24, 1) * (rand(count, 1, 1, 1) < 0.5)
    pace = 2 * math.pi / WINDOW * torch.arange(1, 5, device=turn.device)
    at = torch.arange(WINDOW, device=turn.device)
    waves = torch.cos(at[:, None] * pace + 2 * math.pi * rand(count, 1, 4))
    drift = torch.einsum("btw,bwjc->btjc", waves, normal(count, 4, 24, 3)) / math.sqrt(2)
    return turn + strength * (0.4 * normal(count, WINDOW, 24, 3) + drift)
