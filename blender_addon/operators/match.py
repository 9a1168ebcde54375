"""The scene as a clip wants it (frame rate, range, resolution, view) in one click; or the clips as the scene wants."""

from __future__ import annotations

import bpy
from bpy.props import BoolProperty

from .. import messages
from ..blender import timing
from ..character import chosen, clip_times
from ..character.matching import look_through, match, whose


class ADAPT_MOTION_OT_match_footage(bpy.types.Operator):
    """Give the scene the footage's frame rate, range and resolution, and look through its camera"""

    bl_idname, bl_label, bl_options = "adapt_motion.match_footage", "Match Footage", {"REGISTER", "UNDO"}

    rate: BoolProperty(name="Frame Rate", description="Set the scene's frame rate", default=True)
    frames: BoolProperty(name="Frame Range", description="Set the scene's first and last frame", default=True)
    size: BoolProperty(name="Resolution", description="Set the size of the rendered picture", default=True)
    view: BoolProperty(name="View", description="Look through the footage's camera", default=True)

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs footage that is shown, or a character."""
        if context.scene.adapt_motion.movie_clip is None and chosen.character_of(context) is None:
            cls.poll_message_set(messages.tr(messages.NO_MOVIE_CLIP))
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Set what is wanted; everything follows."""
        scene = context.scene
        character, view = whose(context)
        match(scene, view, character, rate=self.rate, frames=self.frames, size=self.size)
        if self.view and view is not None:
            if scene.camera is None:
                scene.camera = view
            look_through(context, view)
        return {"FINISHED"}


class ADAPT_MOTION_OT_retime_to_scene(bpy.types.Operator):
    """Lay all clips in the scene, with footage, cameras and labels, for its frame rate and resolution"""

    bl_idname, bl_label, bl_options = "adapt_motion.retime_to_scene", "Retime to Scene", {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Lay them."""
        rate = timing.scene_rate(context.scene)
        clip_times.lay(context.scene, rate)
        self.report({"INFO"}, f"Laid out for {messages.rate(float(rate))} frames a second")
        return {"FINISHED"}


_CLASSES = (ADAPT_MOTION_OT_match_footage, ADAPT_MOTION_OT_retime_to_scene)
register, unregister = bpy.utils.register_classes_factory(_CLASSES)
