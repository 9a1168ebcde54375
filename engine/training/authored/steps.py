"""Steps: feet that leave the ground at one place and land at another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.training.authored.stage import Stage
from engine.training.figure import Floats


@dataclass(frozen=True)
class Step:
    """One step of one foot."""

    side: str
    lift_s: float
    """Second at which the toes leave the ground."""
    land_s: float
    """Second at which the foot lands."""
    place: tuple[float, float, float]
    """Where the sole comes to lie under the ankle."""
    clearance_m: float = 0.05
    """Rise of the foot over the straight way."""
    push_off: float = 35.0
    """Degrees that the heel is up when the toes leave."""
    landing: float = -12.0
    """Degrees of the foot when it lands: under 0 heel first, over 0 ball first."""
    after: float = 0.0
    """Degrees that the heel stays up once the foot has landed."""


def take_steps(stage: Stage, steps: Sequence[Step]) -> None:
    """Write steps into the feet of a stage; each foot stands where it stood until its first step."""
    for side, foot in stage.feet.items():
        pitch = [(0.0, float(foot.pitch[0]))]
        for step in sorted((s for s in steps if s.side == side), key=lambda s: s.lift_s):
            start, place = foot.flat[-1].copy(), np.array(step.place)
            moving = stage.times > step.lift_s
            share = np.clip((stage.times - step.lift_s) / (step.land_s - step.lift_s), 0, 1)
            foot.flat[moving] = _flight(start, place, share, step.clearance_m)[moving]
            foot.support[stage.times >= step.land_s] = place[1]
            before = max(pitch[-1][0] + 0.02, step.lift_s - 0.28)
            pitch += [(before, pitch[-1][1]), (step.lift_s, step.push_off)]
            pitch += [(step.land_s, step.landing), (step.land_s + 0.12, step.after)]
        foot.pitch = stage.key(*_in_order(pitch), smooth_s=0.03)


def _in_order(keys: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Keys at growing times: where steps follow closely the later key gives way."""
    kept: list[tuple[float, float]] = []
    for at, value in keys:
        kept.append((max(at, kept[-1][0] + 0.02) if kept else at, value))
    return kept


def ease(share: Floats) -> Floats:
    """Minimum-jerk course from 0 to 1 (Flash and Hogan 1985, J Neurosci 5:1688)."""
    u = np.clip(share, 0, 1)
    course: Floats = u**3 * (10 - 15 * u + 6 * u**2)
    return course


def _flight(start: Floats, place: Floats, share: Floats, clearance_m: float) -> Floats:
    """(T, 3) way of the foot: up early onto a step, down late from one."""
    rise = place[1] - start[1]
    way = start + ease(share)[:, None] * (place - start)
    course = share * 1.6 if rise > 0.02 else (share - 0.375) * 1.6 if rise < -0.02 else share
    way[:, 1] = start[1] + ease(course) * rise + clearance_m * np.sin(np.pi * share) ** 2
    return way
