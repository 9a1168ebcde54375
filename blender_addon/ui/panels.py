"""The *Adapt Motion* tab of the 3D View's sidebar: the one next step first, then what can be chosen."""

from __future__ import annotations

import bpy

from .. import messages, texts
from ..blender import compat, drawing, timing
from ..character import chosen, clip_times, comparison, footage, matching, takes
from ..run import labels, prefs, results, run_settings, running
from ..run.engine_home import EngineState
from . import lists, run_box


def width(context) -> float:
    """Width of the region at scale 1, for wrapping text."""
    return context.region.width / context.preferences.system.ui_scale if context.region else 220.0


class _Sidebar:
    bl_space_type, bl_region_type, bl_category = "VIEW_3D", "UI", "Adapt Motion"


class _Part(_Sidebar):
    bl_parent_id = "ADAPT_MOTION_PT_adapt"
    bl_options = {"DEFAULT_CLOSED"}


class ADAPT_MOTION_PT_adapt(_Sidebar, bpy.types.Panel):
    """Footage in, motion out."""

    bl_idname, bl_label, bl_order = "ADAPT_MOTION_PT_adapt", "Adapt Motion", 0

    def draw_header_preset(self, context: bpy.types.Context) -> None:
        """The preferences, one click away."""
        self.layout.operator("adapt_motion.open_preferences", text="", icon="PREFERENCES", emboss=False)

    def draw(self, context: bpy.types.Context) -> None:
        """The engine if it is missing, the footage, the button, and how it goes."""
        layout, settings = self.layout, context.scene.adapt_motion
        layout.use_property_split, layout.use_property_decorate = True, False
        _draw_engine(layout, context)
        row = layout.row(align=True)
        row.prop(settings, "footage", text="Footage")
        row.operator("adapt_motion.choose_footage", text="", icon="FILE_MOVIE")
        if settings.footage:  # the field shows how its path begins
            layout.label(text=footage.name(settings.footage), icon="SEQUENCE", translate=False)
            _draw_offers(layout, context)
        state = running.latest()
        if not running.busy():
            row = layout.row()
            row.scale_y = 1.5
            text = "Resume" if _can_resume(context) else "Adapt Motion"
            row.operator("adapt_motion.adapt", text=text, icon="ARMATURE_DATA")
        if state is not None and not (state.finished and state.kind in ("doctor", "key")):  # the preferences show those
            if state.finished and state.clip and state.clip != footage.name(settings.footage):
                layout.label(text=state.clip, icon="FILE_MOVIE", translate=False)  # another's than the panel's
            run_box.draw_run(layout.column(), state, width(context))


def _can_resume(context) -> bool:
    """Whether an earlier run on the footage was stopped half-way."""
    state, settings = running.latest(), context.scene.adapt_motion
    if state is not None and state.cancelled and state.context.get("chosen") == settings.footage:
        return True
    left = results.known(context.scene) if settings.footage else None
    return left is not None and left.interrupted


def _draw_engine(layout, context) -> None:
    engine = prefs.engine(context)
    if engine.state is EngineState.READY or running.busy():
        return
    box = layout.box().column()
    drawing.draw_text(box, engine.problem, width(context), "ERROR")
    machine = prefs.get(context)
    if machine is not None and not machine.engine_python:
        text = "Install Engine" if engine.state is EngineState.MISSING else "Install Engine Again"
        box.operator("adapt_motion.install_engine", text=text, icon="IMPORT")
    box.operator("adapt_motion.open_preferences", text="Use an Existing Environment", icon="PREFERENCES")


def _draw_offers(layout, context) -> None:
    """What the footage is not yet: shown, at the scene's rate, attached."""
    scene = context.scene
    settings = scene.adapt_motion
    if not footage.is_shown(settings):
        layout.operator("adapt_motion.show_footage", icon="IMAGE_BACKGROUND")
        return
    _draw_timing(layout, context)
    left = results.known(scene)
    if left is not None and left.motions and not running.busy() and not _is_attached(scene, left):
        box = layout.box().column()
        message = messages.tr(texts.FINISHED_BEFORE, people=messages.people(len(left.motions)))
        drawing.draw_text(box, message, width(context), "FILE_TICK")
        box.operator("adapt_motion.attach_results", icon="IMPORT")


def _is_attached(scene, left) -> bool:
    from ..character import scene as scenes

    return any(item.get(scenes.PERSON) in left.names for item in scene.objects if item.type == "ARMATURE")


