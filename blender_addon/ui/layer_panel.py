"""The panel of seen and filled-in motion as layers."""

from __future__ import annotations

import bpy

from ..character import chosen, layers


class ADAPT_MOTION_PT_layers(bpy.types.Panel):
    """Layers of a character's motion, or of a rig that it was retargeted to."""

    bl_idname, bl_label, bl_order = "ADAPT_MOTION_PT_layers", "Layers", 23
    bl_space_type, bl_region_type, bl_category = "VIEW_3D", "UI", "Adapt Motion"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs an armature with motion."""
        return chosen.armature_of(context) is not None

    def draw(self, context: bpy.types.Context) -> None:
        """The influence of each limb, or the button to split."""
        layout, armature = self.layout, chosen.armature_of(context)
        if not layers.is_split(armature):
            layout.operator("adapt_motion.split_by_evidence", icon="NLA")
            return
        column = layout.column(align=True)
        for item in armature.adapt_motion_layers:
            column.prop(item, "influence", text=item.limb.title(), slider=True)
        row = layout.row(align=True)
        row.operator("adapt_motion.join_layers", icon="CHECKMARK").keep = True
        row.operator("adapt_motion.join_layers", text="Discard", icon="X").keep = False


_CLASSES = (ADAPT_MOTION_PT_layers,)
register, unregister = bpy.utils.register_classes_factory(_CLASSES)
