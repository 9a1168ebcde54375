"""Keypoints over the footage: white where they were detected, orange where they were filled in.

Drawn into 3D Views that look through the footage's camera, and into Movie Clip Editors that show the footage.
"""

from __future__ import annotations

from typing import Any

import bpy

from ..blender import compat, drawing
from ..character import clip_times, keypoints

DETECTED_COLOUR, FILLED_COLOUR = (1.0, 1.0, 1.0, 0.9), (1.0, 0.45, 0.05, 0.95)
LINE_COLOUR = (1.0, 1.0, 1.0, 0.35)
SIZE_PX = 4.0

BONES = (
    ("left_shoulder", "right_shoulder"), ("left_hip", "right_hip"), ("left_shoulder", "left_hip"),
    ("right_shoulder", "right_hip"), ("left_shoulder", "left_elbow"), ("left_elbow", "left_wrist"),
    ("right_shoulder", "right_elbow"), ("right_elbow", "right_wrist"), ("left_hip", "left_knee"),
    ("left_knee", "left_ankle"), ("right_hip", "right_knee"), ("right_knee", "right_ankle"),
)  # fmt: skip

_handles: list[tuple[Any, Any]] = []


def _draw_in_view() -> None:
    """In a 3D View: through the camera that took the footage, so that pixels become directions."""
    from bpy_extras.view3d_utils import location_3d_to_region_2d

    context = bpy.context
    scene, region = context.scene, context.region_data
    if not scene.adapt_motion.show_keypoints:
        return
    camera = drawing.camera_of_view(scene, context.space_data, region)
    if camera is None:
        return
    for armature in keypoints.seen_by(scene, camera):
        motion = keypoints.known(armature)
        if motion is None:
            continue
        drawn = {}
        for name, x, y, detected in keypoints.points_at(scene, armature, scene.frame_current_final):
            place = camera.matrix_world @ keypoints.direction(motion, x, y)
            pixel = location_3d_to_region_2d(context.region, region, place)
            if pixel is not None:
                drawn[name] = (pixel.x, pixel.y, detected)
        _draw(drawn)


def _draw_in_clip_editor() -> None:
    """In a Movie Clip Editor, whose view counts in parts of the picture, y up."""
    context = bpy.context
    scene, space = context.scene, context.space_data
    if not scene.adapt_motion.show_keypoints or space.clip is None:
        return
    view = context.region.view2d
    for armature in keypoints.seen_in(scene, space.clip):
        drawn = {}
        straight = space.clip_user.use_render_undistorted
        is_mirrored = space.clip.get(clip_times.MIRRORED)  # editors show it as it was filmed
        for name, x, y, detected in keypoints.points_at(
            scene, armature, scene.frame_current_final, as_filmed=not straight
        ):
            pixel = view.view_to_region(1 - x if is_mirrored else x, 1 - y, clip=False)
            drawn[name] = (*pixel, detected)
        _draw(drawn)


def _draw(points: dict[str, tuple[float, float, bool]]) -> None:
    """Lines between the points, and a diamond on each."""
    if not points:
        return
    import gpu
    from gpu_extras.batch import batch_for_shader

    shader = compat.shader_2d()
    gpu.state.blend_set("ALPHA")
    lines = [points[name][:2] for bone in BONES if all(name in points for name in bone) for name in bone]
    layers = [("LINES", lines, LINE_COLOUR)]
    for detected, colour in ((True, DETECTED_COLOUR), (False, FILLED_COLOUR)):
        corners = []
        for x, y, seen in points.values():
            if seen is detected:
                size = SIZE_PX if seen else SIZE_PX * 1.4
                left, right, up, down = (x - size, y), (x + size, y), (x, y + size), (x, y - size)
                corners += [left, down, right, left, right, up]
        layers.append(("TRIS", corners, colour))
    for kind, places, colour in layers:
        if places:
            shader.bind()
            shader.uniform_float("color", colour)
            batch_for_shader(shader, kind, {"pos": places}).draw(shader)
    gpu.state.blend_set("NONE")


class ADAPT_MOTION_OT_toggle_keypoints(bpy.types.Operator):
    """Draw the keypoints over the footage: white where they were seen, orange where they were filled in"""

    bl_idname, bl_label, bl_options = "adapt_motion.toggle_keypoints", "Show Keypoints", {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Switch it; the files are read when it is switched on."""
        settings = context.scene.adapt_motion
        settings.show_keypoints = not settings.show_keypoints
        if settings.show_keypoints:
            keypoints.load(context.scene)
        return {"FINISHED"}


_CLASSES = (ADAPT_MOTION_OT_toggle_keypoints,)


@bpy.app.handlers.persistent
def _after_load(*_arguments) -> None:
    for scene in bpy.data.scenes:
        if scene.adapt_motion.show_keypoints:
            keypoints.load(scene)


def register() -> None:
    """Register the operator and begin to draw."""
    for cls in _CLASSES:
        bpy.utils.register_class(cls)
    bpy.app.handlers.load_post.append(_after_load)
    _handles.extend(drawing.begin_over_footage(_draw_in_view, _draw_in_clip_editor))


def unregister() -> None:
    """Undo `register`."""
    drawing.end_over_footage(_handles)
    bpy.app.handlers.load_post.remove(_after_load)
    keypoints.forget()
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)
