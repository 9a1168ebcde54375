"""Walking in many manners: step by step on planted feet, from a stand to a stand.

Phases of the step are those of Perry (Gait Analysis, 1992): heel strike, foot flat, heel rise, toe off; the double
support takes about a fifth of a step. A limp spares one leg: its stance is short and the other foot's step hasty, and
the trunk goes over the sore leg. All figures are our choice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from engine.training.authored.reach import ELBOW_DOWN, ELBOW_OUT, hold, scale_of, turn_hand, with_body, wobble
from engine.training.authored.stage import SIDES, Stage
from engine.training.authored.steps import Step, take_steps
from engine.training.figure import Floats

_START_S, _END_S, _SWING_SHARE = 0.45, 0.6, 0.78


@dataclass(frozen=True)
class Gait:
    """A manner of walking. Degrees, metres of an adult, seconds at tempo 1."""

    stride: float = 0.62
    """Length of a step; under 0 it goes backward."""
    interval: float = 0.56
    clearance: float = 0.05
    push_off: float = 35.0
    landing: float = -14.0
    lean: float = 3.0
    bend: float = 0.0
    """Of the spine, forward."""
    head: float = 0.0
    """Forward."""
    drop: float = 0.0
    """How much lower the pelvis is."""
    bounce: float = 0.0
    swing: float = 20.0
    elbow: float = 10.0
    spread: float = 0.0
    """Degrees that the arms stand off more."""
    roll: float = 2.0
    """Lean of the trunk from side to side."""
    wander: float = 0.0
    """Metres that steps miss their line."""
    heels: float = 0.0
    """Degrees that the heels stay up."""
    sore: str = ""
    """Side of a leg that hurts."""
    sideways: bool = False


STYLES = {
    "walk backward": Gait(stride=-0.45, interval=0.62, push_off=20, landing=16, lean=-1, swing=12),
    "walk sideways": Gait(stride=0.42, interval=0.6, push_off=14, landing=4, lean=1, swing=4, sideways=True, roll=1),
    "tiptoe": Gait(0.4, 0.68, 0.09, 44, 32, 4, 4, 6, 0.04, 0, 8, 26, 12, 1, 0, 34),
    "limp": Gait(0.46, 0.62, 0.04, 24, -8, 6, 4, 8, 0.01, 0, 12, 16, 4, 2, 0.01, 0),
    "march": Gait(0.64, 0.58, 0.2, 30, -4, -1, -3, -3, 0, 0, 40, 2, 0, 1),
    "stagger": Gait(0.4, 0.72, 0.06, 24, -6, 6, 8, 10, 0.03, 0, 14, 20, 14, 9, 0.1),
    "walk like an old person": Gait(0.3, 0.7, 0.025, 16, -4, 14, 24, -20, 0.06, 0, 8, 28, 4, 3, 0.01),
    "walk sadly": Gait(0.48, 0.72, 0.035, 26, -8, 5, 16, 24, 0.02, 0, 7, 6, 0, 3),
    "walk happily": Gait(0.66, 0.54, 0.06, 46, -12, 1, -4, -6, 0, 0.035, 36, 26, 6, 4),
    "stomp": Gait(0.56, 0.5, 0.14, 24, 0, 9, 6, 4, 0.03, 0.01, 28, 40, 10, 4),
    "walk with hands in pockets": Gait(swing=0, bend=3),
    "walk crouched": Gait(0.46, 0.62, 0.06, 22, -4, 22, 22, -24, 0.22, 0, 10, 45, 6, 2),
    "walk and talk on the phone": Gait(stride=0.55, interval=0.6, swing=14),
    "carry something": Gait(stride=0.5, interval=0.6, lean=-3, swing=0, drop=0.02),
    "march in place": Gait(0.0, 0.58, 0.22, 26, 6, 0, -2, 0, 0, 0, 32, 45),
}
"""Manners of walking by action."""


def walk_as(action: str) -> Callable[[Stage], None]:
    """The move of one of `STYLES`."""

    def move(stage: Stage) -> None:
        gait = STYLES[action]
        walk(stage, replace(gait, stride=stage.vary(gait.stride, 0.2), interval=stage.vary(gait.interval, 0.2)))
        hands = _HANDS.get(action)
        if hands:
            hands(stage)

    return move


def walk_and_stop(stage: Stage) -> None:
    """Plain walking that comes to a stand well before the end; some look about then."""
    walk(stage, Gait(stride=stage.vary(0.62, 0.2)), stand_s=stage.rng.uniform(1.2, 2.2))
    if stage.rng.random() < 0.4:
        at = stage.seconds - 1.2
        stage.head[:, 2] += stage.key((at, 0), (at + 0.5, 1), (at + 1.1, 0.6)) * stage.rng.uniform(-50, 50)


def limp_on(side: str) -> Callable[[Stage], None]:
    """A limp on one leg, or on any where `side` is empty. Left-handed performers are mirrored afterwards."""

    def move(stage: Stage) -> None:
        sore = side or str(stage.rng.choice(SIDES))
        if side and stage.performer.left_handed:
            sore = "left" if side == "right" else "right"
        walk(stage, replace(STYLES["limp"], sore=sore, stride=stage.vary(0.46, 0.2)))

    return move


def walk(stage: Stage, gait: Gait, stand_s: float = _END_S) -> None:
    """Walk in a manner, from a stand to a stand of `stand_s` seconds."""
    first = str(stage.rng.choice(SIDES))
    steps, landings, travel = _plan(stage, gait, first, stand_s)
    if gait.heels:
        for foot in stage.feet.values():
            foot.pitch = stage.still(gait.heels)
    take_steps(stage, steps)
    axis = 0 if gait.sideways else 2
    stage.pelvis[:, axis] += stage.key(*travel, smooth_s=0.16)
    stage.knee_soft = 0.012
    # half a turn of the phase for each step; 0 at the landing of the first foot
    phase = np.pi * np.interp(stage.times, landings, np.arange(len(landings)) - 1.0)
    moving = stage.key((0.2, 0), (0.7, 1), (landings[-1] - 0.2, 1), (landings[-1] + 0.35, 0), smooth_s=0.08)
    _carry_body(stage, gait, phase, moving, 1.0 if first == "right" else -1.0)


def _plan(
    stage: Stage, gait: Gait, first: str, stand_s: float
) -> tuple[list[Step], list[float], list[tuple[float, float]]]:
    """Steps, seconds of the landings (one before the first), and keys of the pelvis's way."""
    person, scale = stage.performer, scale_of(stage)
    stride, interval = gait.stride * person.amplitude * scale, gait.interval / person.tempo
    axis = 0 if gait.sideways else 2
    if gait.sideways:
        stride *= 1.0 if first == "left" else -1.0
    home = {side: stage.feet[side].flat[0].copy() for side in SIDES}
    reached, off = dict.fromkeys(SIDES, 0.0), dict.fromkeys(SIDES, 0.0)
    at, side = _START_S, first
    steps: list[Step] = []
    landings, travel = [at - interval * 0.3], [(at - 0.1, 0.0)]
    count = max(4, int((stage.seconds - _START_S - stand_s) / interval) - 1)
    for k in range(count + 1):
        other = "left" if side == "right" else "right"
        share, reach = _spared(gait, side)
        if gait.sideways:
            reached[side] += stride if k < count or side != first else 0.0
        else:
            reached[side] = reached[other] + (stride * reach if k < count else 0.0)
        off[side] = stage.rng.normal(0, 1) * gait.wander if k < count else off[other]
        place = home[side].copy()
        place[axis] += reached[side]
        place[2 if gait.sideways else 0] += off[side]
        land = at + interval * share * _SWING_SHARE
        landing = gait.landing if k < count else 4.0
        clearance = stage.vary(gait.clearance)
        spot = (float(place[0]), float(place[1]), float(place[2]))
        steps.append(Step(side, at, land, spot, clearance, gait.push_off, max(landing, gait.heels), gait.heels))
        landings.append(land)
        travel.append((land, (reached["left"] + reached["right"]) / 2))
        at, side = at + interval * share, other
    return steps, landings, travel


