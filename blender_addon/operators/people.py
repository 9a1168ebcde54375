"""The list of people: tick everybody, or nobody."""

from __future__ import annotations

import bpy

from .. import messages


class ADAPT_MOTION_OT_tick_people(bpy.types.Operator):
    """Tick everybody in the list, or nobody"""

    bl_idname, bl_label, bl_options = "adapt_motion.tick_people", "Tick Everybody", {"REGISTER", "UNDO"}

    use: bpy.props.BoolProperty(name="Tick", description="Tick, or take the ticks away", default=True)

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a list."""
        if not len(context.scene.adapt_motion.people):
            cls.poll_message_set(messages.tr(messages.NO_PEOPLE))
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Tick them."""
        for person in context.scene.adapt_motion.people:
            person.use = self.use
        return {"FINISHED"}


_CLASSES = (ADAPT_MOTION_OT_tick_people,)
register, unregister = bpy.utils.register_classes_factory(_CLASSES)
