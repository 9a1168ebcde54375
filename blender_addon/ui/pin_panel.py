"""The panels of weak stretches and of pins, with their lists."""

from __future__ import annotations

import bpy

from ..blender import drawing
from ..character import chosen, handles, proposed
from . import panels


class _OfCharacter:
    """Of panels below that of the character."""

    bl_space_type, bl_region_type, bl_category = "VIEW_3D", "UI", "Adapt Motion"
    bl_parent_id = "ADAPT_MOTION_PT_result"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs the armature of a clip."""
        return chosen.character_of(context) is not None


class ADAPT_MOTION_UL_pins(bpy.types.UIList):
    """Pins with a tick and their time."""

    def draw_item(self, context, layout, data, item, icon, active_data, active_property, index=0, flag=0) -> None:
        """One pin."""
        row = layout.row(align=True)
        row.prop(item, "use", text="")
        row.label(text=f"{item.time_s:.2f} s", translate=False)
        row.label(text=item.what.replace("_", " "), translate=False)


class ADAPT_MOTION_PT_pins(_OfCharacter, bpy.types.Panel):
    """What the user knows better, and the way to have the motion follow it."""

    bl_idname, bl_label, bl_order = "ADAPT_MOTION_PT_pins", "Pins", 1

    def draw(self, context: bpy.types.Context) -> None:
        """The ways to pin, the list, and the run."""
        layout, armature = self.layout, chosen.character_of(context)
        if handles.of(armature):
            layout.operator("adapt_motion.remove_handles", icon="X")
        else:
            layout.operator("adapt_motion.add_handles", icon="EMPTY_AXIS")
        column = layout.column(align=True)
        column.operator("adapt_motion.pin_pose", icon="PINNED")
        column.operator_menu_enum("adapt_motion.pin_limb", "limb", icon="PINNED")
        column.operator("adapt_motion.pin_joint", icon="BONE_DATA")
        column.operator("adapt_motion.pin_from_keys", icon="KEYFRAME_HLT")
        column.operator("adapt_motion.drag_keypoints", icon="RESTRICT_VIEW_OFF")
        column = layout.column(align=True)
        column.operator("adapt_motion.pin_wrong", icon="CANCEL")
        column.operator("adapt_motion.pin_swap", icon="ARROW_LEFTRIGHT")
        column.operator("adapt_motion.pin_contact", icon="CON_FLOOR")
        if armature.adapt_motion_pins:
            column = layout.column(align=True)
            column.template_list(
                "ADAPT_MOTION_UL_pins", "", armature, "adapt_motion_pins", armature, "adapt_motion_pin_index", rows=3
            )
            row = column.row(align=True)
            row.operator("adapt_motion.go_to_pin", text="", icon="TIME")
            row.operator("adapt_motion.remove_pin", text="", icon="REMOVE")
        layout.operator("adapt_motion.adapt_around_pins", icon="PLAY")


class ADAPT_MOTION_UL_weak(bpy.types.UIList):
    """Stretches with their time, limb and reason; the button goes there."""

    def draw_item(self, context, layout, data, item, icon, active_data, active_property, index=0, flag=0) -> None:
        """One stretch."""
        row = layout.row(align=True)
        row.operator("adapt_motion.go_to_weak", text="", icon="TIME").index = index
        row.label(text=f"{item.start_s:.1f}-{item.end_s:.1f} s", translate=False)
        row.label(text=f"{item.limb} {item.why}".strip(), translate=False)


class ADAPT_MOTION_PT_review(_OfCharacter, bpy.types.Panel):
    """Where to look first."""

    bl_idname, bl_label, bl_order = "ADAPT_MOTION_PT_review", "Review", 2

    def draw(self, context: bpy.types.Context) -> None:
        """The list."""
        layout, armature = self.layout, chosen.character_of(context)
        if armature.adapt_motion_weak:
            layout.template_list(
                "ADAPT_MOTION_UL_weak", "", armature, "adapt_motion_weak", armature, "adapt_motion_weak_index", rows=4
            )
        layout.operator("adapt_motion.review", icon="VIEWZOOM")
        count = proposed.proposed(armature)
        if count:
            layout.prop(armature, "adapt_motion_take", slider=True)
            drawing.draw_text(layout, proposed.shown(armature), panels.width(context))
            row = layout.row(align=True)
            row.operator("adapt_motion.keep_take", icon="CHECKMARK")
            row.operator("adapt_motion.discard_takes", icon="X")
        else:
            layout.operator("adapt_motion.propose_takes", icon="NLA")


_CLASSES = (ADAPT_MOTION_UL_pins, ADAPT_MOTION_UL_weak, ADAPT_MOTION_PT_pins, ADAPT_MOTION_PT_review)
register, unregister = bpy.utils.register_classes_factory(_CLASSES)
