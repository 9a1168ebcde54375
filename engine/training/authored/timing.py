"""Performances that are held up and go on."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d

from engine.training.figure import Floats, MotionClip, matrices, vectors

_SLOWEST = 0.06
"""Share of its speed that a motion keeps while it is held up: nobody is quite still."""


def held_up(clip: MotionClip, rng: np.random.Generator) -> MotionClip:
    """The motion held up once for 0.3 to 1.2 s somewhere in its middle half, slowing down and speeding up smoothly."""
    frames = len(clip.pelvis)
    hold = int(rng.uniform(0.3, 1.2) * clip.fps)
    start = int(rng.uniform(0.25, 0.75) * frames)
    speed = np.ones(frames + hold)
    speed[start : start + hold] = _SLOWEST
    speed = gaussian_filter1d(speed, 0.12 * clip.fps, mode="nearest")
    at = np.concatenate([[0.0], np.cumsum(speed[1:])])
    return retimed(clip, at[at <= frames - 1])


def retimed(clip: MotionClip, at: Floats) -> MotionClip:
    """The motion at other moments: `at` (T,) in frames of the clip, growing, between 0 and its last frame."""
    low = np.minimum(at.astype(int), len(clip.pelvis) - 2)
    share = (at - low)[:, None]
    turn = vectors(np.swapaxes(clip.rotations[low], -1, -2) @ clip.rotations[low + 1])
    rotations = clip.rotations[low] @ matrices(share[..., None] * turn)
    pelvis = (1 - share) * clip.pelvis[low] + share * clip.pelvis[low + 1]
    return MotionClip(clip.name, rotations, pelvis, clip.contacts[np.round(at).astype(int)], clip.fps)
