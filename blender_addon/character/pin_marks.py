"""Where pins are in the view: a place for each joint, keypoint or part that is pinned."""

from __future__ import annotations

import json
from dataclasses import dataclass

from mathutils import Vector

from ..blender import timing
from . import chosen, pins

STANDS = {
    "left_foot": "left_ankle", "right_foot": "right_ankle", "left_hand": "left_wrist", "right_hand": "right_wrist",
    "seat": "pelvis",
}  # fmt: skip
"""The joint that shows where a part of the body stands."""


@dataclass(frozen=True)
class Mark:
    """A pin in the world: `place` in metres, and whether it binds at the frame that is looked at."""

    place: Vector
    is_now: bool


def marks(armature, frame: float) -> list[Mark]:
    """What the ticked pins of a character hold. Rotations and what stands show at their own frames alone, where the
    bones are; places show always. Without the clip's motion there are none."""
    action = chosen.action_of(armature)
    if action is None or timing.KEY_START not in action:
        return []
    found: list[Mark] = []
    for pin in armature.adapt_motion_pins:
        if not pin.use:
            continue
        entry = json.loads(pin.entry)
        if entry["kind"] == "pose":
            now = abs(pins.frame_of(armature, entry["time_s"]) - frame) < 0.5
            places = entry.get("positions", {})
            found += [Mark(armature.matrix_world @ Vector(place), now) for place in places.values()]
            turned = [name for name in entry.get("rotations", {}) if name not in places]
            found += _at_bones(armature, turned) if now else []
        elif entry["kind"] == "contact":
            first, last = (pins.frame_of(armature, entry[name]) for name in ("start_s", "end_s"))
            if entry.get("at"):
                found.append(Mark(armature.matrix_world @ Vector(entry["at"]), first - 0.5 < frame < last + 0.5))
            elif first - 0.5 < frame < last + 0.5:
                found += _at_bones(armature, [STANDS[entry["part"]]])
    return found


def _at_bones(armature, names: list[str]) -> list[Mark]:
    bones = [armature.pose.bones.get(name) for name in names]
    return [Mark(armature.matrix_world @ bone.head, True) for bone in bones if bone is not None]
