"""The queue of clips: add, change, run, attach a result."""

from __future__ import annotations

import json
import os

import bpy
from bpy.props import EnumProperty, IntProperty

from .. import messages
from ..blender import paths
from ..errors import UserError
from ..run import clip_queue, prefs, running
from ..run.engine_home import EngineState
from .adapt import started


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
            clip_queue.add(context)
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


class RunsQueue:
    """Of operators that start the engine on what waits in the queue."""

    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs clips that wait, an engine, and that nothing runs."""
        engine = prefs.engine(context)
        waits = any(item.status != "done" for item in context.scene.adapt_motion.queue)
        problem = messages.BUSY if running.busy() else "" if waits else messages.NOTHING_WAITS
        if not problem and engine.state in (EngineState.MISSING, EngineState.INTERRUPTED):
            problem = engine.problem
        if problem:
            cls.poll_message_set(messages.tr(problem))
        return not problem


class ADAPT_MOTION_OT_queue_run(RunsQueue, bpy.types.Operator):
    """Run the clips that wait, one after the other. Those that were stopped go on from where they were"""

    bl_idname, bl_label = "adapt_motion.queue_run", "Run Queue"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Start the first."""
        clip_queue.begin(context.scene)
        return {"FINISHED"}


class ADAPT_MOTION_OT_queue_farm(RunsQueue, bpy.types.Operator):
    """Send the clips that wait to the machines of the farm in the preferences. Results come back as they finish"""

    bl_idname, bl_label = "adapt_motion.queue_farm", "Send to Farm"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Send them, each with its own settings."""
        return started(self, lambda: clip_queue.send_to_farm(context.scene))


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
        from ..run import clip_run

        settings = context.scene.adapt_motion
        index = settings.queue_index if self.index < 0 else self.index
        item = settings.queue[index] if index < len(settings.queue) else None
        motions = [path for path in json.loads(item.motions or "[]") if os.path.isfile(path)] if item else []
        if not motions:
            self.report({"ERROR"}, f"{messages.NO_RESULTS}.")
            return {"CANCELLED"}
        state = clip_run.attach(context.scene, motions, paths.absolute(item.footage), item.frame)
        if state.failed:
            self.report({"ERROR"}, f"{state.message} {state.hint}".strip())
            return {"CANCELLED"}
        return {"FINISHED"}


_CLASSES = (
    ADAPT_MOTION_OT_queue_add,
    ADAPT_MOTION_OT_queue_edit,
    ADAPT_MOTION_OT_queue_run,
    ADAPT_MOTION_OT_queue_farm,
    ADAPT_MOTION_OT_queue_attach,
)
register, unregister = bpy.utils.register_classes_factory(_CLASSES)
