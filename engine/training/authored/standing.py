"""Gestures and postures while standing: pointing, beckoning, bowing, shrugging, looking about, arms crossed.

Nodding: 1 to 2 nods of 10 to 20 degrees a second; shaking the head: about 1.5 swings a second (Hadar et al. 1983, Human
Movement Science 2:35, tell fast from slow head movements). Bows: 15 to 60 degrees at the hips. Everything else is our
choice.
"""

from __future__ import annotations

from engine.training.authored.gestures import talk
from engine.training.authored.reach import (
    during,
    hold,
    swings,
    turn_hand,
    with_body,
    wobble,
)
from engine.training.authored.stage import SIDES, Stage
from engine.training.figure import Floats


def point(stage: Stage) -> None:
    """Pointing ahead or a little aside with a stretched arm; sometimes twice."""
    arm, rng, t = stage.arms["right"], stage.rng, stage.seconds
    up = during(stage, 0.15, rng.uniform(0.35, 0.6))
    if rng.random() < 0.4:
        up = up * (1 - 0.5 * stage.key((0.42 * t, 0), (0.5 * t, 1), (0.58 * t, 0)))
    aside = rng.uniform(-5, 45)
    arm.flexion = arm.flexion + up * rng.uniform(62, 92)
    arm.abduction = arm.abduction + up * aside
    arm.elbow = arm.elbow * (1 - 0.7 * up)
    arm.pronation = arm.pronation + up * 65
    stage.head[:, 2] -= up * aside * 0.7
    stage.spine[:, 2] -= up * aside * 0.25


def point_up(stage: Stage) -> None:
    """Pointing at the sky."""
    arm, up = stage.arms["right"], during(stage, 0.2, 0.6)
    arm.flexion = arm.flexion + up * stage.rng.uniform(130, 158)
    arm.abduction = arm.abduction + up * stage.rng.uniform(0, 18)
    arm.elbow = arm.elbow + up * stage.rng.uniform(-8, 12)
    stage.head[:, 0] -= up * stage.rng.uniform(12, 30)
    stage.spine[:, 0] -= up * 4


def raise_hand(stage: Stage) -> None:
    """A hand up and held: the arm straight beside the head, or the forearm upright from a bent elbow."""
    arm, up, rng = stage.arms["right"], during(stage, 0.2, 0.55), stage.rng
    straight = rng.random() < 0.5
    arm.flexion = arm.flexion + up * (rng.uniform(140, 165) if straight else rng.uniform(20, 50))
    arm.abduction = arm.abduction + up * (rng.uniform(0, 18) if straight else rng.uniform(55, 85))
    arm.rotation = arm.rotation - up * (0 if straight else rng.uniform(45, 70))
    arm.elbow = arm.elbow + up * (rng.uniform(0, 25) if straight else rng.uniform(75, 100))
    stage.spine[:, 1] += up * 4


def beckon(stage: Stage) -> None:
    """Come here: the forearm swings towards the shoulder again and again."""
    rng, person = stage.rng, stage.performer
    up = during(stage, 0.15, 0.45)
    swing = up * (0.5 + 0.5 * swings(stage, rng.uniform(1.3, 2.2) * person.tempo, 0.3))
    arm = stage.arms["right"]
    arm.flexion = arm.flexion + up * rng.uniform(28, 50)
    arm.abduction = arm.abduction + up * rng.uniform(0, 20)
    arm.elbow = arm.elbow + up * 40 + swing * rng.uniform(35, 60)
    arm.pronation = arm.pronation - up * 85
    stage.head[:, 0] -= swing * 4


def wave_both(stage: Stage) -> None:
    """Waving with both arms over the head."""
    rng, up = stage.rng, during(stage, 0.15, 0.5)
    swing = up * swings(stage, rng.uniform(1.1, 1.9) * stage.performer.tempo)
    raised, same = rng.uniform(110, 138), 1.0 if rng.random() < 0.6 else -1.0
    for side, way in (("left", 1.0), ("right", same)):
        arm = stage.arms[side]
        arm.abduction = arm.abduction + up * raised + swing * way * 17
        arm.elbow = arm.elbow + up * 12
        arm.rotation = arm.rotation - up * 50


