"""The list of weak stretches: read, and gone to."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from typing import Any

import bpy
from bpy.props import IntProperty

from .. import messages
from ..character import chosen, pins, review
from ..errors import UserError
from ..run import clip_run
from .pins import OfCharacter


class ADAPT_MOTION_OT_review(OfCharacter, bpy.types.Operator):
    """List the stretches to look at: hidden or unsure limbs, motion unlike its label, feet that slide"""

    bl_idname, bl_label, bl_options = "adapt_motion.review", "Review", {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Read the engine's report."""
        try:
            count = review.read(chosen.character_of(context))
        except UserError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.report({"INFO"}, messages.tr(messages.TO_LOOK_AT, count=count))
        return {"FINISHED"}


class ADAPT_MOTION_OT_go_to_weak(OfCharacter, bpy.types.Operator):
    """Go to the middle of this stretch"""

    bl_idname, bl_label, bl_options = "adapt_motion.go_to_weak", "Go There", {"REGISTER", "INTERNAL"}

    index: IntProperty(name="Stretch", description="Which one", min=0)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Go there."""
        armature = chosen.character_of(context)
        if self.index >= len(armature.adapt_motion_weak):
            return {"CANCELLED"}
        stretch = armature.adapt_motion_weak[self.index]
        armature.adapt_motion_weak_index = self.index
        context.scene.frame_set(round(pins.frame_of(armature, (stretch.start_s + stretch.end_s) / 2)))
        return {"FINISHED"}


def read_new(_scene, imported: Any) -> Generator[None, None, None]:
    """Fill the lists of characters that come in; a clip without a report has none."""
    for person in imported.people:
        with contextlib.suppress(UserError):
            review.read(person.armature)
        yield


_CLASSES = (ADAPT_MOTION_OT_review, ADAPT_MOTION_OT_go_to_weak)
_register, _unregister = bpy.utils.register_classes_factory(_CLASSES)


def register() -> None:
    """Register the operators, and read what comes in."""
    _register()
    clip_run.after_import(read_new)


def unregister() -> None:
    """Undo `register`."""
    clip_run.not_after_import(read_new)
    _unregister()