def _spared(gait: Gait, side: str) -> tuple[float, float]:
    """How long a foot swings and how far it goes: the sound foot hurries while the sore leg stands."""
    if not gait.sore:
        return 1.0, 1.0
    return (1.25, 1.15) if side == gait.sore else (0.72, 0.7)


def _carry_body(stage: Stage, gait: Gait, phase: Floats, moving: Floats, sign: float) -> None:
    person = stage.performer
    ahead = np.cos(phase) * sign  # 1 at the landing of the right foot
    over = np.cos(phase - np.pi / 2) * sign  # 1 while the right leg stands alone
    stage.pelvis[:, 1] -= gait.drop * scale_of(stage) * moving
    if gait.heels:
        stage.pelvis[:, 1] += 0.045 * scale_of(stage)
    stage.pelvis[:, 1] += moving * gait.bounce * (0.5 - 0.5 * np.cos(2 * phase))
    stage.pelvis[:, 0] -= moving * 0.02 * over
    if gait.wander:
        stage.pelvis[:, 0] += moving * stage.noise(gait.wander * 0.25, 1.2)
        stage.spine[:, 1] += moving * stage.noise(60 * gait.wander, 0.9)
        stage.head[:, 1] += moving * stage.noise(70 * gait.wander, 0.8)
    stage.turn[:, 0] += moving * gait.lean
    stage.spine[:, 0] += moving * gait.bend
    stage.head[:, 0] += moving * gait.head
    stage.spine[:, 1] -= moving * gait.roll * over
    if not gait.sideways:
        stage.turn[:, 2] += moving * 4 * ahead * min(1.0, abs(gait.stride) / 0.5)
        stage.spine[:, 2] -= moving * 7 * ahead * min(1.0, gait.swing / 20)
    if gait.sore:
        on = np.clip(over if gait.sore == "right" else -over, 0, 1)
        stage.spine[:, 1] += moving * on * (-9 if gait.sore == "right" else 9)
        stage.pelvis[:, 1] -= moving * on * 0.025
    back = -1.0 if gait.stride < 0 else 1.0
    for side, way in (("left", 1.0), ("right", -1.0)):
        arm = stage.arms[side]
        swing = moving * gait.swing * person.amplitude * ahead * way * back
        arm.flexion = arm.flexion + swing
        arm.elbow = arm.elbow + moving * gait.elbow + 0.5 * np.maximum(swing, 0)
        arm.abduction = arm.abduction + moving * gait.spread


