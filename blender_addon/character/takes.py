"""Takes: what comes of one person of one clip in several runs. Each has a name of its own; one is shown at a time."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import bpy

from ..blender import compat
from . import clip_times, run_files


def suffix(names: Iterable[str], collection: str) -> str:
    """What is put to the names of a new take: nothing for the first, ` take 2` for the second.

    Args:
        names: of the armatures of the first take.
        collection: name of its collection.
    """
    number, end, wanted = 1, "", list(names)
    while f"{collection}{end}" in bpy.data.collections or any(f"{name}{end}" in bpy.data.objects for name in wanted):
        number += 1
        end = f" take {number}"
    return end


def of(scene, armature) -> list[Any]:
    """Armatures of `scene` with the takes of the person that `armature` is, in the order of their names' numbers."""
    return sorted((item for item in scene.objects if _is_same_person(item, armature)), key=lambda one: _order(one.name))


def show(scene, armature) -> None:
    """Show this take alone of its person."""
    for item in of(scene, armature):
        for part in (item, *(child for child in item.children if child.type == "MESH")):
            for curve in compat.curves_of(part):  # a body that hides outside of its shot
                if curve.data_path == "hide_render":
                    curve.mute = item != armature
            part.hide_render = item != armature
            with contextlib.suppress(RuntimeError):  # left out of the view layer
                part.hide_set(item != armature)


def export_path(armature, ending: str) -> str:
    """Where a file of `armature` is offered to be written: beside its motion file, with the number of its take."""
    motion = Path(armature.get(clip_times.PERSON, "") or bpy.path.clean_name(armature.name))
    name, _, number = armature.name.rpartition(" take ")
    end = f" take {number}" if name and number.isdigit() else ""
    return str(motion.with_name(f"{run_files.person_of(motion)}{end}{ending}"))


def _is_same_person(item, armature) -> bool:
    if item.type != "ARMATURE" or not item.get(clip_times.PERSON) or not clip_times.of_one_clip(item, armature):
        return False
    return run_files.person_of(item[clip_times.PERSON]) == run_files.person_of(armature.get(clip_times.PERSON, ""))


def _order(name: str) -> tuple[int, str]:
    number = name.rpartition(" take ")[2]
    return (int(number) if number.isdigit() else 1, name)