def cheer(stage: Stage) -> None:
    """Both arms or one fist thrown up, again and again, sometimes bouncing in the knees."""
    rng = stage.rng
    up = during(stage, 0.1, 0.35)
    pump = up * (0.5 + 0.5 * swings(stage, rng.uniform(1.4, 2.2) * stage.performer.tempo, 0.25))
    for side in SIDES if rng.random() < 0.7 else SIDES[1:]:
        arm = stage.arms[side]
        arm.flexion = arm.flexion + up * rng.uniform(95, 125) + pump * 28
        arm.abduction = arm.abduction + up * rng.uniform(12, 35)
        arm.elbow = arm.elbow + up * 55 - pump * 45
    stage.pelvis[:, 1] -= 0.035 * (1 - pump) * up
    stage.head[:, 0] -= up * rng.uniform(4, 18)
    stage.spine[:, 0] -= up * 5


def bow(stage: Stage) -> None:
    """A bow from the hips, hands at the sides or one before the belly; once or twice."""
    rng, t = stage.rng, stage.seconds
    keys = [(0.12 * t, 0.0), (0.4 * t, 1.0), (0.58 * t, 1.0), (0.88 * t, 0.0)]
    if rng.random() < 0.3:
        keys = [
            (0.08 * t, 0),
            (0.24 * t, 1),
            (0.34 * t, 1),
            (0.5 * t, 0),
            (0.66 * t, 0.7),
            (0.72 * t, 0.7),
            (0.92 * t, 0),
        ]
    low, deep = stage.key(*keys, smooth_s=0.1), rng.uniform(14, 50)
    stage.turn[:, 0] += low * deep * 0.75
    stage.spine[:, 0] += low * deep * 0.45
    stage.head[:, 0] += low * rng.uniform(0, 14)
    stage.pelvis[:, 2] -= low * deep * 0.0022
    for side in SIDES:  # arms hang
        stage.arms[side].flexion = stage.arms[side].flexion + low * deep * rng.uniform(0.5, 1.1)
    if rng.random() < 0.35:
        arm = stage.arms["right"]
        arm.flexion = arm.flexion + low * 10
        arm.rotation = arm.rotation + low * 45
        arm.elbow = arm.elbow + low * 78


def salute(stage: Stage) -> None:
    """The right hand to the brow, straight up and down."""
    up = during(stage, 0.3, 0.35, 0.4)
    hold(
        stage, "right", with_body(stage, "right", (0.0, wobble(stage, (0.24, 1.56, 0.12), 0.015))), up, (1.0, 0.1, 0.1)
    )
    turn_hand(stage, "right", pronation=25, deviation=10)
    stage.spine[:, 0] -= 3
    stage.head[:, 0] += stage.rng.uniform(-3, 2)


def shake_hands(stage: Stage) -> None:
    """A hand held out and shaken, the other hanging; some lean in."""
    rng, t = stage.rng, stage.seconds
    out = stage.key((0.1 * t, 0), (0.32 * t, 1), (0.72 * t, 1), (0.92 * t, 0), smooth_s=0.08)
    shaking = stage.key((0.34 * t, 0), (0.4 * t, 1), (0.62 * t, 1), (0.68 * t, 0))
    path = with_body(stage, "right", (0.0, wobble(stage, (0.08, 1.06, 0.42))))
    path[:, 1] += shaking * 0.045 * swings(stage, rng.uniform(1.8, 2.6), 0.34 * t)
    hold(stage, "right", path, out)
    lean = rng.uniform(2, 12)
    stage.spine[:, 0] += out * lean
    stage.head[:, 0] += out * lean * 0.4


