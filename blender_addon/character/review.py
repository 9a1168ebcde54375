"""Weak stretches of a character's motion, as the engine's report has them: where to look first."""

from __future__ import annotations

import math
from pathlib import Path

import bpy
from bpy.props import CollectionProperty, FloatProperty, IntProperty, StringProperty

from ...engine.files.json_file import read_json
from ..errors import UserError
from . import clip_times, run_files

REASONS = {"hidden": "hidden", "unsure": "unsure", "label": "unlike its label", "slide": "slides"}
"""Why a stretch is weak, in words."""
_MOST = 1000


class ADAPT_MOTION_PG_weak(bpy.types.PropertyGroup):
    """A stretch to look at. Times are seconds of the footage."""

    start_s: FloatProperty(name="From", description="When it begins", unit="TIME_ABSOLUTE")
    end_s: FloatProperty(name="To", description="When it ends", unit="TIME_ABSOLUTE")
    limb: StringProperty(name="Limb", description="Which limb; empty for the whole body")
    why: StringProperty(name="Why", description="Why it is to be looked at")


def read(armature) -> int:
    """Fill the list of an armature from the report beside its motion file; gives back how many stretches there are.

    Raises:
        UserError: there is no report, or it is none of this version.
    """
    path = Path(armature.get(clip_times.PERSON, ""))
    report = path.with_name("report.json")
    name = f"{run_files.person_of(path)}.npz"
    try:
        people = [one for one in read_json(report)["people"] if one["motion"] == name]
        found = [_stretch(part) for one in people for part in one["review"]][:_MOST]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{report} is no report of this version.", "Adapt the clip again.") from error
    armature.adapt_motion_weak.clear()
    for start, end, limb, why in found:
        item = armature.adapt_motion_weak.add()
        item.start_s, item.end_s, item.limb, item.why = start, end, limb, why
    return len(found)


def _stretch(part) -> tuple[float, float, str, str]:
    start, end = float(part["start_s"]), float(part["end_s"])
    if not (math.isfinite(start) and math.isfinite(end)):
        raise ValueError("not a time")
    return start, end, str(part["limb"])[:40], REASONS[part["why"]]


def register() -> None:
    """Give objects their list."""
    bpy.utils.register_class(ADAPT_MOTION_PG_weak)
    bpy.types.Object.adapt_motion_weak = CollectionProperty(type=ADAPT_MOTION_PG_weak)
    bpy.types.Object.adapt_motion_weak_index = IntProperty(name="Stretch", description="The stretch that is chosen")


def unregister() -> None:
    """Undo `register`."""
    del bpy.types.Object.adapt_motion_weak_index
    del bpy.types.Object.adapt_motion_weak
    bpy.utils.unregister_class(ADAPT_MOTION_PG_weak)
