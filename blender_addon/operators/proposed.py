"""Takes for a hidden stretch: proposed, kept, or taken away."""

from __future__ import annotations

import bpy

from .. import messages
from ..character import chosen, proposed
from ..run import takes_run
from .pins import PinOperator


class ADAPT_MOTION_OT_propose_takes(PinOperator, bpy.types.Operator):
    """Propose up to eight other motions for what is hidden at the current frame, best first, each on an NLA track"""

    bl_idname, bl_label = "adapt_motion.propose_takes", "Propose Takes"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Lay them into the NLA."""
        found: list[int | None] = []
        result = self.done(lambda armature: found.append(takes_run.propose(context, armature)))
        if found and found[0]:
            self.report({"INFO"}, messages.tr(messages.TAKES_PROPOSED, count=found[0]))
        return result


class _WithTakes(PinOperator):
    """Of operators on takes that are proposed."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs some."""
        armature = chosen.character_of(context)
        return armature is not None and proposed.proposed(armature) > 0


class ADAPT_MOTION_OT_keep_take(_WithTakes, bpy.types.Operator):
    """Write the take that is shown into the motion"""

    bl_idname, bl_label = "adapt_motion.keep_take", "Keep"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Write it."""
        from ..character import take_keys

        return self.done(take_keys.keep)


class ADAPT_MOTION_OT_discard_takes(_WithTakes, bpy.types.Operator):
    """Take the proposed takes away; the motion is as it was"""

    bl_idname, bl_label = "adapt_motion.discard_takes", "Discard"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Take them away."""
        return self.done(proposed.discard)


_CLASSES = (ADAPT_MOTION_OT_propose_takes, ADAPT_MOTION_OT_keep_take, ADAPT_MOTION_OT_discard_takes)
register, unregister = bpy.utils.register_classes_factory(_CLASSES)
