"""Find people, adapt, suggest labels, cancel: thin operators around plain functions that scripts call too."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import bpy
from bpy.props import BoolProperty

from ...engine import protocol
from .. import messages, texts
from ..blender import drawing
from ..blender.paths import absolute
from ..errors import UserError
from ..run import clip_queue, clip_run, people_edits, prefs, results, running
from ..run.run_settings import output_folder

_CONSENT_WIDTH = 420


class RunsEngine:
    """Of operators that start the engine on the footage."""

    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs footage and an engine, and that nothing runs."""
        problem = clip_run.engine_problem(context)
        if problem:
            cls.poll_message_set(messages.tr(problem))
        return not problem

    def run(self, context, kind: str, labeler: str = "none", edits: people_edits.Edits | None = None) -> set[str]:
        """Start it. Gives back what `execute` does."""
        return started(self, lambda: clip_run.start(context, kind, labeler, edits))


def started(operator: bpy.types.Operator, start: Callable[[], object]) -> set[str]:
    """Start the engine, and report what is wrong. Gives back what `execute` does."""
    try:
        start()
    except UserError as error:
        operator.report({"ERROR"}, str(error))
        return {"CANCELLED"}
    state = running.latest()
    if state.finished and state.failed:  # without windows it has run by now
        operator.report({"ERROR"}, f"{state.message} {state.hint}".strip())
        return {"CANCELLED"}
    return {"FINISHED"}


class ADAPT_MOTION_OT_find_people(RunsEngine, bpy.types.Operator):
    """List the people in the footage with a picture of each, to tick whom to adapt; merges and splits go"""

    bl_idname, bl_label = "adapt_motion.find_people", "Find People"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Start the engine; it stops once it knows."""
        return self.run(context, "people", edits=people_edits.NONE)


def consent(context: bpy.types.Context) -> str:
    """What a user agrees to before pictures are sent."""
    machine = prefs.get(context)
    server = machine.vlm_server if machine and machine.vlm_server else "OpenAI"
    most = {"requests": protocol.VLM_MOST_REQUESTS, "cost": protocol.VLM_MOST_COST}
    return messages.tr(texts.VLM_CONSENT, server=server, **most)


class ADAPT_MOTION_OT_suggest_labels(RunsEngine, bpy.types.Operator):
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
        if not self.by_model or prefs.vlm_problem(context):
            return self.execute(context)
        return context.window_manager.invoke_props_dialog(self, width=_CONSENT_WIDTH)

    def draw(self, context: bpy.types.Context) -> None:
        """What is sent, where to, and what it may cost."""
        if self.by_model:
            drawing.draw_text(self.layout, consent(context), _CONSENT_WIDTH, "WORLD")

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Start the engine; it stops once it knows."""
        if self.by_model:
            problem = prefs.vlm_problem(context)
            if problem:
                self.report({"ERROR"}, problem)
                return {"CANCELLED"}
        return self.run(context, "labels", "openai" if self.by_model else "retrieval")


class ADAPT_MOTION_OT_adapt(RunsEngine, bpy.types.Operator):
    """Turn the footage into motion in the background and bring in the character. Blender stays usable"""

    bl_idname, bl_label = "adapt_motion.adapt", "Adapt Motion"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Start the engine."""
        return self.run(context, "adapt")


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
        clip_run.attach(scene, results.known(scene).motions, absolute(settings.footage), settings.footage_start)
        state = running.latest()
        if state.failed:
            self.report({"ERROR"}, f"{state.message} {state.hint}".strip())
            return {"CANCELLED"}
        return {"FINISHED"}


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
