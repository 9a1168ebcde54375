"""What is done with a character: bring it in, look at it over the footage, write it as FBX."""

from __future__ import annotations

import os

import bpy
from bpy.props import BoolProperty, CollectionProperty, EnumProperty, StringProperty
from bpy_extras.io_utils import ExportHelper, ImportHelper

from .. import messages
from ..blender import steps
from ..blender.paths import absolute
from ..character import matching, run_files, takes
from ..character.chosen import NO_MOTION, armature_of, camera_of
from ..errors import UserError
from ..export.presets import FBX_PRESETS
from ..run import prefs
from ..run.clip_run import remember
from . import cleanup


class ADAPT_MOTION_OT_import_motion(bpy.types.Operator, ImportHelper):
    """Bring motion files of a clip into the scene: armature, body, and the camera that filmed it"""

    bl_idname, bl_label, bl_options = "adapt_motion.import_motion", "Import Motion", {"REGISTER", "UNDO"}

    filter_glob: StringProperty(default="person_*.npz", options={"HIDDEN"})
    files: CollectionProperty(type=bpy.types.OperatorFileListElement, options={"HIDDEN", "SKIP_SAVE"})
    directory: StringProperty(subtype="DIR_PATH", options={"HIDDEN", "SKIP_SAVE"})
    footage: StringProperty(
        name="Footage",
        description="Clip to show behind the character; empty: none",
        subtype="FILE_PATH",
        options={"SKIP_SAVE"},
    )
    with_mesh: BoolProperty(name="Body", description="Also build the skinned body", default=True)
    with_camera: BoolProperty(name="Camera", description="Also build the camera that matches the footage", default=True)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Import and remember the first person as the scene's character."""
        from ..character import scene

        names = [item.name for item in self.files if item.name.endswith(".npz")]
        paths = [os.path.join(self.directory, name) for name in names] or [self.filepath]
        paths = [run_files.keep(path) for path in paths if not path.endswith("_body.npz")]
        footage, settings = absolute(self.footage) if self.footage else None, context.scene.adapt_motion
        try:
            options = {"with_mesh": self.with_mesh, "with_camera": self.with_camera, "look": prefs.look(context)}
            if footage and settings.footage and footage == absolute(settings.footage):
                options["start_frame"] = settings.footage_start
            imported = scene.import_people(paths, context.scene, footage=footage, **options)
        except UserError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        steps.finish(cleanup.lock_new_feet(context.scene, imported))
        remember(context.scene, imported, paths[0])
        for warning in imported.warnings:
            self.report({"WARNING"}, warning)
        self.report({"INFO"}, f"Brought in {', '.join(person.armature.name for person in imported.people)}")
        return {"FINISHED"}


class ADAPT_MOTION_OT_choose_take(bpy.types.Operator):
    """Show this result of the clip; those of other runs are hidden"""

    bl_idname, bl_label, bl_options = "adapt_motion.choose_take", "Choose Take", {"REGISTER", "UNDO"}

    name: StringProperty(name="Name", description="Name of the armature", options={"SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Show it and make it the active one."""
        armature = context.scene.objects.get(self.name)
        if armature is None or armature.type != "ARMATURE":
            self.report({"ERROR"}, messages.tr(messages.NO_CHARACTER))
            return {"CANCELLED"}
        takes.show(context.scene, armature)
        for item in tuple(context.view_layer.objects.selected):
            item.select_set(False)
        armature.select_set(True)
        context.view_layer.objects.active = armature
        context.scene.adapt_motion.character = armature
        return {"FINISHED"}


class ADAPT_MOTION_OT_export_fbx(bpy.types.Operator, ExportHelper):
    """Write the character or your own rig, and its motion, as FBX at the clip's own frame rate"""

    bl_idname, bl_label, bl_options = "adapt_motion.export_fbx", "Export FBX", {"REGISTER"}

    filename_ext = ".fbx"
    filter_glob: StringProperty(default="*.fbx", options={"HIDDEN"})
    preset: EnumProperty(name="For", description="The program that the file is made for", items=FBX_PRESETS)

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs an armature with motion."""
        found = armature_of(context) is not None
        if not found:
            cls.poll_message_set(messages.tr(NO_MOTION))
        return found

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Offer a name beside the motion file."""
        self.filepath = takes.export_path(armature_of(context), ".fbx")
        return super().invoke(context, event)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Write the file."""
        from ..export import files

        try:
            path = files.export(armature_of(context), absolute(self.filepath), "fbx", self.preset)
        except UserError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.report({"INFO"}, f"Wrote {path}")
        return {"FINISHED"}


class ADAPT_MOTION_OT_view_camera(bpy.types.Operator):
    """Look through the camera that filmed the footage, in this view only; of cut footage through the scene's camera"""

    bl_idname, bl_label, bl_options = "adapt_motion.view_camera", "View Over Footage", {"REGISTER"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a character with its camera and a 3D View."""
        found = (
            context.space_data is not None and context.space_data.type == "VIEW_3D" and camera_of(context) is not None
        )
        if not found:
            cls.poll_message_set(messages.tr(messages.NO_CAMERA))
        return found

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Use it as the view's own camera."""
        matching.look_through(context, camera_of(context))
        return {"FINISHED"}


_CLASSES = (
    ADAPT_MOTION_OT_import_motion,
    ADAPT_MOTION_OT_choose_take,
    ADAPT_MOTION_OT_export_fbx,
    ADAPT_MOTION_OT_view_camera,
)
register, unregister = bpy.utils.register_classes_factory(_CLASSES)