class ADAPT_MOTION_PT_footage(_Part, bpy.types.Panel):
    """Where the footage lies in the scene, and what is known of its camera."""

    bl_idname, bl_label, bl_order = "ADAPT_MOTION_PT_footage", "Footage", 1

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs footage."""
        return bool(context.scene.adapt_motion.footage)

    def draw(self, context: bpy.types.Context) -> None:
        """First frame, range, camera, and what may be taken over into the scene."""
        layout, scene = self.layout, context.scene
        settings = scene.adapt_motion
        layout.use_property_split, layout.use_property_decorate = True, False
        layout.prop(settings, "footage_start")
        drawing.whole_width(layout).prop(settings, "use_preview_range")
        if settings.use_preview_range and scene.use_preview_range:
            text = messages.tr(texts.RANGE, first=scene.frame_preview_start, last=scene.frame_preview_end)
            layout.label(text=text, icon="PREVIEW_RANGE")
        drawing.whole_width(layout).prop(settings, "mirrored")
        layout.prop(settings, "camera_source")
        if settings.camera_source not in ("guess", "still"):
            layout.operator("adapt_motion.read_camera", icon="CAMERA_DATA")
        layout.operator("adapt_motion.show_footage", text="Add Sequencer Strip", icon="SEQUENCE").as_strip = True


class ADAPT_MOTION_PT_people(_Part, bpy.types.Panel):
    """Who is in the footage, and who of them is adapted."""

    bl_idname, bl_label, bl_order = "ADAPT_MOTION_PT_people", "People", 2
    bl_options = set()

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs footage."""
        return bool(context.scene.adapt_motion.footage)

    def draw(self, context: bpy.types.Context) -> None:
        """The list, once they have been found; before, the choice without it."""
        layout, settings = self.layout, context.scene.adapt_motion
        layout.use_property_split, layout.use_property_decorate = True, False
        layout.prop(settings, "height_m")
        layout.prop(settings, "performer")
        if not run_settings.has_people(settings):
            layout.prop(settings, "person")
            layout.operator("adapt_motion.find_people", icon="VIEWZOOM")
            return
        layout.template_list(
            "ADAPT_MOTION_UL_people", "", settings, "people", settings, "people_index", rows=2, maxrows=4
        )
        row = layout.row(align=True)
        row.operator("adapt_motion.pick_people", icon="RESTRICT_SELECT_OFF")
        row.prop(settings, "show_people", text="", icon="OUTLINER_OB_GROUP_INSTANCE")
        column = layout.column(align=True)
        column.menu("ADAPT_MOTION_MT_merge_people", icon="AUTOMERGE_ON")
        column.operator("adapt_motion.split_person", text="Split", icon="MOD_EXPLODE")
        row = layout.row(align=True)
        row.operator("adapt_motion.tick_people", text="All", icon="CHECKBOX_HLT").use = True
        row.operator("adapt_motion.tick_people", text="None", icon="CHECKBOX_DEHLT").use = False
        row.operator("adapt_motion.find_people", text="", icon="FILE_REFRESH")


