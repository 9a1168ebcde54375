"""The list of people: tick everybody, or nobody; put two together, take one apart."""

from __future__ import annotations

import bpy

from .. import messages
from ..character import label_times
from ..errors import UserError
from ..run import people_edits, run_settings
from .adapt import RunsEngine


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


class _EditsPeople(RunsEngine):
    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a list of the footage, and an engine."""
        if not run_settings.has_people(context.scene.adapt_motion):
            cls.poll_message_set(messages.tr(messages.NO_PEOPLE))
            return False
        return super().poll(context)


class ADAPT_MOTION_OT_merge_people(_EditsPeople, bpy.types.Operator):
    """Make one of two people of the list who are the same. Nothing is detected again"""

    bl_idname, bl_label = "adapt_motion.merge_people", "Merge People"

    other: bpy.props.IntProperty(
        name="Other", description="Number of who is the same as the person that is chosen in the list", default=1, min=1
    )

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Start the engine, which lists them so."""
        settings = context.scene.adapt_motion
        person = people_edits.chosen(settings)
        if self.other == person.number or self.other not in {one.number for one in settings.people}:
            self.report({"ERROR"}, messages.tr(messages.MERGE_WHOM))
            return {"CANCELLED"}
        edits = people_edits.merged(people_edits.of(settings), person.number, self.other)
        return self.run(context, "people", edits=edits)


class ADAPT_MOTION_OT_split_person(_EditsPeople, bpy.types.Operator):
    """Take the chosen person apart: a merge is undone, or it is somebody else from the current frame on"""

    bl_idname, bl_label = "adapt_motion.split_person", "Split Person"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Start the engine, which lists them so."""
        scene = context.scene
        settings = scene.adapt_motion
        second = label_times.seconds(scene, scene.frame_current)
        try:
            edits = people_edits.split(people_edits.of(settings), people_edits.chosen(settings), second)
        except UserError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return self.run(context, "people", edits=edits)


_CLASSES = (ADAPT_MOTION_OT_tick_people, ADAPT_MOTION_OT_merge_people, ADAPT_MOTION_OT_split_person)
register, unregister = bpy.utils.register_classes_factory(_CLASSES)
