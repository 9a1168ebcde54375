"""Handling things: picking up with both hands, pushing, pulling.

Lifting: people mostly begin in a half squat, some in a stoop (Burgess-Limerick and Abernethy, Qualitatively different
modes of manual lifting, 1997); everything between a stoop (trunk inclined by almost 90 degrees, knees bent by 45) and a
squat (60 and 120 degrees) is drawn, in 2.8 to 4.2 s, our choice. Pushing and pulling: the distance of the feet, the
height of the hands and the speed vary, which Hoozemans et al. review (1998, Ergonomics 41:757); the angles (trunk
inclined by 16 to 29 degrees in pushing, leaning back in pulling) are our choice.
"""

from __future__ import annotations

import numpy as np

from engine.training.authored.stage import SIDES, Stage
from engine.training.authored.steps import Step, take_steps


def pick_up(stage: Stage) -> None:
    """Picking something up from the floor with both hands and holding it before the belly."""
    person, t, rng = stage.performer, stage.seconds, stage.rng
    scale = person.figure.standing_height / 0.965
    squat = rng.random()
    low = stage.key((0.1 * t, 0), (0.4 * t, 1), (0.5 * t, 1), (0.82 * t, 0), smooth_s=0.1)
    _bow(stage, low, squat, scale)
    width = rng.uniform(0.12, 0.2) * scale
    grip = (0.2 + 0.1 * rng.random()) * scale
    carried = (1.0 + 0.08 * rng.random()) * scale
    ahead = rng.uniform(0.24, 0.36) * scale
    for side, sign in (("left", 1.0), ("right", -1.0)):
        arm = stage.arms[side]
        arm.reach = stage.path(
            (0.3 * t, (sign * (width + 0.05), grip + 0.18, ahead)),
            (0.43 * t, (sign * width, grip, ahead)),
            (0.52 * t, (sign * width, grip, ahead)),
            (0.68 * t, (sign * width, 0.62 * scale, ahead + 0.04)),
            (0.86 * t, (sign * width, carried, ahead - 0.02)),
        )
        arm.weight = stage.key((0.12 * t, 0), (0.38 * t, 1), (t, 1), smooth_s=0.1)
        arm.hint[:] = (0.8, -0.6, -0.8)
        arm.extension = arm.extension - 5 * arm.weight
        stage.feet[side].flat[:, 0] += sign * rng.uniform(0.0, 0.08)
        stage.feet[side].knee = stage.feet[side].knee + low * squat * 14


def _bow(stage: Stage, low: np.ndarray, squat: float, scale: float) -> None:
    """Lower the body to the floor, from a stoop (squat 0) to a squat (1), balanced over the feet."""
    stage.pelvis[:, 1] -= low * (0.14 + 0.36 * squat) * scale
    stage.pelvis[:, 2] -= low * (0.19 - 0.02 * squat) * scale
    stage.turn[:, 0] += low * (62 - 22 * squat)
    stage.spine[:, 0] += low * (52 - 17 * squat)
    stage.head[:, 0] -= low * (28 - 8 * squat)
    if squat > 0.6:
        for foot in stage.feet.values():
            foot.pitch = foot.pitch + low * 22 * (squat - 0.6) / 0.4


def push(stage: Stage) -> None:
    """Pushing something heavy forward with both hands, in slow short steps."""
    lean = stage.rng.uniform(20, 34)
    _haul(stage, stride=stage.rng.uniform(0.3, 0.42), lean=lean, hands_ahead=0.6, elbow=(0.9, -0.9, -0.2))
    for side in SIDES:
        arm = stage.arms[side]
        arm.pronation = arm.pronation + 60 * arm.weight
        arm.extension = arm.extension + 60 * arm.weight


def pull(stage: Stage) -> None:
    """Pulling something heavy along with both hands, stepping backward."""
    lean = -stage.rng.uniform(4, 14)
    _haul(stage, stride=-stage.rng.uniform(0.26, 0.36), lean=lean, hands_ahead=0.46, elbow=(0.7, -1.0, -0.6))
    for side in SIDES:
        stage.arms[side].pronation = stage.arms[side].pronation + 30 * stage.arms[side].weight


def _haul(stage: Stage, stride: float, lean: float, hands_ahead: float, elbow: tuple[float, float, float]) -> None:
    person, t, rng = stage.performer, stage.seconds, stage.rng
    scale, way = person.figure.standing_height / 0.965, float(np.sign(stride))
    stride *= person.amplitude * scale
    interval = stage.vary(0.85, 0.15) / person.tempo
    count = max(2, int((t - 1.9) / interval))
    steps, travel = [], [(0.8, 0.0)]
    z0 = stage.feet["right"].flat[0, 2]
    reached = {"right": z0, "left": z0}
    for k in range(count):
        side = "right" if k % 2 == 0 else "left"
        other = "left" if side == "right" else "right"
        reached[side] = reached[other] + stride
        lift = 0.9 + k * interval
        x = float(stage.feet[side].flat[0, 0]) * 1.15
        landing, after = (-6.0, 0.0) if way > 0 else (14.0, 0.0)
        steps.append(Step(side, lift, lift + 0.6 * interval, (x, 0.0, reached[side]), 0.04, 26.0, landing, after))
        travel.append((lift + 0.6 * interval, (reached[side] + reached[other]) / 2 - z0))
    take_steps(stage, steps)
    braced = stage.key((0.25, 0), (0.85, 1), (t, 1), smooth_s=0.1)
    moved = stage.key(*travel, smooth_s=0.15)
    stage.knee_soft = 0.02
    stage.pelvis[:, 1] -= braced * rng.uniform(0.05, 0.1) * scale
    stage.pelvis[:, 2] += moved - braced * (0.07 if way > 0 else 0.12) * scale * (1 if way > 0 else 1.2)
    stage.turn[:, 0] += braced * lean * 0.75
    stage.spine[:, 0] += braced * (lean * 0.4 if lean > 0 else -lean * 0.9)
    stage.head[:, 0] -= braced * lean * 0.5
    effort = np.sin(2 * np.pi * (stage.times - 0.9) / interval) * braced
    stage.spine[:, 2] += 4 * effort
    height = rng.uniform(0.98, 1.3) * scale if way > 0 else rng.uniform(0.9, 1.12) * scale
    for side, sign in (("left", 1.0), ("right", -1.0)):
        arm = stage.arms[side]
        ahead = moved + hands_ahead * scale * rng.uniform(0.94, 1.04)
        arm.reach = np.stack([stage.still(sign * rng.uniform(0.13, 0.2) * scale), stage.still(height), ahead], 1)
        arm.weight = stage.key((0.15, 0), (0.75, 1), (t, 1), smooth_s=0.08)
        arm.hint[:] = elbow