class ADAPT_MOTION_PT_labels(_Part, bpy.types.Panel):
    """What is done when, and how well the motion agrees."""

    bl_idname, bl_label, bl_order = "ADAPT_MOTION_PT_labels", "Labels", 3
    bl_options = set()

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs footage."""
        return bool(context.scene.adapt_motion.footage)

    def draw(self, context: bpy.types.Context) -> None:
        """The list with its buttons, and the way to and from the timeline."""
        layout, settings = self.layout, context.scene.adapt_motion
        column = layout.column(align=True)
        column.template_list(
            "ADAPT_MOTION_UL_labels", "", settings, "labels", settings, "label_index", rows=3, maxrows=8
        )
        row = column.row(align=True)  # beside the list its names are cut in a sidebar of the usual width
        row.operator("adapt_motion.add_label", text="", icon="ADD")
        row.operator("adapt_motion.remove_label", text="", icon="REMOVE")
        row.operator("adapt_motion.clear_labels", text="", icon="X")
        if settings.labels and settings.label_index < len(settings.labels):
            item = settings.labels[settings.label_index]
            layout.prop(item, "label", text="", icon="VIEWZOOM")
            column = layout.column(align=True)
            for edge, icon in (("START", "TRIA_LEFT_BAR"), ("END", "TRIA_RIGHT_BAR")):
                row = column.row(align=True)
                row.prop(item, f"frame_{edge.lower()}")
                row.operator("adapt_motion.mark_label", text="", icon=icon).edge = edge
        if overlapping := labels.overlap_text(context.scene):
            drawing.draw_text(layout, overlapping, width(context), "ERROR")
        column = layout.column(align=True)  # side by side their names are cut in a sidebar of the usual width
        column.operator("adapt_motion.labels_to_markers", text="To Markers", icon="MARKER_HLT")
        column.operator("adapt_motion.markers_to_labels", text="From Markers", icon="MARKER")
        row = layout.row(align=True)
        row.operator("adapt_motion.suggest_labels", icon="LIGHT")
        if not prefs.vlm_problem(context):
            row.operator("adapt_motion.suggest_labels", text="", icon="WORLD").by_model = True
        layout.operator("adapt_motion.add_to_actions", icon="BOOKMARKS")


class ADAPT_MOTION_PT_options(_Part, bpy.types.Panel):
    """How it is done, and where the results go."""

    bl_idname, bl_label, bl_order = "ADAPT_MOTION_PT_options", "Options", 4

    def draw(self, context: bpy.types.Context) -> None:
        """Preset, device, output folder."""
        layout, settings = self.layout, context.scene.adapt_motion
        layout.use_property_split, layout.use_property_decorate = True, False
        layout.prop(settings, "preset")
        column = drawing.whole_width(layout)
        column.label(text="Pose Estimation")
        column.prop(settings, "backbone", text="")
        machine = prefs.get(context)
        if machine is not None:
            layout.prop(machine, "device")
        row = layout.row(align=True)
        row.prop(settings, "output_folder")
        row.operator("adapt_motion.look_for_results", text="", icon="FILE_REFRESH")


class ADAPT_MOTION_PT_queue(_Part, bpy.types.Panel):
    """Clips that are run one after the other."""

    bl_idname, bl_label, bl_order = "ADAPT_MOTION_PT_queue", "Queue", 5

    def draw(self, context: bpy.types.Context) -> None:
        """The clips with how far they are."""
        layout, settings = self.layout, context.scene.adapt_motion
        column = layout.column(align=True)
        column.template_list("ADAPT_MOTION_UL_queue", "", settings, "queue", settings, "queue_index", rows=3, maxrows=8)
        row = column.row(align=True)
        row.operator("adapt_motion.queue_add", text="", icon="ADD")
        for action, icon in (("REMOVE", "REMOVE"), ("UP", "TRIA_UP"), ("DOWN", "TRIA_DOWN")):
            row.operator("adapt_motion.queue_edit", text="", icon=icon).action = action
        if settings.queue and settings.queue_index < len(settings.queue):
            item = settings.queue[settings.queue_index]
            if item.message:
                drawing.draw_text(layout, item.message, width(context), lists.STATUS_ICONS[item.status])
        row = layout.row(align=True)
        row.operator("adapt_motion.queue_run", icon="PLAY")
        row.operator("adapt_motion.queue_farm", icon="NETWORK_DRIVE")


class ADAPT_MOTION_PT_result(_Sidebar, bpy.types.Panel):
    """What to do with the motion."""

    bl_idname, bl_label, bl_order = "ADAPT_MOTION_PT_result", "Character", 1

    def draw(self, context: bpy.types.Context) -> None:
        """The character, what its clip's frame rate asks for, and the ways on."""
        layout = self.layout
        character = chosen.character_of(context)
        if character is not None:
            layout.label(text=character.name, icon="ARMATURE_DATA", translate=False)
            _draw_takes(layout, context, character)
            if context.scene.adapt_motion.movie_clip is None:
                _draw_timing(layout, context)
            if comparison.has(character):
                column = layout.column(align=True)
                column.label(text="Compare Before and After")
                column.prop(character.animation_data, "action_influence", text="After Adaptation", slider=True)
                column.prop(context.scene.adapt_motion, "show_ghost", icon="GHOST_ENABLED")
            _draw_onion(layout, context.scene.adapt_motion)
        column = layout.column(align=True)
        column.operator("adapt_motion.view_camera", icon="VIEW_CAMERA")
        shown = context.scene.adapt_motion.show_keypoints
        text = "Hide Keypoints" if shown else "Show Keypoints"
        column.operator("adapt_motion.toggle_keypoints", text=text, icon="HIDE_OFF" if shown else "HIDE_ON")
        column.operator("adapt_motion.export_fbx", icon="EXPORT")
        column.operator("adapt_motion.import_motion", icon="IMPORT")


