"""How well a rig does what the source does, by what Blender shows."""

from __future__ import annotations

import bpy
import numpy as np
import synthetic
from adapt_motion.blender_addon.blender import filters
from adapt_motion.blender_addon.retarget import bone_maps
from mathutils import Matrix

SEGMENTS = (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist"))
LIMBS = [(f"{side}_{upper}", f"{side}_{lower}") for side in ("left", "right") for upper, lower in SEGMENTS]
STRAIGHT = ("pelvis", "spine3", "neck", "head", "left_collar", "right_collar")
"""Bones whose joints lie at different places in different rigs: they are to turn alike from the rest pose."""


def presets() -> list:
    maps, troubles = bone_maps.read_all(bone_maps.FOLDER)
    assert not troubles
    return maps


def map_for(rig):
    return bone_maps.best(presets(), rig.data.bones.keys())


def heads(armature, bones: dict[str, str]) -> dict[str, np.ndarray]:
    return {joint: np.array(armature.matrix_world @ armature.pose.bones[bone].head) for joint, bone in bones.items()}


def turns(armature, bones: dict[str, str]) -> dict[str, np.ndarray]:
    """How each bone is turned in the world from its rest pose."""
    world = armature.matrix_world.to_3x3().normalized()
    found = {}
    for joint, bone in bones.items():
        pose, rest = armature.pose.bones[bone].matrix.to_3x3().normalized(), armature.data.bones[bone].matrix_local
        found[joint] = np.array(world @ pose @ rest.to_3x3().normalized().inverted() @ world.inverted())
    return found


def degrees_between(one: np.ndarray, two: np.ndarray) -> float:
    if one.ndim == 2:
        return float(np.degrees(np.arccos(np.clip((np.trace(one.T @ two) - 1) / 2, -1, 1))))
    return float(np.degrees(np.arccos(np.clip(one @ two / np.linalg.norm(one) / np.linalg.norm(two), -1, 1))))


def judge(source, rig, bones: dict[str, str], touching: np.ndarray, about_z: float = 0.0) -> tuple[dict, np.ndarray]:
    """Worst difference in degrees by joint, and (T, 4, 3) places of ankles and balls of the feet."""
    worst: dict[str, float] = {}
    feet = []
    names = {name: name for name in synthetic.NAMES}
    turned = np.array(Matrix.Rotation(about_z, 3, "Z"))
    for frame in range(1, len(touching) + 1):
        bpy.context.scene.frame_set(frame)
        wanted, got = heads(source, names), heads(rig, bones)
        for upper, lower in LIMBS:
            angle = degrees_between(turned @ (wanted[lower] - wanted[upper]), got[lower] - got[upper])
            worst[upper] = max(worst.get(upper, 0), angle)
        straight = {joint: bones[joint] for joint in STRAIGHT if joint in bones}
        ours, theirs = turns(source, {joint: joint for joint in straight}), turns(rig, straight)
        for joint in straight:
            angle = degrees_between(turned @ ours[joint] @ turned.T, theirs[joint])
            worst[joint] = max(worst.get(joint, 0), angle)
        feet.append([got[f"{side}_{joint}"] for side in ("left", "right") for joint in ("ankle", "foot")])
    return worst, np.array(feet)


def slip(feet: np.ndarray, touching: np.ndarray) -> float:
    """Largest distance of a foot from where it stands, in metres."""
    return max(
        float(np.linalg.norm(feet[start:end, column] - feet[start:end, column].mean(0), axis=1).max())
        for column in range(4)
        for start, end in filters.runs(touching[:, column] > 0.5)
    )


def touches(person) -> np.ndarray:
    with np.load(person.motion.path) as motion:
        return motion["contacts"]
