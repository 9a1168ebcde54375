"""Throwing and catching, tools, and what a blow does.

Throwing overarm: stride, cocking, acceleration and follow-through (Fleisig et al. 1996, Sports Medicine 21:421).
Guards, recoils and the strokes of hammer and spade are our choice.
"""

from __future__ import annotations

import numpy as np

from engine.training.authored.reach import (
    ELBOW_DOWN,
    Place,
    during,
    hold,
    scale_of,
    turn_hand,
    with_body,
    wobble,
)
from engine.training.authored.stage import SIDES, Stage
from engine.training.authored.steps import Step, take_steps
from engine.training.figure import Floats


def _stride(stage: Stage, side: str, lift: float, land: float, ahead_m: float, back_at: float | None = None) -> None:
    """One step ahead and, if `back_at` is given, back again; the pelvis goes half the way."""
    home = stage.feet[side].flat[0].copy()
    place = (float(home[0]), 0.0, float(home[2] + ahead_m))
    steps = [Step(side, lift, land, place, 0.05, 20.0, -8.0 if ahead_m > 0 else 12.0)]
    keys = [(lift, 0.0), (land, ahead_m / 2)]
    if back_at is not None:
        steps.append(Step(side, back_at, back_at + 0.45, (float(home[0]), 0.0, float(home[2])), 0.04, 16.0, 4.0))
        keys += [(back_at, ahead_m / 2), (back_at + 0.45, 0.0)]
    take_steps(stage, steps)
    stage.pelvis[:, 2] += stage.key(*keys, smooth_s=0.1)


def throw(stage: Stage) -> None:
    """Throwing overarm: a step with the other foot, the arm cocked behind, whipped over and followed through."""
    rng, t, scale = stage.rng, stage.seconds, scale_of(stage)
    release = 0.52 * t
    _stride(stage, "left", release - 0.62, release - 0.16, rng.uniform(0.3, 0.5) * scale, min(0.8 * t, t - 0.5))
    keys: list[tuple[float, Place]] = [
        (0.12 * t, (0.12, 1.15, 0.25)),
        (release - 0.36, (0.46, 1.46, -0.22)),
        (release - 0.17, (0.44, 1.55, -0.14)),
        (release, (0.26, 1.66, 0.31)),
        (release + 0.2, (0.04, 1.36, 0.42)),
        (release + 0.46, (-0.06, 1.0, 0.34)),
    ]
    hold(
        stage,
        "right",
        with_body(stage, "right", *keys),
        stage.key((0.02 * t, 0.2), (0.14 * t, 1), (release + 0.46, 1), (0.92 * t, 0)),
        (1.0, -0.3, -0.3),
    )
    wind = stage.key((0.15 * t, 0), (release - 0.25, -1), (release + 0.05, 1), (0.85 * t, 0), smooth_s=0.06)
    stage.spine[:, 2] += wind * rng.uniform(22, 34)
    stage.turn[:, 2] += wind * rng.uniform(8, 16)
    stage.spine[:, 0] += np.maximum(wind, 0) * rng.uniform(12, 26) - 4 * np.maximum(-wind, 0)
    stage.head[:, 2] -= wind * 26
    left = stage.arms["left"]
    aimed = stage.key((0.15 * t, 0), (release - 0.3, 1), (release + 0.05, 0.4), (0.85 * t, 0), smooth_s=0.08)
    tucked = stage.key((release - 0.3, 0), (release + 0.1, 1), (0.9 * t, 0), smooth_s=0.08)
    left.flexion = left.flexion + aimed * rng.uniform(40, 75)
    left.elbow = left.elbow + tucked * 50


def throw_underhand(stage: Stage) -> None:
    """A toss from below, the arm swung back and through."""
    rng, t, scale = stage.rng, stage.seconds, scale_of(stage)
    release, arm = 0.5 * t, stage.arms["right"]
    _stride(stage, "left", release - 0.6, release - 0.12, rng.uniform(0.25, 0.45) * scale, min(0.8 * t, t - 0.5))
    back, through = rng.uniform(32, 52), rng.uniform(55, 92)
    swing = stage.key((0.12 * t, 0), (release - 0.3, -back), (release + 0.1, through), (0.92 * t, 0), smooth_s=0.05)
    arm.flexion = arm.flexion + swing
    arm.elbow = arm.elbow + np.maximum(swing, 0) * 0.25
    arm.pronation = arm.pronation - 60 * during(stage)
    low = stage.key((0.15 * t, 0), (release - 0.2, 1), (release + 0.25, 0.2), (0.8 * t, 0), smooth_s=0.08)
    stage.spine[:, 0] += low * rng.uniform(10, 22)
    stage.head[:, 0] -= low * 10
    stage.pelvis[:, 1] -= low * rng.uniform(0.02, 0.08) * scale
    stage.spine[:, 2] += swing * -0.08


