"""Rigs of the user's own in exports: a plain skeleton with keys at every frame, whatever constraints made them move.

What is exported is a copy, so that it may be taken apart: the motion is looked at frame by frame, control bones go, and
what is left is keyed as it was seen. Rigify's deform bones, which hang from control bones, are hung from each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix

from ..blender import bones as bone_arrays
from ..blender import compat, pose_curves, rotations
from ..retarget import bake, name_guess

DEFORM, ORIGINAL = "DEF-", "ORG-"
"""How Rigify names the bones that move the mesh, and those that they hang from."""


@dataclass
class Seen:
    """How bones moved: `turns` (T, B, 4) orientations and `heads` (T, B, 3) in armature space, by `names`."""

    names: list[str]
    turns: np.ndarray
    heads: np.ndarray


def is_own(armature) -> bool:
    """Whether an armature is a character of ours, which needs none of this."""
    limbs = bake.limbs_of(armature)
    return limbs is not None and limbs.name == "SMPL" and all(joint == bone for joint, bone in limbs.bones.items())


def meshes_of(armature) -> list[Any]:
    """Meshes that go along: children of the armature, and what it deforms in the scenes that it is in."""
    deformed = [
        item
        for scene in armature.users_scene
        for item in scene.objects
        if any(one.type == "ARMATURE" and one.object == armature for one in item.modifiers)
    ]
    children = [item for item in armature.children if not item.name.startswith("WGT-")]
    return [item for item in dict.fromkeys([*children, *deformed]) if item.type == "MESH"]


def settle(armature, scene, frame_end: int) -> str | None:
    """Key a copied rig plainly at the frames 0 to `frame_end` of `scene`, and take away what else moves it.

    Returns:
        The bone that carries the hips; None if nothing shows it.
    """
    hips = hips_of(armature)
    seen = look(armature, scene, frame_end)
    scene.frame_set(0)
    stands = armature.evaluated_get(scene.view_layers[0].depsgraph).matrix_world.copy()
    animation = armature.animation_data
    for driver in list(animation.drivers):
        animation.drivers.remove(driver)
    for pose_bone in armature.pose.bones:
        for constraint in list(pose_bone.constraints):
            pose_bone.constraints.remove(constraint)
    maker = compat.curve_maker(armature)
    for path, index in [(curve.data_path, curve.array_index) for curve in compat.curves_of(armature)]:
        maker.remove(path, index)
    for constraint in list(armature.constraints):
        armature.constraints.remove(constraint)
    armature.parent = None
    armature.matrix_basis = stands
    deform_only = _strip(armature, scene)
    key(armature, seen, np.arange(frame_end + 1, dtype=np.float64))
    if hips not in armature.data.bones and deform_only:
        return max((bone for bone in armature.data.bones if not bone.parent), key=_size).name
    return hips if hips in armature.data.bones else None


def hips_of(armature) -> str | None:
    """Name of the bone that carries the hips, by the map of the action, or else by its name."""
    limbs = bake.limbs_of(armature) or name_guess.guess(bake.parents_of(armature))
    return limbs.bones.get("pelvis")


def look(armature, scene, frame_end: int) -> Seen:
    """What the bones do in `scene`, frame by frame, as seen from where the object is at frame 0."""
    names = [bone.name for bone in armature.data.bones]
    matrices = np.empty((frame_end + 1, len(names), 4, 4))
    start = None
    for frame in range(frame_end + 1):
        scene.frame_set(frame)
        evaluated = armature.evaluated_get(scene.view_layers[0].depsgraph)
        world = np.array(evaluated.matrix_world)
        start = world if start is None else start
        matrices[frame] = np.array([evaluated.pose.bones[name].matrix for name in names])
        if not np.array_equal(world, start):
            matrices[frame] = np.linalg.inv(start) @ world @ matrices[frame]
    axes = matrices[..., :3, :3]
    axes = axes / np.maximum(np.linalg.norm(axes, axis=-2, keepdims=True), 1e-12)  # stretched bones
    return Seen(names, rotations.from_matrices(axes), matrices[..., :3, 3])


def key(armature, seen: Seen, frames: np.ndarray) -> None:
    """Key the bones that an armature has as they were seen; a bone's place only where its parent does not give it."""
    skeleton = bone_arrays.read(armature)
    order = [seen.names.index(name) for name in skeleton.names]
    turns, heads = seen.turns[:, order], seen.heads[:, order]
    own = bone_arrays.own_turns(skeleton, turns.copy(), np.ones(len(order), dtype=bool))
    own = pose_curves.smooth_signs(own)
    maker = compat.curve_maker(armature)
    size = max(float(np.ptp(skeleton.heads, axis=0).max()), 1e-9)
    for number, name in enumerate(skeleton.names):
        pose_bone = armature.pose.bones[name]
        pose_bone.rotation_mode, pose_bone.scale = "QUATERNION", (1, 1, 1)
        above = skeleton.parents[number]
        place = bone_arrays.location_for(skeleton, number, turns[:, above], heads[:, above], heads[:, number])
        pose_bone.location = (0, 0, 0)
        pose_curves.write_channels(maker, name, "rotation_quaternion", frames, own[:, number])
        if np.abs(place).max() > 1e-5 * size:
            pose_curves.write_channels(maker, name, "location", frames, place)


