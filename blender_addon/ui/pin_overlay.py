"""Pins in the 3D View: a filled diamond where something is pinned at this frame, a small one for other frames."""

from __future__ import annotations

from typing import Any

import bpy

from ..blender import compat
from ..character import chosen, pin_marks

NOW, OTHER = (0.25, 0.9, 0.35, 1.0), (0.25, 0.9, 0.35, 0.35)
NOW_PX, OTHER_PX = 7.0, 4.0

_handle: Any = None


def _draw() -> None:
    from bpy_extras.view3d_utils import location_3d_to_region_2d

    context = bpy.context
    armature = chosen.character_of(context)
    overlay = context.space_data.overlay
    if armature is None or not armature.visible_get() or not overlay.show_overlays or not armature.adapt_motion_pins:
        return
    found = pin_marks.marks(armature, context.scene.frame_current_final)
    for is_now, colour, size in ((False, OTHER, OTHER_PX), (True, NOW, NOW_PX)):
        pixels = [location_3d_to_region_2d(context.region, context.region_data, one.place)
                  for one in found if one.is_now is is_now]  # fmt: skip
        _draw_diamonds([pixel for pixel in pixels if pixel is not None], colour, size)


def _draw_diamonds(pixels: list[Any], colour, size: float) -> None:
    if not pixels:
        return
    import gpu
    from gpu_extras.batch import batch_for_shader

    size *= bpy.context.preferences.system.ui_scale
    corners = []
    for x, y in pixels:
        left, right, up, down = (x - size, y), (x + size, y), (x, y + size), (x, y - size)
        corners += [left, down, right, left, right, up]
    shader = compat.shader_2d()
    gpu.state.blend_set("ALPHA")
    shader.bind()
    shader.uniform_float("color", colour)
    batch_for_shader(shader, "TRIS", {"pos": corners}).draw(shader)
    gpu.state.blend_set("NONE")


def register() -> None:
    """Begin to draw."""
    global _handle
    _handle = bpy.types.SpaceView3D.draw_handler_add(_draw, (), "WINDOW", "POST_PIXEL")


def unregister() -> None:
    """Undo `register`."""
    global _handle
    bpy.types.SpaceView3D.draw_handler_remove(_handle, "WINDOW")
    _handle = None