def shrug(stage: Stage) -> None:
    """Shoulders up, palms out, the head aside; once or twice."""
    rng, t = stage.rng, stage.seconds
    keys = [(0.15 * t, 0.0), (0.35 * t, 1.0), (0.6 * t, 1.0), (0.85 * t, 0.0)]
    if rng.random() < 0.35:
        keys = [(0.1 * t, 0), (0.25 * t, 1), (0.4 * t, 0.2), (0.55 * t, 1), (0.68 * t, 1), (0.9 * t, 0)]
    up = stage.key(*keys, smooth_s=0.06)
    spread, bend = rng.uniform(6, 28), rng.uniform(20, 88)
    for side in SIDES:
        arm = stage.arms[side]
        arm.lift = up * rng.uniform(11, 17)
        arm.abduction = arm.abduction + up * spread
        arm.rotation = arm.rotation - up * 38
        arm.elbow = arm.elbow + up * bend
        arm.pronation = arm.pronation - up * 75
        arm.extension = arm.extension + up * 22
    stage.head[:, 1] += up * rng.uniform(4, 12) * rng.choice([-1, 1])
    stage.head[:, 0] -= up * 3


def hands_on_hips(stage: Stage) -> None:
    """Hands at the waist, elbows out."""
    up = _posture(stage)
    for side in SIDES:
        hold(
            stage, side, with_body(stage, side, (0.0, (0.2, stage.rng.uniform(1.03, 1.09), 0.0))), up, (1.0, 0.0, -0.55)
        )
        turn_hand(stage, side, pronation=55, extension=25)


def cross_arms(stage: Stage) -> None:
    """Forearms crossed before the chest, one over the other."""
    up, rng = _posture(stage), stage.rng
    height = rng.uniform(1.16, 1.24)
    over, under = SIDES if rng.random() < 0.5 else SIDES[::-1]
    hold(stage, over, with_body(stage, over, (0.0, (-0.11, height + 0.02, 0.21))), up, (1.0, -0.75, 0.1))
    hold(stage, under, with_body(stage, under, (0.0, (-0.1, height - 0.04, 0.15))), up, (1.0, -0.75, 0.0))
    for side in SIDES:
        turn_hand(stage, side, pronation=35)
    stage.spine[:, 0] -= up * 2


def hands_behind(stage: Stage) -> None:
    """Hands clasped behind the back."""
    up = _posture(stage)
    for side in SIDES:
        place = (0.035, stage.rng.uniform(0.95, 1.0), -0.2)
        hold(stage, side, with_body(stage, side, (0.0, place)), up, (1.0, 0.0, -0.9))
        turn_hand(stage, side, pronation=20)


def _posture(stage: Stage) -> Floats:
    """(T,) weight of a posture that is taken, kept or left, with shifts of weight meanwhile."""
    rng, t = stage.rng, stage.seconds
    ends = [(0.0, 1.0), (t, 1.0)]
    if rng.random() < 0.6:
        ends[0:1] = [(0.15 * t, 0.0), (0.38 * t, 1.0)]
    if rng.random() < 0.4:
        ends[-1:] = [(0.75 * t, 1.0), (0.97 * t, 0.0)]
    stage.pelvis[:, 0] += stage.noise(0.02, 2.0)
    stage.head[:, 2] += stage.noise(10, 1.4)
    return stage.key(*ends, smooth_s=0.1)


def nod(stage: Stage) -> None:
    """Nodding, some times or for long."""
    wag = during(stage, 0.3, 0.3, 0.3, 0.3) * swings(stage, stage.rng.uniform(1.1, 2.1), 0.3)
    stage.head[:, 0] += wag * stage.rng.uniform(8, 16) + 4


def shake_head(stage: Stage) -> None:
    """Shaking the head."""
    wag = during(stage, 0.3, 0.3, 0.3, 0.3) * swings(stage, stage.rng.uniform(1.1, 1.8), 0.3)
    stage.head[:, 2] += wag * stage.rng.uniform(14, 30)
    stage.head[:, 0] += 3


def facepalm(stage: Stage) -> None:
    """A hand over the face, the head bent into it."""
    up = during(stage, 0.3, 0.5, 0.6)
    hold(stage, "right", with_body(stage, "right", (0.0, wobble(stage, (0.06, 1.45, 0.2), 0.012))), up)
    turn_hand(stage, "right", pronation=-15)
    stage.head[:, 0] += up * stage.rng.uniform(14, 28)
    stage.spine[:, 0] += up * 6


