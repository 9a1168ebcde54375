"""Who is in the footage: the list that the engine fills, with a picture of each."""

from __future__ import annotations

import contextlib
import os

import bpy
import bpy.utils.previews

from .. import messages, texts

_pictures = None
"""Blender's preview collection; pictures by path."""


def take(scene, footage: str, told: list[dict]) -> None:
    """Fill the list of people from the engine's `people` event.

    Args:
        scene: whose list.
        footage: what the people were found in, as the scene has it.
        told: for each person what `engine/output/findings.py` says.
    """
    settings = scene.adapt_motion
    ticked = {person.number for person in settings.people if person.use} if settings.people_of == footage else None
    settings.people.clear()
    for one in told:
        person = settings.people.add()
        person.number, person.name = one["person"], f"Person {one['person']}"
        person.first_s, person.last_s, person.seen_s = one["first_s"], one["last_s"], one["seen_s"]
        person.occluded = 100 * one["occluded"]
        person.thumbnail = one["thumbnail"]
        person.use = one["person"] in ticked if ticked is not None else one["person"] == 1
    settings.people_of, settings.people_index = footage, 0
    load_pictures(scene, again=True)


def load_pictures(scene, again: bool = False) -> None:
    """Have the pictures of the scene's people ready for drawing; `again` if files of the same names are new."""
    if _pictures is None:
        return
    for person in scene.adapt_motion.people:
        path = bpy.path.abspath(person.thumbnail)
        if again and path in _pictures:
            del _pictures[path]
        if path and path not in _pictures and os.path.isfile(path):
            with contextlib.suppress(KeyError):
                _pictures.load(path, path, "IMAGE")


def picture(person) -> int:
    """Number of the icon with a person's picture; 0 if there is none."""
    path = bpy.path.abspath(person.thumbnail)
    return _pictures[path].icon_id if _pictures is not None and path in _pictures else 0


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


class ADAPT_MOTION_UL_people(bpy.types.UIList):
    """People with a tick, a picture, their time in view and how much of them is hidden."""

    def draw_item(self, context, layout, data, item, icon, active_data, active_property, index=0, flag=0) -> None:
        """One person."""
        layout.use_property_split = False
        row = layout.row()
        row.prop(item, "use", text="")
        number = picture(item)
        if number:
            row.template_icon(icon_value=number, scale=3.0)
        column = row.column(align=True)
        column.scale_y = 0.8
        column.label(text=f"{item.name}: {item.seen_s:.1f} s", icon="NONE" if number else "USER", translate=False)
        times = (messages.duration(item.first_s), messages.duration(item.last_s))
        column.label(text=messages.tr(texts.IN_VIEW, first=times[0], last=times[1]))
        column.label(text=messages.tr(texts.HIDDEN, percent=item.occluded))


_CLASSES = (ADAPT_MOTION_OT_tick_people, ADAPT_MOTION_UL_people)


@bpy.app.handlers.persistent
def _after_load(*_arguments) -> None:
    for scene in bpy.data.scenes:
        load_pictures(scene)


def register() -> None:
    """Register the classes, and load pictures when a file is opened."""
    global _pictures
    for cls in _CLASSES:
        bpy.utils.register_class(cls)
    _pictures = bpy.utils.previews.new()
    bpy.app.handlers.load_post.append(_after_load)


def unregister() -> None:
    """Undo `register`."""
    global _pictures
    bpy.app.handlers.load_post.remove(_after_load)
    bpy.utils.previews.remove(_pictures)
    _pictures = None
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)