def _pockets(stage: Stage) -> None:
    for side in SIDES:
        hold(
            stage,
            side,
            with_body(stage, side, (0.0, wobble(stage, (0.2, 0.93, 0.06), 0.01))),
            stage.still(1),
            (0.8, 0.0, -1.0),
        )
        turn_hand(stage, side, pronation=30)


def _phone(stage: Stage) -> None:
    up = stage.still(1) if stage.rng.random() < 0.5 else stage.key((0.3, 0), (0.9, 1), smooth_s=0.08)
    hold(
        stage, "right", with_body(stage, "right", (0.0, wobble(stage, (0.16, 1.5, 0.07), 0.015))), up, (0.8, -1.0, 0.0)
    )
    turn_hand(stage, "right", pronation=-20, deviation=8)
    stage.head[:, 1] += stage.noise(3, 1.0) - 4 * up


def _carry(stage: Stage) -> None:
    width, height = stage.rng.uniform(0.14, 0.24), stage.rng.uniform(0.98, 1.2)
    one_hand = stage.rng.random() < 0.25
    for side in SIDES[1:] if one_hand else SIDES:
        place = (0.27, 0.72, 0.05) if one_hand else (width, height, stage.rng.uniform(0.28, 0.36))
        hold(stage, side, with_body(stage, side, (0.0, place)), stage.still(1), ELBOW_OUT if one_hand else ELBOW_DOWN)
    if one_hand:  # a bag pulls to its side, the trunk leans away
        stage.spine[:, 1] += 7


_HANDS: dict[str, Callable[[Stage], None]] = {
    "walk with hands in pockets": _pockets,
    "walk and talk on the phone": _phone,
    "carry something": _carry,
}
