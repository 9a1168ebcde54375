"""Action labels: a list of segments, the same as timeline markers, and what the engine says of them."""

from __future__ import annotations

import itertools
import json
import re

import bpy
from bpy.props import EnumProperty

from .. import messages, texts
from ..blender import timing
from ..errors import UserError

END_MARK = "(end)"
"""Name of the marker that ends a segment where no other one begins."""

_UNNAMED = re.compile(r"(F_\d+|Marker(\.\d+)?|)$")
"""What Blender calls markers that nobody has named."""

LEAST, SOMEWHAT, WELL = 0.01, 0.35, 0.6
"""Similarity that is shown at least where it was measured, and those from which on a label's colour says that it fits
somewhat, or well."""


def colour(similarity: float) -> str:
    """Icon whose colour says how well motion and label agree: green, yellow, red; grey where not measured."""
    if similarity <= 0:
        return "COLORSET_13_VEC"
    return (
        "COLORSET_03_VEC" if similarity >= WELL else "COLORSET_09_VEC" if similarity >= SOMEWHAT else "COLORSET_01_VEC"
    )


def measured(similarity: float) -> float:
    """What the list shows of a similarity (-1 to 1): 0 is kept for what was not measured, not for what fits badly."""
    return 0.0 if similarity == 0 else min(1.0, max(LEAST, similarity))


def clip_range(scene) -> tuple[int, int]:
    """First and last frame of the scene in which the footage is; the scene's range while no footage is loaded."""
    settings = scene.adapt_motion
    clip = settings.movie_clip
    if clip is None or not clip.frame_duration:
        return scene.frame_start, scene.frame_end
    frames = clip.frame_duration
    if clip.source == "MOVIE" and clip.fps:
        frames = round(frames * float(timing.scene_rate(scene) / timing.exact_rate(clip.fps)))
    return settings.footage_start, settings.footage_start + max(0, frames - 1)


def segments(scene) -> list[dict]:
    """The labels as the engine takes them: seconds into the footage, in order of time.

    Raises UserError if two of them overlap.
    """
    settings = scene.adapt_motion
    rate = timing.scene_rate(scene)
    items = sorted(
        (item for item in settings.labels if item.label.strip() and item.frame_end >= item.frame_start),
        key=lambda item: item.frame_start,
    )
    for before, after in itertools.pairwise(items):
        if after.frame_start <= before.frame_end:
            raise UserError(
                f"The labels '{before.label}' and '{after.label}' overlap at frame {after.frame_start}.",
                "Change where one of them starts or ends.",
            )
    found = []
    for item in items:
        start, end = (
            float((frame - settings.footage_start) / rate) for frame in (item.frame_start, item.frame_end + 1)
        )
        if end > 0:
            found.append({"start": max(0.0, start), "end": end, "label": item.label.strip()})
    return found


def take(scene, told: list[dict]) -> None:
    """Replace the list by segments that the engine tells: `start`, `end` (seconds), `label`, `similarity`."""
    settings = scene.adapt_motion
    rate = float(timing.scene_rate(scene))
    settings.labels.clear()
    for segment in told:
        item = settings.labels.add()
        item.label = str(segment["label"])
        item.frame_start = settings.footage_start + round(float(segment["start"]) * rate)
        item.frame_end = max(item.frame_start, settings.footage_start + round(float(segment["end"]) * rate) - 1)
        item.similarity = measured(float(segment.get("similarity", 0.0)))
    settings.label_index = 0
    write_markers(scene)


def measure(scene, motion) -> None:
    """Give each label the similarity that `motion` was measured to have with it; make the list if it is empty.

    A motion without labels tells nothing, so that what was suggested before stays as it is.

    Args:
        scene: whose labels.
        motion: with `labels`, `label_similarity` and `timestamps` of each row.
    """
    import numpy as np

    settings = scene.adapt_motion
    rate = float(timing.scene_rate(scene))
    named = motion.labels != ""
    if not len(settings.labels) and named.any() and motion.label_similarity.any():
        ends = [*(np.flatnonzero(motion.labels[1:] != motion.labels[:-1]) + 1), len(named)]
        starts = [0, *ends[:-1]]
        step = float(np.median(np.diff(motion.timestamps))) if len(named) > 1 else 1 / rate
        told = [
            {"start": motion.timestamps[start], "end": motion.timestamps[end - 1] + step, "label": motion.labels[start]}
            for start, end in zip(starts, ends, strict=True)
            if named[start]
        ]
        take(scene, told)
    if not named.any():
        return
    frames = settings.footage_start + motion.timestamps * rate
    for item in settings.labels:
        rows = (frames >= item.frame_start - 0.5) & (frames < item.frame_end + 0.5) & (motion.labels == item.label)
        item.similarity = measured(float(motion.label_similarity[rows].mean())) if rows.any() else 0.0


