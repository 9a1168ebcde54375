"""Walking on stairs.

The forefoot strikes first, up as down, and timing hardly changes with the inclination (Riener, Rabuffetti and Frigo
2002, Gait & Posture 15:32); the phases of the step are those of McFadyen and Winter 1988, J Biomech 21:733. Riser 15 to
19 cm, tread 26 to 31 cm, cycle of two steps 1.41 s up and 1.19 s down, toes down by 20 to 30 degrees going down: our
choice. In the swing knees bend by 105 to 112 degrees up and 115 to 127 down, which is more than most people do.
"""

from __future__ import annotations

import numpy as np

from engine.training.authored.reach import hold, turn_hand, with_body, wobble
from engine.training.authored.stage import SIDES, Stage
from engine.training.authored.steps import Step, take_steps

_UP_CYCLE_S, _DOWN_CYCLE_S = 1.41, 1.19


def stairs_seconds(stage_tempo: float, count: int, down: bool) -> float:
    """Length of a walk over `count` stairs."""
    return 0.7 + (count + 1) * _interval(stage_tempo, down) + 0.6


def _interval(tempo: float, down: bool) -> float:
    return (_DOWN_CYCLE_S if down else _UP_CYCLE_S) / 2 / tempo


def walk_upstairs(stage: Stage) -> None:
    """Up a flight of stairs, foot over foot, from a stand to a stand."""
    _walk(stage, down=False)


def walk_downstairs(stage: Stage) -> None:
    """Down a flight of stairs, foot over foot, from a stand to a stand."""
    _walk(stage, down=True)


def _walk(stage: Stage, down: bool) -> None:
    interval = _interval(stage.performer.tempo, down)
    count = max(3, int((stage.seconds - 1.3) / interval - 1 + 1e-6))
    riser, tread = stage.rng.uniform(0.155, 0.185), stage.rng.uniform(0.265, 0.305)
    way = -1.0 if down else 1.0
    start_y = count * riser if down else 0.0
    for foot in stage.feet.values():
        foot.flat[:, 1] += start_y
        foot.support[:] = start_y
        foot.knee = stage.still(3)
    swing = interval * 0.72
    steps, height, ahead = [], [(0.3, start_y)], [(0.3, 0.0)]
    for k in range(1, count + 2):
        side = "right" if k % 2 else "left"
        stair = min(k, count)  # the last step brings the other foot beside the first
        lift = 0.45 + (k - 1) * interval
        foot_z = stage.feet[side].flat[0, 2]
        place = (float(stage.feet[side].flat[0, 0]) * 0.8, start_y + way * stair * riser, foot_z + stair * tread)
        closing = k > count
        steps.append(
            Step(
                side,
                lift,
                lift + swing,
                place,
                clearance_m=0.05 if down else 0.035 if closing else 0.06,
                push_off=stage.vary(30 if down else 22),
                landing=stage.vary(22) if down and not closing else 5.0,
            )
        )
        # up: the pelvis is over the lower foot when the upper one lands; down: it has sunk to the new stair
        height.append((lift + swing, start_y + way * (stair if closing or down else stair - 1) * riser))
        ahead.append((lift + swing, (stair if closing else stair - (0.45 if down else 0.62)) * tread))
    take_steps(stage, steps)
    stage.pelvis[:, 1] += stage.key(*height, smooth_s=0.12) - 0.015
    stage.pelvis[:, 2] += stage.key(*ahead, smooth_s=0.15)
    _carry_body(stage, interval, down)
    _use_hands(stage)


def _carry_body(stage: Stage, interval: float, down: bool) -> None:
    """Trunk a little forward, arms swinging against the legs, weight from side to side."""
    person = stage.performer
    moving = stage.key((0.3, 0), (0.8, 1), (stage.seconds - 0.7, 1), (stage.seconds - 0.2, 0))
    phase = np.pi * (stage.times - 0.45) / interval
    stage.turn[:, 0] += moving * stage.vary(4 if down else 9, 0.3)
    stage.turn[:, 2] += moving * 5 * np.cos(phase - 0.6)
    stage.turn[:, 1] += moving * 2.5 * np.sin(phase)
    stage.pelvis[:, 0] += moving * 0.022 * np.sin(phase - 0.5)
    stage.spine[:, 2] += -moving * 7 * np.cos(phase - 0.6)
    stage.head[:, 0] += moving * stage.vary(18 if down else 10, 0.4)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        swing = moving * stage.vary(13) * person.amplitude * np.cos(phase - 0.5) * sign
        stage.arms[side].flexion = stage.arms[side].flexion + swing
        stage.arms[side].elbow = stage.arms[side].elbow + moving * 14 + 0.6 * np.maximum(swing, 0)


def _use_hands(stage: Stage) -> None:
    """Some hold the rail, some carry a box or a bag, some have a phone at the ear."""
    kind = stage.rng.random()
    if kind < 0.25:  # the hand slides along the rail
        hold(
            stage,
            "right",
            with_body(stage, "right", (0.0, wobble(stage, (0.36, 1.02, 0.22)))),
            stage.still(1),
            (1.0, -0.3, -0.6),
        )
        turn_hand(stage, "right", pronation=30)
        stage.spine[:, 1] -= 3
    elif kind < 0.4:
        for side in SIDES:
            hold(stage, side, with_body(stage, side, (0.0, (0.17, stage.rng.uniform(1.04, 1.15), 0.3))), stage.still(1))
        stage.spine[:, 0] -= 4
    elif kind < 0.5:
        hold(stage, "right", with_body(stage, "right", (0.0, (0.165, 1.5, 0.06))), stage.still(1), (0.8, -1.0, 0.0))
