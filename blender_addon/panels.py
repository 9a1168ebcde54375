"""The *Adapt Motion* tab of the 3D View's sidebar: the one next step first, then what can be chosen."""

from __future__ import annotations

import bpy

from . import drawing, messages, operators, preferences, running
from .engine_home import EngineState


def _width(context) -> float:
    """Width of the region at scale 1, for wrapping text."""
    return context.region.width / context.preferences.system.ui_scale if context.region else 220.0


class _Sidebar:
    bl_space_type, bl_region_type, bl_category = "VIEW_3D", "UI", "Adapt Motion"


class ADAPT_MOTION_PT_adapt(_Sidebar, bpy.types.Panel):
    """Footage in, motion out."""

    bl_idname, bl_label = "ADAPT_MOTION_PT_adapt", "Adapt Motion"

    def draw_header_preset(self, context: bpy.types.Context) -> None:
        """The preferences, one click away."""
        self.layout.operator("adapt_motion.open_preferences", text="", icon="PREFERENCES", emboss=False)

    def draw(self, context: bpy.types.Context) -> None:
        """The engine if it is missing, what to adapt, the button, and how it goes."""
        layout, settings = self.layout, context.scene.adapt_motion
        layout.use_property_split, layout.use_property_decorate = True, False
        _draw_engine(layout, context)
        column = layout.column()
        column.enabled = not running.busy()
        _draw_settings(column, settings, context)
        state = running.latest()
        if not running.busy():
            row = layout.row()
            row.scale_y = 1.5
            row.operator("adapt_motion.adapt", icon="ARMATURE_DATA")
        if state is not None:
            drawing.draw_run(layout.column(), state, _width(context))


def _draw_engine(layout, context) -> None:
    engine = preferences.engine(context)
    if engine.state is EngineState.READY or running.busy():
        return
    box = layout.box().column()
    drawing.draw_text(box, engine.problem, _width(context), "ERROR")
    machine = preferences.get(context)
    if machine is not None and not machine.engine_python:
        text = "Install Engine" if engine.state is EngineState.MISSING else "Install Engine Again"
        box.operator("adapt_motion.install_engine", text=text, icon="IMPORT")
    box.operator("adapt_motion.open_preferences", text="Use an Existing One", icon="PREFERENCES")


def _draw_settings(column, settings, context) -> None:
    row = column.row(align=True)
    row.prop(settings, "footage", text="Footage")
    row.operator("adapt_motion.choose_footage", text="", icon="FILE_MOVIE")
    column.prop(settings, "output_folder")
    column.prop(settings, "preset")
    column.prop(settings, "label")
    column.prop(settings, "person")
    if settings.person == "number":
        column.prop(settings, "person_number")
    machine = preferences.get(context)
    if machine is not None:
        column.prop(machine, "device")


class ADAPT_MOTION_PT_result(_Sidebar, bpy.types.Panel):
    """What to do with the motion."""

    bl_idname, bl_label = "ADAPT_MOTION_PT_result", "Character"

    def draw(self, context: bpy.types.Context) -> None:
        """The character, what its clip's frame rate asks for, and the ways on."""
        layout = self.layout
        character = operators.character_of(context)
        if character is not None:
            layout.label(text=character.name, icon="ARMATURE_DATA")
            _draw_rate(layout, character, context)
        column = layout.column(align=True)
        column.operator("adapt_motion.view_camera", icon="VIEW_CAMERA")
        column.operator("adapt_motion.export_fbx", icon="EXPORT")
        column.operator("adapt_motion.import_motion", icon="IMPORT")


def _draw_rate(layout, character, context) -> None:
    from . import timing

    rate = operators.clip_rate_of(character)
    ours = timing.scene_rate(context.scene)
    if rate is None or abs(float(rate / ours) - 1) < 1e-6:
        return
    box = layout.box().column()
    text = f"The clip runs at {messages.rate(float(rate))} frames a second, the scene at {messages.rate(float(ours))}."
    drawing.draw_text(box, text, _width(context), "INFO")
    box.operator("adapt_motion.set_scene_rate", text=f"Set Scene to {messages.rate(float(rate))} fps", icon="TIME")


_CLASSES = (ADAPT_MOTION_PT_adapt, ADAPT_MOTION_PT_result)
register, unregister = bpy.utils.register_classes_factory(_CLASSES)
