"""The camera: take what Blender knows of it."""

from __future__ import annotations

import bpy

from ..character import solved_camera
from ..errors import UserError


class ADAPT_MOTION_OT_read_camera(bpy.types.Operator):
    """Say what Blender knows of the footage's camera, as the engine would get it"""

    bl_idname, bl_label, bl_options = "adapt_motion.read_camera", "Check Camera", {"REGISTER"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Report the focal length, and over how many frames the camera is solved."""
        try:
            found = solved_camera.describe(context.scene)
        except UserError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        if found is None:
            self.report({"INFO"}, "The engine guesses the focal length")
        else:
            self.report({"INFO"}, solved_camera.summary(found))
        return {"FINISHED"}


_CLASSES = (ADAPT_MOTION_OT_read_camera,)
register, unregister = bpy.utils.register_classes_factory(_CLASSES)
