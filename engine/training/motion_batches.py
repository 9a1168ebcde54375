"""Windows of motion for training, drawn and varied on the device: speed, mirror, mixed halves, jitter, heading, shape.

The clips are few, so every draw is a new motion that nobody performed but that somebody could have. Legend: B windows,
T frames, J joints (24). World frame of the corpus: z up, floor at z = 0, metres.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.body.rotations import axis_angle_to_matrix, matrix_to_six, six_to_matrix
from engine.training.corpus import CorpusClip
from engine.training.figure import INDEX, MIRROR

_LOWER_BODY = [INDEX[f"{side}_{part}"] for side in ("left", "right") for part in ("hip", "knee", "ankle", "foot")]
_ARMS = [
    [INDEX[f"{side}_{part}"] for part in ("collar", "shoulder", "elbow", "wrist", "hand")] for side in ("left", "right")
]
_SHOULDERS = [INDEX["left_shoulder"], INDEX["right_shoulder"]]
_HIPS = [INDEX["left_hip"], INDEX["right_hip"]]
_SPINE = [INDEX["spine1"], INDEX["spine2"], INDEX["spine3"]]
_BOW_RAD, _BOW_AT_PELVIS = 1.3, 0.6
_WILD_RAD, _LEAN_RAD = 0.5, 0.7
RATES = (24.0, 25.0, 30.0, 50.0, 60.0)
"""Frame rates of footage that windows are drawn at."""


@dataclass(frozen=True)
class Variation:
    """How much windows are varied. Zero everywhere: motions as they were captured."""

    mirror: float = 0.5
    """Share of windows that are mirrored."""
    mixed: float = 0.3
    """Share of windows whose legs come from another window."""
    jitter_rad: float = 0.1
    """Standard deviation of a steady turn added to each joint."""
    reach_rad: float = 0.35
    """The same at the shoulders, in a quarter of the windows."""
    tilt_rad: float = 0.05
    """Standard deviation of the lean of the whole body."""
    speed: float = 0.25
    """Standard deviation of the logarithm of the speed."""
    shape: float = 1.0
    """Standard deviation of the shape numbers."""
    arms: float = 0.0
    """Share of windows in which one arm is that of another window."""
    sway_rad: float = 0.0
    """Standard deviation of a turn added to each joint that comes and goes in about a second."""
    bowed: float = 0.0
    """Share of windows whose trunk is bowed forwards, legs as they were."""
    wild: float = 0.0
    """Share of windows whose joints are turned, and whose body leans, far more: poses that no clip comes near."""


@dataclass(frozen=True)
class MotionBatch:
    """Windows of motion, world frame.

    Attributes:
        rotations: (B, T, 24, 3, 3) relative to the parent, root in the world.
        pelvis: (B, T, 3) metres.
        betas: (B, 10).
        contacts: (B, T, 4) 1 touching, 0 not, -1 not known.
        times_s: (B, T).
        clip: (B,) number of the clip that each window was drawn from; None where that is not known.
        label: (B, T) row of each frame's label, where the clips came with such rows.
    """

    rotations: Tensor
    pelvis: Tensor
    betas: Tensor
    contacts: Tensor
    times_s: Tensor
    clip: Tensor | None = None
    label: Tensor | None = None


def clip_weights(clips: Sequence[CorpusClip], synthetic: float) -> Tensor:
    """(N,) how often each clip is drawn beside the others: the root of its length, synthetic ones `synthetic` of all.

    A long clip repeats itself: the square root keeps it from crowding out the short ones. Authored clips are many times
    more than captured ones and less like people.
    """
    weights = torch.tensor([len(clip.pelvis) for clip in clips]).float().sqrt()
    authored = torch.tensor([clip.synthetic for clip in clips])
    for chosen, share in ((authored, synthetic), (~authored, 1 - synthetic)):
        weights[chosen] *= share / weights[chosen].sum().clamp(min=1e-6)
    return weights


class MotionWindows:
    """Draws windows from clips.

    Args:
        clips: whatever is trained on, or scored on.
        frames: T.
        device: where everything is kept and done.
        weights: how often each clip is drawn beside the others; by default as the root of its length says.
        labels: row of the label of every frame of all clips, one after the other.
        rates: frame rates that windows are drawn at.
    """

    def __init__(
        self,
        clips: Sequence[CorpusClip],
        frames: int,
        device: torch.device,
        weights: Tensor | None = None,
        labels: Tensor | None = None,
        rates: Sequence[float] = RATES,
    ) -> None:
        if not clips:
            raise ValueError("there are no clips to draw windows from")
        self.frames, self.device, self._rates = frames, device, tuple(rates)
        self._labels = None if labels is None else labels.to(device)
        poses = torch.from_numpy(np.concatenate([clip.poses for clip in clips]))
        self._six = matrix_to_six(axis_angle_to_matrix(poses.reshape(-1, 24, 3))).to(device)
        self._pelvis = torch.from_numpy(np.concatenate([clip.pelvis for clip in clips])).to(device)
        self._contacts = torch.from_numpy(np.concatenate([clip.contacts for clip in clips])).float().to(device)
        lengths = torch.tensor([len(clip.pelvis) for clip in clips])
        self._lengths = lengths.to(device)
        self._starts = (torch.cumsum(lengths, 0) - lengths).to(device)
        self._weights = lengths.float().sqrt() if weights is None else weights

    def draw(
        self, count: int, generator: torch.Generator, variation: Variation, kept: Tensor | None = None
    ) -> MotionBatch:
        """Draw `count` windows.

        Args:
            count: B.
            generator: a CPU generator, so that a seed means the same on every device.
            variation: how much they are varied.
            kept: (B, S) the frames of each window to give, increasing; all T if None.
        """

        def rand(*shape: int) -> Tensor:
            return torch.rand(*shape, generator=generator).to(self.device)

        def normal(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=generator).to(self.device)

        clip = torch.multinomial(self._weights, count, replacement=True, generator=generator).to(self.device)
        rates = torch.tensor(self._rates, device=self.device)[(rand(count) * len(self._rates)).long()]
        times = torch.arange(self.frames, device=self.device) / rates[:, None]
        speed = torch.exp(variation.speed * normal(count)).clamp(0.5, 2.0)
        times = times if kept is None else times.gather(1, kept.to(self.device))
        length = (self.frames - 1) / rates * 30.0 * speed
        rotations, pelvis, contacts, label = self._read(clip, rand(count), length, times * 30.0 * speed[:, None])
        rotations, pelvis, contacts = _mirrored(rotations, pelvis, contacts, rand(count) < variation.mirror)
        rotations, contacts = _mixed(rotations, contacts, rand(count) < variation.mixed)
        rotations = _jittered(rotations, variation, normal, rand)
        rotations, pelvis = _turned(rotations, pelvis, 2 * math.pi * rand(count), variation.tilt_rad * normal(count, 2))
        betas = (variation.shape * normal(count, 10)).clamp(-2.5, 2.5)
        if variation.arms:
            rotations = _other_arm(rotations, rand(count) < variation.arms, rand(count) < 0.5)
        if variation.sway_rad:
            rotations = _swayed(rotations, times, variation.sway_rad, normal, rand)
        if variation.bowed:
            rotations = _bowed(rotations, times, rand(count) < variation.bowed, rand)
        if variation.wild:
            rotations = _wild(rotations, rand(count) < variation.wild, normal, rand)
        return MotionBatch(rotations, pelvis, betas, contacts, times, clip, label)

    def _read(
        self, clip: Tensor, place: Tensor, length: Tensor, steps: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        """Motion at `steps` (B, T) frames from a random start of a window of `length` (B,) frames; clips that are too
        short run to and fro."""
        last = (self._lengths[clip] - 1).float()
        start = place * (last - length).clamp(min=0)
        position = start[:, None] + steps
        period = (2 * last[:, None]).clamp(min=1)
        position = last[:, None] - (position % period - last[:, None]).abs()
        low = position.floor().long()
        high = torch.minimum(low + 1, last.long()[:, None])
        share = (position - low)[..., None]
        row = self._starts[clip][:, None]

        def mix(values: Tensor) -> Tensor:
            return torch.lerp(values[row + low].flatten(2), values[row + high].flatten(2), share)

        rotations = six_to_matrix(mix(self._six).reshape(*position.shape, 24, 6))
        nearest = row + position.round().long()
        label = None if self._labels is None else self._labels[nearest]
        return rotations, mix(self._pelvis), self._contacts[nearest], label


def _mirrored(rotations: Tensor, pelvis: Tensor, contacts: Tensor, chosen: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Left and right changed in the chosen windows: reflection in the plane x = 0."""
    flip = torch.diag(torch.tensor([-1.0, 1, 1], device=rotations.device))
    other = flip @ rotations[:, :, MIRROR] @ flip
    rotations = torch.where(chosen[:, None, None, None, None], other, rotations)
    pelvis = torch.where(chosen[:, None, None], pelvis @ flip, pelvis)
    return rotations, pelvis, torch.where(chosen[:, None, None], contacts[..., [2, 3, 0, 1]], contacts)