def _draw_onion(layout, settings) -> None:
    row = layout.row(align=True)
    row.prop(settings, "show_onion", icon="ONIONSKIN_ON")
    if settings.show_onion:
        row.prop(settings, "onion_step")
        row.prop(settings, "onion_count")


def _draw_takes(layout, context, character) -> None:
    """The results of earlier runs, to choose by."""
    found = takes.of(context.scene, character)
    column = layout.column(align=True)
    for item in found if len(found) > 1 else ():
        icon = "RADIOBUT_ON" if item == character else "RADIOBUT_OFF"
        column.operator("adapt_motion.choose_take", text=item.name, icon=icon).name = item.name


class ADAPT_MOTION_PT_confidence(_Sidebar, bpy.types.Panel):
    """How sure each limb is at the current frame."""

    bl_parent_id = "ADAPT_MOTION_PT_result"
    bl_idname, bl_label, bl_order = "ADAPT_MOTION_PT_confidence", "Confidence", 0
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a character whose limbs have it."""
        character = chosen.character_of(context)
        return character is not None and any(key.startswith("Confidence ") for key in _properties(character))

    def draw(self, context: bpy.types.Context) -> None:
        """A bar for each limb, and what the types of keys mean."""
        layout, character = self.layout, chosen.character_of(context)
        column = layout.column(align=True)
        column.enabled = False  # they follow from the footage
        for key in sorted(key for key in _properties(character) if key.startswith("Confidence ")):
            column.prop(character, f'["{key}"]', text=key.removeprefix("Confidence "), slider=True)
        drawing.draw_text(layout, texts.KEY_TYPES, width(context), "KEYFRAME_HLT")


def _properties(item) -> list[str]:
    """Names of an object's custom properties."""
    return list(item.keys())


def _draw_timing(layout, context) -> None:
    """Whether what is in the scene plays at its speed, and the one button for what the scene is not yet."""
    scene = context.scene
    character, view = matching.whose(context)
    rate, ours = matching.wanted_rate(scene, character), timing.scene_rate(scene)
    others = clip_times.rates(scene) - {ours}
    message = ""
    if others:
        laid = min(others)
        slower = laid > ours
        message = messages.tr(
            texts.TOO_SLOW if slower else texts.TOO_FAST,
            laid=messages.rate(float(laid)),
            scene=messages.rate(float(ours)),
            times=float(laid / ours if slower else ours / laid),
        )
    elif not matching.is_laid(scene):
        message = messages.tr(texts.OTHER_SHAPE)
    if message:
        box = layout.box().column()
        drawing.draw_text(box, message, width(context), "ERROR")
        box.operator("adapt_motion.retime_to_scene", icon="MOD_TIME")
    elif rate and rate != ours:
        rates = {"clip": messages.rate(float(rate)), "scene": messages.rate(float(ours))}
        drawing.draw_text(layout, messages.tr(texts.RATES_DIFFER, **rates), width(context), "INFO")
    if not matching.is_matched(scene, character, view):
        layout.operator("adapt_motion.match_footage", icon="TIME")


def _draw_status(self, context: bpy.types.Context) -> None:
    """How the run goes, in the status bar."""
    state = running.latest()
    if state is None or not running.busy():
        return
    row = self.layout.row(align=True)
    row.label(text=f"{state.clip or messages.tr('Adapt Motion')}: {state.title}", icon="ARMATURE_DATA")
    if state.progress_text and not state.finished:
        sub = row.row()
        sub.ui_units_x = 9
        compat.draw_progress(sub, state.share, state.progress_text)
    row.operator("adapt_motion.cancel", text="", icon="CANCEL")


_CLASSES = (
    ADAPT_MOTION_PT_adapt,
    ADAPT_MOTION_PT_footage,
    ADAPT_MOTION_PT_people,
    ADAPT_MOTION_PT_labels,
    ADAPT_MOTION_PT_options,
    ADAPT_MOTION_PT_queue,
    ADAPT_MOTION_PT_result,
    ADAPT_MOTION_PT_confidence,
)


def register() -> None:
    """Register the panels, and show runs in the status bar."""
    for cls in _CLASSES:
        bpy.utils.register_class(cls)
    bpy.types.STATUSBAR_HT_header.append(_draw_status)


def unregister() -> None:
    """Undo `register`."""
    bpy.types.STATUSBAR_HT_header.remove(_draw_status)
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)
