"""Write the character as GLB, BVH, USD and AMASS, and keep its action as an asset. FBX is in `character_operators`."""

from __future__ import annotations

import bpy
from bpy.props import StringProperty
from bpy_extras.io_utils import ExportHelper

from .. import messages
from ..blender import compat
from ..blender.paths import absolute
from ..character import chosen, takes
from ..errors import UserError

NO_USD = "This Blender cannot write USD with a skeleton: 4.2 and later can"


class _Export(ExportHelper):
    """Writes the character, or another armature with motion, in one format."""

    bl_options = {"REGISTER"}
    check_existing = True

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs an armature with motion."""
        found = chosen.armature_of(context) is not None
        if not found:
            cls.poll_message_set(messages.tr(chosen.NO_MOTION))
        return found

    @classmethod
    def armature(cls, context: bpy.types.Context):
        """Whose motion is written."""
        return chosen.armature_of(context)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Offer a name beside the motion file."""
        self.filepath = takes.export_path(self.armature(context), self.ending)
        return super().invoke(context, event)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Write the file."""
        try:
            path = self.write(self.armature(context), absolute(self.filepath), context.scene)
        except UserError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.report({"INFO"}, f"Wrote {path}")
        return {"FINISHED"}

    @property
    def ending(self) -> str:
        """How the offered name ends."""
        return self.filename_ext

    def write(self, armature, path: str, scene):
        """The path that was written."""
        from ..export import files

        return files.export(armature, path, self.filename_ext.lstrip("."))


class ADAPT_MOTION_OT_export_glb(_Export, bpy.types.Operator):
    """Write the character or your own rig, and its motion, as binary glTF at the clip's own frame rate"""

    bl_idname, bl_label = "adapt_motion.export_glb", "Export GLB"
    filename_ext = ".glb"
    filter_glob: StringProperty(default="*.glb", options={"HIDDEN"})


class ADAPT_MOTION_OT_export_bvh(_Export, bpy.types.Operator):
    """Write the skeleton and its motion as BVH at the clip's own frame rate"""

    bl_idname, bl_label = "adapt_motion.export_bvh", "Export BVH"
    filename_ext = ".bvh"
    filter_glob: StringProperty(default="*.bvh", options={"HIDDEN"})


class ADAPT_MOTION_OT_export_usd(_Export, bpy.types.Operator):
    """Write the character or your own rig, and its motion, as USD at the clip's own frame rate"""

    bl_idname, bl_label = "adapt_motion.export_usd", "Export USD"
    filename_ext = ".usd"
    filter_glob: StringProperty(default="*.usd;*.usda;*.usdc", options={"HIDDEN"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a Blender that writes skeletons, and a character."""
        if not compat.supports_usd_armatures():
            cls.poll_message_set(messages.tr(NO_USD))
            return False
        return super().poll(context)


class ADAPT_MOTION_OT_export_amass(_Export, bpy.types.Operator):
    """Write the edited motion as SMPL poses in an AMASS file, for other SMPL tools"""

    bl_idname, bl_label = "adapt_motion.export_amass", "Export AMASS"
    filename_ext = ".npz"
    filter_glob: StringProperty(default="*.npz", options={"HIDDEN"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a character with the joints of SMPL."""
        found = cls.armature(context) is not None
        if not found:
            cls.poll_message_set(messages.tr(messages.NO_CHARACTER))
        return found

    @classmethod
    def armature(cls, context: bpy.types.Context):
        """Whose motion is written: a character of ours."""
        return chosen.character_of(context)

    @property
    def ending(self) -> str:
        """Not the motion file's own name, which is never overwritten unasked."""
        return "_amass.npz"

    def write(self, armature, path: str, scene):
        """The path that was written."""
        from ..blender import timing
        from ..export import amass

        return amass.write(armature, path, timing.scene_rate(scene))


class ADAPT_MOTION_OT_mark_asset(bpy.types.Operator):
    """Keep the motion as an asset, with its labels as tags and a picture of its poses"""

    bl_idname, bl_label, bl_options = "adapt_motion.mark_asset", "Mark Action as Asset", {"REGISTER", "UNDO"}

    tags: StringProperty(name="Tags", description="Separated by commas; empty: the labels of the motion")

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs motion."""
        found = chosen.armature_of(context) is not None
        if not found:
            cls.poll_message_set(messages.tr(chosen.NO_MOTION))
        return found

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Mark."""
        from ..export import assets

        tags = [tag.strip() for tag in self.tags.split(",") if tag.strip()]
        try:
            action = assets.mark(chosen.armature_of(context), tags or None)
        except UserError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.report(
            {"INFO"}, f"{action.name} is an asset, tagged {', '.join(action.asset_data.tags.keys()) or 'nothing'}"
        )
        return {"FINISHED"}


_CLASSES = (
    ADAPT_MOTION_OT_export_glb,
    ADAPT_MOTION_OT_export_bvh,
    ADAPT_MOTION_OT_export_usd,
    ADAPT_MOTION_OT_export_amass,
    ADAPT_MOTION_OT_mark_asset,
)
register, unregister = bpy.utils.register_classes_factory(_CLASSES)
