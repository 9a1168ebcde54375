"""The camera that filmed the footage, with the clip behind the character."""

from __future__ import annotations

from fractions import Fraction
from math import radians
from pathlib import Path

import bpy
from mathutils import Matrix

from . import axes, compat, motion_io, timing
from .errors import UserError
from .motion_io import Motion

SENSOR_MM = 36.0
_AHEAD = 50_000


def build_camera(name: str, motion: Motion, scene, collection):
    """A new camera object that sees the person where the footage shows them.

    The longer fit of the sensor is chosen so that the whole frame of the footage is seen whatever the resolution of
    the scene is, as the background (method `FIT`) is.
    """
    width, height = motion.image_size
    data = bpy.data.cameras.new(name)
    focal_x, focal_y = motion.intrinsics[0, 0], motion.intrinsics[1, 1]
    centre_x, centre_y = motion.intrinsics[0, 2], motion.intrinsics[1, 2]
    render = scene.render
    wide = render.resolution_x * render.pixel_aspect_x * height >= render.resolution_y * render.pixel_aspect_y * width
    data.sensor_width = data.sensor_height = SENSOR_MM
    data.sensor_fit = "VERTICAL" if wide else "HORIZONTAL"
    fitted, focal = (height, focal_y) if wide else (width, focal_x)
    data.lens = SENSOR_MM * focal / fitted
    data.shift_x = (width / 2 - centre_x) / fitted
    data.shift_y = (centre_y - height / 2) / fitted
    data.clip_start, data.clip_end = 0.01, 1000.0
    data.show_passepartout = True
    camera = bpy.data.objects.new(name, data)
    camera.matrix_world = Matrix(axes.camera_matrix(motion.camera_to_world).tolist())
    collection.objects.link(camera)
    return camera


def show_footage(camera, footage: Path, motion: Motion, scene, start: int):
    """The clip as background of `camera`, its first frame at frame `start`; gives back the movie clip.

    Raises UserError if Blender cannot read the footage.
    """
    path = _first_image(footage)
    try:
        clip = bpy.data.movieclips.load(str(path))
    except RuntimeError as error:
        raise UserError(f"Blender cannot show {path}: {error}.", "The motion is not affected.") from error
    follow_keys(clip, motion.rate, timing.scene_rate(scene), start)
    camera.data.show_background_images = True
    background = camera.data.background_images.new()
    background.source = "MOVIE_CLIP"
    background.clip = clip
    background.alpha = 1.0
    background.frame_method = "FIT"
    background.display_depth = "BACK"
    turn_upright(camera, motion, scene)
    return clip


def turn_upright(camera, motion: Motion, scene) -> None:
    """Turn and fit the footage behind `camera` if it is stored lying on its side.

    Phones store it so, with a flag that older Blenders do not look at. Blender fits the picture into the frame before
    turning it, so the size depends on the shape of the frame: call this again when the scene's resolution has changed.
    """
    quarters = motion_io.stored_rotation(motion) // 90 % 4
    stored = motion.image_size[::-1] if quarters % 2 else motion.image_size
    render = scene.render
    frame = (render.resolution_x * render.pixel_aspect_x, render.resolution_y * render.pixel_aspect_y)
    wanted, without = (min(frame[0] / size[0], frame[1] / size[1]) for size in (motion.image_size, stored))
    for background in camera.data.background_images if quarters else ():
        done_already = compat.turns_movies_upright() if quarters == 2 else tuple(background.clip.size) != stored
        if not done_already:
            background.rotation, background.scale = radians(90 * quarters), wanted / without


def follow_keys(clip, clip_rate: Fraction, key_rate: Fraction, start: float) -> None:
    """Show that frame of the movie clip for which there is a key, or the last before it.

    A movie clip shows one of its frames at each frame of the scene, at whatever rate that runs. Where keys are laid for
    another rate than the clip's, an F-curve shifts the clip.
    """
    if clip.animation_data and clip.animation_data.action:
        bpy.data.actions.remove(clip.animation_data.action)
    clip.frame_offset = 0
    if clip_rate == key_rate:
        clip.frame_start = round(start)
        return
    clip.frame_start = round(start) + _AHEAD  # shifts are cut to whole numbers, so keep them positive
    _, new_curve = compat.new_action(clip, f"{clip.name} at {float(key_rate):.6g} fps")
    curve = new_curve("frame_offset", 0, "Footage")
    curve.extrapolation = "LINEAR"
    curve.keyframe_points.add(2)
    for key, frames in zip(curve.keyframe_points, (0, 10_000), strict=True):
        key.co = (start + frames, _AHEAD + frames * float(clip_rate / key_rate - 1) + 0.01)
        key.interpolation = "LINEAR"
    curve.update()


def _first_image(footage: Path) -> Path:
    """A folder of images is loaded by its first image."""
    if not footage.is_dir():
        return footage
    images = sorted(path for path in footage.iterdir() if path.suffix.lower() in bpy.path.extensions_image)
    if not images:
        raise UserError(f"{footage} holds no images that Blender can show.", "The motion is not affected.")
    return images[0]