def catch(stage: Stage) -> None:
    """Ready, both hands out to where the ball comes, and drawn in to the chest."""
    rng, t, scale = stage.rng, stage.seconds, scale_of(stage)
    at, aside = 0.5 * t, rng.uniform(-0.22, 0.22)
    high = rng.uniform(0.75, 1.6)
    ready = stage.key((0.05 * t, 0), (0.25 * t, 1), (at + 0.3, 1), (0.85 * t, 0), smooth_s=0.1)
    weight = stage.key((0.05 * t, 0), (0.25 * t, 1), (0.85 * t, 1), (0.98 * t, 0.4), smooth_s=0.08)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        there = (0.09 + sign * aside, high, 0.44)
        keys = [
            (0.25 * t, (0.15, 1.12, 0.34)),
            (at - 0.04, there),
            (at + 0.06, (there[0], high, 0.4)),
            (at + 0.4, (0.1, 1.15, 0.24)),
        ]
        hold(stage, side, with_body(stage, side, *keys), weight, ELBOW_DOWN)
        turn_hand(stage, side, pronation=-20 if high < 1.2 else 40, extension=20)
    stage.pelvis[:, 1] -= ready * (0.04 + 0.1 * max(0.0, 1.1 - high)) * scale
    stage.spine[:, 0] += ready * (7 + 18 * max(0.0, 1.1 - high))
    taken = stage.key((at - 0.3, 0), (at, 1), (at + 0.4, 0), smooth_s=0.06)
    stage.spine[:, 2] += taken * aside * 40
    stage.head[:, 0] += taken * (1.25 - high) * 30


def hammer(stage: Stage) -> None:
    """Blows of a hammer on a bench or a wall; the other hand holds."""
    rng, t = stage.rng, stage.seconds
    rate = rng.uniform(1.0, 1.8) * stage.performer.tempo
    cycle = (rate * stage.times) % 1.0
    raised = np.where(
        cycle < 0.65, 0.5 - 0.5 * np.cos(np.pi * cycle / 0.65), 0.5 + 0.5 * np.cos(np.pi * (cycle - 0.65) / 0.35)
    )
    wall = rng.random() < 0.4
    low, top = ((0.12, 1.32, 0.4), (0.22, 1.5, 0.1)) if wall else ((0.1, 1.04, 0.4), (0.2, 1.38, 0.24))
    down, up = with_body(stage, "right", (0.0, low)), with_body(stage, "right", (0.0, top))
    path = down + raised[:, None] * (up - down)
    hold(stage, "right", path, stage.key((0.1, 0.4), (0.6, 1), (t, 1)), (1.0, -0.5, -0.4))
    stage.arms["right"].deviation = stage.arms["right"].deviation + 22 * raised - 12
    hold(stage, "left", with_body(stage, "left", (0.0, wobble(stage, (0.02, low[1], 0.4), 0.02))), stage.still(1))
    stage.spine[:, 0] += 5 if wall else 14
    stage.spine[:, 2] -= raised * 6
    stage.head[:, 0] += 4 if wall else 16


def dig(stage: Stage) -> None:
    """The spade pushed in, levered, lifted and emptied to the side."""
    rng, t, scale = stage.rng, stage.seconds, scale_of(stage)
    period = rng.uniform(2.0, 2.8) / stage.performer.tempo
    at = 0.2
    low, aside = [(0.0, 0.3)], [(0.0, 0.0)]
    upper: list[tuple[float, Place]] = [(0.0, (0.2, 1.05, 0.2))]
    lower: list[tuple[float, Place]] = [(0.0, (0.05, 0.8, 0.38))]
    while at < t - 0.6 * period:
        low += [(at + 0.35 * period, 1.0), (at + 0.6 * period, 0.5), (at + 0.85 * period, 0.1)]
        aside += [(at + 0.4 * period, 0.0), (at + 0.75 * period, 1.0), (at + 0.98 * period, 0.1)]
        upper += [
            (at + 0.35 * period, (0.2, 0.86, 0.24)),
            (at + 0.6 * period, (0.22, 0.9, 0.1)),
            (at + 0.8 * period, (0.16, 1.0, 0.2)),
        ]
        lower += [
            (at + 0.35 * period, (0.05, 0.56, 0.44)),
            (at + 0.6 * period, (0.1, 0.78, 0.42)),
            (at + 0.8 * period, (0.26, 0.95, 0.36)),
        ]
        at += period
    bent, turned = stage.key(*low, smooth_s=0.1), stage.key(*aside, smooth_s=0.1)
    for foot, ahead in zip(SIDES, (0.16, -0.1), strict=True):
        stage.feet[foot].flat[:, 2] += ahead * scale
    stage.pelvis[:, 1] -= (0.05 + 0.1 * bent) * scale
    stage.pelvis[:, 2] -= 0.06 * bent * scale
    stage.turn[:, 0] += 10 + bent * 16
    stage.spine[:, 0] += 14 + bent * 18
    stage.head[:, 0] -= 6 * bent
    stage.spine[:, 2] += turned * rng.uniform(18, 34)
    stage.turn[:, 2] += turned * 8
    hold(stage, "right", with_body(stage, "right", *upper), stage.still(1), (1.0, -0.2, -0.7))
    hold(stage, "left", with_body(stage, "left", *lower), stage.still(1), (1.0, -0.6, 0.0))


