"""Keypoints of the characters' motion files, for drawing: read once, kept by path."""

from __future__ import annotations

import threading
from fractions import Fraction
from typing import Any

import bpy

from ..blender import timing
from ..blender.paths import absolute
from . import clip_times, solved_camera
from . import scene as scenes

_known: dict[str, Any] = {}
"""Path of a motion file to its `Motion`; None where it could not be read."""

_reader: threading.Thread | None = None


def remember(motions: list[Any]) -> None:
    """Keep motions for drawing."""
    _known.update({str(motion.path): motion for motion in motions})


def load(scene) -> None:
    """Read the motion files of the scene's characters that are not known; beside Blender, if it has windows."""
    global _reader
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
    from ..errors import UserError
    from . import motion_io

    for name, path in paths.items():
        try:
            _known[name] = motion_io.read_motion(path)
        except UserError:  # noqa: PERF203
            _known[name] = None


def _show_when_read() -> float | None:
    from ..blender import drawing

    if _reader is not None and _reader.is_alive():
        return 0.05
    drawing.redraw()
    return None


def known(armature) -> Any | None:
    """The motion of a character; None while its file is not read, or if it could not be."""
    return _known.get(armature.get(scenes.PERSON, ""))


def read(armature) -> Any:
    """The motion of a character, from its file if it is not known. Raises UserError if that cannot be read."""
    from . import motion_io

    name = armature.get(scenes.PERSON, "")
    if _known.get(name) is None:
        _known[name] = motion_io.read_motion(bpy.path.abspath(name))
    return _known[name]


def forget() -> None:
    """Nothing is known any more, and nothing is waited for."""
    if bpy.app.timers.is_registered(_show_when_read):
        bpy.app.timers.unregister(_show_when_read)
    _known.clear()


def points_at(scene, armature, frame: float, as_filmed: bool = False) -> list[tuple[str, float, float, bool]]:
    """Keypoints of a character at a frame of the scene: name, x and y in parts of the picture (y down), detected or
    filled in. Those that are neither are left out.

    The picture is that of the pinhole camera that the motion belongs to or, `as_filmed`, the footage itself, whose lens
    may distort and zoom.
    """
    motion = known(armature)
    row = None if motion is None or not motion.keypoint_names else row_at(scene, armature, motion, frame)
    if row is None:
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


def row_at(scene, armature, motion: Any, frame: float) -> int | None:
    """The row of a character's motion at a frame of the scene; None where the person is not there."""
    from . import keying

    action = armature.animation_data.action if armature.animation_data else None
    if action is None:
        return None
    rate = Fraction(action.get(keying.KEY_RATE, str(timing.scene_rate(scene))))
    seconds = (frame - action.get(keying.KEY_START, 1.0)) / float(rate)
    row = int(motion.timestamps.searchsorted(seconds + 1e-4, side="right")) - 1
    if not 0 <= row < motion.frame_count or seconds > motion.timestamps[row] + 2 / float(motion.rate):
        return None
    return None if seconds > motion.timestamps[-1] + 1 / float(motion.rate) else row


def characters(scene) -> list[Any]:
    """Armatures of the scene that came from footage and are shown."""
    return [item for item in scene.objects if item.type == "ARMATURE" and scenes.PERSON in item and item.visible_get()]


def seen_by(scene, camera) -> list[Any]:
    """Characters of the clip that `camera` has filmed: the others' keypoints mean nothing in its picture."""
    if camera == solved_camera.camera_object(scene):
        path = absolute(scene.adapt_motion.footage)
        return [item for item in characters(scene) if item.get(clip_times.FOOTAGE) == path]
    return [item for item in characters(scene) if clip_times.of_one_clip(item, camera)]


def seen_in(scene, clip) -> list[Any]:
    """Characters that came from the footage that is the Movie Clip `clip`."""
    filmed = [
        item
        for item in scene.objects
        if item.type == "CAMERA" and any(background.clip == clip for background in item.data.background_images)
    ]
    found = [item for item in characters(scene) if any(clip_times.of_one_clip(item, camera) for camera in filmed)]
    if clip == scene.adapt_motion.movie_clip:
        path = absolute(scene.adapt_motion.footage)
        found += [item for item in characters(scene) if item.get(clip_times.FOOTAGE) == path and item not in found]
    return found


def direction(motion, x: float, y: float):
    """Point one metre before the camera, in Blender's camera axes, that is seen at x, y (parts of the picture)."""
    from mathutils import Vector

    width, height = motion.image_size
    lens = motion.intrinsics
    right = (x * width - lens[0, 2]) / lens[0, 0]
    down = (y * height - lens[1, 2]) / lens[1, 1]
    return Vector((right, -down, -1.0))
