"""Seconds to frames, in one place. Rates are exact fractions: 29.97 is 30000/1001, in Blender 30 / 1.001."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # numpy is imported where it is used: some builds of Blender lack it
    import numpy

CLIP_RATE, KEY_RATE, KEY_START = "adapt_motion_clip_rate", "adapt_motion_key_rate", "adapt_motion_key_start"
"""Custom properties of actions and Movie Clips: the clip's rate, the scene's rate that they are laid out for (both as
`30000/1001`), and the frame of the clip's time 0. Exports turn frames back into seconds with them."""

JITTER = 0.1
"""Frames that a timestamp of constant-rate footage may lie beside its frame, from rounding in the container."""


def exact_rate(fps: float) -> Fraction:
    """The rate that a float means: whole, or a whole rate / 1.001 as television has it, or else to six digits."""
    for rate in (Fraction(round(fps)), Fraction(round(fps * 1.001) * 1000, 1001)):
        if rate > 0 and abs(float(rate) - fps) < 1e-6 * fps:
            return rate
    return Fraction(fps).limit_denominator(1_000_000)


def scene_rate(scene) -> Fraction:
    """The scene's frames a second, exact."""
    return exact_rate(scene.render.fps / scene.render.fps_base)  # fps_base is in single precision


def set_scene_rate(scene, rate: Fraction) -> None:
    """Give the scene `rate`: 30000/1001 becomes fps 30, fps_base 1.001."""
    whole = max(1, round(rate + Fraction(1, 1000)))
    scene.render.fps = whole
    scene.render.fps_base = float(whole / rate)


def clip_frames(seconds: numpy.ndarray, rate: Fraction) -> numpy.ndarray:
    """Frame numbers from 0 at time 0 in the clip's own rate.

    Args:
        seconds: (T,) increasing timestamps.
        rate: frames a second of the clip.

    Returns:
        (T,) float64: whole numbers if the clip keeps its rate (up to `JITTER`), else the true, fractional places.
    """
    import numpy as np

    frames = np.asarray(seconds, dtype=np.float64) * rate.numerator / rate.denominator
    whole = np.round(frames)
    constant = np.abs(frames - whole).max() < JITTER and (np.diff(whole) >= 1).all()
    return whole if constant else frames


def frames_at(seconds: numpy.ndarray, clip_rate: Fraction, scene_rate: Fraction, start: float) -> numpy.ndarray:
    """Frames of a scene that runs at `scene_rate`, where time 0 of the clip is frame `start`.

    Returns:
        (T,) float64; whole numbers where the scene runs at the clip's constant rate.
    """
    ratio = scene_rate / clip_rate
    return start + clip_frames(seconds, clip_rate) * ratio.numerator / ratio.denominator