def _guard(stage: Stage, up: Floats, height: float = 1.38) -> None:
    for side, ahead in (("left", 0.34), ("right", 0.27)):
        hold(stage, side, with_body(stage, side, (0.0, wobble(stage, (0.13, height, ahead), 0.02))), up, ELBOW_DOWN)
        turn_hand(stage, side, pronation=20)


def _fighting_stance(stage: Stage, ready: Floats) -> None:
    scale = scale_of(stage)
    for side, ahead in (("left", 0.14), ("right", -0.14)):
        stage.feet[side].flat[:, 2] += ahead * scale
    stage.pelvis[:, 1] -= 0.05 * ready * scale
    stage.spine[:, 0] += 6 * ready


def dodge(stage: Stage) -> None:
    """Weaving or ducking away from one or two blows."""
    rng, t, scale = stage.rng, stage.seconds, scale_of(stage)
    _fighting_stance(stage, stage.still(1))
    at = rng.uniform(0.5, 0.8)
    while at < t - 0.8:
        quick = stage.key((at, 0), (at + 0.26, 1), (at + 0.42, 1), (at + 0.8, 0), smooth_s=0.04)
        way, duck = float(rng.choice([-1.0, 1.0])), rng.random() < 0.4
        stage.pelvis[:, 1] -= quick * (0.22 if duck else 0.08) * scale
        stage.pelvis[:, 0] += quick * way * 0.08 * scale
        stage.spine[:, 1] += quick * way * (6 if duck else 24)
        stage.spine[:, 0] += quick * (20 if duck else rng.uniform(-14, 12))
        stage.turn[:, 2] += quick * way * 8
        stage.head[:, 1] -= quick * way * 5
        at += rng.uniform(1.0, 1.7)
    _guard(stage, during(stage, 0.05, 0.4, 0.4) if rng.random() < 0.5 else stage.still(1))


def block(stage: Stage) -> None:
    """Forearms thrown up before the face, the body drawn in; held or repeated."""
    rng, t = stage.rng, stage.seconds
    at = rng.uniform(0.5, 0.8)
    _fighting_stance(stage, stage.still(1))
    quick = stage.still(0)
    while at < t - 0.9:
        held = rng.uniform(0.2, 0.7)
        quick = np.maximum(
            quick, stage.key((at, 0), (at + 0.2, 1), (at + 0.2 + held, 1), (at + 0.65 + held, 0), smooth_s=0.03)
        )
        at += held + rng.uniform(0.9, 1.4)
    for side in SIDES:
        high, low = with_body(stage, side, (0.0, (0.08, 1.58, 0.24))), with_body(stage, side, (0.0, (0.15, 1.25, 0.3)))
        hold(
            stage,
            side,
            low + quick[:, None] * (high - low),
            stage.still(1) if rng.random() < 0.5 else np.maximum(quick, during(stage, 0.05, 0.3, 0.3)),
            (0.6, -1.0, 0.3),
        )
    stage.pelvis[:, 1] -= quick * 0.05 * scale_of(stage)
    stage.spine[:, 0] += quick * 12
    stage.head[:, 0] += quick * 16


