"""Takes for a hidden stretch under the labels as they are now: by the engine, where a label was changed since."""

from __future__ import annotations

import json
from pathlib import Path

import bpy

from ...engine import protocol
from .. import messages
from ..blender import paths
from ..character import clip_times, label_times, pins, proposed
from ..errors import UserError
from . import clip_run, run_settings, running
from .run_state import RunState

MADE_FOR = "adapt_motion_takes_made_for"
"""Custom property of an armature: stretches, by their first second, with the label that takes were last made for."""


def propose(context, armature) -> int | None:
    """Lay the takes of the hidden stretch at the current frame into the NLA; gives back how many.

    Where the label there is another than they were made for, the engine makes new ones first; None is given back then.

    Raises:
        UserError: nothing is hidden there, or no engine can be started.
    """
    from ..character import take_keys

    at_s = pins.seconds(armature, context.scene.frame_current)
    stretch = take_keys.stretch_at(armature, at_s)
    if _label_now(context.scene, armature, stretch) == _label_then(armature, stretch):
        return _lay(armature, at_s)
    start(context, armature, at_s)
    return None


def renew(context) -> None:
    """While takes are proposed: have them made again once the label of their stretch is another. Called often."""
    armature = context.scene.adapt_motion.character
    if armature is None or running.busy() or not proposed.proposed(armature):
        return
    stretch = proposed.stretch(armature)
    if stretch is None or _label_now(context.scene, armature, stretch) == proposed.label(armature):
        return
    proposed.set_label(armature, _label_now(context.scene, armature, stretch))  # once, whatever comes of it
    if not clip_run.engine_problem(context):
        start(context, armature, sum(stretch) / 2)


def start(context, armature, at_s: float) -> RunState:
    """Have the engine propose takes for the hidden stretch at a second of the footage; they come into the NLA then.

    Raises:
        UserError: no engine can be started now, or as `clip_run.launch`.
    """
    problem = clip_run.engine_problem(context)
    if problem:
        raise UserError(messages.tr(problem))

    def job() -> protocol.Job:
        run = run_settings.job_of(context, "takes")
        run.at_s = at_s
        if any(pin.use for pin in armature.adapt_motion_pins):
            run.corrections = run_settings.write_file("corrections", pins.corrections(armature))
        return run

    return clip_run.launch(context, "takes", job, _ended, armature=armature.name, at_s=at_s)


def _ended(state: RunState) -> None:
    armature = bpy.data.objects.get(state.context["armature"])
    if state.failed or state.cancelled or armature is None or state.context.get("other_file"):
        return
    from ..character import take_keys

    at_s = state.context["at_s"]
    stretch = take_keys.stretch_at(armature, at_s)
    scene = bpy.data.scenes[state.context["scene"]]
    made = _made_for(armature)
    made[f"{stretch[0]:.3f}"] = _label_now(scene, armature, stretch)
    armature[MADE_FOR] = json.dumps(made)
    state.message = messages.tr(messages.TAKES_PROPOSED, count=_lay(armature, at_s))
    clip_run.push_undo("Propose Takes")


def _lay(armature, at_s: float) -> int:
    from ..character import take_keys

    count = take_keys.propose(armature, at_s)
    proposed.set_label(armature, _label_then(armature, take_keys.stretch_at(armature, at_s)))
    armature.adapt_motion_take = 1
    return count


def _label_then(armature, stretch: tuple[float, float]) -> str:
    """The label that the takes of a stretch were made for: that of the motion, unless they were made again."""
    from ..character import motion_io

    made = _made_for(armature).get(f"{stretch[0]:.3f}")
    if made is not None:
        return made
    motion = motion_io.read_motion(Path(armature.get(clip_times.PERSON, "")))
    row = int(motion.timestamps.searchsorted(sum(stretch) / 2).clip(max=motion.frame_count - 1))
    return str(motion.labels[row])


def _label_now(scene, armature, stretch: tuple[float, float]) -> str:
    """The label in the middle of a stretch as the panel has it; where that has other footage, what it was then."""
    settings, filmed = scene.adapt_motion, armature.get(clip_times.FOOTAGE)
    if not filmed or not settings.footage or filmed != paths.absolute(settings.footage):
        return _label_then(armature, stretch)
    rate, first = label_times.laid(scene)
    frame = float(first + sum(stretch) / 2 * rate)
    there = [one for one in settings.labels if one.frame_start - 0.5 <= frame <= one.frame_end + 0.5]
    return there[0].label.strip() if there else ""


def _made_for(armature) -> dict[str, str]:
    try:
        found = json.loads(armature.get(MADE_FOR, "{}"))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
