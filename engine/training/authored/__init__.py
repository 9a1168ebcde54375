"""Everyday actions that the motion capture clips lack, authored after the biomechanics literature. All are synthetic.

`author(action, performer, rng)` gives one performance; no two are alike.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from engine.training.authored import chair, gestures, ground_moves, objects, stairs
from engine.training.authored.stage import Performer, Stage
from engine.training.figure import Figure, MotionClip, plain_figure


@dataclass(frozen=True)
class Action:
    """One authored action."""

    label: str
    category: str
    move: Callable[[Stage], None]
    seconds: tuple[float, float]
    """Shortest and longest performance at tempo 1."""


ACTIONS = {
    action.label: action
    for action in (
        Action("walk upstairs", "stairs", stairs.walk_upstairs, (5.0, 8.0)),
        Action("walk downstairs", "stairs", stairs.walk_downstairs, (4.6, 7.5)),
        Action("sit down", "sit", chair.sit_down, (2.2, 3.2)),
        Action("sit", "sit", chair.sit, (3.0, 6.0)),
        Action("stand up from a chair", "sit", chair.stand_up, (2.0, 3.0)),
        Action("pick something up with both hands", "reach", objects.pick_up, (2.8, 4.2)),
        Action("wave", "gesture", gestures.wave, (2.6, 4.5)),
        Action("clap", "gesture", gestures.clap, (2.6, 4.5)),
        Action("talk with gestures", "gesture", gestures.talk, (4.0, 7.0)),
        Action("drink", "daily", gestures.drink, (5.5, 7.5)),
        Action("push something heavy", "object", objects.push, (4.5, 6.5)),
        Action("pull something heavy", "object", objects.pull, (4.5, 6.5)),
        Action("crouch", "squat", ground_moves.crouch, (2.8, 4.4)),
        Action("kneel", "squat", ground_moves.kneel, (3.0, 4.4)),
        Action("lunge", "exercise", ground_moves.lunge, (2.6, 3.6)),
        Action("push-up", "exercise", ground_moves.push_up, (4.5, 7.0)),
        Action("jumping jack", "exercise", ground_moves.jumping_jack, (3.6, 6.0)),
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
    return stage.solve(f"{action} by {performer.name}")


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
