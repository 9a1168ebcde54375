"""The camera that filmed the footage, with the clip behind the character."""

from __future__ import annotations

from pathlib import Path

import bpy
from mathutils import Matrix

from . import axes
from .errors import UserError
from .motion_io import Motion

SENSOR_MM = 36.0


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


def show_footage(camera, footage: Path, start: int):
    """The clip as background of `camera`, its first frame at frame `start`; gives back the movie clip.

    A movie clip that the file already has is used if it starts at the same frame, and never changed.
    Raises UserError if Blender cannot read the footage.
    """
    clip = _load(_first_image(footage), start)
    camera.data.show_background_images = True
    background = camera.data.background_images.new()
    background.source = "MOVIE_CLIP"
    background.clip = clip
    background.alpha = 1.0
    background.frame_method = "FIT"
    background.display_depth = "BACK"
    return clip


def _load(path: Path, start: int):
    for clip in bpy.data.movieclips:
        if clip.frame_start == start and Path(bpy.path.abspath(clip.filepath)) == path:
            return clip
    try:
        clip = bpy.data.movieclips.load(str(path))
    except RuntimeError as error:
        raise UserError(f"Blender cannot show {path}: {error}.", "The motion is not affected.") from error
    clip.frame_start = start
    return clip


def _first_image(footage: Path) -> Path:
    """A folder of images is loaded by its first image."""
    if not footage.is_dir():
        return footage
    images = sorted(path for path in footage.iterdir() if path.suffix.lower() in bpy.path.extensions_image)
    if not images:
        raise UserError(f"{footage} holds no images that Blender can show.", "The motion is not affected.")
    return images[0]
