"""Exported files, read back by Blender."""

from __future__ import annotations

import io
from pathlib import Path

import addon_utils
import bpy
import numpy as np
from adapt_motion.blender_addon.blender import compat


def reimport(path, kind):
    """The armature that Blender reads back, in an empty file at 30 frames a second."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.context.scene.render.fps, bpy.context.scene.render.fps_base = 30, 1.0
    if kind == "fbx":
        addon_utils.enable("io_scene_fbx")
        bpy.ops.import_scene.fbx(filepath=str(path))
    elif kind == "bvh":
        addon_utils.enable("io_anim_bvh")
        from io_anim_bvh import import_bvh

        # 3.4 asks for mode rU, which Debian's Python 3.11 lacks
        import_bvh.open = lambda name, mode="r": io.StringIO(Path(name).read_text())
        bpy.ops.import_anim.bvh(filepath=str(path), frame_start=1, use_fps_scale=True)
    elif kind == "glb":
        addon_utils.enable("io_scene_gltf2")
        np.bool = bool  # 3.4 asks for it, Debian's NumPy has it no more
        bpy.ops.import_scene.gltf(filepath=str(path))
    else:
        bpy.ops.wm.usd_import(filepath=str(path))
    return next(item for item in bpy.context.scene.objects if item.type == "ARMATURE")


def key_frames(armature) -> np.ndarray:
    """(T,) frames of the keys of the curve that has most of them."""
    curves = [[key.co[0] for key in curve.keyframe_points] for curve in compat.curves_of(armature)]
    return np.array(max(curves, key=len))
