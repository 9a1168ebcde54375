"""Seen and filled-in motion put on layers of the NLA, and joined again."""

from __future__ import annotations

import bpy
from bpy.props import BoolProperty

from .. import messages
from ..character import chosen, layers
from ..errors import UserError


class _OfArmature:
    """Of operators on a character's motion, or on a rig that it was retargeted to."""

    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs an armature with motion that is the file's own."""
        armature = chosen.armature_of(context)
        if armature is None or armature.library is not None:
            cls.poll_message_set(messages.tr(chosen.NO_MOTION))
            return False
        return True


class ADAPT_MOTION_OT_split_by_evidence(_OfArmature, bpy.types.Operator):
    """Put seen motion on one NLA track and filled-in motion on others, with an influence for each limb"""

    bl_idname, bl_label = "adapt_motion.split_by_evidence", "Split by Evidence"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Split it."""
        from ..retarget import bake

        armature = chosen.armature_of(context)
        try:
            limbs = bake.limbs_of(armature)
            if limbs is None:
                raise UserError(
                    f"The motion of {armature.name} is not of an adapted clip.",
                    "Choose the character, or a rig that it was retargeted to.",
                )
            found = layers.split(armature, limbs.bones)
        except UserError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.report({"INFO"}, messages.tr(messages.LAYERS_SPLIT, limbs=", ".join(found)))
        return {"FINISHED"}


class ADAPT_MOTION_OT_join_layers(_OfArmature, bpy.types.Operator):
    """Write what the layers show into the motion, and take them away"""

    bl_idname, bl_label = "adapt_motion.join_layers", "Join Layers"

    keep: BoolProperty(
        name="Keep", description="Write what is shown; without, the motion is as it was before", default=True
    )

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Join them."""
        layers.join(chosen.armature_of(context), context.scene, self.keep)
        return {"FINISHED"}


_CLASSES = (ADAPT_MOTION_OT_split_by_evidence, ADAPT_MOTION_OT_join_layers)
register, unregister = bpy.utils.register_classes_factory(_CLASSES)
