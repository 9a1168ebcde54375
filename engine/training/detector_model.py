"""The keypoint detector as it was measured: what it reports, on average and at random, of a body in a known pose.

A small network tells the mean and the spread of each report (where a keypoint is put in the picture, its confidence,
its place in the detector's 3D) from the true pose as the camera sees it and from what is hidden. What is left over is
drawn with the measured covariance between keypoints, the measured memory in time and the measured strength of whole
sequences; frames are missed, and left and right exchanged, as often and as long as it was seen.

Fitted by `engine.training.detector_fit` to the pairs of `engine.training.detector_study`. Legend: B windows, T frames,
K keypoints (33), F numbers a frame (198): K x, K y, K confidence, then x, y, z of K.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.backbones.observation import look_at
from engine.errors import ModelFileError
from engine.files.array_file import ArrayFileError, read_arrays
from engine.files.array_tables import DETECTOR
from engine.keypoints.joint_sets import MEDIAPIPE_33

DETECTOR_MODEL = Path(__file__).parents[1] / "assets" / "detector_model.npz"
KEYPOINTS = len(MEDIAPIPE_33)
NUMBERS = 6 * KEYPOINTS
MEMORY_S = (0.0, 0.05, 0.2, 1.0, 1e6)
"""Memories whose mixture makes the correlation in time: none, three lengths, and what never changes in a window."""
HIDDEN_EDGES = (1, 7, 13, 21)
"""Bounds between the classes of how many keypoints are hidden."""
LOGIT_BOUND = 4.6
MIRRORED_KEYPOINTS = [
    MEDIAPIPE_33.index(name.replace("left", "?").replace("right", "left").replace("?", "right"))
    for name in MEDIAPIPE_33
]
LEG_KEYPOINTS = [
    i for i, name in enumerate(MEDIAPIPE_33) if name.split("_", 1)[-1] in ("knee", "ankle", "heel", "foot_index")
]


@dataclass(frozen=True)
class View:
    """True bodies through virtual cameras that look at them.

    Attributes:
        inputs: (..., 199) what the network is given.
        turn: (..., 3, 3) from the virtual camera's axes to the camera's.
        half: (..., 1, 1) half the box's longer side, in units of the focal length.
        flat: (..., K, 2) true keypoints in half-boxes; body: (..., K, 3) true landmarks about the hips, virtual axes.
    """

    inputs: Tensor
    turn: Tensor
    half: Tensor
    flat: Tensor
    body: Tensor


@dataclass(frozen=True)
class Fitted:
    """All that is measured, as arrays."""

    first: Tensor
    """(H, 199), with `first_bias` (H,), and so on: the network."""
    first_bias: Tensor
    second: Tensor
    second_bias: Tensor
    last: Tensor
    last_bias: Tensor
    directions: Tensor
    """(F, F) columns: principal directions of the left-over, times their standard deviation."""
    memory: Tensor
    """(F, 5) share of the variance along each direction that has each memory of `MEMORY_S`."""
    strength: Tensor
    """(Q,) quantiles over sequences of the left-over's strength, mean square 1."""
    burst: Tensor
    """(1,) how unevenly errors change: standard deviation of the logarithm of their changes' strength."""
    missed: Tensor
    """(5, 2) for each class of hidden keypoints: chance that a frame in which the person was found is followed by a
    miss, and that a miss is followed by a find, for frames a thirtieth of a second apart."""
    swapped: Tensor
    """(2, 2) all keypoints, legs alone: chance a second that left and right are exchanged, and for how many seconds."""


