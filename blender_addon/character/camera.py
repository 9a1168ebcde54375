"""The camera that filmed the footage, with the clip behind the character."""

from __future__ import annotations

import itertools
from fractions import Fraction
from math import hypot, radians
from pathlib import Path

import bpy
from mathutils import Matrix

from ..blender import axes, compat, timing
from ..errors import UserError
from . import motion_io
from .motion_io import Motion

FOOTAGE = "adapt_motion_footage"
"""Custom property of cameras that show footage: its path."""

SENSOR_MM = 36.0
_AHEAD = 50_000


def build_camera(name: str, motion: Motion, scene, collection):
    """A new camera object that sees the person where the footage shows them."""
    camera = _new_camera(name)
    aim(camera, motion, scene)
    collection.objects.link(camera)
    return camera


def aim(camera, motion: Motion, scene) -> None:
    """Give a camera of ours the lens and the place of the one that took the footage of `motion`."""
    _set_lens(camera.data, motion.intrinsics.tolist(), motion.image_size, scene)
    camera.matrix_world = Matrix(axes.camera_matrix(motion.camera_to_world).tolist())


def footage_camera(scene, footage: Path, clip):
    """The camera of `scene` that shows `footage`, made if there is none; what it sees is guessed until motion is there.

    It stands at eye height and looks along +y, with the image diagonal as its focal length, as the engine guesses it.
    """
    camera = camera_of_footage(scene, footage)
    if camera is None:
        width, height = clip.size if all(clip.size) else (1920, 1080)
        camera = _new_camera(f"{footage.stem} camera")
        camera[FOOTAGE] = str(footage)
        focal = hypot(width, height)
        lens = [[focal, 0.0, width / 2], [0.0, focal, height / 2], [0.0, 0.0, 1.0]]
        _set_lens(camera.data, lens, (width, height), scene)
        camera.location, camera.rotation_euler = (0.0, -4.0, 1.5), (radians(90), 0.0, 0.0)
        scene.collection.objects.link(camera)
    show_clip(camera, clip)
    return camera


def camera_of_footage(scene, footage: Path):
    """The camera that `footage_camera` made for a clip, if it is in the scene and may be changed."""
    for item in scene.objects:
        if item.type == "CAMERA" and item.get(FOOTAGE) == str(footage) and item.library is None:
            return item
    return None


def _new_camera(name: str):
    data = bpy.data.cameras.new(name)
    data.clip_start, data.clip_end = 0.01, 1000.0
    data.show_passepartout = True
    return bpy.data.objects.new(name, data)


def _set_lens(data, intrinsics: list[list[float]], image_size: tuple[int, int], scene) -> None:
    """Lens and shift of a camera with `intrinsics`, 3 x 3 pixels; the keys of a lens that zoomed go."""
    if data.animation_data and data.animation_data.action:
        bpy.data.actions.remove(data.animation_data.action)
    data.sensor_width = data.sensor_height = SENSOR_MM
    data.sensor_fit = "VERTICAL" if _fits_upright(image_size, scene) else "HORIZONTAL"
    data.lens, data.shift_x, data.shift_y = _lens(intrinsics, image_size, scene)


def _fits_upright(image_size: tuple[int, int], scene) -> bool:
    """Whether the rendered picture is wider in shape than the footage.

    The longer fit of the sensor is chosen so that the whole frame of the footage is seen whatever the resolution of
    the scene is, as the background (method `FIT`) is.
    """
    width, height = image_size
    render = scene.render
    return render.resolution_x * render.pixel_aspect_x * height >= render.resolution_y * render.pixel_aspect_y * width


def _lens(intrinsics: list[list[float]], image_size: tuple[int, int], scene) -> tuple[float, float, float]:
    """Focal length in millimetres and both shifts of a camera with `intrinsics`, 3 x 3 pixels."""
    width, height = image_size
    fitted, side = (height, 1) if _fits_upright(image_size, scene) else (width, 0)
    focal, centre_x, centre_y = intrinsics[side][side], intrinsics[0][2], intrinsics[1][2]
    return SENSOR_MM * focal / fitted, (width / 2 - centre_x) / fitted, (centre_y - height / 2) / fitted


