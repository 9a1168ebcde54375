"""Retarget a character's action onto an armature of the user's, as a new action there."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import Any

import bpy
import numpy as np

from ...engine.files.json_file import parse_json
from ..blender import compat, pose_curves, timing
from ..character import contacts, feet, keying, motion_io
from ..character.scene import PERSON
from ..errors import UserError
from . import transfer
from .bone_maps import JOINTS, BoneMap, faults
from .properties import MAP

SLACK_M = 0.003
"""Metres that planted feet may be off: legs of other proportions then keep their directions better."""

MOST_TURN = math.radians(3)
"""Radians by which legs point elsewhere than the source's, at most, for feet to stand."""

_SHARE = 0.97
"""Share of that which is used: rigs' hips bring a little of their own."""

REPORTED_M = 0.01
"""Metres from which on feet that are off their places are reported."""

_HANDS = ("left_hand", "right_hand")
_RATES = (keying.CLIP_RATE, keying.KEY_RATE, keying.KEY_START)


@dataclass(frozen=True)
class Options:
    """How to retarget.

    Attributes:
        plant_feet: keep the feet where they stand.
        most_turn: radians by which thighs and shins may turn for that.
        in_world: move where the source moves; else from where the target stands.
        rotation: rotation mode for the keyed bones; '' leaves each bone its own.
    """

    plant_feet: bool = True
    most_turn: float = MOST_TURN
    in_world: bool = True
    rotation: str = ""


@dataclass
class Baked:
    """What came of it. `warnings` are plain sentences for the user."""

    action: Any
    frame_count: int
    warnings: list[str] = field(default_factory=list)


def parents_of(armature) -> dict[str, str | None]:
    """Name of each bone's parent."""
    return {bone.name: bone.parent.name if bone.parent else None for bone in armature.data.bones}


def bake(source, target, bone_map: BoneMap, scene, options: Options | None = None) -> Baked:
    """Key the motion of `source` on `target` in a new action, which the target then uses; what it used before is kept.

    Args:
        source: a character of ours, with an action.
        target: any armature object.
        bone_map: bones of the target by SMPL joint.
        scene: gives the frame rate.
        options: defaults without it.

    Raises:
        UserError: there is no motion, the map does not fit, or the rig cannot be moved.
    """
    options = options or Options()
    _check(source, target, bone_map)
    names = motion_io.read_skeleton().names
    joints = {joint: bone for joint, bone in bone_map.bones.items() if bone}
    from_figure = transfer.figure(source, {name: name for name in names})
    to_figure = transfer.figure(target, joints, bone_map.follows)
    if to_figure.bones.locked[to_figure.joints["pelvis"]]:
        raise UserError(
            f"{joints['pelvis']} cannot be moved: it is connected to its parent.",
            "Choose the bone that moves the whole rig for the pelvis, or switch Connected off for it.",
        )
    poses = pose_curves.read(source)
    motion = transfer.moving(from_figure, poses.turns, poses.locations)
    fps = float(timing.scene_rate(scene))
    touching = contacts_of(source, from_figure, motion, poses.frames, fps)
    stand = feet.Stand(fps, slack_m=SLACK_M, most_turn=_SHARE * options.most_turn) if options.plant_feet else None
    result = transfer.retarget(from_figure, to_figure, motion, touching, stand, options.in_world)
    kinds = {bone: poses.kinds[:, from_figure.joints[joint]] for joint, bone in joints.items()}
    action = _write(source, target, bone_map, to_figure, poses.frames, result, kinds, options)
    if contacts.read(source, poses.frames) is not None:
        contacts.key(target, poses.frames, touching)
    warnings = [*_of_feet(result.off_m, poses.frames, options), *_of_constraints(target, bone_map)]
    return Baked(action, len(poses.frames), warnings)


def contacts_of(armature, one: transfer.Figure, motion: transfer.Moving, frames: np.ndarray, fps: float) -> np.ndarray:
    """(T, 4) bool, contacts from the action's curves, or else from how the feet move."""
    known = contacts.read(armature, frames)
    if known is not None:
        return known
    points = np.concatenate([leg.points() for leg in transfer.legs_of(one, motion)], axis=1)
    return feet.touching(contacts.look(points, fps), fps)


def _check(source, target, bone_map: BoneMap) -> None:
    if source is None:
        raise UserError("There is no motion to retarget.", "Adapt a clip, or choose the character as the source.")
    if target is None or target.type != "ARMATURE":
        raise UserError("There is no rig to retarget to.", "Choose your character's armature as the target.")
    if target == source:
        raise UserError("Source and target are the same armature.", "Choose your character's armature as the target.")
    names = motion_io.read_skeleton().names
    if not set(names) <= set(source.data.bones.keys()):
        raise UserError(f"{source.name} is no character of an adapted clip.", "Choose the character as the source.")
    if target.library or target.data is None:
        raise UserError(f"{target.name} is linked from another file.", "Make a library override of it first.")
    troubles = faults(bone_map, parents_of(target))
    if troubles:
        raise UserError(f"The bone map does not fit {target.name}: {' '.join(troubles[:3])}", "Correct the bone map.")


