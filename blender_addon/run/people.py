"""Who is in the footage: the list that the engine fills, with a picture of each."""

from __future__ import annotations

import bisect
import contextlib
import functools
import itertools
import json
import os
from typing import Any

import bpy
import bpy.utils.previews

from ...engine.files.json_file import parse_json
from ..character import label_times
from . import people_edits, run_settings

LONGEST_GAP_S, NEAR_S = 1.0, 0.3
"""Boxes farther apart in time than the first are not joined, unless all are; beside one it is drawn for so long."""

_pictures = None
"""Blender's preview collection; pictures by path."""


def take(scene, footage: str, found: list[dict], edits: people_edits.Edits = people_edits.NONE) -> None:
    """Fill the list of people from the engine's `people` event.

    Args:
        scene: whose list.
        footage: what the people were found in, as the scene has it.
        found: for each person the values of `engine/output/people_summary.py`.
        edits: who of them was merged and split.
    """
    settings = scene.adapt_motion
    ticked, chosen = None, 1
    if settings.people_of == footage and len(settings.people):
        known, chosen = {person.number for person in settings.people}, people_edits.chosen(settings).number
        ticked = {person.number for person in settings.people if person.use}
        ticked = people_edits.ticked(ticked, known, people_edits.of(settings), edits)
    settings.people.clear()
    for one in found:
        person = settings.people.add()
        person.number, person.name = one["person"], f"Person {one['person']}"
        person.first_s, person.last_s, person.seen_s = one["first_s"], one["last_s"], one["seen_s"]
        person.occluded = 100 * one["occluded"]
        person.thumbnail, person.stretches = one["thumbnail"], one.get("stretches", 1)
        person.boxes = json.dumps(one.get("boxes", []))
        person.use = one["person"] in ticked if ticked is not None else one["person"] == 1
    numbers = [person.number for person in settings.people]
    settings.people_of, settings.people_index = footage, numbers.index(chosen) if chosen in numbers else 0
    settings.people_edits = edits.as_text()
    load_pictures(scene, again=True)


def boxes_at(scene, frame: float) -> list[tuple[Any, tuple[float, float, float, float]]]:
    """Who of the list is in the footage at a frame of the scene, with left, top, right and bottom in parts of it."""
    settings, now = scene.adapt_motion, label_times.seconds(scene, frame)
    if not run_settings.has_people(settings):
        return []
    found = [(person, _box_at(_boxes(person.boxes), now)) for person in settings.people]
    return [(person, box) for person, box in found if box is not None]


@functools.lru_cache(maxsize=64)
def _boxes(text: str) -> tuple[tuple[float, ...], ...]:
    try:
        return tuple(tuple(map(float, box)) for box in parse_json(text or "[]") if len(box) == 5)
    except (ValueError, TypeError):
        return ()


def _box_at(boxes: tuple[tuple[float, ...], ...], now: float) -> tuple[float, float, float, float] | None:
    """The box at a second, between those that were sent; None where the person is not seen."""
    after = bisect.bisect(boxes, (now + 1e-4,))
    before, following = (boxes[row] if 0 <= row < len(boxes) else None for row in (after - 1, after))
    longest = max(LONGEST_GAP_S, 2.2 * min((two[0] - one[0] for one, two in itertools.pairwise(boxes)), default=0.0))
    if before is not None and following is not None and following[0] - before[0] <= longest:
        share = (now - before[0]) / (following[0] - before[0])
        return tuple(one + share * (other - one) for one, other in zip(before[1:], following[1:], strict=True))
    near = [one for one in (before, following) if one is not None and abs(one[0] - now) <= NEAR_S]
    return tuple(near[0][1:]) if near else None


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
