"""Pins: what the user knows better than the result, kept on the armature and written as the engine's corrections.

A pin is an entry of `corrections.json` (docs/motion-file.md) as JSON, with what the list shows of it. Undo, saving and
linking keep it as they keep any property of an object.
"""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

import bpy
from bpy.props import BoolProperty, CollectionProperty, FloatProperty, IntProperty, StringProperty

from ..blender import compat, timing
from ..errors import UserError
from . import clip_times, handles, run_files
from .chosen import action_of

KEY_TYPE = "EXTREME"
"""Of keys at which something is pinned."""

SIDES = ("left", "right")
LIMBS: dict[str, tuple[str, ...]] = {
    **{f"{side}_arm": tuple(f"{side}_{part}" for part in ("shoulder", "elbow", "wrist", "hand")) for side in SIDES},
    **{f"{side}_leg": tuple(f"{side}_{part}" for part in ("hip", "knee", "ankle", "foot")) for side in SIDES},
    "head": ("neck", "head"),
}
"""Limbs as the engine calls them, and the joints whose rotations are theirs."""

LIMB_ITEMS = tuple((name, name.replace("_", " ").title(), "") for name in LIMBS)


class ADAPT_MOTION_PG_pin(bpy.types.PropertyGroup):
    """Something pinned: what the list shows, and the entry for the engine."""

    use: BoolProperty(name="Use", description="Whether the motion is adapted around it", default=True)
    what: StringProperty(name="What", description="What is pinned")
    time_s: FloatProperty(name="Time", description="Second of the footage", unit="TIME_ABSOLUTE", default=0.0, min=0.0)
    entry: StringProperty(name="Entry", description="What the engine is given, as JSON")


def skeleton(armature) -> list[str]:
    """Names of the 24 joints in SMPL's order. Raises UserError where the armature's bones are called otherwise."""
    from .motion_io import read_skeleton

    names = read_skeleton().names
    missing = [name for name in names if name not in armature.pose.bones]
    if missing:
        raise UserError(
            f"{armature.name} has no bone {missing[0]}: its bones were renamed.",
            "Pin on the armature that Adapt Motion made, and retarget it afterwards.",
        )
    return names


def seconds(armature, frame: float) -> float:
    """Second of the footage at a frame of the scene. Raises UserError for an armature without our motion."""
    action = action_of(armature)
    if action is None or timing.KEY_START not in action:
        raise UserError(f"{armature.name} has no motion of a clip.", "Select the armature of an adapted clip.")
    rate = Fraction(action[timing.KEY_RATE])
    return max(0.0, float((frame - action[timing.KEY_START]) / rate))


def frame_of(armature, time_s: float) -> float:
    """Frame of the scene at a second of the footage."""
    action = action_of(armature)
    return float(action[timing.KEY_START] + time_s * Fraction(action[timing.KEY_RATE]))


def pin_pose(armature, scene, joints: tuple[str, ...] = ()) -> Any:
    """Pin the rotations of joints, of all if none is named, as they are posed at the current frame."""
    from ..blender import axes

    names = skeleton(armature)
    time_s = seconds(armature, scene.frame_current)
    own = {name: _own_turn(armature, name) for name in names}
    turns = axes.poses([[tuple(own[name]) for name in names]], names)[0]
    wanted = joints or tuple(names)
    entry: dict[str, Any] = {"kind": "pose", "time_s": time_s}
    entry["rotations"] = {name: turns[names.index(name)].tolist() for name in wanted}
    if not joints:
        entry["positions"] = {names[0]: list(armature.pose.bones[names[0]].head)}
    what = next((name for name, its in LIMBS.items() if its == tuple(joints)), ", ".join(joints) or "pose")
    _key(armature, scene.frame_current, {name: own[name] for name in wanted})
    return add(armature, what, time_s, entry)


def pin_joint(armature, scene, joint: str) -> Any:
    """Pin a joint to where it is at the current frame."""
    skeleton(armature)
    time_s = seconds(armature, scene.frame_current)
    place = list(armature.pose.bones[joint].head)
    _key(armature, scene.frame_current, {joint: _own_turn(armature, joint)})
    return add(armature, joint, time_s, {"kind": "pose", "time_s": time_s, "positions": {joint: place}})


