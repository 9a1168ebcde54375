"""Lists of the sidebar: people, labels, clips of the queue; whom to merge with."""

from __future__ import annotations

import bpy

from .. import messages, texts
from ..blender import compat
from ..run import clip_queue, labels, people, people_edits

PICTURE_SCALE = 3.4
"""Size of a person's picture in the list, in parts of a line: 68 pixels at scale 1."""

PICTURE_SHARE = 0.45
"""Of a row of the list, in a sidebar of the usual width as wide as the picture is high."""

STATUS_ICONS = {
    "waiting": "TIME",
    "running": "PLAY",
    "done": "CHECKMARK",
    "failed": "ERROR",
    "stopped": "PAUSE",
}


class ADAPT_MOTION_UL_queue(bpy.types.UIList):
    """Clips with how far they are."""

    def draw_item(self, context, layout, data, item, icon, active_data, active_property, index=0, flag=0) -> None:
        """One clip, with a button for its result."""
        row = layout.split(factor=0.6, align=True)
        row.label(text=item.name, icon=STATUS_ICONS[item.status], translate=False)
        if item.status == "done":
            row.operator("adapt_motion.queue_attach", text="Attach", icon="IMPORT").index = index
        elif item.status == "running" and (text := clip_queue.progress_text(item)):
            row.label(text=text, translate=False)
        else:
            row.label(text=item.bl_rna.properties["status"].enum_items[item.status].name)


class ADAPT_MOTION_UL_people(bpy.types.UIList):
    """People with a tick, a picture, their time in view and how much of them is hidden."""

    def draw_item(self, context, layout, data, item, icon, active_data, active_property, index=0, flag=0) -> None:
        """One person."""
        layout.use_property_split = False
        number = people.picture(item)
        split = layout.split(factor=PICTURE_SHARE if number else 1.0)  # a row makes it narrower, and so smaller
        if number:
            split.template_icon(icon_value=number, scale=PICTURE_SCALE)
        column = split.column(align=True)
        column.scale_y = 0.8
        column.prop(item, "use", text=item.name, translate=False)
        column.label(text=f"{item.seen_s:.1f} s", icon="NONE" if number else "USER", translate=False)
        times = (messages.duration(item.first_s), messages.duration(item.last_s))
        column.label(text=messages.tr(texts.IN_VIEW, first=times[0], last=times[1]))
        column.label(text=messages.tr(texts.HIDDEN, percent=item.occluded))


class ADAPT_MOTION_MT_merge_people(bpy.types.Menu):
    """Who is the same as the person that is chosen in the list. Nothing is detected again"""

    bl_idname, bl_label = "ADAPT_MOTION_MT_merge_people", "Merge With"

    def draw(self, context) -> None:
        """Everybody else."""
        settings = context.scene.adapt_motion
        others = [one for one in settings.people if one.number != people_edits.chosen(settings).number]
        for one in others:
            icon = people.picture(one)
            button = {"icon_value": icon} if icon else {"icon": "USER"}
            self.layout.operator("adapt_motion.merge_people", text=one.name, **button).other = one.number
        if not others:
            self.layout.label(text="Nobody else")


class ADAPT_MOTION_UL_labels(bpy.types.UIList):
    """Labels with a colour and a bar that say how well the motion agrees."""

    def draw_item(self, context, layout, data, item, icon, active_data, active_property, index=0, flag=0) -> None:
        """Action, first and last frame, similarity."""
        split = layout.split(factor=0.5, align=True)
        split.label(text=item.label or messages.tr(texts.UNNAMED), icon=labels.colour(item.similarity), translate=False)
        numbers = split.split(factor=0.9, align=True)
        numbers.label(text=f"{item.frame_start}-{item.frame_end}", translate=False)
        compat.draw_bar(numbers, item, "similarity")


_CLASSES = (ADAPT_MOTION_UL_people, ADAPT_MOTION_MT_merge_people, ADAPT_MOTION_UL_labels, ADAPT_MOTION_UL_queue)
register, unregister = bpy.utils.register_classes_factory(_CLASSES)
