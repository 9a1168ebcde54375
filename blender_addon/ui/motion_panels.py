"""Panels for what is done with a motion: cleaning it up, giving it to another rig, writing it to files."""

from __future__ import annotations

import bpy

from ..blender import drawing
from ..character import chosen
from ..operators import cleanup, retarget


class _Sidebar:
    bl_space_type, bl_region_type, bl_category = "VIEW_3D", "UI", "Adapt Motion"
    bl_options = {"DEFAULT_CLOSED"}


class ADAPT_MOTION_PT_clean_up(_Sidebar, bpy.types.Panel):
    """Edits of the whole motion at once."""

    bl_idname, bl_label, bl_order = "ADAPT_MOTION_PT_clean_up", "Clean Up", 20

    def draw(self, context: bpy.types.Context) -> None:
        """Whose motion, and what can be done with it; each button's settings come up in the redo panel."""
        layout = self.layout
        armature = chosen.armature_of(context)
        if armature is not None:
            layout.label(text=chosen.action_of(armature).name, icon="ACTION")
        column = layout.column(align=True)
        column.operator("adapt_motion.lock_feet", icon="CON_FLOOR")
        column.operator("adapt_motion.one_floor", icon="AXIS_TOP")
        column.operator("adapt_motion.smooth_motion", icon="SMOOTHCURVE")
        column.operator("adapt_motion.reduce_keys", icon="KEYFRAME")
        column = layout.column(align=True)
        column.operator_menu_enum("adapt_motion.set_travel", "where", icon="CON_FOLLOWPATH")
        column.operator_menu_enum("adapt_motion.rotation_mode", "mode", icon="ORIENTATION_GIMBAL")
        column = layout.column(align=True)
        column.operator("adapt_motion.make_loop", icon="LOOP_BACK")
        column.operator("adapt_motion.mirror_motion", icon="MOD_MIRROR")


class ADAPT_MOTION_PT_contacts(_Sidebar, bpy.types.Panel):
    """When each foot stands on the ground, as ranges."""

    bl_parent_id = "ADAPT_MOTION_PT_clean_up"
    bl_idname, bl_label = "ADAPT_MOTION_PT_contacts", "Foot Contacts"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs motion."""
        return chosen.armature_of(context) is not None

    def draw(self, context: bpy.types.Context) -> None:
        """A row for each foot with the range at the current frame, and the ways to change it."""
        from ..character import contact_edits

        armature = chosen.armature_of(context)
        for side in ("LEFT", "RIGHT"):
            row = self.layout.row(align=True)
            here = contact_edits.at(armature, side, context.scene.frame_current)
            row.label(text=side.title(), icon="DOT" if here else "BLANK1")
            row.label(text=f"{here.first:.0f}-{here.last:.0f}" if here else "", translate=False)
            for how in ("REMOVE", "START", "SPLIT", "END") if here else ("ADD", "START", "END"):
                icon = next(item[3] for item in cleanup.CONTACT_EDITS if item[0] == how)
                button = row.operator("adapt_motion.edit_contact", text="", icon=icon)
                button.side, button.how = side, how


class ADAPT_MOTION_PT_retarget(_Sidebar, bpy.types.Panel):
    """The motion onto the animator's own rig."""

    bl_idname, bl_label, bl_order = "ADAPT_MOTION_PT_retarget", "Retarget", 21

    def draw(self, context: bpy.types.Context) -> None:
        """Source, target, the bone map, and the button."""
        layout, settings = self.layout, context.scene.adapt_motion.retarget
        layout.use_property_split, layout.use_property_decorate = True, False
        source = retarget.source_of(context)
        column = layout.column()
        column.prop(settings, "source")
        if settings.source is None and source is not None:
            column.label(text=source.name, icon="ARMATURE_DATA")
        column.prop(settings, "target")
        row = layout.row(align=True)
        text = f"Map: {settings.map_name}" if settings.map_name else "Find Bone Map"
        row.operator("adapt_motion.find_bone_map", text=text, icon="VIEWZOOM")
        row.operator("adapt_motion.load_bone_map", text="", icon="PRESET")
        row.operator("adapt_motion.save_bone_map", text="", icon="FILE_TICK")
        column = drawing.whole_width(layout)
        column.prop(settings, "plant_feet")
        row = column.row()
        row.active = settings.plant_feet
        row.prop(settings, "most_turn")
        column.prop(settings, "in_world")
        layout.prop(settings, "rotation")
        row = layout.row()
        row.scale_y = 1.5
        row.operator("adapt_motion.retarget", icon="ARMATURE_DATA")


class ADAPT_MOTION_PT_bone_map(_Sidebar, bpy.types.Panel):
    """The bone of each joint."""

    bl_parent_id = "ADAPT_MOTION_PT_retarget"
    bl_idname, bl_label = "ADAPT_MOTION_PT_bone_map", "Bone Map"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a map and a target."""
        settings = context.scene.adapt_motion.retarget
        return bool(settings.bones) and settings.target is not None

    def draw(self, context: bpy.types.Context) -> None:
        """A row for each joint; one that has to have a bone and has none is red."""
        layout, settings = self.layout, context.scene.adapt_motion.retarget
        layout.use_property_split, layout.use_property_decorate = True, False
        bones = settings.target.data.bones
        column = layout.column(align=True)
        for entry in settings.bones:
            row = column.row(align=True)
            lost = bool(entry.bone) and entry.bone not in bones
            row.alert = lost or (not entry.bone and _is_required(entry.name))
            row.prop_search(entry, "bone", settings.target.data, "bones", text=entry.name.replace("_", " ").title())


def _is_required(joint: str) -> bool:
    part = joint.rpartition("_")[2]
    return part in ("pelvis", "hip", "knee", "ankle", "shoulder", "elbow", "wrist")


class ADAPT_MOTION_PT_export(_Sidebar, bpy.types.Panel):
    """The character and its motion in files."""

    bl_idname, bl_label, bl_order = "ADAPT_MOTION_PT_export", "Export", 22

    def draw(self, context: bpy.types.Context) -> None:
        """A button for each format."""
        layout = self.layout
        armature = chosen.armature_of(context)
        if armature is None:
            width = context.region.width / context.preferences.system.ui_scale if context.region else 220.0
            drawing.draw_text(layout, "Select an adapted character, or a rig that was retargeted to.", width, "INFO")
        else:
            layout.label(text=armature.name, icon="ARMATURE_DATA")
        column = layout.column(align=True)
        column.operator_menu_enum("adapt_motion.export_fbx", "preset", text="FBX", icon="EXPORT")
        for kind, text in (("glb", "glTF Binary"), ("bvh", "BVH"), ("usd", "USD"), ("amass", "AMASS (.npz)")):
            column.operator(f"adapt_motion.export_{kind}", text=text)
        layout.operator("adapt_motion.mark_asset", icon="ASSET_MANAGER")


_CLASSES = (
    ADAPT_MOTION_PT_clean_up,
    ADAPT_MOTION_PT_contacts,
    ADAPT_MOTION_PT_retarget,
    ADAPT_MOTION_PT_bone_map,
    ADAPT_MOTION_PT_export,
)
register, unregister = bpy.utils.register_classes_factory(_CLASSES)
