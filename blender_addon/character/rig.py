"""The character: an armature of the 24 SMPL joints, and the mesh that it moves.

The pelvis is the root bone and carries the root motion; there is no bone above it, so the armature is SMPL's tree and
nothing else. At rest the character stands on the floor at the origin in a T-pose, facing -y.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np

from ..blender import axes, steps
from . import figure
from .motion_io import RestBody, Skeleton

LEAF_LENGTHS = {"head": 0.18, "left_hand": 0.08, "right_hand": 0.08, "left_foot": 0.07, "right_foot": 0.07}
SHORTEST_BONE_M = 0.03
WEIGHTS_AT_ONCE = 2000
"""Skinning weights that are set in one step, which takes a few milliseconds."""
CONTINUES_IN = {"pelvis": "spine1", "spine3": "neck"}
"""Which child a bone reaches for where it has several."""


@dataclass(frozen=True)
class Rest:
    """The rest pose in armature space, metres.

    Attributes:
        skeleton: names and tree.
        heads: (24, 3) joints.
        vertices: (V, 3).
    """

    skeleton: Skeleton
    heads: np.ndarray
    vertices: np.ndarray


def rest_pose(body: RestBody, skeleton: Skeleton) -> Rest:
    """SMPL's rest body in Blender's axes, moved up or down onto the floor and sideways to the origin."""
    heads, vertices = axes.rest_to_blender(body.joints), axes.rest_to_blender(body.vertices)
    lowest = vertices[:, 2].min() if len(vertices) else heads[:, 2].min()
    shift = np.array([-heads[0, 0], -heads[0, 1], -lowest])
    return Rest(skeleton, heads + shift, vertices + shift)


def build_armature(name: str, rest: Rest, scene, collection):
    """A new armature object in `collection`, in its rest pose at the world's origin.

    Bones can only be made in edit mode, so `scene` must be the context's and its active object in object mode;
    afterwards the new object is active and nothing else is selected.
    """
    armature = bpy.data.objects.new(name, bpy.data.armatures.new(name))
    collection.objects.link(armature)
    layer = bpy.context.view_layer
    for item in tuple(layer.objects.selected):
        item.select_set(False)
    layer.objects.active = armature
    armature.select_set(True)
    bpy.ops.object.mode_set(mode="EDIT")
    try:
        _make_bones(armature.data.edit_bones, rest)
    finally:
        bpy.ops.object.mode_set(mode="OBJECT")
    for bone in armature.pose.bones:
        bone.rotation_mode = "QUATERNION"
        bone.lock_scale = (True, True, True)
    armature.show_in_front = True
    armature.data.display_type = "OCTAHEDRAL"
    return armature


def build_mesh(name: str, body: RestBody, rest: Rest, armature, collection):
    """A new mesh object of the body, skinned to `armature` and parented to it."""
    thing = steps.finish(mesh_steps(name, body, rest, armature, collection))
    del thing[steps.UNFINISHED], thing.data[steps.UNFINISHED]
    return thing


def look_of(body: RestBody, rest: Rest, look: str) -> figure.Figure:
    """The body in one of `figure.LOOKS`; touches no data of Blender's."""
    return figure.figure(rest.vertices, body.faces, body.weights, rest.heads, rest.skeleton.names, look)


def mesh_steps(
    name: str, body: RestBody, rest: Rest, armature, collection, dressed: figure.Figure | None = None, look: str = ""
) -> Generator[None, None, Any]:
    """`build_mesh` in steps of a few milliseconds; the object comes into `collection` with the last of them.

    `dressed` is what `look_of` made for `look`; without it the body is as its file has it.
    """
    dressed = dressed or look_of(body, rest, figure.PLAIN)
    mesh = _new_mesh(name, dressed.surface.vertices, dressed.surface.faces)
    if look in figure.COLOURS:
        for title, colour in figure.COLOURS[look].items():
            mesh.materials.append(_material(f"{title} {look.title()}", colour))
        mesh.polygons.foreach_set("material_index", dressed.parts.astype(np.int32))
    thing = bpy.data.objects.new(name, mesh)
    thing[steps.UNFINISHED] = mesh[steps.UNFINISHED] = True
    yield
    for joint, bone in enumerate(rest.skeleton.names):
        group = thing.vertex_groups.new(name=bone)
        weights = dressed.surface.weights[:, joint]
        for count, vertex in enumerate(np.flatnonzero(weights > 1e-5).tolist(), 1):
            group.add((vertex,), float(weights[vertex]), "REPLACE")
            if count % WEIGHTS_AT_ONCE == 0:
                yield
        yield
    thing.parent = armature
    modifier = thing.modifiers.new("Armature", "ARMATURE")
    modifier.object = armature
    modifier.use_vertex_groups = True
    collection.objects.link(thing)
    return thing


def _material(name: str, colour: tuple[float, float, float]):
    """The material of this name, made where there is none; all characters share it."""
    material = bpy.data.materials.get(name)
    if material is not None:
        return material
    material = bpy.data.materials.new(name)
    material.diffuse_color, material.roughness = (*colour, 1.0), 0.8
    if material.node_tree is None:
        material.use_nodes = True
    for node in material.node_tree.nodes:
        if node.type == "BSDF_PRINCIPLED":
            node.inputs["Base Color"].default_value, node.inputs["Roughness"].default_value = (*colour, 1.0), 0.8
    return material


def _new_mesh(name: str, vertices: np.ndarray, faces: np.ndarray):
    """A mesh of triangles, smooth; in bulk, since lists of Python numbers take ten times as long."""
    mesh = bpy.data.meshes.new(name)
    mesh.vertices.add(len(vertices))
    mesh.vertices.foreach_set("co", np.ascontiguousarray(vertices, dtype=np.float32).ravel())
    mesh.loops.add(faces.size)
    mesh.loops.foreach_set("vertex_index", np.ascontiguousarray(faces, dtype=np.int32).ravel())
    mesh.polygons.add(len(faces))
    mesh.polygons.foreach_set("loop_start", np.arange(0, faces.size, 3, dtype=np.int32))
    if not bpy.types.MeshPolygon.bl_rna.properties["loop_total"].is_readonly:  # before 4.1
        mesh.polygons.foreach_set("loop_total", np.full(len(faces), 3, dtype=np.int32))
    mesh.polygons.foreach_set("use_smooth", np.ones(len(faces), dtype=bool))
    mesh.update(calc_edges=True)
    return mesh


def _make_bones(edit_bones, rest: Rest) -> None:
    bones = []
    for joint, name in enumerate(rest.skeleton.names):
        directions = axes.bone_axes(name)
        bone = edit_bones.new(name)
        bone.head = rest.heads[joint]
        bone.tail = rest.heads[joint] + directions[:, 1] * _length(joint, rest)
        bone.align_roll(directions[:, 2])
        parent = rest.skeleton.parents[joint]
        if parent >= 0:
            bone.parent = bones[parent]
        bones.append(bone)


def _length(joint: int, rest: Rest) -> float:
    """How far the bone reaches: to its child joint, measured along the bone."""
    name, names = rest.skeleton.names[joint], rest.skeleton.names
    if name in LEAF_LENGTHS:
        return LEAF_LENGTHS[name]
    child = names.index(CONTINUES_IN[name]) if name in CONTINUES_IN else rest.skeleton.parents.index(joint)
    along = (rest.heads[child] - rest.heads[joint]) @ axes.bone_axes(name)[:, 1]
    return max(float(along), SHORTEST_BONE_M)
