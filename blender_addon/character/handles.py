"""Handles to pose a character by hands, feet, elbows, knees, hips and head, and taken away again.

A handle is an empty that hangs from the armature; constraints of the bones follow it. They hold at one frame alone, so
that the motion before and after is as it was. What was posed is keyed when the handles go.
"""

from __future__ import annotations

import math
from typing import Any

import bpy
from mathutils import Vector

MARK, FRAME = "adapt_motion_handle", "adapt_motion_handle_frame"
"""Custom properties of a handle: its joint, and the frame that it is for."""
PREFIX = "Adapt Motion handle"
"""How the constraints' names begin."""

CHAINS = {
    **{f"{side}_wrist": (f"{side}_shoulder", f"{side}_elbow") for side in ("left", "right")},
    **{f"{side}_ankle": (f"{side}_hip", f"{side}_knee") for side in ("left", "right")},
    "head": ("spine3", "neck"),
}
"""Joint to the two bones that bring it to its handle."""
POLES = {"wrist": "elbow", "ankle": "knee"}
JOINTS = (*CHAINS, *(f"{side}_{part}" for side in ("left", "right") for part in ("elbow", "knee")), "pelvis")
_AWAY_M, _STRAIGHT_M = 0.3, 0.01
_SIZE_M = {"wrist": 0.06, "ankle": 0.07, "elbow": 0.04, "knee": 0.04, "head": 0.12, "pelvis": 0.18}
_LEAST_RAD, _LEAST_M = 1e-3, 1e-4


def of(armature) -> dict[str, Any]:
    """Joint to its handle; empty where there are none."""
    return {item[MARK]: item for item in armature.children if MARK in item}


def joint_of(thing) -> str:
    """The joint that an object is the handle of, '' if it is none."""
    return thing.get(MARK, "") if thing is not None else ""


def frame_of(armature) -> int | None:
    """The frame that the handles are for; None without handles."""
    return next((item[FRAME] for item in of(armature).values()), None)


def add(armature, scene) -> None:
    """Put handles on an armature with the 24 bones, as it is posed at the current frame; those of before go first."""
    remove(armature, scene)
    scene.frame_set(scene.frame_current)
    for joint, (upper, lower) in CHAINS.items():
        bones = armature.pose.bones[upper], armature.pose.bones[lower]
        handle = _empty(armature, scene, joint, bones[1].tail)
        hold = _constraint(bones[1], "IK", scene.frame_current)
        hold.target, hold.chain_count, hold.use_stretch = handle, 2, False
        side, _, part = joint.partition("_")
        if part in POLES:
            pole = _pole_place(side, *bones)
            hold.pole_target = _empty(armature, scene, f"{side}_{POLES[part]}", pole)
            hold.pole_angle = _pole_angle(*bones, pole)
    pelvis = armature.pose.bones["pelvis"]
    _constraint(pelvis, "COPY_LOCATION", scene.frame_current).target = _empty(armature, scene, "pelvis", pelvis.head)
    scene.frame_set(scene.frame_current)


def remove(armature, scene) -> int:
    """Take the handles away and key what was posed with them; gives back how many bones that are."""
    handles = of(armature)
    if not handles:
        drop(armature)
        return 0
    now, frame = scene.frame_current, frame_of(armature)
    scene.frame_set(frame)
    posed = {bone.name: _own(armature, bone) for bone in armature.pose.bones}
    drop(armature)
    bpy.data.batch_remove(ids=list(handles.values()))
    scene.frame_set(frame)
    changed = [bone for bone in armature.pose.bones if _differs(_own(armature, bone), posed[bone.name])]
    for bone in changed:
        _, turn, _ = posed[bone.name].decompose()
        key(bone, frame, turn)
        if bone.parent is None:
            bone.location = posed[bone.name].to_translation()
            bone.keyframe_insert("location", frame=frame)
    scene.frame_set(now)
    return len(changed)


def drop(armature) -> None:
    """Take the constraints off an armature's bones; it is as if there had been no handles."""
    for bone in armature.pose.bones:
        for one in [one for one in bone.constraints if one.name.startswith(PREFIX)]:
            one.driver_remove("influence")
            bone.constraints.remove(one)


def key(bone, frame: float, turn: Any) -> None:
    """Key a bone as it is turned, however it is brought there."""
    if bone.rotation_mode == "QUATERNION":
        bone.rotation_quaternion = turn if turn.dot(bone.rotation_quaternion) >= 0 else -turn
        bone.keyframe_insert("rotation_quaternion", frame=frame)
    else:
        bone.rotation_euler = turn.to_euler(bone.rotation_mode, bone.rotation_euler)
        bone.keyframe_insert("rotation_euler", frame=frame)


def _own(armature, bone) -> Any:
    """(4, 4) how a bone is posed against its parent, constraints among it."""
    return armature.convert_space(pose_bone=bone, matrix=bone.matrix, from_space="POSE", to_space="LOCAL")


def _differs(one, other) -> bool:
    turned = one.to_quaternion().rotation_difference(other.to_quaternion()).angle
    moved = (one.to_translation() - other.to_translation()).length
    return min(turned, 2 * math.pi - turned) > _LEAST_RAD or moved > _LEAST_M


def _empty(armature, scene, joint: str, place: Vector) -> Any:
    empty = bpy.data.objects.new(f"{armature.name} {joint.replace('_', ' ')}", None)
    empty[MARK], empty[FRAME] = joint, scene.frame_current
    empty.empty_display_type = "CUBE" if joint == "pelvis" else "SPHERE"
    empty.empty_display_size = _SIZE_M[joint.rpartition("_")[2]]
    empty.show_in_front, empty.hide_render = True, True
    (armature.users_collection or (scene.collection,))[0].objects.link(empty)
    empty.parent, empty.location = armature, place
    return empty


def _constraint(bone, kind: str, frame: int) -> Any:
    """A constraint that holds at one frame."""
    constraint = bone.constraints.new(kind)
    constraint.name = f"{PREFIX} {bone.name}"
    driver = constraint.driver_add("influence").driver
    driver.type, driver.expression = "SCRIPTED", f"abs(frame - {frame}) < 0.5"
    return constraint


def _pole_place(side: str, upper, lower) -> Vector:
    """A little away from the middle joint, to where it bends; a straight limb bends as limbs do."""
    along = (lower.tail - upper.head).normalized()
    out = (lower.head - upper.head) - along * along.dot(lower.head - upper.head)
    if out.length < _STRAIGHT_M:
        out = -upper.z_axis if upper.name.endswith("hip") else upper.x_axis * (-1.0 if side == "left" else 1.0)
        out = out - along * along.dot(out)
    return lower.head + out.normalized() * _AWAY_M


def _pole_angle(upper, lower, pole: Vector) -> float:
    """The angle at which the solver leaves a limb as it is: between the upper bone's x and z axes, seen along the limb,
    the direction of the pole."""
    along = (lower.tail - upper.head).normalized()
    across = along.orthogonal().normalized()
    up = along.cross(across)
    x, z, wanted = ((one.dot(across), one.dot(up)) for one in (upper.x_axis, upper.z_axis, pole - upper.head))
    area = x[0] * z[1] - x[1] * z[0]
    sign = 1.0 if area >= 0 else -1.0
    cosine = sign * (wanted[0] * z[1] - wanted[1] * z[0])
    sine = sign * (x[0] * wanted[1] - x[1] * wanted[0])
    return math.atan2(sine, cosine)
