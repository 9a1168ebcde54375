"""Make the motion of a character an action of the studio: a name that labels may use from then on."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import bpy
from bpy.props import EnumProperty, StringProperty

from .. import messages, texts
from ..blender import timing
from ..character.chosen import character_of
from ..errors import UserError
from ..run import dictionary, engine_home, job, prefs
from ..run.run_state import RunState
from .engine import WIDTH, WithEngine

STRETCHES = (
    ("ALL", "Whole Motion", "All of the character's motion"),
    ("LABEL", "Chosen Label", "The frames of the label that is chosen in the list"),
    ("PREVIEW", "Preview Range", "The frames of the timeline's preview range"),
)


def chosen_label(scene) -> bpy.types.PropertyGroup | None:
    """The label that is chosen in the list."""
    settings = scene.adapt_motion
    return settings.labels[settings.label_index] if 0 <= settings.label_index < len(settings.labels) else None


def frames_of(scene, stretch: str) -> tuple[int, int] | None:
    """First and last frame of a stretch of the scene, None for the whole motion. Raises UserError if there is none."""
    label = chosen_label(scene)
    if stretch == "LABEL" and label is None:
        raise UserError("No label is chosen.", "Choose one in the list, or take the whole motion.")
    if stretch == "PREVIEW" and not scene.use_preview_range:
        raise UserError("The timeline has no preview range.", "Press P in the timeline, or take the whole motion.")
    if stretch == "LABEL":
        return label.frame_start, label.frame_end
    return (scene.frame_preview_start, scene.frame_preview_end) if stretch == "PREVIEW" else None


def seconds_of(armature, frames: tuple[int, int], default_rate) -> tuple[float, float]:
    """A stretch of the scene in seconds of the armature's motion. Raises UserError if it has no motion there."""
    from ..blender import pose_curves
    from ..character import keying

    keys = pose_curves.read(armature).frames
    if frames[1] < keys[0] or frames[0] > keys[-1]:
        raise UserError(
            f"{armature.name} has no motion from frame {frames[0]} to {frames[1]}.",
            "Choose frames in which it moves.",
        )
    rate = float(keying.key_rate(armature.animation_data.action, default_rate))
    start, end = ((frame - keys[0]) / rate for frame in (frames[0], frames[1] + 1))
    return max(0.0, start), end


def add_action(context, armature, label: str, sentence: str = "", stretch: str = "ALL") -> tuple[list[str], Path]:
    """What the engine runs, and the motion file that is written for it.

    Args:
        context: with the scene.
        armature: a character of ours.
        label: name of the action.
        sentence: other words for it, '' for none.
        stretch: `ALL`, `LABEL` or `PREVIEW`.

    Raises:
        UserError: nothing to name, no motion there, or the file cannot be written.
    """
    from ..export import amass

    rate, label = timing.scene_rate(context.scene), label.strip()
    if not label:
        raise UserError("The action has no name.", "Type one, such as: swagger")
    frames = frames_of(context.scene, stretch)
    folder = prefs.log_folder().with_name("jobs")
    path = amass.write(armature, folder / f"action-{os.getpid()}.npz", rate)
    words = ["--sentence", sentence.strip()] if sentence.strip() else []
    if frames is not None:
        start, end = seconds_of(armature, frames, rate)
        words += ["--start-s", f"{start:.4f}", "--end-s", f"{end:.4f}"]
    return [*words, "--", label, str(path)], path


class ADAPT_MOTION_OT_add_to_actions(WithEngine, bpy.types.Operator):
    """Make the character's motion an action of your own: labels may name it from then on, without training"""

    bl_idname, bl_label, bl_options = "adapt_motion.add_to_actions", "Add to Actions", {"REGISTER"}

    action_name: StringProperty(
        name="Action", description="What labels will call it, in a word or two", options={"SKIP_SAVE"}
    )
    sentence: StringProperty(
        name="Other Words", description="A sentence that means the same; may be empty", options={"SKIP_SAVE"}
    )
    stretch: EnumProperty(name="Frames", description="Which part of the motion it is", items=STRETCHES, default="ALL")

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a character, an environment, and that nothing runs."""
        if character_of(context) is None:
            cls.poll_message_set(messages.tr(messages.NO_CHARACTER))
            return False
        return super().poll(context)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask for the name; the chosen label, or else the preview range, is offered."""
        label = chosen_label(context.scene)
        if label is not None:
            self.stretch = "LABEL"
            self.action_name = "" if dictionary.is_known(label.label) else label.label
        else:
            self.stretch = "PREVIEW" if context.scene.use_preview_range else "ALL"
        return context.window_manager.invoke_props_dialog(self, width=WIDTH)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Write the motion for the engine and start it; what it says is shown when it comes."""
        try:
            words, path = add_action(context, character_of(context), self.action_name, self.sentence, self.stretch)
        except UserError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        log = job.new_log(prefs.log_folder(), "action")

        def added(state: RunState) -> None:
            with contextlib.suppress(OSError):
                path.unlink()
            tell(state)

        return self._start("action", lambda python: engine_home.start_action(python, log, words), added)


def tell(state: RunState) -> None:
    """Say what was added and what it is like."""
    added = state.finding
    if added is None or state.failed or state.cancelled:
        return
    by_motion = ", ".join(f"{name} ({value:.2f})" for name, value in added["nearest"][:3])
    by_words = ", ".join(added["nearest_by_words"])
    state.message = messages.tr(texts.ACTION_ADDED, label=added["label"], motion=by_motion)
    if by_words:
        state.message += " " + messages.tr(texts.ACTION_WORDS, words=by_words)


_CLASSES = (ADAPT_MOTION_OT_add_to_actions,)
register, unregister = bpy.utils.register_classes_factory(_CLASSES)
