"""What several actions share: hands at places that go with the body, for a while."""

from __future__ import annotations

import numpy as np

from engine.training.authored.stage import Stage
from engine.training.figure import Floats

SIGNS = {"left": 1.0, "right": -1.0}
ELBOW_DOWN, ELBOW_OUT, ELBOW_BACK = (0.7, -1.0, -0.2), (1.0, -0.2, -0.3), (0.9, 0.0, -0.8)
"""Where elbows point: outward is x over 0."""
_PELVIS_M = 0.965

Place = tuple[float, float, float]
"""Outward from the middle, over the floor of a standing person with the pelvis at 0.965 m, ahead; metres."""


def scale_of(stage: Stage) -> float:
    """Size of the performer; 1 for one with the pelvis at 0.965 m."""
    return stage.performer.figure.standing_height / _PELVIS_M


def during(stage: Stage, start: float = 0.15, rise: float = 0.5, fall: float = 0.5, end: float = 0.1) -> Floats:
    """(T,) 0, then 1, then 0 again: rises from `start` on, is back `end` seconds before the end."""
    t = stage.seconds
    return stage.key((start, 0), (start + rise, 1), (t - end - fall, 1), (t - end, 0), smooth_s=0.08)


def with_body(stage: Stage, side: str, *keys: tuple[float, Place]) -> Floats:
    """(T, 3) path of a wrist through (seconds, place) keys that goes with the pelvis."""
    sign, scale = SIGNS[side], scale_of(stage)
    points = [(at, (sign * p[0] * scale, (p[1] - _PELVIS_M) * scale, p[2] * scale)) for at, p in keys]
    path: Floats = stage.pelvis + stage.path(*points)
    return path


def hold(stage: Stage, side: str, path: Floats, weight: Floats, elbow: Place = ELBOW_DOWN) -> None:
    """Put a hand on a path while `weight` is 1."""
    arm = stage.arms[side]
    arm.reach, arm.weight = path, np.clip(weight, 0, 1)
    arm.hint[:] = elbow


def turn_hand(stage: Stage, side: str, pronation: float = 0, extension: float = 0, deviation: float = 0) -> None:
    """Turn a hand by degrees as far as it is at its place."""
    arm = stage.arms[side]
    arm.pronation = arm.pronation + pronation * arm.weight
    arm.extension = arm.extension + extension * arm.weight
    arm.deviation = arm.deviation + deviation * arm.weight


def swings(stage: Stage, rate: float, start: float = 0.0) -> Floats:
    """(T,) sine of `rate` a second, from `start` on."""
    return np.asarray(np.sin(2 * np.pi * rate * np.maximum(stage.times - start, 0)))


def wobble(stage: Stage, place: Place, size_m: float = 0.03) -> Place:
    """The place, up to some centimetres off."""
    x, y, z = (float(value + stage.rng.uniform(-size_m, size_m)) for value in place)
    return x, y, z