def _strip(armature, scene) -> bool:
    """Leave only deform bones in Rigify's rigs, hung from each other, and free every bone to be moved.

    Returns:
        Whether it is such a rig.
    """
    layer = scene.view_layers[0]
    layer.objects.active = armature
    with compat.scene_override(scene, armature):
        bpy.ops.object.mode_set(mode="EDIT")
        try:
            edit = armature.data.edit_bones
            for bone in edit:
                bone.use_connect = False
                bone.use_inherit_rotation, bone.use_local_location = True, True
            names = {bone.name for bone in edit if bone.name.startswith(DEFORM) and bone.use_deform}
            parents = {name: _deform_parent(edit[name], names) for name in names}
            for name, above in parents.items():
                edit[name].parent = edit[above] if above else None
            for bone in list(edit) if names else ():
                if bone.name not in names:
                    edit.remove(bone)
        finally:
            bpy.ops.object.mode_set(mode="OBJECT")
    return bool(names)


def _size(bone) -> int:
    return len(bone.children_recursive)


def _deform_name(name: str) -> str:
    return DEFORM + name.removeprefix(ORIGINAL)


def _deform_parent(bone, names: set[str]) -> str | None:
    """The nearest deform bone above, or that of the original bone above."""
    above = bone.parent
    while above is not None:
        for name in (above.name, _deform_name(above.name)):
            if name in names and name != bone.name:
                return name
        above = above.parent
    return None


def resize(armature, meshes: list[Any], factor: float) -> None:
    """Bring a copied armature and its meshes to a scale of 1, and to `factor` times their size in the world."""
    own = float(np.mean(armature.matrix_basis.to_scale()))
    share = own * factor
    if abs(share - 1) < 1e-6 and abs(own - 1) < 1e-6:
        return
    local = {item: Matrix.Scale(share, 4) @ item.matrix_parent_inverse @ item.matrix_basis for item in meshes}
    armature.data.transform(Matrix.Scale(share, 4))
    place, turn, _ = armature.matrix_basis.decompose()
    armature.matrix_basis = Matrix.LocRotScale(place * factor, turn, None)
    for curve in compat.curves_of(armature):
        if curve.data_path == "location":
            _scale_curve(curve, factor)
        elif curve.data_path.startswith("pose.bones") and curve.data_path.endswith(".location"):
            _scale_curve(curve, share)
    for item, matrix in local.items():
        place, turn, size = matrix.decompose()
        one = float(np.mean(size))
        if max(abs(axis - one) for axis in size) < 1e-4 * one:
            item.data.transform(Matrix.Scale(one, 4), shape_keys=True)
            size = size / one
        item.matrix_parent_inverse = Matrix.Identity(4)
        item.matrix_basis = Matrix.LocRotScale(place, turn, size)


def _scale_curve(curve, factor: float) -> None:
    for part in ("co", "handle_left", "handle_right"):
        points = np.empty((len(curve.keyframe_points), 2), dtype=np.float32)
        curve.keyframe_points.foreach_get(part, points.ravel())
        points[:, 1] *= factor
        curve.keyframe_points.foreach_set(part, points.ravel())
    curve.update()
