"""A root bone on the ground that carries the travel: what Unreal reads as root motion."""

from __future__ import annotations

import bpy
import numpy as np

from . import bones as bone_arrays
from . import pose_curves, rotations
from .pose_curves import Poses

NAME = "root"


def add(armature) -> None:
    """Put a bone `root` under the pelvis of an exported copy, and move its travel and heading there.

    The copy must be in the context's view layer, in object mode, and have no curves of its own.
    """
    poses = pose_curves.read(armature)
    orientation, heads = poses.forward()
    hips = poses.bones.index("pelvis")
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    try:
        edit = armature.data.edit_bones
        bone = edit.new(NAME)
        bone.head, bone.tail, bone.roll = (0, 0, 0), (0, 0.2, 0), 0.0
        edit["pelvis"].parent = bone
    finally:
        bpy.ops.object.mode_set(mode="OBJECT")
    armature.pose.bones[NAME].rotation_mode = "QUATERNION"
    change = rotations.multiply(orientation[:, hips], rotations.inverse(poses.bones.rest[hips]))
    heading = np.unwrap(rotations.yaw(change))
    root_turn, place = rotations.about_z(heading), heads[:, hips] * [1, 1, 0]
    skeleton = bone_arrays.read(armature, ["pelvis"])  # root and pelvis
    wanted = np.stack([root_turn, orientation[:, hips]], axis=1)
    turns = bone_arrays.own_turns(skeleton, wanted, np.array([True, True]))
    location = bone_arrays.location_for(skeleton, 1, root_turn, place, heads[:, hips])
    kinds = np.repeat(poses.kinds[:, hips, None], 2, axis=1)
    moved = Poses(poses.frames, skeleton, turns, {0: place, 1: location}, np.array([True, True]), kinds)
    pose_curves.write(armature, moved.with_turns(turns))