def show_footage(camera, footage: Path, motion: Motion, scene, start: int):
    """The clip as background of `camera`, its first frame at frame `start`; gives back the movie clip.

    Raises UserError if Blender cannot read the footage.
    """
    clip = load_clip(footage)
    follow_keys(clip, motion.rate, timing.scene_rate(scene), start)
    show_clip(camera, clip)
    if motion.keypoints2d_footage is not None:  # a lens without distortion cannot show it as it was filmed
        for background in camera.data.background_images:
            background.clip_user.use_render_undistorted = background.clip == clip
    turn_upright(camera, motion, scene)
    return clip


def load_clip(footage: Path):
    """The footage as a Movie Clip, the one that is there if there is one. Raises UserError if it is unreadable."""
    path = _first_image(footage)
    try:
        return bpy.data.movieclips.load(str(path), check_existing=True)
    except RuntimeError as error:
        raise UserError(f"Blender cannot show {path}: {error}.", "The motion is not affected.") from error


def show_clip(camera, clip) -> None:
    """Have `clip` behind what `camera` sees, once."""
    camera.data.show_background_images = True
    if any(background.clip == clip for background in camera.data.background_images):
        return
    background = camera.data.background_images.new()
    background.source = "MOVIE_CLIP"
    background.clip = clip
    background.alpha = 1.0
    background.frame_method = "FIT"
    background.display_depth = "BACK"


def follow_path(camera, motion: Motion, scene, start: int) -> None:
    """Key a camera of ours along the path of the one that took the footage."""
    if camera.animation_data and camera.animation_data.action:
        bpy.data.actions.remove(camera.animation_data.action)
    camera.rotation_mode = "QUATERNION"
    places = [Matrix(axes.camera_matrix(one).tolist()).decompose() for one in motion.camera_path]
    for (_, before, _), (_, turn, _) in itertools.pairwise(places):
        turn.make_compatible(before)
    parts = (("location", 0, 3), ("rotation_quaternion", 1, 4))
    values = {
        (path, index): [place[part][index] for place in places] for path, part, size in parts for index in range(size)
    }
    _key(camera, f"{camera.name} path", values, motion, scene, start)


def follow_zoom(camera, motion: Motion, scene, start: int) -> None:
    """Key the focal length of a camera of ours as the one that took the footage zoomed."""
    lenses = [_lens(one.tolist(), motion.image_size, scene) for one in motion.camera_intrinsics]
    names = ("lens", "shift_x", "shift_y")
    values = {(name, 0): [lens[number] for lens in lenses] for number, name in enumerate(names)}
    _key(camera.data, f"{camera.name} zoom", values, motion, scene, start)


def _key(datablock, name: str, values: dict[tuple[str, int], list[float]], motion: Motion, scene, start: int) -> None:
    """A new action with a key for each row of the motion; `values` (T,) by path and index."""
    from . import keying  # needs NumPy

    action, new_curve = compat.new_action(datablock, name)
    rate = timing.scene_rate(scene)
    action[keying.KEY_RATE], action[keying.KEY_START] = str(rate), float(start)
    frames = timing.frames_at(motion.timestamps, motion.rate, rate, start)
    for (path, index), row in values.items():
        curve = new_curve(path, index, "Camera")
        curve.keyframe_points.add(len(frames))
        curve.keyframe_points.foreach_set("co", [value for pair in zip(frames, row, strict=True) for value in pair])
        curve.update()


def retime(camera, rate: Fraction) -> None:
    """Lay the keys of a camera of ours for another frame rate, as `keying.retime` does for characters."""
    from . import keying

    for datablock in (camera, camera.data):
        action = datablock.animation_data.action if datablock.animation_data else None
        if action is not None and keying.KEY_RATE in action:
            keying.retime_curves(action, compat.curves_of(datablock), rate)


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
