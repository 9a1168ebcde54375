"""The list of action labels: add, remove, set, and timeline markers."""

from __future__ import annotations

import contextlib

import bpy
from bpy.props import EnumProperty

from .. import messages
from ..blender import compat, drawing
from ..character import cut_markers
from ..errors import UserError
from ..run import labels, takes_run

WATCH_S = 0.4
"""How often markers are looked at, in seconds."""


class _LabelOperator:
    bl_options = {"REGISTER", "UNDO"}


class ADAPT_MOTION_OT_add_label(_LabelOperator, bpy.types.Operator):
    """Add a label that begins at the current frame"""

    bl_idname, bl_label = "adapt_motion.add_label", "Add Label"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """It reaches to the next label, or to the end of the footage; one that it begins in ends before it."""
        scene = context.scene
        settings = scene.adapt_motion
        frame = scene.frame_current
        last = labels.clip_range(scene)[1]
        with labels.at_once(scene):
            for item in settings.labels:
                if item.frame_start < frame <= item.frame_end:
                    item.frame_end = frame - 1
                    text = messages.tr(messages.LABEL_ENDS, label=item.label, frame=frame - 1)
                    self.report({"INFO"}, text)
                elif item.frame_start > frame:
                    last = min(last, item.frame_start - 1)
            item = settings.labels.add()
            item.frame_start, item.frame_end = frame, max(frame, last)
        settings.label_index = len(settings.labels) - 1
        labels.write_markers(scene)
        return {"FINISHED"}


class _NeedsLabels(_LabelOperator):
    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a label."""
        if not len(context.scene.adapt_motion.labels):
            cls.poll_message_set(messages.tr(messages.NO_LABELS))
            return False
        return True


class ADAPT_MOTION_OT_remove_label(_NeedsLabels, bpy.types.Operator):
    """Remove the label that is chosen in the list"""

    bl_idname, bl_label = "adapt_motion.remove_label", "Remove Label"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Remove it, and its markers."""
        settings = context.scene.adapt_motion
        settings.labels.remove(settings.label_index)
        settings.label_index = max(0, min(settings.label_index, len(settings.labels) - 1))
        labels.write_markers(context.scene)
        return {"FINISHED"}


class ADAPT_MOTION_OT_clear_labels(_NeedsLabels, bpy.types.Operator):
    """Remove all labels and the markers that they made"""

    bl_idname, bl_label = "adapt_motion.clear_labels", "Clear Labels"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Remove them."""
        context.scene.adapt_motion.labels.clear()
        labels.write_markers(context.scene)
        return {"FINISHED"}


class ADAPT_MOTION_OT_mark_label(_NeedsLabels, bpy.types.Operator):
    """Let the chosen label start or end at the current frame"""

    bl_idname, bl_label = "adapt_motion.mark_label", "Set Label to Current Frame"

    edge: EnumProperty(
        name="Edge",
        description="Which end of the label comes to the current frame",
        items=(
            ("START", "Start", "The label starts at the current frame"),
            ("END", "End", "The label ends at the current frame"),
        ),
    )

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Move the edge; the other one makes way."""
        settings, frame = context.scene.adapt_motion, context.scene.frame_current
        item = settings.labels[min(settings.label_index, len(settings.labels) - 1)]
        with labels.at_once(context.scene):
            if self.edge == "START":
                item.frame_start, item.frame_end = frame, max(frame, item.frame_end)
            else:
                item.frame_start, item.frame_end = min(frame, item.frame_start), frame
        labels.write_markers(context.scene)
        return {"FINISHED"}


class ADAPT_MOTION_OT_labels_to_markers(_NeedsLabels, bpy.types.Operator):
    """Write the labels onto the timeline as markers; your own markers stay"""

    bl_idname, bl_label = "adapt_motion.labels_to_markers", "Labels to Markers"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Write them."""
        labels.write_markers(context.scene)
        return {"FINISHED"}


class ADAPT_MOTION_OT_markers_to_labels(_LabelOperator, bpy.types.Operator):
    """Read the timeline's markers that have names as labels: each goes on to the next marker"""

    bl_idname, bl_label = "adapt_motion.markers_to_labels", "Markers to Labels"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs markers."""
        if not cut_markers.others(context.scene):
            cls.poll_message_set(messages.tr(messages.NO_MARKERS))
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Read them."""
        count = labels.read_markers(context.scene)
        self.report({"INFO"}, f"{count} labels from markers" if count != 1 else "1 label from markers")
        return {"FINISHED"}


_CLASSES = (
    ADAPT_MOTION_OT_add_label,
    ADAPT_MOTION_OT_remove_label,
    ADAPT_MOTION_OT_clear_labels,
    ADAPT_MOTION_OT_mark_label,
    ADAPT_MOTION_OT_labels_to_markers,
    ADAPT_MOTION_OT_markers_to_labels,
)
_register, _unregister = bpy.utils.register_classes_factory(_CLASSES)


def _watch() -> float:
    """The list follows what the user does to its markers."""
    busy = any(compat.in_modal_operator(window) for window in bpy.context.window_manager.windows)
    for scene in bpy.data.scenes if not busy else ():
        if labels.follow_markers(scene):
            drawing.redraw()
    if not busy:
        with contextlib.suppress(UserError):
            takes_run.renew(bpy.context)
    return WATCH_S


def register() -> None:
    """Register the operators, and watch the markers."""
    _register()
    bpy.app.timers.register(_watch, first_interval=WATCH_S, persistent=True)


def unregister() -> None:
    """Undo `register`."""
    if bpy.app.timers.is_registered(_watch):
        bpy.app.timers.unregister(_watch)
    _unregister()
