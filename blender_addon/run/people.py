"""Who is in the footage: the list that the engine fills, with a picture of each."""

from __future__ import annotations

import contextlib
import os

import bpy
import bpy.utils.previews

_pictures = None
"""Blender's preview collection; pictures by path."""


def take(scene, footage: str, found: list[dict]) -> None:
    """Fill the list of people from the engine's `people` event.

    Args:
        scene: whose list.
        footage: what the people were found in, as the scene has it.
        found: for each person the values of `engine/output/people_summary.py`.
    """
    settings = scene.adapt_motion
    ticked = {person.number for person in settings.people if person.use} if settings.people_of == footage else None
    settings.people.clear()
    for one in found:
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


@bpy.app.handlers.persistent
def _after_load(*_arguments) -> None:
    for scene in bpy.data.scenes:
        load_pictures(scene)


def register() -> None:
    """Load pictures when a file is opened."""
    global _pictures
    _pictures = bpy.utils.previews.new()
    bpy.app.handlers.load_post.append(_after_load)


def unregister() -> None:
    """Undo `register`."""
    global _pictures
    bpy.app.handlers.load_post.remove(_after_load)
    bpy.utils.previews.remove(_pictures)
    _pictures = None