def write_markers(scene) -> None:
    """Put the labels on the timeline: a marker where each begins, and one where it ends unless another follows.

    Markers of the user stay; those that were written before and have not been touched since are replaced.
    """
    settings = scene.adapt_motion
    written = {tuple(mark) for mark in json.loads(settings.marks or "[]")}
    markers = scene.timeline_markers
    for marker in [one for one in markers if (one.name, one.frame) in written]:
        markers.remove(marker)
    items = sorted(settings.labels, key=lambda item: item.frame_start)
    starts = {item.frame_start for item in items}
    marks = [(item.label, item.frame_start) for item in items if item.label]
    marks += [(END_MARK, item.frame_end + 1) for item in items if item.frame_end + 1 not in starts]
    for name, frame in marks:
        markers.new(name, frame=frame)
    settings.marks = json.dumps(marks)


def read_markers(scene) -> int:
    """Make the list of labels from the timeline's markers that have names; gives back how many there are.

    A label goes on to the next marker, or to the end of the footage. A similarity stays with a label that was there.
    """
    settings = scene.adapt_motion
    _, last = clip_range(scene)
    marks = sorted((marker.frame, marker.name.strip()) for marker in scene.timeline_markers)
    measured = {(item.label, item.frame_start): item.similarity for item in settings.labels}
    found = []
    for number, (frame, name) in enumerate(marks):
        if name == END_MARK or _UNNAMED.match(name):
            continue
        later = [other for other, title in marks[number + 1 :] if other > frame and not _UNNAMED.match(title)]
        found.append((name, frame, later[0] - 1 if later else max(frame, last)))
    settings.labels.clear()
    for name, start, end in found:
        item = settings.labels.add()
        item.label, item.frame_start, item.frame_end = name, start, end
        item.similarity = measured.get((name, start), 0.0)
    settings.label_index = 0
    settings.marks = json.dumps([(name, frame) for frame, name in marks if not _UNNAMED.match(name)])
    return len(found)


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
        last = clip_range(scene)[1]
        for item in settings.labels:
            if item.frame_start < frame <= item.frame_end:
                item.frame_end = frame - 1
            elif item.frame_start > frame:
                last = min(last, item.frame_start - 1)
        item = settings.labels.add()
        item.frame_start, item.frame_end = frame, max(frame, last)
        settings.label_index = len(settings.labels) - 1
        write_markers(scene)
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
        write_markers(context.scene)
        return {"FINISHED"}


class ADAPT_MOTION_OT_clear_labels(_NeedsLabels, bpy.types.Operator):
    """Remove all labels and the markers that they made"""

    bl_idname, bl_label = "adapt_motion.clear_labels", "Clear Labels"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Remove them."""
        context.scene.adapt_motion.labels.clear()
        write_markers(context.scene)
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
        if self.edge == "START":
            item.frame_start, item.frame_end = frame, max(frame, item.frame_end)
        else:
            item.frame_start, item.frame_end = min(frame, item.frame_start), frame
        write_markers(context.scene)
        return {"FINISHED"}


class ADAPT_MOTION_OT_labels_to_markers(_NeedsLabels, bpy.types.Operator):
    """Write the labels onto the timeline as markers; your own markers stay"""

    bl_idname, bl_label = "adapt_motion.labels_to_markers", "Labels to Markers"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Write them."""
        write_markers(context.scene)
        return {"FINISHED"}


class ADAPT_MOTION_OT_markers_to_labels(_LabelOperator, bpy.types.Operator):
    """Read the timeline's markers that have names as labels: each goes on to the next marker"""

    bl_idname, bl_label = "adapt_motion.markers_to_labels", "Markers to Labels"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs markers."""
        if not len(context.scene.timeline_markers):
            cls.poll_message_set(messages.tr(messages.NO_MARKERS))
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Read them."""
        count = read_markers(context.scene)
        self.report({"INFO"}, f"{count} labels from markers" if count != 1 else "1 label from markers")
        return {"FINISHED"}


class ADAPT_MOTION_UL_labels(bpy.types.UIList):
    """Labels with a colour and a bar that say how well the motion agrees."""

    def draw_item(self, context, layout, data, item, icon, active_data, active_property, index=0, flag=0) -> None:
        """Action, first and last frame, similarity."""
        from ..blender import compat

        split = layout.split(factor=0.5, align=True)
        split.label(text=item.label or messages.tr(texts.UNNAMED), icon=colour(item.similarity), translate=False)
        numbers = split.split(factor=0.66, align=True)
        numbers.label(text=f"{item.frame_start}-{item.frame_end}", translate=False)
        compat.draw_bar(numbers, item, "similarity")


_CLASSES = (
    ADAPT_MOTION_OT_add_label,
    ADAPT_MOTION_OT_remove_label,
    ADAPT_MOTION_OT_clear_labels,
    ADAPT_MOTION_OT_mark_label,
    ADAPT_MOTION_OT_labels_to_markers,
    ADAPT_MOTION_OT_markers_to_labels,
    ADAPT_MOTION_UL_labels,
)
register, unregister = bpy.utils.register_classes_factory(_CLASSES)
