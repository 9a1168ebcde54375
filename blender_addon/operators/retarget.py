"""Find, edit and save a bone map, and retarget: thin operators around the plain functions in `retarget_bake`."""

from __future__ import annotations

import json
from pathlib import Path

import bpy
from bpy.props import EnumProperty, StringProperty

from .. import messages
from ..blender import compat
from ..character import chosen
from ..errors import UserError
from ..retarget.properties import is_motion_source
from ..run import prefs

NO_TARGET = "Choose your character's armature as the target"
NO_MAP = "Find the bone map first"
NO_SOURCE = "Choose an adapted character with motion as the source"


def maps_folder() -> Path:
    """Where the user's own maps are."""
    return compat.user_folder(prefs.PACKAGE) / "retarget"


def source_of(context):
    """The character whose motion is taken: the chosen one, the selected one, or the last result; or None."""
    settings = context.scene.adapt_motion
    first = settings.retarget.source or chosen.character_of(context)
    for candidate in (first, settings.character):
        if candidate is not None and candidate != settings.retarget.target and is_motion_source(candidate):
            return candidate
    return None


def find_map(armature) -> tuple[object, str]:
    """The bone map for an armature and a sentence about it. The map may lack bones where it had to be guessed."""
    from ..retarget import bone_maps, name_guess
    from ..retarget.bake import parents_of

    maps, troubles = bone_maps.read_all(bone_maps.FOLDER, maps_folder())
    parents = parents_of(armature)
    found = bone_maps.best(maps, parents)
    if found is None:
        found = name_guess.guess(parents)
    missing = found.missing()
    count = sum(1 for bone in found.bones.values() if bone)
    text = f"{found.name}: {count} bones"
    if missing:
        text += f"; choose those of {', '.join(name.replace('_', ' ') for name in missing[:4])}"
        text += f" and {len(missing) - 4} more" if len(missing) > 4 else ""
    return found, " ".join([f"{text}.", *troubles])


def show_map(settings, bone_map) -> None:
    """Fill the panel's table with a map."""
    from ..retarget.bone_maps import JOINTS

    settings.bones.clear()
    for joint in JOINTS:
        entry = settings.bones.add()
        entry.name, entry.bone = joint, bone_map.bones.get(joint, "")
    settings.map_name = bone_map.name
    settings.follows, settings.properties = json.dumps(bone_map.follows), json.dumps(bone_map.properties)


def map_of(settings):
    """The map that the panel's table shows."""
    from ..retarget.bone_maps import BoneMap

    bones = {entry.name: entry.bone for entry in settings.bones if entry.bone}
    follows, properties = json.loads(settings.follows or "{}"), json.loads(settings.properties or "{}")
    return BoneMap(settings.map_name, bones, follows=follows, properties=properties)


class _WithTarget:
    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a target."""
        target = context.scene.adapt_motion.retarget.target
        if target is None:
            cls.poll_message_set(messages.tr(NO_TARGET))
        return target is not None


class ADAPT_MOTION_OT_find_bone_map(_WithTarget, bpy.types.Operator):
    """Find out which bones of your rig are which, from their names"""

    bl_idname, bl_label, bl_options = "adapt_motion.find_bone_map", "Find Bone Map", {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Fill the table."""
        settings = context.scene.adapt_motion.retarget
        found, text = find_map(settings.target)
        show_map(settings, found)
        self.report({"WARNING"} if found.missing() else {"INFO"}, text)
        return {"FINISHED"}


_shown: list[tuple[str, str, str]] = []  # Blender needs the texts of a dynamic list kept


def _maps(_operator, _context) -> list[tuple[str, str, str]]:
    if not _shown:
        from ..retarget import bone_maps

        maps, _ = bone_maps.read_all(bone_maps.FOLDER, maps_folder())
        _shown.extend((one.name, one.name, one.about) for one in maps)
    return _shown


class ADAPT_MOTION_OT_load_bone_map(_WithTarget, bpy.types.Operator):
    """Take a bone map that comes along, or one of your own"""

    bl_idname, bl_label, bl_options = "adapt_motion.load_bone_map", "Load Bone Map", {"REGISTER", "UNDO"}
    bl_property = "name"

    name: EnumProperty(name="Map", description="The bone map to take", items=_maps)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Let the user search in the names."""
        _shown.clear()
        context.window_manager.invoke_search_popup(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Fill the table with the bones that the rig has."""
        from ..retarget import bone_maps

        settings = context.scene.adapt_motion.retarget
        maps, _ = bone_maps.read_all(bone_maps.FOLDER, maps_folder())
        chosen = next(one for one in maps if one.name == self.name)
        fit, count = bone_maps.fitted(chosen, settings.target.data.bones.keys())
        show_map(settings, fit)
        self.report({"INFO"}, f"{fit.name}: {count} of {len(chosen.bones)} bones are in {settings.target.name}")
        return {"FINISHED"}


class ADAPT_MOTION_OT_save_bone_map(bpy.types.Operator):
    """Keep this bone map for other rigs that are named alike"""

    bl_idname, bl_label, bl_options = "adapt_motion.save_bone_map", "Save Bone Map", {"REGISTER"}

    name: StringProperty(name="Name", description="Name of the map; one of this name is replaced")

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a table."""
        settings = context.scene.adapt_motion.retarget
        if not settings.bones:
            cls.poll_message_set(messages.tr(NO_MAP))
        return bool(settings.bones)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask for the name."""
        settings = context.scene.adapt_motion.retarget
        self.name = self.name or (settings.target.name if settings.target else settings.map_name)
        return context.window_manager.invoke_props_dialog(self)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Write the file."""
        from dataclasses import replace

        from ..retarget import bone_maps

        settings = context.scene.adapt_motion.retarget
        try:
            named = replace(map_of(settings), name=self.name.strip() or settings.map_name)
            path = bone_maps.write(named, maps_folder())
        except UserError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        settings.map_name = self.name
        _shown.clear()
        self.report({"INFO"}, f"Wrote {path}")
        return {"FINISHED"}


class ADAPT_MOTION_OT_retarget(bpy.types.Operator):
    """Give your character the motion, as a new action; what it had before stays in the file"""

    bl_idname, bl_label, bl_options = "adapt_motion.retarget", "Retarget", {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs source, target and map."""
        settings = context.scene.adapt_motion.retarget
        source = source_of(context)
        problem = ""
        if source is None or not source.animation_data or not source.animation_data.action:
            problem = NO_SOURCE
        elif settings.target is None:
            problem = NO_TARGET
        elif not settings.bones:
            problem = NO_MAP
        if problem:
            cls.poll_message_set(messages.tr(problem))
        return not problem

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Bake."""
        from ..retarget import bake

        settings = context.scene.adapt_motion.retarget
        rotation = "" if settings.rotation == "RIG" else settings.rotation
        options = bake.Options(settings.plant_feet, settings.most_turn, settings.in_world, rotation)
        try:
            baked = bake.bake(source_of(context), settings.target, map_of(settings), context.scene, options)
        except UserError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        for warning in baked.warnings:
            self.report({"WARNING"}, warning)
        self.report({"INFO"}, f"Keyed {baked.frame_count} frames on {settings.target.name}")
        return {"FINISHED"}


_CLASSES = (
    ADAPT_MOTION_OT_find_bone_map,
    ADAPT_MOTION_OT_load_bone_map,
    ADAPT_MOTION_OT_save_bone_map,
    ADAPT_MOTION_OT_retarget,
)
register, unregister = bpy.utils.register_classes_factory(_CLASSES)
