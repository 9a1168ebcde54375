"""Sitting down, sitting, standing up.

Rising takes 1.9 s and sitting down 2.0 s in the mean (Kerr et al. 1997, Clin Biomech 12:236); the trunk first bends
forward, then the seat is left and hips and knees extend together (phases of Schenkman et al. 1990, Phys Ther 70:638).
Seat at knee height or a little over (41 to 48 cm), trunk inclined by 32 to 40 degrees, seat left at about 40 % of the
time, knees and hips at 85 to 105 degrees while sitting: our choice.
"""

from __future__ import annotations

import numpy as np

from engine.training.authored.stage import Stage


def _sit_place(stage: Stage) -> tuple[float, float]:
    """Height of the pelvis joint over the floor and its distance behind the feet while sitting."""
    figure = stage.performer.figure
    scale = figure.standing_height / 0.965
    seat = stage.rng.uniform(0.42, 0.48) * scale
    thigh = figure.length("left_hip", "left_knee")
    return seat + 0.16 * scale, thigh * stage.rng.uniform(0.92, 1.02)


def _sitting_hands(stage: Stage, weight: tuple[tuple[float, float], ...]) -> None:
    """Hands on the thighs near the knees, in the lap, on armrests or crossed; they go with the pelvis."""
    kind = stage.rng.random()
    lap = kind < 0.3
    scale = stage.performer.figure.standing_height / 0.965
    for side, sign in (("left", 1.0), ("right", -1.0)):
        arm = stage.arms[side]
        x = stage.rng.uniform(0.05, 0.08) if lap else stage.rng.uniform(0.12, 0.17)
        ahead = 0.2 if lap else stage.rng.uniform(0.24, 0.31)
        place = (sign * x, 0.03, ahead)
        if 0.3 <= kind < 0.45:
            place = (sign * 0.27, 0.13, 0.22)
        elif 0.45 <= kind < 0.55:
            place = (sign * -0.1, 0.22 + 0.025 * sign, 0.2 + 0.025 * sign)
        arm.reach = stage.pelvis + np.array(place) * scale
        arm.weight = stage.key(*weight)
        arm.hint[:] = (0.7, -0.5, -0.8)
        arm.pronation = arm.pronation + arm.weight * 55


def _chair(stage: Stage, down: tuple[tuple[float, float], ...], bend: tuple[tuple[float, float], ...]) -> None:
    """Write a way between standing (0) and sitting (1) with its forward bend of the trunk in degrees."""
    height, back = _sit_place(stage)
    seated, bent = stage.key(*down, smooth_s=0.08), stage.key(*bend, smooth_s=0.08)
    stage.pelvis[:, 1] += seated * (height - stage.performer.figure.standing_height)
    stage.pelvis[:, 2] += np.minimum(1, seated * 1.15) * -back
    stage.turn[:, 0] += 0.72 * bent - 5 * seated
    stage.spine[:, 0] += 0.4 * bent + 10 * seated
    stage.head[:, 0] += -0.45 * bent
    spread = stage.rng.uniform(2, 16)
    for foot in stage.feet.values():
        foot.knee = foot.knee + seated * spread
    hands = tuple((t, min(1.0, v)) for t, v in down)
    _sitting_hands(stage, hands)
    for side in ("left", "right"):  # arms swing forward a little while the weight passes over the feet
        stage.arms[side].flexion = stage.arms[side].flexion + 0.5 * bent
        stage.arms[side].elbow = stage.arms[side].elbow + 0.5 * bent


def sit_down(stage: Stage) -> None:
    """From standing in front of a chair to sitting on it."""
    t = stage.seconds
    most = stage.vary(42, 0.2)
    _chair(
        stage,
        ((0.15 * t, 0), (0.45 * t, 0.6), (0.68 * t, 1), (t, 1)),
        ((0.1 * t, 0), (0.48 * t, most), (0.68 * t, 0.6 * most), (0.9 * t, 0)),
    )


def stand_up(stage: Stage) -> None:
    """From sitting on a chair to standing in front of it."""
    t = stage.seconds
    most = stage.vary(45, 0.2)
    _chair(
        stage,
        ((0.36 * t, 1), (0.55 * t, 0.62), (0.82 * t, 0), (t, 0)),
        ((0.1 * t, 0), (0.42 * t, most), (0.58 * t, 0.6 * most), (0.85 * t, 0)),
    )


def sit(stage: Stage) -> None:
    """Sitting on a chair, with small shifts of weight, looking about."""
    _chair(stage, ((0.0, 1), (stage.seconds, 1)), ((0.0, 0), (stage.seconds, 0)))
    size = stage.performer.sway
    stage.spine[:, 0] += stage.rng.uniform(-2, 14) + stage.noise(4 * size, 2.0)
    stage.spine[:, 1] += stage.noise(3 * size, 2.5)
    stage.spine[:, 2] += stage.noise(4 * size, 2.0)
    stage.head[:, 2] += stage.noise(14 * size, 1.6)
    stage.head[:, 0] += stage.noise(4 * size, 1.2)
    at = stage.rng.uniform(0.1, 0.4) * stage.seconds
    look = stage.key((at, 0), (at + 0.5, 1), (at + 1.3, 1), (at + 1.9, 0))
    stage.head[:, 2] += look * stage.rng.uniform(15, 50) * stage.rng.choice([-1.0, 1.0])
    stage.spine[:, 2] += look * stage.rng.uniform(-6, 6)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        foot = stage.feet[side]
        foot.flat[:, 2] += stage.rng.uniform(-0.08, 0.14)
        foot.flat[:, 0] += sign * stage.rng.uniform(-0.02, 0.08)
        stage.arms[side].reach[:, 2] += stage.noise(0.01 * size, 1.5)
