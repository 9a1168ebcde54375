"""Everyday handling, standing or sitting: eating, phoning, typing, doors, grooming, giving.

Eating repeats reaching, forward transport, mouth, back transport, as drinking does (see `gestures.py`); 3 to 5 s a
bite, our choice, as are all places. Doors: the handle at 1 m, a pull or a push with a step or two.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from engine.training.authored.chair import sit
from engine.training.authored.reach import (
    ELBOW_DOWN,
    Place,
    during,
    hold,
    scale_of,
    swings,
    turn_hand,
    with_body,
    wobble,
)
from engine.training.authored.stage import SIDES, Stage
from engine.training.authored.steps import Step, take_steps

_MOUTH: Place = (0.06, 1.43, 0.16)
_EAR: Place = (0.165, 1.5, 0.06)


def seated(move: Callable[[Stage], None], share: float) -> Callable[[Stage], None]:
    """The move done on a chair, in a share of the performances."""

    def on_chair(stage: Stage) -> None:
        if stage.rng.random() < share:
            sit(stage)
        move(stage)

    return on_chair


def eat(stage: Stage) -> None:
    """Bringing bites from a plate to the mouth; the other hand holds the plate, lies on the table or hangs."""
    rng, at = stage.rng, 0.35
    plate, keys = wobble(stage, (0.1, 1.08, 0.32)), [(0.0, wobble(stage, (0.16, 1.02, 0.25)))]
    sips: list[tuple[float, float]] = [(0.0, 0.0)]
    while at < stage.seconds - 2.0:
        down, up, chew = rng.uniform(0.4, 0.8), rng.uniform(0.5, 0.8), rng.uniform(0.3, 1.1)
        keys += [(at + down, wobble(stage, plate, 0.02)), (at + down + up, _MOUTH), (at + down + up + 0.25, _MOUTH)]
        sips += [(at + down, 0.0), (at + down + up, 1.0), (at + down + up + 0.3, 0.0)]
        at += down + up + 0.25 + chew
    keys.append((max(at, keys[-1][0]) + 0.5, plate))
    hold(stage, "right", with_body(stage, "right", *keys), stage.key((0.0, 0.8), (0.5, 1)))
    turn_hand(stage, "right", pronation=-10)
    bite = stage.key(*sips, smooth_s=0.06)
    stage.arms["right"].deviation = stage.arms["right"].deviation + 12 * bite
    stage.spine[:, 0] += 3 + bite * rng.uniform(2, 9)
    stage.head[:, 0] += 10 - bite * 6
    if rng.random() < 0.6:
        hold(stage, "left", with_body(stage, "left", (0.0, wobble(stage, (0.1, 1.06, 0.3)))), stage.still(1))


def phone(stage: Stage) -> None:
    """A phone taken to the ear, talked into, sometimes put away; the free hand gestures or rests."""
    rng, t = stage.rng, stage.seconds
    up = during(stage, 0.2, 0.7, 0.7, 0.1) if rng.random() < 0.5 else stage.key((0.2, 0), (0.9, 1), smooth_s=0.08)
    if rng.random() < 0.25:
        up = stage.still(1)
    hold(stage, "right", with_body(stage, "right", (0.0, wobble(stage, _EAR, 0.012))), up, (0.8, -1.0, 0.0))
    turn_hand(stage, "right", pronation=-20, deviation=8)
    stage.head[:, 1] -= up * rng.uniform(0, 9)
    stage.head[:, 2] += stage.noise(12, 1.5)
    stage.spine[:, 2] += stage.noise(5, 1.6)
    if rng.random() < 0.5:
        keys = [
            (0.0, wobble(stage, (0.2, 1.1, 0.28), 0.08)),
            *((at, wobble(stage, (0.2, 1.12, 0.3), 0.09)) for at in np.arange(0.8, t, 0.7)),
        ]
        active = stage.key((0.8, 0), (1.3, 1), (t - 1.2, 1), (t - 0.5, 0), smooth_s=0.1)
        hold(stage, "left", with_body(stage, "left", *keys), active * rng.uniform(0.5, 1))


def text(stage: Stage) -> None:
    """Looking at a phone in one hand or in both, thumbs at work."""
    rng = stage.rng
    up = stage.still(1) if rng.random() < 0.5 else during(stage, 0.2, 0.6)
    place = wobble(stage, (0.06, 1.14, 0.29))
    for side in SIDES if rng.random() < 0.5 else SIDES[1:]:
        path = with_body(stage, side, (0.0, place))
        path[:, 1] += stage.noise(0.006, 0.3)
        hold(stage, side, path, up)
        turn_hand(stage, side, pronation=-30, extension=10)
    stage.head[:, 0] += up * rng.uniform(20, 34)
    stage.spine[:, 0] += up * rng.uniform(0, 9)


def take_photo(stage: Stage) -> None:
    """A camera or a phone held up with both hands, or an arm stretched for a picture of oneself."""
    up, rng = during(stage, 0.2, 0.7, 0.6), stage.rng
    if rng.random() < 0.3:
        arm = stage.arms["right"]
        arm.flexion = arm.flexion + up * rng.uniform(75, 100)
        arm.abduction = arm.abduction + up * 18
        arm.elbow = arm.elbow * (1 - 0.4 * up)
        stage.head[:, 1] -= up * rng.uniform(0, 12)
        return
    place = wobble(stage, (0.1, 1.5, 0.27) if rng.random() < 0.5 else (0.08, 1.36, 0.38), 0.02)
    for side in SIDES:
        hold(stage, side, with_body(stage, side, (0.0, place)), up, (0.8, -1.0, 0.1))
    stage.spine[:, 0] += up * rng.uniform(-4, 10)
    stage.pelvis[:, 1] -= up * rng.uniform(0, 0.06)


def type_text(stage: Stage) -> None:
    """Typing at a desk, seated; now and then a hand goes to the mouse, a look to the screen."""
    sit(stage)
    rng, t = stage.rng, stage.seconds
    height = rng.uniform(1.06, 1.13)
    for side in SIDES:
        near, far = wobble(stage, (0.1, height, 0.35), 0.02), (0.24, height, 0.4)
        keys: list[tuple[float, Place]] = [(0.0, near)]
        if side == "right" and rng.random() < 0.5:
            at = rng.uniform(0.3, 0.5) * t
            keys += [(at, near), (at + 0.4, far), (at + 1.4, far), (at + 1.8, near)]
        path = with_body(stage, side, *keys)
        path[:, 1] += 0.007 * np.abs(swings(stage, rng.uniform(2.5, 4.0), rng.uniform(0, 0.3)))
        path[:, 0] += stage.noise(0.018, 0.35)
        hold(stage, side, path, stage.still(1), (0.6, -1.0, -0.5))
        turn_hand(stage, side, pronation=25)
    stage.spine[:, 0] += rng.uniform(0, 8)
    stage.head[:, 0] += rng.uniform(4, 14)


def sit_and_talk(stage: Stage) -> None:
    """Talking on a chair, hands gesturing or resting."""
    sit(stage)
    rng, at = stage.rng, 0.2
    while_active = {side: [(0.0, 0.0)] for side in SIDES}
    rest = {side: stage.arms[side].reach.copy() for side in SIDES}
    keys: dict[str, list[tuple[float, Place]]] = {side: [(0.0, (0.15, 1.05, 0.3))] for side in SIDES}
    while at < stage.seconds - 0.6:
        for side in SIDES:
            keys[side].append((at, wobble(stage, (0.17, 1.22, 0.33), 0.1)))
            while_active[side].append((at, float(rng.random() < 0.65)))
        at += rng.uniform(0.4, 0.9) / stage.performer.tempo
    for side in SIDES:
        active = stage.key(*while_active[side], smooth_s=0.14)[:, None]
        path = (1 - active) * rest[side] + active * with_body(stage, side, *keys[side])
        hold(stage, side, path, stage.still(1), (0.7, -0.8, -0.6))
    stage.head += np.stack([stage.noise(5, 0.4), stage.noise(3, 0.7), stage.noise(9, 1.0)], 1)


def stir(stage: Stage) -> None:
    """Stirring in a pot, the other hand at the handle or hanging."""
    rng, t = stage.rng, stage.seconds
    rate, radius = rng.uniform(0.7, 1.4) * stage.performer.tempo, rng.uniform(0.04, 0.08)
    path = with_body(stage, "right", (0.0, wobble(stage, (0.07, 1.1, 0.38))))
    angle = 2 * np.pi * rate * stage.times
    path += np.stack([np.cos(angle), 0.15 * np.sin(2 * angle), np.sin(angle)], 1) * radius
    hold(stage, "right", path, stage.key((0.1, 0.3), (0.6, 1), (t, 1)), (0.9, -0.8, -0.2))
    turn_hand(stage, "right", pronation=40)
    if rng.random() < 0.6:
        hold(stage, "left", with_body(stage, "left", (0.0, wobble(stage, (0.16, 1.04, 0.36)))), stage.still(1))
    stage.head[:, 0] += rng.uniform(16, 26)
    stage.spine[:, 0] += 6


def brush_teeth(stage: Stage) -> None:
    """A toothbrush at the mouth, quick short strokes with rests."""
    rng = stage.rng
    up = during(stage, 0.2, 0.6, 0.6)
    brushing = up * np.clip(0.6 + stage.noise(0.6, 0.8), 0, 1)
    path = with_body(stage, "right", (0.0, wobble(stage, (0.11, 1.42, 0.19), 0.012)))
    path[:, 0] += 0.028 * brushing * swings(stage, rng.uniform(2.6, 3.6))
    hold(stage, "right", path, up, (1.0, -0.35, 0.0))
    turn_hand(stage, "right", pronation=30)
    stage.head[:, 0] += up * rng.uniform(0, 12)
    stage.spine[:, 0] += up * rng.uniform(0, 12)


def comb_hair(stage: Stage) -> None:
    """Strokes with a comb from the brow to the back of the head."""
    rng, t, at = stage.rng, stage.seconds, 0.8
    front, back = (0.14, 1.68, 0.14), (0.2, 1.58, -0.08)
    keys: list[tuple[float, Place]] = [(0.0, front)]
    while at < t - 1.2:
        stroke = rng.uniform(0.5, 0.8) / stage.performer.tempo
        keys += [
            (at, front),
            (at + 0.5 * stroke, (0.19, 1.75, 0.0)),
            (at + stroke, back),
            (at + 1.5 * stroke, (0.24, 1.68, 0.06)),
        ]
        at += 2 * stroke
    hold(stage, "right", with_body(stage, "right", *keys), during(stage, 0.15, 0.6, 0.6), (1.0, 0.1, 0.3))
    stage.head[:, 1] -= rng.uniform(0, 8)
    stage.head[:, 0] += rng.uniform(0, 8)


def smoke(stage: Stage) -> None:
    """Drags from a cigarette, the hand down in between."""
    rng, t, at = stage.rng, stage.seconds, 0.4
    weight: list[tuple[float, float]] = [(0.0, 0.0)]
    while at < t - 2.2:
        weight += [(at, 0.0), (at + 0.8, 1.0), (at + rng.uniform(1.2, 1.8), 1.0), (at + 2.5, 0.0)]
        at += 2.6 + rng.uniform(0.2, 1.4)
    hold(
        stage,
        "right",
        with_body(stage, "right", (0.0, wobble(stage, (0.09, 1.42, 0.19), 0.012))),
        stage.key(*weight, smooth_s=0.08),
    )
    turn_hand(stage, "right", pronation=-15)
    stage.head[:, 0] -= stage.key(*weight) * 5
    if rng.random() < 0.4:  # the other arm across the belly
        hold(stage, "left", with_body(stage, "left", (0.0, (-0.05, 1.12, 0.2))), stage.still(1), (1.0, -0.6, 0.0))


def knock(stage: Stage) -> None:
    """Three or four knocks, perhaps twice."""
    rng = stage.rng
    up = during(stage, 0.2, 0.5, 0.5)
    rate, start = rng.uniform(3.0, 4.2), 0.8
    count = int(rng.integers(2, 5))
    hits = ((stage.times > start) & (stage.times < start + count / rate)).astype(float)
    again = start + count / rate + rng.uniform(0.7, 1.1)
    if again + count / rate < stage.seconds - 0.8:
        hits += (stage.times > again) & (stage.times < again + count / rate)
    path = with_body(stage, "right", (0.0, wobble(stage, (0.14, 1.4, 0.36))))
    path[:, 2] += 0.05 * up * hits * np.abs(np.sin(np.pi * rate * (stage.times - start)))
    hold(stage, "right", path, up)
    turn_hand(stage, "right", pronation=40)
    stage.spine[:, 0] += 3 * up


def hand_over(stage: Stage) -> None:
    """Something given with one hand or with both, held out until it is taken."""
    rng, t = stage.rng, stage.seconds
    both = rng.random() < 0.4
    near, far = wobble(stage, (0.13, 1.12, 0.26), 0.02), wobble(stage, (0.1, 1.15, 0.5))
    weight = stage.key((0.05 * t, 0.2), (0.25 * t, 1), (0.78 * t, 1), (0.97 * t, 0), smooth_s=0.08)
    for side in SIDES if both else SIDES[1:]:
        hold(
            stage,
            side,
            with_body(stage, side, (0.2 * t, near), (0.45 * t, far), (0.68 * t, far), (0.82 * t, near)),
            weight,
            ELBOW_DOWN,
        )
        turn_hand(stage, side, pronation=-35)
    out = stage.key((0.2 * t, 0), (0.45 * t, 1), (0.68 * t, 1), (0.85 * t, 0), smooth_s=0.08)
    lean = rng.uniform(3, 14)
    stage.spine[:, 0] += out * lean
    stage.pelvis[:, 2] += out * 0.02


def open_door(stage: Stage) -> None:
    """The handle turned, the door pushed and walked after, or pulled with a step back."""
    rng, t, scale = stage.rng, stage.seconds, scale_of(stage)
    pull = rng.random() < 0.5
    grip, turned, moved = 0.22 * t, 0.32 * t, 0.62 * t
    way = -rng.uniform(0.3, 0.42) if pull else rng.uniform(0.5, 0.7)
    home = {side: stage.feet[side].flat[0].copy() for side in SIDES}
    first = "right" if pull else "left"
    second = "left" if first == "right" else "right"
    lands = (0.48 * t, moved)
    steps = []
    for side, lift, land in ((first, turned, lands[0]), (second, lands[0] + 0.05, lands[1])):
        place = (float(home[side][0]), 0.0, float(home[side][2] + way * scale))
        steps.append(Step(side, lift, land, place, 0.05, 24.0, 12.0 if pull else -8.0))
    take_steps(stage, steps)
    start = float(stage.pelvis[0, 2])
    stage.pelvis[:, 2] += stage.key(
        (turned - 0.05 * t, 0), (lands[0], way * scale / 2), (moved, way * scale), smooth_s=0.12
    )
    # the handle stays where it is until it turns, then goes with the door
    handle = np.array([-0.2 * scale, rng.uniform(0.98, 1.06) * scale, start + rng.uniform(0.4, 0.48) * scale])
    swung = handle + np.array([-0.16, 0.0, -0.3 if pull else 0.55]) * scale
    arm = stage.arms["right"]
    arm.reach = stage.path(
        *((at, (float(p[0]), float(p[1]), float(p[2]))) for at, p in ((grip, handle), (turned, handle), (moved, swung)))
    )
    arm.weight = stage.key((0.06 * t, 0), (grip, 1), (moved, 1), (0.85 * t, 0), smooth_s=0.08)
    arm.hint[:] = ELBOW_DOWN
    arm.pronation = arm.pronation + 30 * arm.weight + stage.key((grip, 0), (turned, 35), (moved, 10), (0.85 * t, 0))
    leaning = stage.key((turned, 0), (lands[0], 1), (moved, 0), smooth_s=0.1)
    stage.spine[:, 0] += leaning * (-3 if pull else 8)
    stage.head[:, 0] += stage.key((0.05 * t, 0), (grip, 14), (turned, 12), (lands[0], 0))