class DetectorModel(nn.Module):
    """The measured detector.

    Args:
        fitted: what was measured.
    """

    def __init__(self, fitted: Fitted) -> None:
        super().__init__()
        for item in fields(Fitted):
            self.register_buffer(item.name, getattr(fitted, item.name).float())

    first: Tensor
    first_bias: Tensor
    second: Tensor
    second_bias: Tensor
    last: Tensor
    last_bias: Tensor
    directions: Tensor
    memory: Tensor
    strength: Tensor
    burst: Tensor
    missed: Tensor
    swapped: Tensor

    @classmethod
    def from_file(cls, path: Path = DETECTOR_MODEL) -> DetectorModel:
        """The model in a `.npz`. Raises ModelFileError if it holds anything else."""
        try:
            found = read_arrays(path, DETECTOR)
        except (OSError, ArrayFileError) as error:
            hint = "Install the engine again, or measure it with: adapt-motion train detector-model"
            raise ModelFileError(f"{path} holds no measured detector.", hint) from error
        return cls(Fitted(**{name: torch.from_numpy(array.astype(np.float32)) for name, array in found.items()}))

    def spread(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation (..., F) of the report less the truth, for inputs (..., 199)."""
        hidden = functional.gelu(functional.linear(inputs, self.first, self.first_bias))
        hidden = functional.gelu(functional.linear(hidden, self.second, self.second_bias))
        mean, log_sigma = functional.linear(hidden, self.last, self.last_bias).chunk(2, -1)
        return mean, log_sigma.clamp(-6, 1).exp()

    @torch.no_grad()
    def observe(
        self,
        keypoints: Tensor,
        landmarks: Tensor,
        hidden: Tensor,
        intrinsics: Tensor,
        image_size: Tensor,
        times_s: Tensor,
        generator: torch.Generator,
        strength: float | Tensor = 1.0,
    ) -> tuple[Tensor, Tensor]:
        """What the detector reports.

        Args:
            keypoints: (B, T, K, 2) true pixels; landmarks: (B, T, K, 3) true metres, camera frame.
            hidden: (B, T, K) bool, behind an object or out of the picture.
            intrinsics: (B, 3, 3); image_size: (B, 2); times_s: (B, T).
            generator: on the CPU.
            strength: factor on what is random, 1 as measured; a number, or (B, 1, F).

        Returns:
            (B, T, K, 3) pixels and confidence, 0 where nobody was found; (B, T, K, 3) metres, NaN there.
        """
        view = see(keypoints, landmarks, hidden, intrinsics)
        mean, sigma = self.spread(view.inputs)
        noise = self._left_over(times_s, generator) * strength
        report = mean + sigma * noise
        flat, logit, body = torch.split(report, [2 * KEYPOINTS, KEYPOINTS, 3 * KEYPOINTS], -1)
        flat = view.flat + torch.unflatten(flat, -1, (2, KEYPOINTS)).transpose(-1, -2)
        body = view.body + torch.unflatten(body, -1, (KEYPOINTS, 3))
        pixels = back_to_pixels(flat, view, intrinsics)
        confidence = torch.sigmoid(logit.clamp(-LOGIT_BOUND, LOGIT_BOUND))
        outside = ((pixels < 0) | (pixels > image_size[:, None, None])).any(-1)
        points = torch.cat((pixels, torch.where(outside, 0.0, confidence)[..., None]), -1)
        points, body = self._exchanged(points, body, times_s, generator)
        lost = self._misses(hidden, times_s, generator)[..., None, None]
        return torch.where(lost, torch.zeros_like(points), points), torch.where(lost, torch.nan, body)

    def _left_over(self, times_s: Tensor, generator: torch.Generator) -> Tensor:
        """(B, T, F) of mean square 1, correlated between numbers and in time as measured."""
        count, frames = times_s.shape
        device = times_s.device
        total = torch.zeros(count, frames, NUMBERS, device=device)
        gaps = times_s.diff(dim=1)
        for number, memory_s in enumerate(MEMORY_S):
            fresh = torch.randn(count, frames, NUMBERS, generator=generator).to(device)
            # most changes are small and few are large; the mean square stays 1
            uneven = torch.randn(count, frames, 1, generator=generator).to(device)
            fresh = fresh * torch.exp(self.burst * uneven - self.burst.square()) if memory_s < 1 else fresh
            if memory_s:
                kept = torch.exp(-gaps / memory_s)[..., None]
                rest = torch.sqrt((1 - kept.square()).clamp(min=0))
                for t in range(1, frames):
                    fresh[:, t] = kept[:, t - 1] * fresh[:, t - 1] + rest[:, t - 1] * fresh[:, t]
            total += self.memory[:, number].sqrt() * fresh
        place = torch.rand(count, generator=generator).to(device) * (len(self.strength) - 1)
        low = place.floor().long()
        high = (low + 1).clamp(max=len(self.strength) - 1)
        scale = torch.lerp(self.strength[low], self.strength[high], place - low)
        result: Tensor = scale[:, None, None] * (total @ self.directions.T)
        return result

    def _exchanged(
        self, points: Tensor, body: Tensor, times_s: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Left and right exchanged for a while, in few windows."""
        count = len(times_s)
        length = times_s[:, -1] - times_s[:, 0]
        for which, members in enumerate((list(range(KEYPOINTS)), LEG_KEYPOINTS)):
            rate, lasts = self.swapped[which]
            draw = torch.rand(count, 3, generator=generator).to(times_s)
            begins = times_s[:, 0] + (length + lasts) * draw[:, 0] - lasts
            ends = begins - lasts * torch.log(draw[:, 1].clamp(min=1e-6))
            chosen = draw[:, 2] < rate * (length + lasts)
            inside = (chosen[:, None] & (times_s >= begins[:, None]) & (times_s < ends[:, None]))[..., None, None]
            order = [MIRRORED_KEYPOINTS[k] if k in members else k for k in range(KEYPOINTS)]
            points, body = (
                torch.where(inside, points[:, :, order], points),
                torch.where(inside, body[:, :, order], body),
            )
        return points, body

    def _misses(self, hidden: Tensor, times_s: Tensor, generator: torch.Generator) -> Tensor:
        """(B, T) frames in which nobody is found."""
        edges = torch.tensor(HIDDEN_EDGES, device=hidden.device)
        kind = torch.bucketize(hidden.sum(-1), edges, right=True)
        lose, find = self.missed[kind].unbind(-1)
        draw = torch.rand(hidden.shape[:2], generator=generator).to(times_s)
        lost = torch.zeros_like(draw, dtype=torch.bool)
        lost[:, 0] = draw[:, 0] < (lose / (lose + find).clamp(min=1e-6))[:, 0]
        for t in range(1, hidden.shape[1]):
            steps = (times_s[:, t] - times_s[:, t - 1]) * 30
            changes = 1 - (1 - torch.where(lost[:, t - 1], find[:, t], lose[:, t])) ** steps
            lost[:, t] = lost[:, t - 1] ^ (draw[:, t] < changes)
        return lost


def see(keypoints: Tensor, landmarks: Tensor, hidden: Tensor, intrinsics: Tensor) -> View:
    """True bodies as virtual cameras see them; arguments as in `DetectorModel.observe`."""
    rays = rays_of(keypoints, intrinsics)
    low, high = rays.amin(-2), rays.amax(-2)
    half = ((high - low).amax(-1) / 2).clamp(min=1e-3)[..., None, None]
    turn = look_at((low + high) / 2)
    flat = turned_flat(rays, turn) / half
    hips = [MEDIAPIPE_33.index("left_hip"), MEDIAPIPE_33.index("right_hip")]
    body = (landmarks - landmarks[..., hips, :].mean(-2, keepdim=True)) @ turn
    inputs = torch.cat((flat.flatten(-2), body.flatten(-2), hidden.float(), half[..., 0].log() + 2), -1)
    return View(inputs, turn, half, flat, body)


def rays_of(pixels: Tensor, intrinsics: Tensor) -> Tensor:
    """(B, T, K, 2) pixels to x / z and y / z."""
    focal = torch.stack((intrinsics[:, 0, 0], intrinsics[:, 1, 1]), -1)
    return (pixels - intrinsics[:, None, None, :2, 2]) / focal[:, None, None]


def turned_flat(rays: Tensor, turn: Tensor) -> Tensor:
    """Rays (..., K, 2) as virtual cameras see them."""
    through = functional.pad(rays, (0, 1), value=1.0) @ turn
    return through[..., :2] / through[..., 2:].clamp(min=0.05)


def back_to_pixels(flat: Tensor, view: View, intrinsics: Tensor) -> Tensor:
    """Pixels of what virtual cameras see at `flat` (..., K, 2) half-boxes: the way back."""
    through = functional.pad(flat * view.half, (0, 1), value=1.0) @ view.turn.transpose(-1, -2)
    rays = through[..., :2] / through[..., 2:].clamp(min=0.05)
    focal = torch.stack((intrinsics[:, 0, 0], intrinsics[:, 1, 1]), -1)
    return rays * focal[:, None, None] + intrinsics[:, None, None, :2, 2]
