"""A root bone on the ground that carries the travel: what Unreal reads as root motion."""

from __future__ import annotations

import bpy
import numpy as np

from ..blender import bones as bone_arrays
from ..blender import pose_curves, rotations
from ..blender.pose_curves import Poses

NAME = "root"


def add(armature, hips: str) -> None:
    """Move travel and heading of the hips to the topmost bone above them; without one, to a new bone `root`.

    The copy must be in the context's view layer, in object mode, and have no curves of its own.
    """
    poses = pose_curves.read(armature)
    orientation, heads = poses.forward()
    names = poses.bones.names
    placing = bone_arrays.placing(armature)
    number = poses.bones.index(hips)
    above = poses.bones.ancestors(number)
    root = names[above[-1]] if above else _new_bone(armature, hips, placing.scale)
    skeleton = bone_arrays.read(armature, [*names, root])
    turns, places = np.empty((len(heads), len(skeleton.names), 4)), np.empty((len(heads), len(skeleton.names), 3))
    for name in names:
        turns[:, skeleton.index(name)] = orientation[:, names.index(name)]
        places[:, skeleton.index(name)] = heads[:, names.index(name)]
    top = skeleton.index(root)
    turned = rotations.multiply(orientation[:, number], rotations.inverse(poses.bones.rest[number]))
    to_world = placing.turn
    in_world = rotations.multiply(rotations.multiply(to_world, turned), rotations.inverse(to_world))
    heading = rotations.about_z(np.unwrap(rotations.yaw(in_world)))
    local = rotations.multiply(rotations.multiply(rotations.inverse(to_world), heading), to_world)
    turns[:, top] = rotations.multiply(local, skeleton.rest[top])
    ground = placing.points(heads[:, number])
    ground[:, 2] = placing.origin[2]
    places[:, top] = placing.local_points(ground)
    _write(armature, skeleton, turns, places, top, poses)


def _new_bone(armature, hips: str, scale: float) -> str:
    """Put a bone above the hips; gives back its name."""
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    try:
        edit = armature.data.edit_bones
        bone = edit.new(NAME)
        bone.head, bone.tail, bone.roll = (0, 0, 0), (0, 0.2 / scale, 0), 0.0
        edit[hips].parent = bone
        name = bone.name
    finally:
        bpy.ops.object.mode_set(mode="OBJECT")
    armature.pose.bones[name].rotation_mode = "QUATERNION"
    return name


def _write(armature, skeleton, turns, places, top: int, poses: Poses) -> None:
    """Key the root, and what hangs from it so that it stays where it was."""
    given = np.ones(len(skeleton.names), dtype=bool)
    own = bone_arrays.own_turns(skeleton, turns.copy(), given)
    which = [top, *skeleton.children(top)]
    locations = {}
    for bone in which:
        above = skeleton.parents[bone]
        locations[bone] = bone_arrays.location_for(skeleton, bone, turns[:, above], places[:, above], places[:, bone])
    kinds = np.zeros((len(turns), len(given)), dtype=np.int32)
    for name in poses.bones.names:
        kinds[:, skeleton.index(name)] = poses.kinds[:, poses.bones.index(name)]
    keyed = np.zeros(len(given), dtype=bool)
    keyed[which] = True
    moved = Poses(poses.frames, skeleton, own, locations, keyed, kinds)
    pose_curves.write(armature, moved.with_turns(own))
