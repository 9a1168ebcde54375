"""A queue of clips, kept in the scene: each with the settings it was put in with, run one after the other."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import bpy

from ...engine import protocol
from .. import messages
from ..character import footage, run_files
from ..errors import UserError
from . import job, prefs, results, run_settings, running
from .farm_state import FarmState, SentClip
from .run_state import RunState

_scene_name = ""
"""Scene whose queue goes on; '' if none does."""


def add(context) -> None:
    """Put the footage of the panel into the queue, with its settings as they are. Raises UserError, OSError."""
    settings = context.scene.adapt_motion
    run = run_settings.job_of(context)
    run_settings.remember_folder(settings)
    item = settings.queue.add()
    item.name = footage.name(settings.footage)
    item.footage, item.frame = settings.footage, settings.footage_start
    item.job = json.dumps(dataclasses.asdict(run))
    settings.queue_index = len(settings.queue) - 1


def hold() -> None:
    """Let the queue end with the clip that runs."""
    global _scene_name
    _scene_name = ""


def goes_on() -> bool:
    """Whether the queue takes the next clip when one ends."""
    return bool(_scene_name)


def begin(scene) -> None:
    """Start with the first clip that waits; what was stopped waits again."""
    global _scene_name
    for item in scene.adapt_motion.queue:
        if item.status in ("stopped", "failed"):
            item.status = "waiting"
    _scene_name = scene.name
    _go_on()


def _go_on() -> None:
    """Start the next clip, if the queue goes on and there is one."""
    if not _scene_name or running.busy():
        return
    scene = bpy.data.scenes.get(_scene_name)
    waiting = [item for item in scene.adapt_motion.queue if item.status == "waiting"] if scene else []
    if not waiting:
        hold()
        return
    try:
        _start(scene, waiting[0])
    except UserError as error:
        waiting[0].status, waiting[0].message = "failed", str(error)
        _go_on()


def _start(scene, item) -> None:
    run = protocol.Job(**json.loads(item.job))
    log = job.new_log(prefs.log_folder(), "run")
    python = prefs.engine().python
    try:
        source = job.start_run(python, run, log, extra=prefs.engine_variables())
    except OSError as error:
        prefs.forget_engine()
        hold()
        raise UserError(f"The engine could not be started: {error}.", "Install it again in the preferences.") from error
    item.status, item.message = "running", ""
    state = RunState("adapt", source, clip=item.name)
    state.context.update(scene=scene.name, job=item.job)
    running.start(state, _ended)


def progress_text(item) -> str:
    """How far a clip that runs is; '' if that is not known."""
    state = running.latest()
    if isinstance(state, FarmState):
        jobs = state.context["jobs"]
        clip = state.clip_at(jobs.index(item.job)) if item.job in jobs else None
        return clip.text if clip is not None else ""
    return state.progress_text if state is not None else ""


def send_to_farm(scene) -> None:
    """Send all clips that wait to the farm; those of another output folder, and a second run of a clip, stay.

    Raises:
        UserError: the engine cannot be started.
    """
    sent, runs = [], []
    for item in scene.adapt_motion.queue:
        run = protocol.Job(**json.loads(item.job))
        is_other = runs and (run.out != runs[0].out or run.footage in [one.footage for one in runs])
        if item.status != "done" and not is_other:
            sent.append(item)
            runs.append(run)
    log = job.new_log(prefs.log_folder(), "farm")
    try:
        variables = prefs.engine_variables()
        source = job.start_farm(prefs.engine().python, runs, prefs.farm_address(), log, extra=variables)
    except OSError as error:
        prefs.forget_engine()
        raise UserError(f"The engine could not be started: {error}.", "Install it again in the preferences.") from error
    for item in sent:
        item.status, item.message = "running", ""
    state = FarmState("farm", source)
    state.context.update(scene=scene.name, jobs=[item.job for item in sent])
    state.over = lambda place, clip: _come_back(state, place, clip)
    running.start(state, _farm_ended)


def _sent(state: FarmState, place: int) -> list:
    """Items of the clip that was sent as the one with this number, wherever they are in the queue now."""
    scene = bpy.data.scenes.get(state.context["scene"])
    jobs = state.context["jobs"]
    return [item for item in scene.adapt_motion.queue if place < len(jobs) and item.job == jobs[place]] if scene else []


def _come_back(state: FarmState, place: int, clip: SentClip) -> None:
    """Write down how a clip went on the farm, while the others go on."""
    for item in _sent(state, place):
        item.status, item.message = clip.status, clip.message
        if clip.status == "done":
            item.message = messages.done(clip.frames, len(clip.motions), None)
            item.motions = _kept(clip.motions)


def _farm_ended(state: FarmState) -> None:
    """What was not over waits again."""
    for place in range(len(state.context["jobs"])):
        for item in _sent(state, place):
            if item.status == "running":
                item.status = "stopped" if state.cancelled else "failed"
                item.message = f"{state.message} {state.hint}".strip()


def _ended(state: RunState) -> None:
    """Write down how a clip went; its result is brought in when the user asks for it."""
    scene = bpy.data.scenes.get(state.context["scene"])
    items = [item for item in scene.adapt_motion.queue if item.job == state.context["job"]] if scene else []
    frames = max((result["frames"] for result in state.results), default=0)
    summary = messages.done(frames, len(state.results), state.seconds)
    for item in items:
        if state.results and not state.failed:
            item.status, item.message = "done", summary
            item.motions = _kept([result["motion"] for result in state.results])
        else:
            item.status = "stopped" if state.cancelled else "failed"
            item.message = f"{state.message} {state.hint}".strip()
    if state.results and not state.failed:
        state.message = summary
        state.hint = "Attach it from the queue."


@bpy.app.handlers.persistent
def _after_load(*_arguments) -> None:
    """What ran when the file was saved runs no more: say so, with its result if it came to its end meanwhile."""
    hold()
    for scene in bpy.data.scenes:
        for item in scene.adapt_motion.queue:
            if item.status == "running":
                _settle(item)


def _settle(item) -> None:
    run = json.loads(item.job or "{}")
    left = results.find(run.get("footage", [""])[0], Path(run.get("out", ""))) if run else None
    if left and left.motions:
        item.status, item.message = "done", ""
        item.motions = _kept(left.motions)
    else:
        item.status, item.message = "stopped", messages.INTERRUPTED


def _kept(motions) -> str:
    """The motion files under names that the clip's next run, perhaps of this very queue, leaves alone; as JSON."""
    return json.dumps([str(run_files.keep(path)) for path in motions])


def register() -> None:
    """The queue goes on whenever nothing runs."""
    bpy.app.handlers.load_post.append(_after_load)
    running.when_idle(_go_on)


def unregister() -> None:
    """Undo `register`."""
    hold()
    bpy.app.handlers.load_post.remove(_after_load)
