"""A queue of clips, kept in the scene: each with the settings it was put in with, run one after the other."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import bpy
from bpy.props import EnumProperty, IntProperty

from ...engine import protocol
from .. import messages
from ..errors import UserError
from ..ui import preferences
from . import job, results, run_settings, running
from .engine_home import EngineState
from .run_state import RunState

STATUS_ICONS = {
    "waiting": "TIME",
    "running": "PLAY",
    "done": "CHECKMARK",
    "failed": "ERROR",
    "stopped": "PAUSE",
}

_scene_name = ""
"""Scene whose queue goes on; '' if none does."""


def add(context) -> None:
    """Put the footage of the panel into the queue, with its settings as they are. Raises UserError, OSError."""
    settings = context.scene.adapt_motion
    run = run_settings.job_of(context)
    item = settings.queue.add()
    item.name = os.path.basename(settings.footage.rstrip("/\\")) or settings.footage
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
    log = job.new_log(preferences.log_folder(), "run")
    python = preferences.engine().python
    try:
        source = job.start_run(python, run, log, extra=preferences.engine_variables())
    except OSError as error:
        preferences.forget_engine()
        hold()
        raise UserError(f"The engine could not be started: {error}.", "Install it again in the preferences.") from error
    item.status, item.message = "running", ""
    state = RunState("adapt", source)
    state.context.update(scene=scene.name, job=item.job)
    running.start(state, _ended)


def _ended(state: RunState) -> None:
    """Write down how a clip went; its result is brought in when the user asks for it."""
    scene = bpy.data.scenes.get(state.context["scene"])
    items = [item for item in scene.adapt_motion.queue if item.job == state.context["job"]] if scene else []
    frames = max((result["frames"] for result in state.results), default=0)
    told = messages.done(frames, len(state.results), state.seconds)
    for item in items:
        if state.results and not state.failed:
            item.status, item.message = "done", told
            item.motions = json.dumps([result["motion"] for result in state.results])
        else:
            item.status = "stopped" if state.cancelled else "failed"
            item.message = f"{state.message} {state.hint}".strip()
    if state.results and not state.failed:
        state.message = told
        state.hint = "Attach it from the queue."


class ADAPT_MOTION_OT_queue_add(bpy.types.Operator):
    """Put this footage into the queue, with the settings as they are now"""

    bl_idname, bl_label, bl_options = "adapt_motion.queue_add", "Add to Queue", {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs footage."""
        if not context.scene.adapt_motion.footage:
            cls.poll_message_set(messages.tr(messages.NO_FOOTAGE))
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Add it."""
        try:
            add(context)
        except (UserError, OSError) as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return {"FINISHED"}


class ADAPT_MOTION_OT_queue_edit(bpy.types.Operator):
    """Take the chosen clip out of the queue, or move it. Its results stay where they are"""

    bl_idname, bl_label, bl_options = "adapt_motion.queue_edit", "Change Queue", {"REGISTER", "UNDO"}

    action: EnumProperty(
        name="Action",
        description="What is done with the chosen clip",
        items=(
            ("REMOVE", "Remove", "Take it out of the queue"),
            ("UP", "Up", "Let it run earlier"),
            ("DOWN", "Down", "Let it run later"),
            ("CLEAR", "Clear", "Take everything out that does not run"),
        ),
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a clip in the queue."""
        if not len(context.scene.adapt_motion.queue):
            cls.poll_message_set(messages.tr(messages.QUEUE_EMPTY))
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Change it."""
        settings = context.scene.adapt_motion
        index = min(settings.queue_index, len(settings.queue) - 1)
        if self.action == "CLEAR":
            for number in reversed(range(len(settings.queue))):
                if settings.queue[number].status != "running":
                    settings.queue.remove(number)
        elif self.action == "REMOVE":
            if settings.queue[index].status == "running":
                self.report({"WARNING"}, messages.BUSY)
                return {"CANCELLED"}
            settings.queue.remove(index)
        else:
            target = index + (1 if self.action == "DOWN" else -1)
            if not 0 <= target < len(settings.queue):
                return {"CANCELLED"}
            settings.queue.move(index, target)
            settings.queue_index = target
        settings.queue_index = max(0, min(settings.queue_index, len(settings.queue) - 1))
        return {"FINISHED"}


class ADAPT_MOTION_OT_queue_run(bpy.types.Operator):
    """Run the clips that wait, one after the other. Those that were stopped go on from where they were"""

    bl_idname, bl_label, bl_options = "adapt_motion.queue_run", "Run Queue", {"REGISTER"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs clips that wait, an engine, and that nothing runs."""
        engine = preferences.engine(context)
        waits = any(item.status != "done" for item in context.scene.adapt_motion.queue)
        problem = messages.BUSY if running.busy() else "" if waits else messages.NOTHING_WAITS
        if not problem and engine.state in (EngineState.MISSING, EngineState.INTERRUPTED):
            problem = engine.problem
        if problem:
            cls.poll_message_set(messages.tr(problem))
        return not problem

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Start the first."""
        begin(context.scene)
        return {"FINISHED"}


class ADAPT_MOTION_OT_queue_attach(bpy.types.Operator):
    """Bring the finished result of a clip of the queue into the scene"""

    bl_idname, bl_label, bl_options = "adapt_motion.queue_attach", "Attach", {"REGISTER"}

    index: IntProperty(name="Number", description="Which clip of the queue, from 0; -1: the chosen one", default=-1)

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a finished clip, and that nothing runs."""
        done = any(item.status == "done" for item in context.scene.adapt_motion.queue)
        problem = messages.BUSY if running.busy() else "" if done else messages.NO_RESULTS
        if problem:
            cls.poll_message_set(messages.tr(problem))
        return not problem

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Bring it in, a little at a time."""
        from ..operators import adapt

        settings = context.scene.adapt_motion
        index = settings.queue_index if self.index < 0 else self.index
        item = settings.queue[index] if index < len(settings.queue) else None
        motions = [path for path in json.loads(item.motions or "[]") if os.path.isfile(path)] if item else []
        if not motions:
            self.report({"ERROR"}, f"{messages.NO_RESULTS}.")
            return {"CANCELLED"}
        state = adapt.attach(context.scene, motions, run_settings.absolute(item.footage), item.frame)
        if state.failed:
            self.report({"ERROR"}, f"{state.message} {state.hint}".strip())
            return {"CANCELLED"}
        return {"FINISHED"}


class ADAPT_MOTION_UL_queue(bpy.types.UIList):
    """Clips with how far they are."""

    def draw_item(self, context, layout, data, item, icon, active_data, active_property, index=0, flag=0) -> None:
        """One clip, with a button for its result."""
        row = layout.row(align=True)
        row.label(text=item.name, icon=STATUS_ICONS[item.status], translate=False)
        if item.status == "done":
            row.operator("adapt_motion.queue_attach", text="Attach", icon="IMPORT").index = index
        else:
            row.label(text=item.bl_rna.properties["status"].enum_items[item.status].name)


_CLASSES = (
    ADAPT_MOTION_OT_queue_add,
    ADAPT_MOTION_OT_queue_edit,
    ADAPT_MOTION_OT_queue_run,
    ADAPT_MOTION_OT_queue_attach,
    ADAPT_MOTION_UL_queue,
)


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
        item.motions = json.dumps([str(path) for path in left.motions])
    else:
        item.status, item.message = "stopped", messages.INTERRUPTED


def register() -> None:
    """Register the classes; the queue goes on whenever nothing runs."""
    for cls in _CLASSES:
        bpy.utils.register_class(cls)
    bpy.app.handlers.load_post.append(_after_load)
    running.when_idle(_go_on)


def unregister() -> None:
    """Undo `register`."""
    hold()
    bpy.app.handlers.load_post.remove(_after_load)
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)