def get_hit(stage: Stage) -> None:
    """A blow to the head or the belly: the body gives way, a step back saves it."""
    rng, t, scale = stage.rng, stage.seconds, scale_of(stage)
    at = rng.uniform(0.35, 0.6)
    belly = rng.random() < 0.4
    _stride(stage, str(rng.choice(SIDES)), at + 0.08, at + 0.42, -rng.uniform(0.22, 0.42) * scale)
    hit = stage.key((at, 0), (at + 0.14, 1), (at + 0.4, 0.7), (min(at + 1.3, t - 0.1), 0), smooth_s=0.03)
    way = float(rng.choice([-1.0, 1.0]))
    stage.spine[:, 0] += hit * (34 if belly else -20)
    stage.head[:, 0] += hit * (8 if belly else -24)
    stage.spine[:, 2] += hit * way * rng.uniform(8, 26)
    stage.head[:, 2] += hit * way * (4 if belly else 30)
    stage.pelvis[:, 1] -= hit * (0.09 if belly else 0.04) * scale
    for side in SIDES:
        arm = stage.arms[side]
        if belly:
            hold(
                stage,
                side,
                with_body(stage, side, (0.0, wobble(stage, (0.03, 1.05, 0.2), 0.02))),
                hit,
                (1.0, -0.4, -0.2),
            )
        else:
            arm.abduction = arm.abduction + hit * rng.uniform(15, 40)
            arm.flexion = arm.flexion + hit * rng.uniform(10, 40)
            arm.elbow = arm.elbow + hit * rng.uniform(15, 45)


def punch(stage: Stage) -> None:
    """One to three straight punches from a guard, with either hand, the trunk turned into them."""
    rng, t = stage.rng, stage.seconds
    _fighting_stance(stage, stage.still(1))
    out = {side: stage.still(0) for side in SIDES}
    at, side = rng.uniform(0.45, 0.7), str(rng.choice(SIDES))
    while at < t - 0.75:
        out[side] = np.maximum(
            out[side], stage.key((at, 0), (at + 0.2, 1), (at + 0.26, 1), (at + 0.6, 0), smooth_s=0.03)
        )
        at += rng.uniform(0.7, 1.3)
        side = str(rng.choice(SIDES))
    height = rng.uniform(1.2, 1.5)
    for side, ahead in (("left", 0.3), ("right", 0.24)):
        guard = with_body(stage, side, (0.0, wobble(stage, (0.13, 1.36, ahead), 0.02)))
        hit = with_body(stage, side, (0.0, (0.02, height, 0.62)))
        share = out[side][:, None]
        hold(stage, side, (1 - share) * guard + share * hit, stage.still(1), (0.9, -0.8, -0.2))
        turn_hand(stage, side, pronation=60)
    stage.spine[:, 2] += 20 * (out["right"] - out["left"])
    stage.turn[:, 2] += 10 * (out["right"] - out["left"])
    stage.head[:, 2] -= 24 * (out["right"] - out["left"])
    stage.spine[:, 0] += 5 * (out["right"] + out["left"])


def kick(stage: Stage) -> None:
    """A kick ahead: the knee up, the shin out, and back down; the trunk leans away, the arms balance."""
    rng, t, scale = stage.rng, stage.seconds, scale_of(stage)
    at = 0.42 * t
    foot, home = stage.feet["right"], stage.feet["right"].flat[0].copy()
    high, far = rng.uniform(0.45, 0.85), rng.uniform(0.55, 0.7)
    keys = [(at - 0.4, (0, 0, 0)), (at - 0.12, (0.02, 0.42, 0.16)), (at + 0.06, (0.03, high, far))]
    keys += [(at + 0.26, (0.02, 0.4, 0.2)), (at + 0.66, (0, 0, 0))]
    foot.flat = home + stage.path(*((s, (p[0] * scale, p[1] * scale, p[2] * scale)) for s, p in keys))
    foot.pitch = foot.pitch + stage.key((at - 0.42, 0), (at - 0.3, 24), (at, -16), (at + 0.3, 12), (at + 0.68, 0))
    up = stage.key((at - 0.5, 0), (at - 0.1, 1), (at + 0.3, 1), (at + 0.75, 0), smooth_s=0.08)
    stage.pelvis[:, 0] += up * 0.075 * scale
    stage.pelvis[:, 2] += stage.key((at - 0.3, 0), (at + 0.06, 1), (at + 0.6, 0)) * 0.06 * scale
    stage.pelvis[:, 1] -= up * 0.025 * scale
    stage.turn[:, 0] -= up * rng.uniform(8, 16)
    stage.spine[:, 0] += up * rng.uniform(0, 12)
    for side, way in (("left", 1.0), ("right", -1.0)):
        arm = stage.arms[side]
        arm.flexion = arm.flexion + up * way * rng.uniform(14, 34)
        arm.abduction = arm.abduction + up * rng.uniform(10, 26)
        arm.elbow = arm.elbow + up * 35
