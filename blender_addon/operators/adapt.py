"""Find people, adapt, suggest labels, cancel: thin operators around plain functions that scripts call too."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import bpy
from bpy.props import BoolProperty

from ...engine import protocol
from .. import messages, texts
from ..errors import UserError
from ..run import clip_queue, job, labels, people, results, run_settings, running
from ..run.engine_home import EngineState
from ..run.run_settings import absolute, output_folder
from ..run.run_state import RunState
from ..ui import drawing, preferences

_CONSENT_WIDTH = 420


def character_of(context) -> bpy.types.Object | None:
    """The armature that the user means: the active one (or its body's), else the last result of the scene."""
    from ..character import scene

    active = context.active_object
    for candidate in (active, active.parent if active else None, context.scene.adapt_motion.character):
        if candidate is not None and candidate.type == "ARMATURE" and scene.CLIP in candidate:
            return candidate if candidate.name in context.scene.objects else None
    return None


def camera_of(context) -> bpy.types.Object | None:
    """The camera that took the footage of the character, or of the scene while there is none."""
    from ..character import camera, scene, solved_camera

    armature, ours = character_of(context), context.scene
    cameras = [item for item in ours.objects if item.type == "CAMERA"]
    if armature is not None:
        for item in cameras:
            if item.get(scene.CLIP) == armature.get(scene.CLIP):
                return item
    solved = solved_camera.camera_object(ours)
    if solved is not None and ours.adapt_motion.camera_source == "solved":
        return solved
    if armature is not None or not ours.adapt_motion.footage:
        return None
    path = absolute(ours.adapt_motion.footage)
    return next((item for item in cameras if item.get(camera.FOOTAGE) == path), None)


def engine_problem(context) -> str:
    """Why no run of the engine can begin now; '' if nothing is in the way. Touches no disk."""
    if running.busy():
        return messages.BUSY
    if not context.scene.adapt_motion.footage:
        return messages.NO_FOOTAGE
    engine = preferences.engine(context)
    return engine.problem if engine.state in (EngineState.MISSING, EngineState.INTERRUPTED) else ""


def start(context, kind: str, labeler: str = "none") -> RunState:
    """Start the engine on what the panel says; its result comes into the scene at the end.

    Args:
        context: with the scene.
        kind: `adapt` for motion, `people` to list who is there, `labels` to have labels suggested.
        labeler: who labels what has no label.

    Raises:
        UserError: the footage is gone, the panel contradicts itself, or the engine cannot be started.
    """
    settings = context.scene.adapt_motion
    try:
        run = run_settings.job_of(context, only="" if kind == "adapt" else kind, labeler=labeler)
        log = job.new_log(preferences.log_folder(), "run")
        with_key = labeler == "openai"
        python = preferences.engine(context).python
        source = job.start_run(python, run, log, extra=preferences.engine_variables(context), with_key=with_key)
    except OSError as error:
        preferences.forget_engine()
        raise UserError(f"The engine could not be started: {error}.", "Install it again in the preferences.") from error
    state = RunState(kind, source)
    state.context.update(
        scene=context.scene.name, footage=run.footage[0], chosen=settings.footage, frame=settings.footage_start
    )
    running.start(state, {"adapt": bring_in, "people": list_people, "labels": list_labels}[kind])
    return state


def list_people(state: RunState) -> None:
    """At the end of a run: fill the list of people of the scene it was started from."""
    scene = bpy.data.scenes.get(state.context["scene"])
    if state.people is None or scene is None or state.context.get("other_file"):
        return
    people.take(scene, state.context["chosen"], state.people)
    state.message = messages.people_found(len(state.people))
    push_undo("List People")


def list_labels(state: RunState) -> None:
    """At the end of a run: fill the list of labels with those of the first person that was asked for."""
    scene = bpy.data.scenes.get(state.context["scene"])
    if not state.segments or scene is None or state.context.get("other_file"):
        return
    told = state.segments[min(state.segments)]
    labels.take(scene, told)
    state.message = messages.labels_suggested(len(told))
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
    work = scenes.import_steps(paths, bpy.data.scenes[name], **options)
    imported = yield from work
    scene = bpy.data.scenes[name]
    remember(scene, imported, paths[0])
    for warning in imported.warnings:
        if warning not in state.warnings:
            state.warnings.append(warning)
    motions = [person.motion for person in imported.people]
    frames = max([result["frames"] for result in state.results] or [motion.frame_count for motion in motions])
    state.message = messages.done(frames, len(paths), state.seconds if state.results else None)
    push_undo("Adapt Motion")
    results.look(scene)


def remember(scene, imported, path: str) -> None:
    """The scene's character, and how well its motion agrees with the labels."""
    from ..ui import overlay

    settings = scene.adapt_motion
    settings.character = imported.people[0].armature
    settings.motion_path = str(path)
    if imported.movie_clip is not None:
        settings.movie_clip = imported.movie_clip
    overlay.remember([person.motion for person in imported.people])
    labels.measure(scene, imported.people[0].motion)


def push_undo(name: str) -> None:
    """Make what a run has changed one step of undo."""
    if not bpy.app.background and len(bpy.context.window_manager.windows):
        with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
            bpy.ops.ed.undo_push(message=name)


class _RunsEngine:
    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs footage and an engine, and that nothing runs."""
        problem = engine_problem(context)
        if problem:
            cls.poll_message_set(messages.tr(problem))
        return not problem

    def _run(self, context, kind: str, labeler: str = "none") -> set[str]:
        try:
            start(context, kind, labeler)
        except UserError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        state = running.latest()
        if state.finished and state.failed:  # without windows it has run by now
            self.report({"ERROR"}, f"{state.message} {state.hint}".strip())
            return {"CANCELLED"}
        return {"FINISHED"}


class ADAPT_MOTION_OT_find_people(_RunsEngine, bpy.types.Operator):
    """List the people in the footage with a picture of each, to tick whom to adapt. Blender stays usable"""

    bl_idname, bl_label = "adapt_motion.find_people", "Find People"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Start the engine; it stops once it knows."""
        return self._run(context, "people")


def consent(context: bpy.types.Context) -> str:
    """What a user agrees to before pictures are sent."""
    machine = preferences.get(context)
    server = machine.vlm_server if machine and machine.vlm_server else "OpenAI"
    most = {"requests": protocol.VLM_MOST_REQUESTS, "cost": protocol.VLM_MOST_COST}
    return messages.tr(texts.VLM_CONSENT, server=server, **most)


class ADAPT_MOTION_OT_suggest_labels(_RunsEngine, bpy.types.Operator):
    """Have actions suggested for what has no label, by comparing the motion with the dictionary"""

    bl_idname, bl_label = "adapt_motion.suggest_labels", "Suggest Labels"

    by_model: BoolProperty(
        name="By Language Model",
        description="Ask the vision-language model of the preferences: pictures of the footage are sent to it",
        default=False,
        options={"SKIP_SAVE"},
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask first, where pictures would be sent."""
        if not self.by_model or preferences.vlm_problem(context):
            return self.execute(context)
        return context.window_manager.invoke_props_dialog(self, width=_CONSENT_WIDTH)

    def draw(self, context: bpy.types.Context) -> None:
        """What is sent, where to, and what it may cost."""
        if self.by_model:
            drawing.draw_text(self.layout, consent(context), _CONSENT_WIDTH, "WORLD")

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Start the engine; it stops once it knows."""
        if self.by_model:
            problem = preferences.vlm_problem(context)
            if problem:
                self.report({"ERROR"}, problem)
                return {"CANCELLED"}
        return self._run(context, "labels", "openai" if self.by_model else "retrieval")


class ADAPT_MOTION_OT_adapt(_RunsEngine, bpy.types.Operator):
    """Turn the footage into motion in the background and bring in the character. Blender stays usable"""

    bl_idname, bl_label = "adapt_motion.adapt", "Adapt Motion"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Start the engine."""
        return self._run(context, "adapt")


class ADAPT_MOTION_OT_cancel(bpy.types.Operator):
    """Stop what runs. What is finished is kept, and the next run goes on from there"""

    bl_idname, bl_label, bl_options = "adapt_motion.cancel", "Cancel", {"REGISTER", "INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs something that runs."""
        if not running.busy():
            cls.poll_message_set(messages.tr(messages.NOTHING_RUNS))
        return running.busy()

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Ask for it; the end is shown when it comes. The queue does not go on by itself."""
        clip_queue.hold()
        running.latest().source.cancel()
        return {"FINISHED"}


class ADAPT_MOTION_OT_attach_results(bpy.types.Operator):
    """Bring in the finished results that are in the output folder for this footage"""

    bl_idname, bl_label, bl_options = "adapt_motion.attach_results", "Attach Results", {"REGISTER"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs results."""
        left = results.known(context.scene)
        problem = messages.BUSY if running.busy() else "" if left and left.motions else messages.NO_RESULTS
        if problem:
            cls.poll_message_set(messages.tr(problem))
        return not problem

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Bring them in, a little at a time."""
        scene = context.scene
        settings = scene.adapt_motion
        attach(scene, results.known(scene).motions, absolute(settings.footage), settings.footage_start)
        state = running.latest()
        if state.failed:
            self.report({"ERROR"}, f"{state.message} {state.hint}".strip())
            return {"CANCELLED"}
        return {"FINISHED"}


def attach(scene, motions, path: str, frame: int) -> RunState:
    """Bring motion files of one clip into `scene` in small steps; `path` is the footage, which begins at `frame`."""
    source = job.EventSource(job.new_log(preferences.log_folder(), "attach"))
    source.events.put({"event": job.EXITED, "code": 0, "cancelled": False})
    state = RunState("attach", source, stage="import")
    paths = [str(motion) for motion in motions]
    shown = path if os.path.exists(path) else ""
    state.context.update(scene=scene.name, footage=shown, frame=frame)
    running.start(state, lambda now: None if now.context.get("other_file") else bring_in_steps(now, paths))
    return state


class ADAPT_MOTION_OT_look_for_results(bpy.types.Operator):
    """Look whether earlier runs of this footage have left results in the output folder"""

    bl_idname, bl_label, bl_options = "adapt_motion.look_for_results", "Look for Results", {"REGISTER"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Look, and say what is there."""
        left = results.look(context.scene)
        if left is None or not (left.motions or left.interrupted):
            self.report({"INFO"}, f"Nothing of this footage in {Path(output_folder(context.scene.adapt_motion))}")
        elif left.motions:
            self.report({"INFO"}, f"{len(left.motions)} finished in {left.folder}")
        else:
            self.report({"INFO"}, f"An interrupted run in {left.folder}")
        return {"FINISHED"}


_CLASSES = (
    ADAPT_MOTION_OT_find_people,
    ADAPT_MOTION_OT_suggest_labels,
    ADAPT_MOTION_OT_adapt,
    ADAPT_MOTION_OT_cancel,
    ADAPT_MOTION_OT_attach_results,
    ADAPT_MOTION_OT_look_for_results,
)
register, unregister = bpy.utils.register_classes_factory(_CLASSES)
