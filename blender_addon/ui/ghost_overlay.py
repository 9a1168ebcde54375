"""Ghosts in the 3D View: the motion before adaptation over the adapted one, and the adapted one at frames around.

Drawn over the picture; no object comes into the scene, and nothing is rendered or exported.
"""

from __future__ import annotations

import sys
from typing import Any

import bpy

from ..character import chosen, comparison

OTHER = (1.0, 0.55, 0.1, 0.35)
"""Colour of the motion that the slider does not show."""

PAST, FUTURE = (0.2, 0.45, 1.0), (0.2, 0.85, 0.35)
NEAREST_ALPHA, FARTHEST_ALPHA = 0.3, 0.1

_handle: Any = None


def planned(scene, armature) -> list[tuple[float, bool, tuple[float, float, float, float]]]:
    """What is drawn of a character: frame, whether before adaptation, colour; the farthest first."""
    settings, now = scene.adapt_motion, scene.frame_current_final
    found = []
    for number in range(settings.onion_count, 0, -1) if settings.show_onion else ():
        fade = (number - 1) / max(1, settings.onion_count - 1)
        alpha = NEAREST_ALPHA + (FARTHEST_ALPHA - NEAREST_ALPHA) * fade
        for sign, colour in ((-1, PAST), (1, FUTURE)):
            found.append((now + sign * number * settings.onion_step, False, (*colour, alpha)))
    if settings.show_ghost and comparison.has(armature):
        found.append((now, armature.animation_data.action_influence > 0.5, OTHER))
    return found


def _draw() -> None:
    context = bpy.context
    settings = context.scene.adapt_motion
    if not (settings.show_ghost or settings.show_onion):
        return
    armature = chosen.character_of(context)
    if armature is None or not armature.visible_get():
        return
    from ..character import ghost  # needs NumPy

    first, last = _span(armature)
    for frame, before, colour in planned(context.scene, armature):
        if first <= frame <= last:
            points = ghost.points_at(armature, frame, before)
            if points is not None:
                _draw_body(armature, points, colour)


def _span(armature) -> tuple[float, float]:
    action = armature.animation_data.action if armature.animation_data else None
    return tuple(action.frame_range) if action else (0.0, -1.0)


def _draw_body(armature, points, colour) -> None:
    """The surface nearest to the eye alone, so that what lies behind it does not shine through."""
    import gpu
    from gpu_extras.batch import batch_for_shader

    from ..character import ghost

    shader = _shader()
    triangles = ghost.surface_of(armature).triangles
    batch = batch_for_shader(shader, "TRIS", {"pos": points.astype("f4")}, indices=triangles)
    gpu.state.depth_test_set("LESS_EQUAL")
    gpu.state.depth_mask_set(True)
    with gpu.matrix.push_pop():
        gpu.matrix.multiply_matrix(armature.matrix_world)
        shader.bind()
        gpu.state.color_mask_set(False, False, False, False)
        batch.draw(shader)
        gpu.state.color_mask_set(True, True, True, True)
        gpu.state.blend_set("ALPHA")
        shader.uniform_float("color", colour)
        batch.draw(shader)
    gpu.state.blend_set("NONE")
    gpu.state.depth_mask_set(False)
    gpu.state.depth_test_set("NONE")


def _shader():
    import gpu

    try:
        return gpu.shader.from_builtin("UNIFORM_COLOR")
    except ValueError:
        return gpu.shader.from_builtin("3D_UNIFORM_COLOR")


@bpy.app.handlers.persistent
def _after_change(_scene, depsgraph=None) -> None:
    if depsgraph is not None and any(isinstance(update.id, bpy.types.Action) for update in depsgraph.updates):
        _forget("forget_poses")


@bpy.app.handlers.persistent
def _after_undo(*_arguments) -> None:
    _forget("forget")


def _forget(what: str) -> None:
    """Nothing is known where nothing was drawn: NumPy is not imported for it."""
    module = sys.modules.get(f"{chosen.__package__}.ghost")
    if module is not None:
        getattr(module, what)()


_HANDLERS = (
    ("depsgraph_update_post", _after_change),
    ("undo_post", _after_undo),
    ("redo_post", _after_undo),
    ("load_post", _after_undo),
)


def register() -> None:
    """Begin to draw."""
    global _handle
    _handle = bpy.types.SpaceView3D.draw_handler_add(_draw, (), "WINDOW", "POST_VIEW")
    for name, handler in _HANDLERS:
        getattr(bpy.app.handlers, name).append(handler)


def unregister() -> None:
    """Undo `register`."""
    global _handle
    bpy.types.SpaceView3D.draw_handler_remove(_handle, "WINDOW")
    _handle = None
    for name, handler in _HANDLERS:
        getattr(bpy.app.handlers, name).remove(handler)
    _forget("forget")