def pin_from_keys(armature, scene, least_degrees: float) -> int:
    """Pin the bones that the user has turned from what the engine gave; gives back how many pins that are.

    Raises:
        UserError: the motion file is gone, or nothing was changed.
    """
    from . import motion_io, pin_keys

    motion = motion_io.read_motion(armature.get(clip_times.PERSON, ""))
    found = pin_keys.changed_bones(armature, motion, least_degrees)
    if not found:
        raise UserError("No key was changed by as much.", "Pose bones and key them first, or lower the angle.")
    before = scene.frame_current
    for frame, bones in sorted(found.items()):
        scene.frame_set(frame)
        pin_pose(armature, scene, tuple(bones))
    scene.frame_set(before)
    return len(found)


def pin_range(armature, what: str, first: int, last: int, entry: dict[str, Any]) -> Any:
    """Add what holds from one frame to another, both included; `entry` lacks its times."""
    start_s, end_s = (seconds(armature, frame) for frame in (first, last))
    return add_range(armature, what, start_s, end_s, entry)


def add_range(armature, what: str, start_s: float, end_s: float, entry: dict[str, Any]) -> Any:
    """The same by seconds of the footage. Raises UserError if the range ends before it begins."""
    if end_s <= start_s:
        raise UserError("The range ends before it begins.", "Set the preview range to the frames that are meant.")
    return add(armature, what, start_s, {**entry, "start_s": start_s, "end_s": end_s})


def corrections(armature) -> dict[str, Any]:
    """The file for the engine. Raises UserError if nothing is pinned."""
    used = [pin for pin in armature.adapt_motion_pins if pin.use]
    if not used:
        raise UserError("Nothing is pinned.", "Pose the character at a frame and press Pin Pose.")
    number = int(run_files.person_of(armature.get(clip_times.PERSON, "person_1")).split("_")[1])
    return {"format": 1, "corrections": [{**json.loads(pin.entry), "person": number} for pin in used]}


def _own_turn(armature, name: str) -> Any:
    """Quaternion by which a bone is turned from rest against its parent, constraints among it."""
    bone = armature.pose.bones[name]
    local = armature.convert_space(pose_bone=bone, matrix=bone.matrix, from_space="POSE", to_space="LOCAL")
    return local.to_quaternion()


def _key(armature, frame: int, bones: dict[str, Any]) -> None:
    """Keep a pose that is not keyed, or that handles hold, and mark its keys."""
    for name, turn in bones.items():
        handles.key(armature.pose.bones[name], frame, turn)
    paths = {f'pose.bones["{name}"]' for name in bones}
    for curve in compat.curves_of(armature):
        if curve.data_path.rpartition(".")[0] in paths:
            for point in curve.keyframe_points:
                if abs(point.co[0] - frame) < 0.01:
                    point.type = KEY_TYPE


def add(armature, what: str, time_s: float, entry: dict[str, Any]) -> Any:
    """A new pin, in the place of one of the same kind at the same time."""
    for number, pin in enumerate(armature.adapt_motion_pins):
        if pin.what == what and abs(pin.time_s - time_s) < 1e-3:
            armature.adapt_motion_pins.remove(number)
            break
    pin = armature.adapt_motion_pins.add()
    pin.what, pin.time_s, pin.entry = what, time_s, json.dumps(entry)
    armature.adapt_motion_pin_index = len(armature.adapt_motion_pins) - 1
    return pin


def remove(armature, number: int) -> None:
    """Take a pin away. Those after it move up: references to pins are void."""
    armature.adapt_motion_pins.remove(number)
    armature.adapt_motion_pin_index = max(0, min(number, len(armature.adapt_motion_pins) - 1))


def register() -> None:
    """Give objects their pins."""
    bpy.utils.register_class(ADAPT_MOTION_PG_pin)
    bpy.types.Object.adapt_motion_pins = CollectionProperty(type=ADAPT_MOTION_PG_pin)
    bpy.types.Object.adapt_motion_pin_index = IntProperty(name="Pin", description="The pin that is chosen in the list")


def unregister() -> None:
    """Undo `register`."""
    del bpy.types.Object.adapt_motion_pin_index
    del bpy.types.Object.adapt_motion_pins
    bpy.utils.unregister_class(ADAPT_MOTION_PG_pin)
