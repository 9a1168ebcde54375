"""What tests inside Blender look at."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
from synthetic import NAMES


def joints_at(armature, frame: float) -> np.ndarray:
    """(24, 3) heads of the bones in the world at a frame of the context's scene."""
    bpy.context.scene.frame_set(int(np.floor(frame)), subframe=float(frame - np.floor(frame)))
    return np.array([armature.matrix_world @ armature.pose.bones[name].head for name in NAMES])


def worst_distance(armature, frames: np.ndarray, wanted: np.ndarray) -> float:
    """Largest distance in metres between bone heads and (T, 24, 3) joints at (T,) frames."""
    got = np.stack([joints_at(armature, frame) for frame in frames])
    return float(np.linalg.norm(got - wanted, axis=-1).max())


def counts() -> dict[str, int]:
    """How many data-blocks of each kind there are."""
    kinds = ("objects", "meshes", "armatures", "actions", "scenes", "collections", "cameras", "movieclips", "worlds")
    return {kind: len(getattr(bpy.data, kind)) for kind in kinds}


def fbx_nodes(path: Path):
    """The root element of an FBX file."""
    import addon_utils

    addon_utils.enable("io_scene_fbx", default_set=False)
    from io_scene_fbx import parse_fbx

    return parse_fbx.parse(str(path))[0]


def children(node, name: bytes) -> list:
    """Child elements of that name."""
    return [child for child in node.elems if child is not None and child.id == name]


def properties(node) -> dict[str, tuple]:
    """The `Properties70` of an element."""
    return {
        item.props[0].decode(): item.props[4:]
        for block in children(node, b"Properties70")
        for item in children(block, b"P")
    }
