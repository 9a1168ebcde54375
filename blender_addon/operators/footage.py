"""Footage: choose a file, show it behind a camera."""

from __future__ import annotations

import bpy
from bpy.props import BoolProperty, StringProperty
from bpy_extras.io_utils import ImportHelper

from .. import messages
from ..character import footage as clips
from ..character import matching
from ..character.footage import MOVIES
from ..errors import UserError

FOOTAGE_FILTER = ";".join(f"*{ending}" for ending in MOVIES)


class ADAPT_MOTION_OT_choose_footage(bpy.types.Operator, ImportHelper):
    """Choose a video file, or a folder of images. It is shown behind a camera"""

    bl_idname, bl_label, bl_options = "adapt_motion.choose_footage", "Choose Footage", {"REGISTER", "UNDO"}

    filepath: StringProperty(name="File", description="The footage", subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_glob: StringProperty(default=FOOTAGE_FILTER, options={"HIDDEN"})
    filter_image: BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})
    filter_folder: BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})
    as_background: BoolProperty(
        name="Behind a Camera", description="Show the footage behind a camera in the 3D View", default=True
    )
    as_strip: BoolProperty(
        name="Sequencer Strip", description="Also put the footage into the video sequencer", default=False
    )

    match_new: BoolProperty(
        name="Match New Scene",
        description="Give a scene that is as Blender starts with the footage's frame rate, range, resolution and view",
        default=True,
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """A file that was dropped comes with its path; else ask."""
        return self.execute(context) if self.filepath else super().invoke(context, event)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Take it and show it. Footage that Blender cannot show may still be footage to the engine."""
        from ..run import people, results

        scene = context.scene
        is_new = self.match_new and matching.is_new(scene)
        clips.choose(scene, self.filepath)
        try:
            clips.load(scene, as_background=self.as_background, as_strip=self.as_strip)
        except UserError as error:
            self.report({"WARNING"}, str(error))
        if is_new and scene.adapt_motion.movie_clip is not None:
            matching.start_scene(context)
        people.load_pictures(scene)
        results.look(scene)
        return {"FINISHED"}


class ADAPT_MOTION_OT_show_footage(bpy.types.Operator):
    """Load the footage as a Movie Clip and show it behind a camera; a scene of your own keeps its frame rate"""

    bl_idname, bl_label, bl_options = "adapt_motion.show_footage", "Show Footage", {"REGISTER", "UNDO"}

    as_strip: BoolProperty(
        name="Sequencer Strip", description="Also put the footage into the video sequencer", default=False
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs footage."""
        if not context.scene.adapt_motion.footage:
            cls.poll_message_set(messages.tr(messages.NO_FOOTAGE))
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Load and show it."""
        is_new = matching.is_new(context.scene)
        try:
            clips.load(context.scene, as_strip=self.as_strip)
        except UserError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        if is_new:
            matching.start_scene(context)
        return {"FINISHED"}


_CLASSES = [ADAPT_MOTION_OT_choose_footage, ADAPT_MOTION_OT_show_footage]

if hasattr(bpy.types, "FileHandler"):  # 4.1 and later; before, a file may be dropped onto the field Footage

    class ADAPT_MOTION_FH_footage(bpy.types.FileHandler):
        """Videos dropped onto the 3D View."""

        bl_idname, bl_label = "ADAPT_MOTION_FH_footage", "Adapt Motion: Footage"
        bl_import_operator = "adapt_motion.choose_footage"
        bl_file_extensions = ";".join(MOVIES)

        @classmethod
        def poll_drop(cls, context: bpy.types.Context) -> bool:
            """In the 3D View."""
            return context.area is not None and context.area.type == "VIEW_3D"

    _CLASSES.append(ADAPT_MOTION_FH_footage)

register, unregister = bpy.utils.register_classes_factory(_CLASSES)
