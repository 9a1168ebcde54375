"""A run of the engine around the pins of an armature, and its result keyed there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy

from ...engine import protocol
from ...engine.files.json_file import read_json
from .. import messages
from ..character import clip_times, layers, pins, run_files
from ..errors import UserError
from . import clip_run, run_settings
from .run_state import RunState


def start(context, armature) -> RunState:
    """Have the engine follow the pins of an armature; what it changes is keyed at the end.

    Raises:
        UserError: nothing is pinned, the armature has no motion file, or as `clip_run.launch`.
    """
    path = Path(armature.get(clip_times.PERSON, ""))
    if not path.is_file():
        raise UserError(f"The motion file of {armature.name} is gone: {path}.", "Adapt the clip again.")

    if layers.is_split(armature):
        raise UserError(f"The motion of {armature.name} is split into layers.", "Press Join Layers first.")

    def job() -> protocol.Job:
        run = run_settings.job_of(context)
        run.corrections = run_settings.write_file("corrections", {**_made_by(path), **pins.corrections(armature)})
        return run

    return clip_run.launch(context, "pins", job, _ended, armature=armature.name, before=str(path))


def _made_by(path: Path) -> dict[str, Any]:
    """Footage and version of the run that a motion file is from, as far as its report says."""
    try:
        report = read_json(path.with_name("report.json"))
        return {"footage": report["footage"]["sha256"], "engine": report["versions"]["engine"]}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _ended(state: RunState) -> None:
    """Key what has changed on the armature that the run was for."""
    armature = bpy.data.objects.get(state.context["armature"])
    if not state.results or state.context.get("other_file"):
        return
    if armature is None:
        raise UserError(
            f"The armature {state.context['armature']} was renamed or removed meanwhile.",
            "Press Adapt Around Pins again: what is done is kept.",
        )
    from ..character import motion_io, pin_keys

    before = motion_io.read_motion(state.context["before"])
    wanted = run_files.person_of(state.context["before"])
    path = next((one["motion"] for one in state.results if run_files.person_of(one["motion"]) == wanted), None)
    if path is None:
        raise UserError(f"The run has no motion of {armature.name}.", "Tick its person in the list of people.")
    own = run_files.keep(path)
    count = pin_keys.apply(armature, before, motion_io.read_motion(own))
    armature[clip_times.PERSON] = str(own)
    state.message = messages.tr(messages.PINS_FOLLOWED, frames=count, seconds=state.seconds)
    clip_run.push_undo("Adapt Around Pins")