def _new_action(source, target, bone_map: BoneMap):
    """Give the target an action that knows where its motion comes from; what it had before stays in the file."""
    before = target.animation_data.action if target.animation_data else None
    if before is not None and before.users == 1:
        before.use_fake_user = True
    old = source.animation_data.action
    action, _ = compat.new_action(target, f"{old.name} on {target.name}")
    for name in _RATES:
        if name in old:
            action[name] = old[name]
    if PERSON in source:
        action[PERSON] = source[PERSON]
    action[MAP] = json.dumps({"bones": bone_map.bones, "follows": bone_map.follows})
    return action


def _write(source, target, bone_map, one: transfer.Figure, frames, result, kinds: dict, options: Options):
    action = _new_action(source, target, bone_map)
    maker = compat.curve_maker(target)
    root = one.joints["pelvis"]
    for number in np.flatnonzero(result.given).tolist():
        name = one.bones.names[number]
        pose_bone = target.pose.bones[name]
        if options.rotation:
            pose_bone.rotation_mode = options.rotation
        mode = pose_bone.rotation_mode
        turns = pose_curves.smooth_signs(result.turns[:, number : number + 1])[:, 0]
        values = pose_curves.from_quaternions(turns, mode)
        pose_curves.write_channels(maker, name, pose_curves.rotation_property(mode), frames, values, kinds[name])
        if number == root:
            pose_curves.write_channels(maker, name, "location", frames, result.location, kinds[name])
    _key_rest(target, maker, one, result.given, frames[0])
    for name, values in bone_map.properties.items():
        for key, value in values.items():
            if key in target.pose.bones[name]:
                path = f'pose.bones["{bpy.utils.escape_identifier(name)}"]["{bpy.utils.escape_identifier(key)}"]'
                pose_curves.set_keys(maker.replace(path, 0, name), frames[:1], np.array([float(value)]))
    return action


def _key_rest(target, maker, one: transfer.Figure, given: np.ndarray, frame: float) -> None:
    """Bones between those that are keyed were taken to be at rest: key it for those that are posed."""
    for number, name in enumerate(one.bones.names):
        pose_bone = target.pose.bones[name]
        basis = np.array(pose_bone.matrix_basis)
        if given[number] or np.abs(basis - np.eye(4)).max() < 1e-4:
            continue
        mode = pose_bone.rotation_mode
        turn = pose_curves.from_quaternions(np.array([[1.0, 0, 0, 0]]), mode)
        at = np.array([frame])
        pose_curves.write_channels(maker, name, pose_curves.rotation_property(mode), at, turn)
        pose_curves.write_channels(maker, name, "location", at, np.zeros((1, 3)))
        pose_curves.write_channels(maker, name, "scale", at, np.ones((1, 3)))


def _of_feet(off_m: np.ndarray, frames: np.ndarray, options: Options) -> list[str]:
    """A sentence about feet that do not stand where they should: those of the source slide or float."""
    if off_m.max(initial=0) <= REPORTED_M:
        return []
    worst, count = int(off_m.max(1).argmax()), int((off_m.max(1) > REPORTED_M).sum())
    return [
        f"Feet are up to {off_m.max() * 1000:.0f} mm beside where they stand ({count} frames, most at "
        f"{frames[worst]:.0f}): they slide or float in the source, and legs turn by "
        f"{math.degrees(options.most_turn):.0f} degrees at most. "
        "Let legs turn more, or lock the feet afterwards."
    ]


def _of_constraints(target, bone_map: BoneMap) -> list[str]:
    bound = [
        bone
        for bone in bone_map.bones.values()
        if any(not one.mute and one.influence > 0 for one in target.pose.bones[bone].constraints)
    ]
    if not bound:
        return []
    more = f" and {len(bound) - 3} more" if len(bound) > 3 else ""
    return [f"Constraints act on {', '.join(bound[:3])}{more}: mute them if the motion differs."]


def limbs_of(armature) -> BoneMap | None:
    """The map of an armature whose motion is ours: of its action, or that of our own character. None if neither."""
    action = armature.animation_data.action if armature.animation_data else None
    if action is not None and MAP in action:
        try:
            found = parse_json(action[MAP])
            bones = {joint: bone for joint, bone in found["bones"].items() if bone in armature.data.bones}
            return BoneMap("of the action", bones, follows=found["follows"])
        except (ValueError, KeyError, TypeError, AttributeError):
            return None
    named = {joint: joint for joint in (*JOINTS, *_HANDS) if joint in armature.data.bones}
    return BoneMap("SMPL", named) if len(named) == len(JOINTS) + len(_HANDS) else None
