"""Bodies at other frames, or before adaptation: points for drawing, computed beside Blender's own evaluation.

No object comes into the scene. V vertices, F triangles, B bones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..blender import compat, pose_curves, rotations
from ..errors import UserError
from . import comparison


@dataclass(frozen=True)
class Surface:
    """A skinned body: vertices (V, 3) at rest in the armature's space, triangles (F, 3), weights (V, B) of `bones`."""

    vertices: np.ndarray
    triangles: np.ndarray
    weights: np.ndarray
    bones: list[str]


_surfaces: dict[tuple[str, int], Surface] = {}
_points: dict[tuple, np.ndarray] = {}
_MOST_KEPT = 64


def body_of(armature) -> Any | None:
    """The mesh that an armature of ours moves; None if it has none."""
    return next((item for item in armature.children if item.type == "MESH" and len(item.vertex_groups)), None)


def points_at(armature, frame: float, before: bool = False) -> np.ndarray | None:
    """(V, 3) the body in armature space at a frame of the scene, by the armature's action or the one before
    adaptation; None if there is no body or no such motion."""
    surface = surface_of(armature)
    if surface is None:
        return None
    curves = before_curves(armature) if before else list(compat.curves_of(armature))
    if not curves:
        return None
    key = (armature.name, round(frame, 3), before)
    if key not in _points:
        if len(_points) >= _MOST_KEPT:
            _points.clear()
        try:
            poses = pose_curves.read(armature, np.array([frame]), curves=curves)
        except UserError:
            return None
        _points[key] = _skinned(surface, poses)
    return _points[key]


def before_curves(armature) -> list[Any]:
    """F-curves of the motion before adaptation; empty if there is none."""
    if not comparison.has(armature):
        return []
    tracks = [track for track in armature.animation_data.nla_tracks if track.name == comparison.TRACK]
    actions = [strip.action for track in tracks for strip in track.strips if strip.action]
    return compat.all_curves(actions[0]) if actions else []


def surface_of(armature) -> Surface | None:
    """The body of an armature, read once."""
    mesh = body_of(armature)
    if mesh is None:
        return None
    key = (mesh.data.name, len(mesh.data.vertices))
    if key not in _surfaces:
        _surfaces[key] = _read(mesh)
    return _surfaces[key]


def _read(mesh) -> Surface:
    data = mesh.data
    vertices = np.empty((len(data.vertices), 3), dtype=np.float32)
    data.vertices.foreach_get("co", vertices.ravel())
    data.calc_loop_triangles()
    triangles = np.empty((len(data.loop_triangles), 3), dtype=np.int32)
    data.loop_triangles.foreach_get("vertices", triangles.ravel())
    names = [group.name for group in mesh.vertex_groups]
    weights = np.zeros((len(vertices), len(names)))
    for number, vertex in enumerate(data.vertices):
        for group in vertex.groups:
            weights[number, group.group] = group.weight
    weights /= np.maximum(weights.sum(1, keepdims=True), 1e-9)
    return Surface(vertices.astype(np.float64), triangles, weights, names)


def _skinned(surface: Surface, poses: pose_curves.Poses) -> np.ndarray:
    """(V, 3) of the first of the poses."""
    orientation, heads = poses.forward()
    bones = poses.bones
    moved = np.zeros_like(surface.vertices)
    total = np.zeros((len(surface.vertices), 1))
    for column, name in enumerate(surface.bones):
        if name not in bones.names:
            continue
        number = bones.index(name)
        change = rotations.multiply(orientation[0, number], rotations.inverse(bones.rest[number]))
        own = surface.weights[:, column] > 0
        away = surface.vertices[own] - bones.heads[number]
        placed = rotations.turn(np.broadcast_to(change, (len(away), 4)), away) + heads[0, number]
        share = surface.weights[own, column : column + 1]
        moved[own] += share * placed
        total[own] += share
    return np.where(total > 0, moved / np.maximum(total, 1e-9), surface.vertices)


def forget_poses() -> None:
    """Motion has changed: compute again."""
    _points.clear()


def forget() -> None:
    """Another file is open."""
    _surfaces.clear()
    _points.clear()
