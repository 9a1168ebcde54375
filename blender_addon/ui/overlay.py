"""Keypoints over the footage: white where they were detected, orange where they were filled in.

Drawn into 3D Views that look through the footage's camera, and into Movie Clip Editors that show the footage.
"""

from __future__ import annotations

import threading
from fractions import Fraction
from typing import Any

import bpy

from ..blender import compat, timing

DETECTED_COLOUR, FILLED_COLOUR = (1.0, 1.0, 1.0, 0.9), (1.0, 0.45, 0.05, 0.95)
LINE_COLOUR = (1.0, 1.0, 1.0, 0.35)
SIZE_PX = 4.0

BONES = (
    ("left_shoulder", "right_shoulder"), ("left_hip", "right_hip"), ("left_shoulder", "left_hip"),
    ("right_shoulder", "right_hip"), ("left_shoulder", "left_elbow"), ("left_elbow", "left_wrist"),
    ("right_shoulder", "right_elbow"), ("right_elbow", "right_wrist"), ("left_hip", "left_knee"),
    ("left_knee", "left_ankle"), ("right_hip", "right_knee"), ("right_knee", "right_ankle"),
)  # fmt: skip

_known: dict[str, Any] = {}
"""Path of a motion file to its `Motion`; None where it could not be read."""
_handles: list[tuple[Any, Any]] = []
_reader: threading.Thread | None = None


def remember(motions: list[Any]) -> None:
    """Keep motions for drawing."""
    _known.update({str(motion.path): motion for motion in motions})


def load(scene) -> None:
    """Read the motion files of the scene's characters that are not known; beside Blender, if it has windows."""
    global _reader
    from ..character import scene as scenes

    wanted = {item.get(scenes.PERSON) for item in scene.objects if item.type == "ARMATURE"} - {None, "", *_known}
    paths = {path: bpy.path.abspath(path) for path in wanted}
    if bpy.app.background or not paths:
        _read(paths)
        return
    _reader = threading.Thread(target=_read, args=(paths,), name="adapt-motion keypoints", daemon=True)
    _reader.start()
    if not bpy.app.timers.is_registered(_show_when_read):
        bpy.app.timers.register(_show_when_read, first_interval=0.05)


def _read(paths: dict[str, str]) -> None:
    """Read motion files, by the path that the armature names; touches no data of Blender's."""
    from ..character import motion_io
    from ..errors import UserError

    for name, path in paths.items():
        try:
            _known[name] = motion_io.read_motion(path)
        except UserError:  # noqa: PERF203
            _known[name] = None


def _show_when_read() -> float | None:
    from ..run import running

    if _reader is not None and _reader.is_alive():
        return 0.05
    running.redraw()
    return None


def points_at(scene, armature, frame: float, as_filmed: bool = False) -> list[tuple[str, float, float, bool]]:
    """Keypoints of a character at a frame of the scene: name, x and y in parts of the picture (y down), detected or
    filled in. Those that are neither are left out.

    The picture is that of the pinhole camera that the motion belongs to or, `as_filmed`, the footage itself, whose lens
    may distort and zoom.
    """
    from ..character import keying
    from ..character import scene as scenes

    motion = _known.get(armature.get(scenes.PERSON, ""))
    animation = armature.animation_data
    if motion is None or not animation or not animation.action or not motion.keypoint_names:
        return []
    action = animation.action
    rate = Fraction(action.get(keying.KEY_RATE, str(timing.scene_rate(scene))))
    seconds = (frame - action.get(keying.KEY_START, 1.0)) / float(rate)
    row = int(motion.timestamps.searchsorted(seconds + 1e-4, side="right")) - 1
    if not 0 <= row < motion.frame_count or seconds > motion.timestamps[-1] + 1 / float(motion.rate):
        return []
    width, height = motion.image_size
    filmed = motion.keypoints2d_footage if as_filmed else None
    places = motion.keypoints2d if filmed is None else filmed
    points = zip(motion.keypoint_names, places[row], motion.keypoints2d_origin[row], strict=True)
    return [
        (name, float(point[0]) / width, float(point[1]) / height, int(origin) == 1)
        for name, point, origin in points
        if origin
    ]


def characters(scene) -> list[Any]:
    """Armatures of the scene that came from footage and are shown."""
    from ..character import scene as scenes

    return [item for item in scene.objects if item.type == "ARMATURE" and scenes.PERSON in item and item.visible_get()]


def _draw_in_view() -> None:
    """In a 3D View: through the camera that took the footage, so that pixels become directions."""
    from bpy_extras.view3d_utils import location_3d_to_region_2d

    from ..character import scene as scenes

    context = bpy.context
    scene, region = context.scene, context.region_data
    if not scene.adapt_motion.show_keypoints or region is None or region.view_perspective != "CAMERA":
        return
    space = context.space_data
    camera = space.camera if space.use_local_camera else scene.camera
    if camera is None or camera.type != "CAMERA":
        return
    for armature in characters(scene):
        motion = _known.get(armature.get(scenes.PERSON, ""))
        if motion is None:
            continue
        drawn = {}
        for name, x, y, detected in points_at(scene, armature, scene.frame_current_final):
            place = camera.matrix_world @ direction(motion, x, y)
            pixel = location_3d_to_region_2d(context.region, region, place)
            if pixel is not None:
                drawn[name] = (pixel.x, pixel.y, detected)
        _draw(drawn)


def direction(motion, x: float, y: float):
    """Point one metre before the camera, in Blender's camera axes, that is seen at x, y (parts of the picture)."""
    from mathutils import Vector

    width, height = motion.image_size
    lens = motion.intrinsics
    right = (x * width - lens[0, 2]) / lens[0, 0]
    down = (y * height - lens[1, 2]) / lens[1, 1]
    return Vector((right, -down, -1.0))


def _draw_in_clip_editor() -> None:
    """In a Movie Clip Editor, whose view counts in parts of the picture, y up."""
    context = bpy.context
    scene, space = context.scene, context.space_data
    if not scene.adapt_motion.show_keypoints or space.clip is None or space.clip != scene.adapt_motion.movie_clip:
        return
    view = context.region.view2d
    for armature in characters(scene):
        drawn = {}
        straight = space.clip_user.use_render_undistorted
        for name, x, y, detected in points_at(scene, armature, scene.frame_current_final, as_filmed=not straight):
            pixel = view.view_to_region(x, 1 - y, clip=False)
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
            load(context.scene)
        return {"FINISHED"}


_CLASSES = (ADAPT_MOTION_OT_toggle_keypoints,)


@bpy.app.handlers.persistent
def _after_load(*_arguments) -> None:
    for scene in bpy.data.scenes:
        if scene.adapt_motion.show_keypoints:
            load(scene)


def register() -> None:
    """Register the operator and begin to draw."""
    for cls in _CLASSES:
        bpy.utils.register_class(cls)
    bpy.app.handlers.load_post.append(_after_load)
    for space, function in (
        (bpy.types.SpaceView3D, _draw_in_view),
        (bpy.types.SpaceClipEditor, _draw_in_clip_editor),
    ):
        _handles.append((space, space.draw_handler_add(function, (), "WINDOW", "POST_PIXEL")))


def unregister() -> None:
    """Undo `register`."""
    while _handles:
        space, handle = _handles.pop()
        space.draw_handler_remove(handle, "WINDOW")
    bpy.app.handlers.load_post.remove(_after_load)
    if bpy.app.timers.is_registered(_show_when_read):
        bpy.app.timers.unregister(_show_when_read)
    _known.clear()
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)