def scratch_head(stage: Stage) -> None:
    """Scratching the head at the side or at the back."""
    up = during(stage, 0.1, 0.45, 0.5, 0.05)
    place = (0.24, 1.67, 0.02) if stage.rng.random() < 0.5 else (0.22, 1.64, -0.08)
    there, before, t = wobble(stage, place, 0.015), (0.26, 1.2, 0.26), stage.seconds
    # up past the chest and down again: straight from the hip to the head the elbow would have to turn over
    path = with_body(stage, "right", (0.35, before), (0.85, there), (t - 0.95, there), (t - 0.45, before))
    path[:, 1] += up * 0.014 * swings(stage, stage.rng.uniform(3, 4.5), 0.7)
    hold(stage, "right", path, up, (1.0, -0.1, 0.3))
    turn_hand(stage, "right", deviation=10)
    stage.head[:, 1] -= up * stage.rng.uniform(2, 9)
    stage.head[:, 0] += up * stage.rng.uniform(0, 10)


def look_around(stage: Stage) -> None:
    """Looking left and right, the trunk a little with it."""
    rng, at, way = stage.rng, 0.3, float(stage.rng.choice([-1.0, 1.0]))
    keys = [(0.0, 0.0), (at, 0.0)]
    while at < stage.seconds - 1.2:
        at += rng.uniform(0.45, 0.9)
        keys.append((at, way * rng.uniform(30, 68)))
        at += rng.uniform(0.25, 0.9)
        keys.append((at, keys[-1][1] * rng.uniform(0.9, 1.0)))
        way = -way
    gaze = stage.key(*keys, smooth_s=0.06)
    stage.head[:, 2] += gaze * 0.8
    stage.spine[:, 2] += gaze * rng.uniform(0.1, 0.35)
    stage.turn[:, 2] += gaze * 0.06
    stage.head[:, 0] += stage.noise(4, 0.8)


def look_up(stage: Stage) -> None:
    """Looking up."""
    up = during(stage, 0.3, 0.7, 0.7, 0.2)
    stage.head[:, 0] -= up * stage.rng.uniform(24, 48)
    stage.spine[:, 0] -= up * stage.rng.uniform(2, 9)
    stage.head[:, 2] += up * stage.noise(14, 1.2)


def look_down(stage: Stage) -> None:
    """Looking down at the feet."""
    low = during(stage, 0.3, 0.7, 0.7, 0.2)
    stage.head[:, 0] += low * stage.rng.uniform(24, 42)
    stage.spine[:, 0] += low * stage.rng.uniform(3, 14)
    stage.head[:, 2] += low * stage.noise(8, 1.2)


def look_back(stage: Stage) -> None:
    """Looking over a shoulder."""
    rng, turned = stage.rng, during(stage, 0.25, 0.6, 0.6, 0.2)
    way = float(rng.choice([-1.0, 1.0]))
    stage.head[:, 2] += way * turned * rng.uniform(48, 66)
    stage.spine[:, 2] += way * turned * rng.uniform(18, 38)
    stage.turn[:, 2] += way * turned * rng.uniform(4, 12)


def look_at_watch(stage: Stage) -> None:
    """The forearm up before the chest, a look at the wrist."""
    up = during(stage, 0.25, 0.5)
    hold(stage, "left", with_body(stage, "left", (0.0, wobble(stage, (0.03, 1.2, 0.3)))), up, (1.0, -0.5, 0.0))
    turn_hand(stage, "left", pronation=70)
    stage.head[:, 0] += up * stage.rng.uniform(18, 32)
    stage.head[:, 2] += up * 10


def argue(stage: Stage) -> None:
    """Talking angrily: hasty wide strokes, leaning in, jerks of the head."""
    talk(stage)
    scale = 1.5 * stage.performer.amplitude
    stage.spine[:, 0] += 5 + stage.noise(4 * scale, 0.5)
    stage.spine[:, 2] += stage.noise(7 * scale, 0.5)
    stage.head += (4, 0, 0)
    stage.head[:, 0] += stage.noise(6 * scale, 0.3)
    stage.head[:, 2] += stage.noise(8 * scale, 0.4)
    for side in SIDES:
        arm = stage.arms[side]
        arm.reach[:, 1] += arm.weight * stage.noise(0.07, 0.28)
        arm.reach[:, 2] += arm.weight * (0.04 + stage.noise(0.05, 0.3))
