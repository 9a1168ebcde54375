"""Gestures of the arms while standing: waving, clapping, talking, drinking.

Waving: arm raised to 55 to 85 degrees, forearm up, 1.5 to 2.5 swings a second (our choice). Clapping: people clap in a
fast mode and in one of half that rate (Néda et al. 2000, Nature 403:849), each with hands of their own configuration
(Repp 1987, J Acoust Soc Am 81:1100); 1.6 to 4.5 claps a second here. Talking: strokes in front of the trunk, between
preparation and return (McNeill 1992, Hand and Mind); 0.3 to 1 s each, our choice. Drinking: reaching, forward
transport, drinking, back transport, return (Alt Murphy et al. 2006, J Neuroeng Rehabil 3:18), 5.9 s in all in the
median (de los Reyes-Guzmán et al. 2010, J Neuroeng Rehabil 7:41); the angles follow from the cup's way to the mouth.
"""

from __future__ import annotations

import numpy as np

from engine.training.authored.stage import SIDES, Stage
from engine.training.figure import INDEX


def wave(stage: Stage) -> None:
    """Waving with one raised hand, palm to the front."""
    person, arm, t = stage.performer, stage.arms["right"], stage.seconds
    up = stage.key((0.2, 0), (0.75, 1), (t - 0.75, 1), (t - 0.15, 0), smooth_s=0.08)
    rate = stage.vary(1.9, 0.2) * person.tempo
    swing = np.sin(2 * np.pi * rate * stage.times) * np.clip(up * 2 - 1, 0, 1)
    raised = stage.rng.uniform(45, 85) * person.amplitude
    arm.abduction = arm.abduction + up * raised
    arm.flexion = arm.flexion + up * stage.rng.uniform(5, 30)
    arm.rotation = arm.rotation - up * (stage.rng.uniform(88, 105)) + swing * 8
    arm.elbow = arm.elbow + up * stage.rng.uniform(70, 95) + swing * 24 * person.amplitude
    arm.deviation = arm.deviation - swing * 10
    arm.pronation = arm.pronation - up * 10
    stage.spine[:, 1] += up * 3
    stage.head[:, 1] += up * stage.rng.uniform(-4, 4)


def clap(stage: Stage) -> None:
    """Clapping the hands in front of the chest."""
    person, figure, t = stage.performer, stage.performer.figure, stage.seconds
    up = stage.key((0.15, 0), (0.6, 1), (t - 0.6, 1), (t - 0.1, 0), smooth_s=0.08)
    rate = stage.rng.uniform(2.0, 3.6) * person.tempo
    # open for longer than closed: the hands are together for about a quarter of the time
    apart = (0.5 - 0.5 * np.cos(2 * np.pi * rate * stage.times)) ** 0.8
    gap = 0.035 + stage.rng.uniform(0.07, 0.15) * person.amplitude * apart
    scale = figure.standing_height / 0.965
    height, ahead = stage.rng.uniform(1.08, 1.24) * scale, stage.rng.uniform(0.24, 0.33) * scale
    for side, sign in (("left", 1.0), ("right", -1.0)):
        arm = stage.arms[side]
        arm.reach = np.stack([sign * gap, stage.still(height), stage.still(ahead)], 1)
        arm.reach[:, 1] += -sign * 0.012 * apart
        arm.weight = up
        arm.hint[:] = (0.9, -1.0, -0.5)
        arm.extension = arm.extension + up * 8
        arm.deviation = arm.deviation + up * 8
    stage.head[:, 0] += up * 4


def talk(stage: Stage) -> None:
    """Talking, the hands gesturing."""
    person, t = stage.performer, stage.seconds
    scale = person.figure.standing_height / 0.965
    keys: dict[str, list[tuple[float, tuple[float, float, float]]]] = {side: [] for side in SIDES}
    weights: dict[str, list[tuple[float, float]]] = {side: [(0.0, 0.0)] for side in SIDES}
    at = stage.rng.uniform(0.2, 0.5)
    while at < t - 0.7:
        both, place = stage.rng.random() < 0.6, _gesture_place(stage, scale)
        for side, sign in (("left", 1.0), ("right", -1.0)):
            active = both or side == "right"
            own = place if both else _gesture_place(stage, scale)
            keys[side].append((at, (sign * own[0], own[1], own[2])))
            weights[side].append((at, 1.0 if active else stage.rng.uniform(0.0, 0.5)))
        at += stage.rng.uniform(0.35, 0.85) / person.tempo
    for side in SIDES:
        arm = stage.arms[side]
        arm.reach = stage.path(*keys[side])
        arm.weight = stage.key(*weights[side], (t - 0.1, stage.rng.uniform(0, 0.3)), smooth_s=0.1)
        arm.hint[:] = (0.55, -1.0, -0.5)
        arm.pronation = arm.pronation + arm.weight * (stage.rng.uniform(-50, 25) + stage.noise(18, 0.6))
        arm.extension = arm.extension + arm.weight * stage.noise(12, 0.4)
    stage.head += np.stack([stage.noise(5, 0.35), stage.noise(3, 0.6), stage.noise(9, 1.0)], 1)
    stage.spine[:, 2] += stage.noise(4, 1.0)


def _gesture_place(stage: Stage, scale: float) -> tuple[float, float, float]:
    size = 0.6 + 0.4 * stage.performer.amplitude
    x, y = stage.rng.uniform(0.06, 0.32) * size, 1.12 + stage.rng.uniform(-0.14, 0.2) * size
    return x * scale, y * scale, stage.rng.uniform(0.22, 0.4) * scale


def drink(stage: Stage) -> None:
    """Taking a cup, drinking from it, and putting it back."""
    person, figure, t = stage.performer, stage.performer.figure, stage.seconds
    arm, scale = stage.arms["right"], figure.standing_height / 0.965
    floor = figure.joints[0, 1] - figure.standing_height
    mouth = figure.joints[INDEX["head"]] - (0, floor, 0) + np.array([0.0, -0.02, 0.09]) * scale
    mouth[2] += 0.004 * person.stoop
    lips = tuple(mouth + np.array([-0.055, -0.12, 0.06]) * scale)
    table = (-0.2 * scale, stage.rng.uniform(0.9, 1.1) * scale, stage.rng.uniform(0.3, 0.42) * scale)
    carry = (-0.17 * scale, 1.2 * scale, 0.34 * scale)
    arm.reach = stage.path(
        (0.18 * t, table),
        (0.26 * t, table),
        (0.36 * t, carry),
        (0.45 * t, lips),
        (0.64 * t, lips),
        (0.74 * t, carry),
        (0.82 * t, table),
        (0.88 * t, table),
    )
    arm.weight = stage.key((0.05 * t, 0), (0.18 * t, 1), (0.88 * t, 1), (0.99 * t, 0), smooth_s=0.1)
    arm.hint[:] = (0.75, -1.0, -0.1)
    sip = stage.key((0.4 * t, 0), (0.5 * t, 1), (0.62 * t, 1), (0.68 * t, 0), smooth_s=0.08)
    arm.pronation = arm.pronation - 12 * arm.weight
    arm.deviation = arm.deviation + 14 * sip - 6 * arm.weight
    stage.head[:, 0] -= sip * stage.rng.uniform(6, 15)
    reaching = stage.key((0.05 * t, 0), (0.2 * t, 1), (0.3 * t, 0), (0.72 * t, 0), (0.84 * t, 1), (0.95 * t, 0))
    stage.spine[:, 0] += reaching * 5
    stage.head[:, 0] += reaching * 12