def _mixed(rotations: Tensor, contacts: Tensor, chosen: Tensor) -> tuple[Tensor, Tensor]:
    """The chosen windows get the legs of the window before them; nobody knows then what touches the ground."""
    mixed = rotations.clone()
    mixed[:, :, _LOWER_BODY] = rotations.roll(1, 0)[:, :, _LOWER_BODY]
    rotations = torch.where(chosen[:, None, None, None, None], mixed, rotations)
    return rotations, torch.where(chosen[:, None, None], torch.full_like(contacts, -1), contacts)


def _jittered(
    rotations: Tensor, variation: Variation, normal: Callable[..., Tensor], rand: Callable[..., Tensor]
) -> Tensor:
    count = len(rotations)
    turn = variation.jitter_rad * normal(count, 1, 24, 3)
    turn[:, :, 0] = 0
    reach = variation.reach_rad * normal(count, 1, 2, 3) * (rand(count) < 0.25)[:, None, None, None]
    turn[:, :, _SHOULDERS] += reach
    return rotations @ axis_angle_to_matrix(turn)


def _other_arm(rotations: Tensor, chosen: Tensor, left: Tensor) -> Tensor:
    """The chosen windows get the left or the right arm of the window two before them."""
    mixed = rotations.clone()
    other = rotations.roll(2, 0)
    for arm, mine in ((_ARMS[0], left), (_ARMS[1], ~left)):
        mixed[:, :, arm] = torch.where((chosen & mine)[:, None, None, None, None], other[:, :, arm], mixed[:, :, arm])
    return mixed


