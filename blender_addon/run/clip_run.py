"""A run of the engine on the panel's clip, and its result brought into the scene."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from typing import Any

import bpy

from ...engine import protocol
from .. import messages
from ..blender import steps
from ..character import clip_times, footage, matching, run_files
from ..errors import UserError
from . import clip_memory, job, labels, people, people_edits, prefs, results, run_settings, running
from .engine_home import EngineState
from .run_state import RunState

AfterImport = Callable[[Any, Any], "Generator[None, None, None]"]

_after_import: list[AfterImport] = []


def after_import(function: AfterImport) -> None:
    """Have `function`, of the scene and what was imported, work in steps on whatever a run brings in."""
    _after_import.append(function)


def not_after_import(function: AfterImport) -> None:
    """Undo `after_import`."""
    _after_import.remove(function)


def engine_problem(context) -> str:
    """Why no run of the engine can begin now; '' if nothing is in the way. Touches no disk."""
    if running.busy():
        return messages.BUSY
    if not context.scene.adapt_motion.footage:
        return messages.NO_FOOTAGE
    engine = prefs.engine(context)
    return engine.problem if engine.state in (EngineState.MISSING, EngineState.INTERRUPTED) else ""


def start(context, kind: str, labeler: str = "none", edits: people_edits.Edits | None = None) -> RunState:
    """Start the engine on what the panel says; its result comes into the scene at the end.

    Args:
        context: with the scene.
        kind: `adapt` for motion, `people` to list who is there, `labels` to have labels suggested.
        labeler: who labels what has no label.
        edits: people of the list who are merged and split; as they are if left out.

    Raises:
        UserError: the footage is gone, the panel contradicts itself, or the engine cannot be started.
    """
    ended = {"adapt": bring_in, "people": list_people, "labels": list_labels}[kind]

    def make_job() -> protocol.Job:
        return run_settings.job_of(context, "" if kind == "adapt" else kind, labeler, edits)

    return launch(context, kind, make_job, ended)


def launch(context, kind: str, make_job: Callable[[], protocol.Job], ended, **more: Any) -> RunState:
    """Start the engine on a job.

    Args:
        context: with the scene.
        kind: of the run.
        make_job: gives the job; may raise UserError and OSError.
        ended: called with the state at the end.
        more: put into the state's context.

    Raises:
        UserError: the job cannot be made, or the engine cannot be started.
    """
    settings = context.scene.adapt_motion
    try:
        run = make_job()
        log = job.new_log(prefs.log_folder(), "run")
        with_key = run.labeler == "openai"
        python = prefs.engine(context).python
        source = job.start_run(python, run, log, extra=prefs.engine_variables(context), with_key=with_key)
    except OSError as error:
        prefs.forget_engine()
        raise UserError(f"The engine could not be started: {error}.", "Install it again in the preferences.") from error
    run_settings.remember_folder(settings)
    state = RunState(kind, source, clip=footage.name(settings.footage))
    state.context.update(
        scene=context.scene.name, footage=run.footage[0], chosen=settings.footage, frame=settings.footage_start
    )
    state.context.update(more)
    state.context["edits"] = people_edits.Edits(tuple(run.split), tuple(run.merge))
    running.start(state, ended)
    return state


def list_people(state: RunState) -> None:
    """At the end of a run: fill the list of people of the scene it was started from."""
    scene = bpy.data.scenes.get(state.context["scene"])
    if state.people is None or scene is None or state.context.get("other_file"):
        return
    people.take(scene, state.context["chosen"], state.people, state.context["edits"])
    state.message = messages.people_found(len(state.people))
    push_undo("List People")


def list_labels(state: RunState) -> None:
    """At the end of a run: fill the list of labels with those of the first requested person."""
    scene = bpy.data.scenes.get(state.context["scene"])
    if not state.segments or scene is None or state.context.get("other_file"):
        return
    segments = state.segments[min(state.segments)]
    labels.take(scene, segments)
    state.message = messages.labels_suggested(len(segments))
    push_undo("Suggest Labels")


def bring_in(state: RunState) -> Generator[None, None, None] | None:
    """At the end of a run: put its motion into the scene it was started from, in small steps, as one step of undo."""
    if not state.results:
        return None
    paths = [result["motion"] for result in state.results]
    scene = bpy.data.scenes.get(state.context["scene"])
    if state.context.get("other_file") or scene is None:
        state.message = "The motion is ready, but another file was opened meanwhile."
        state.hint = f"Use Import Motion to bring in {paths[0]}."
        return None
    return bring_in_steps(state, paths)


def bring_in_steps(state: RunState, paths: list[str]) -> Generator[None, None, None]:
    """Build the characters of motion files, and remember the first as the scene's."""
    from ..character import scene as scenes

    name = state.context["scene"]
    options = {"footage": state.context.get("footage") or None, "start_frame": state.context["frame"]}
    options["look"] = prefs.look()
    own = yield from steps.beside(lambda: [run_files.keep(path) for path in paths])
    is_new = matching.is_new(bpy.data.scenes[name])
    imported = yield from scenes.import_steps(own, bpy.data.scenes[name], **options)
    scene = bpy.data.scenes[name]
    for function in _after_import:
        yield from function(scene, imported)
    remember(scene, imported, paths[0])
    if is_new and imported.movie_clip is not None:
        _start_scene(scene)
    for warning in imported.warnings:
        if warning not in state.warnings:
            state.warnings.append(warning)
    motions = [person.motion for person in imported.people]
    frames = max([result["frames"] for result in state.results] or [motion.frame_count for motion in motions])
    state.message = messages.done(frames, len(paths), state.seconds if state.results else None)
    push_undo("Adapt Motion")
    results.look(scene)


