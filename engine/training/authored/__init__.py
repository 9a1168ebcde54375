"""Everyday actions that the motion capture clips lack, authored after the biomechanics literature. All are synthetic.

`author(action, performer, rng)` gives one performance; no two are alike.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from engine.training.authored import (
    chair,
    combat,
    daily,
    gait,
    gestures,
    ground_moves,
    objects,
    stairs,
    standing,
)
from engine.training.authored.stage import Performer, Stage
from engine.training.authored.timing import held_up
from engine.training.figure import Figure, MotionClip, plain_figure


@dataclass(frozen=True)
class Action:
    """One authored action."""

    label: str
    category: str
    move: Callable[[Stage], None]
    seconds: tuple[float, float]
    """Shortest and longest performance at tempo 1."""
    pauses: bool = False
    """Some performances are held up in the middle and go on: not for what is in the air or in step."""


_HELD_UP_SHARE = 0.3
_OTHER_GAITS = ("limp", "carry something", "march in place")
_GESTURES: dict[str, tuple[Callable[[Stage], None], tuple[float, float]]] = {
    "wave with both arms": (standing.wave_both, (2.6, 4.5)),
    "point": (standing.point, (2.0, 3.6)),
    "point up": (standing.point_up, (2.2, 3.8)),
    "raise a hand": (standing.raise_hand, (2.2, 4.5)),
    "beckon": (standing.beckon, (2.2, 4.0)),
    "cheer": (standing.cheer, (2.4, 4.5)),
    "bow": (standing.bow, (2.6, 4.4)),
    "salute": (standing.salute, (2.2, 4.2)),
    "shake hands": (standing.shake_hands, (2.6, 4.0)),
    "shrug": (standing.shrug, (2.0, 3.2)),
    "nod": (standing.nod, (2.0, 4.0)),
    "shake the head": (standing.shake_head, (2.0, 4.0)),
    "facepalm": (standing.facepalm, (2.6, 4.2)),
    "scratch the head": (standing.scratch_head, (2.8, 5.0)),
    "look around": (standing.look_around, (3.0, 7.0)),
    "look up": (standing.look_up, (2.6, 5.0)),
    "look down": (standing.look_down, (2.6, 5.0)),
    "look over the shoulder": (standing.look_back, (2.2, 4.0)),
    "look at a watch": (standing.look_at_watch, (2.2, 3.8)),
    "argue": (standing.argue, (4.0, 7.0)),
}
_POSTURES = {
    "hands on hips": standing.hands_on_hips,
    "cross the arms": standing.cross_arms,
    "hands behind the back": standing.hands_behind,
}
_DAILY: dict[str, tuple[Callable[[Stage], None], tuple[float, float]]] = {
    "eat": (daily.seated(daily.eat, 0.5), (5.0, 9.0)),
    "talk on the phone": (daily.seated(daily.phone, 0.3), (4.0, 8.0)),
    "text on a phone": (daily.seated(daily.text, 0.3), (3.5, 7.0)),
    "take a photo": (daily.take_photo, (3.0, 5.0)),
    "open a door": (daily.open_door, (3.0, 4.4)),
    "knock on a door": (daily.knock, (2.6, 4.6)),
    "stir a pot": (daily.stir, (3.5, 7.0)),
    "brush the teeth": (daily.brush_teeth, (4.0, 7.0)),
    "comb the hair": (daily.comb_hair, (4.0, 7.0)),
    "smoke": (daily.seated(daily.smoke, 0.25), (5.0, 9.0)),
    "sit and talk": (daily.sit_and_talk, (4.0, 8.0)),
    "type on a keyboard": (daily.type_text, (4.0, 8.0)),
}
ACTIONS = {
    action.label: action
    for action in (
        Action("walk upstairs", "stairs", stairs.walk_upstairs, (5.0, 8.0)),
        Action("walk downstairs", "stairs", stairs.walk_downstairs, (4.6, 7.5)),
        Action("sit down", "sit", chair.sit_down, (2.2, 3.2)),
        Action("sit", "sit", chair.sit, (3.0, 6.0)),
        Action("stand up from a chair", "sit", chair.stand_up, (2.0, 3.0)),
        Action("pick something up with both hands", "reach", objects.pick_up, (2.8, 4.2)),
        Action("wave", "gesture", gestures.wave, (2.6, 4.5), True),
        Action("clap", "gesture", gestures.clap, (2.6, 4.5), True),
        Action("talk with gestures", "gesture", gestures.talk, (4.0, 7.0), True),
        Action("drink", "daily", gestures.drink, (5.5, 7.5), True),
        Action("push something heavy", "object", objects.push, (4.5, 6.5)),
        Action("pull something heavy", "object", objects.pull, (4.5, 6.5)),
        Action("crouch", "squat", ground_moves.crouch, (2.8, 4.4)),
        Action("kneel", "squat", ground_moves.kneel, (3.0, 4.4)),
        Action("lunge", "exercise", ground_moves.lunge, (2.6, 3.6)),
        Action("push-up", "exercise", ground_moves.push_up, (4.5, 7.0)),
        Action("jumping jack", "exercise", ground_moves.jumping_jack, (3.6, 6.0)),
        *(Action(label, "walk", gait.walk_as(label), (4.6, 7.5)) for label in gait.STYLES if label not in _OTHER_GAITS),
        Action("limp", "walk", gait.limp_on(""), (4.6, 7.5)),
        Action("limp on the left leg", "walk", gait.limp_on("left"), (4.6, 7.5)),
        Action("limp on the right leg", "walk", gait.limp_on("right"), (4.6, 7.5)),
        Action("carry something", "object", gait.walk_as("carry something"), (4.6, 7.0)),
        Action("march in place", "exercise", gait.walk_as("march in place"), (4.0, 6.5)),
        *(Action(label, "gesture", move, seconds, True) for label, (move, seconds) in _GESTURES.items()),
        *(Action(label, "stand", move, (3.0, 6.0), True) for label, move in _POSTURES.items()),
        *(Action(label, "daily", move, seconds, True) for label, (move, seconds) in _DAILY.items()),
        Action("hand something over", "object", daily.hand_over, (2.4, 3.6), True),
        Action("throw", "throw", combat.throw, (2.2, 3.2)),
        Action("throw underhand", "throw", combat.throw_underhand, (2.2, 3.2)),
        Action("catch", "throw", combat.catch, (2.0, 3.0)),
        Action("hammer", "object", combat.hammer, (3.0, 6.0)),
        Action("dig", "object", combat.dig, (5.0, 8.5)),
        Action("walk and stop", "walk", gait.walk_and_stop, (5.0, 7.0)),
        Action("jump in place", "jump", ground_moves.jump, (2.6, 4.8)),
        Action("punch", "punch", combat.punch, (2.2, 3.8)),
        Action("kick", "kick", combat.kick, (2.2, 3.2)),
        Action("dodge", "fight", combat.dodge, (2.4, 4.6)),
        Action("block", "fight", combat.block, (2.4, 4.6)),
        Action("get hit", "fight", combat.get_hit, (2.0, 2.8)),
    )
}
"""Authored actions by label."""


def author(action: str, performer: Performer, rng: np.random.Generator) -> MotionClip:
    """One performance of an action.

    Args:
        action: a label of `ACTIONS`.
        performer: who performs it.
        rng: source of all variation that is not the performer's.

    Returns:
        The motion at 30 frames per second, y up, starting near the origin and facing +z.
    """
    kind = ACTIONS[action]
    seconds = rng.uniform(*kind.seconds) / performer.tempo
    stage = Stage(performer, rng, seconds)
    kind.move(stage)
    clip = stage.solve(f"{action} by {performer.name}")
    return held_up(clip, rng) if kind.pauses and rng.random() < _HELD_UP_SHARE else clip


def performers(count: int, rng: np.random.Generator, figures: list[Figure] | None = None) -> list[Performer]:
    """People of various size, handedness and habits.

    Args:
        count: how many.
        rng: source of the variation.
        figures: bodies to choose from in turn; plain ones of 0.9 to 1.08 times the mean size if none are given.
    """
    people = []
    for i in range(count):
        figure = figures[i % len(figures)] if figures else plain_figure(rng.uniform(0.9, 1.08))
        people.append(
            Performer(
                f"authored_{i:02d}",
                figure,
                left_handed=bool(i % 2),
                tempo=float(rng.uniform(0.8, 1.25)),
                amplitude=float(rng.uniform(0.85, 1.15)),
                stance_m=float(rng.uniform(0.15, 0.26)),
                toe_out=float(rng.uniform(0, 15)),
                arm_hang=float(rng.uniform(5, 13)),
                stoop=float(rng.uniform(-3, 6)),
                sway=float(rng.uniform(0.6, 1.4)),
            )
        )
    return people