def _bowed(rotations: Tensor, times: Tensor, chosen: Tensor, rand: Callable[..., Tensor]) -> Tensor:
    """The chosen windows bow by up to `_BOW_RAD`, come and go, pelvis and spine; legs point where they did."""
    count = len(rotations)
    wave = 0.5 + 0.5 * torch.sin(2 * math.pi * (times * (0.05 + 0.35 * rand(count, 1)) + rand(count, 1)))
    steady = rand(count, 1)
    angle = _BOW_RAD * rand(count, 1) * torch.lerp(wave, torch.ones_like(wave), steady) * chosen[:, None]
    turned = rotations.clone()
    for joints, share in ((_SPINE, (1 - _BOW_AT_PELVIS) / len(_SPINE)), ([0], _BOW_AT_PELVIS)):
        turn = axis_angle_to_matrix(torch.stack((share * angle, 0 * angle, 0 * angle), -1))
        turned[:, :, joints] = turned[:, :, joints] @ turn[:, :, None]
    turned[:, :, _HIPS] = turn.mT[:, :, None] @ turned[:, :, _HIPS]
    return turned


def _wild(rotations: Tensor, chosen: Tensor, normal: Callable[..., Tensor], rand: Callable[..., Tensor]) -> Tensor:
    """The chosen windows, joints turned by up to `_WILD_RAD` and the body leant by up to `_LEAN_RAD`, throughout."""
    count = len(rotations)
    size = torch.full((24, 1), _WILD_RAD, device=rotations.device)
    size[0] = 0
    turn = size * normal(count, 1, 24, 3) * rand(count, 1, 1, 1) * chosen[:, None, None, None]
    lean = _LEAN_RAD * normal(count, 3) * rand(count, 1) * chosen[:, None]
    rotations = rotations @ axis_angle_to_matrix(turn)
    root = axis_angle_to_matrix(lean)[:, None] @ rotations[:, :, 0]
    return torch.cat((root[:, :, None], rotations[:, :, 1:]), 2)


def _swayed(
    rotations: Tensor, times: Tensor, size: float, normal: Callable[..., Tensor], rand: Callable[..., Tensor]
) -> Tensor:
    """Each joint but the root turns to and fro, by its own axis, pace and strength."""
    count = len(rotations)
    pace = 2 * math.pi * (0.3 + 0.9 * rand(count, 1, 24))
    wave = torch.sin(times[..., None] * pace + 2 * math.pi * rand(count, 1, 24))
    turn = size * math.sqrt(2) * rand(count, 1, 1, 1) * wave[..., None] * normal(count, 1, 24, 3)
    turn[:, :, 0] = 0
    return rotations @ axis_angle_to_matrix(turn)


def _turned(rotations: Tensor, pelvis: Tensor, heading: Tensor, tilt: Tensor) -> tuple[Tensor, Tensor]:
    """Turn each window about the vertical, and lean the body about the pelvis."""
    zero = torch.zeros_like(heading)
    spin = axis_angle_to_matrix(torch.stack((zero, zero, heading), -1))
    lean = axis_angle_to_matrix(torch.cat((tilt, zero[:, None]), -1))
    rotations = rotations.clone()
    rotations[:, :, 0] = (lean @ spin)[:, None] @ rotations[:, :, 0]
    return rotations, (spin[:, None] @ pelvis[..., None]).squeeze(-1)