def _start_scene(scene) -> None:
    """A scene that was as Blender starts with becomes that of its clip, as where that was typed and not shown."""
    window = next((one for one in bpy.context.window_manager.windows if one.scene == scene), None)
    if window is not None and not bpy.app.background:
        with bpy.context.temp_override(window=window):
            matching.start_scene(bpy.context)
    elif bpy.context.scene == scene:
        matching.start_scene(bpy.context)


def remember(scene, imported, path: str) -> None:
    """The scene's character, and how well its motion agrees with the labels.

    What came from other footage than the panel's waits for that; a panel without footage gets it.
    """
    from ..character import keypoints

    settings, filmed = scene.adapt_motion, imported.people[0].armature.get(clip_times.FOOTAGE)
    keypoints.remember([person.motion for person in imported.people])
    if filmed and settings.footage and not clip_times.same_path(settings.footage, filmed):
        clip_memory.keep_result(settings, filmed, imported.movie_clip, imported.people[0].armature, str(path))
        return
    is_other = bool(filmed) and not settings.footage
    if is_other:
        settings.footage = filmed
    settings.character = imported.people[0].armature
    settings.motion_path = str(path)
    if imported.movie_clip is not None:
        settings.movie_clip = imported.movie_clip
        if settings.mirrored != imported.people[0].motion.mirrored:
            settings.mirrored = imported.people[0].motion.mirrored
    if is_other:
        clip_times.catch_up(scene)
    labels.measure(scene, imported.people[0].motion)


def push_undo(name: str) -> None:
    """Make what a run has changed one step of undo."""
    if not bpy.app.background and len(bpy.context.window_manager.windows):
        with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
            bpy.ops.ed.undo_push(message=name)


def attach(scene, motions, path: str, frame: int) -> RunState:
    """Bring motion files of one clip into `scene` in small steps; `path` is the footage, which begins at `frame`."""
    source = job.EventSource(job.new_log(prefs.log_folder(), "attach"))
    source.events.put({"event": job.EXITED, "code": 0, "cancelled": False})
    state = RunState("attach", source, stage="import", clip=footage.name(path))
    paths = [str(motion) for motion in motions]
    shown = path if os.path.exists(path) else ""
    state.context.update(scene=scene.name, footage=shown, frame=frame)
    running.start(state, lambda now: None if now.context.get("other_file") else bring_in_steps(now, paths))
    return state
