"""The camera that filmed the footage, with the clip behind the character."""

from __future__ import annotations

import itertools
from fractions import Fraction
from math import hypot, radians
from pathlib import Path

import bpy
from mathutils import Matrix

from ..blender import axes, compat, timing
from ..blender.timing import CLIP_RATE, KEY_RATE, KEY_START
from ..errors import UserError
from . import framing, motion_io
from .clip_times import FOOTAGE, MIRRORED
from .motion_io import Motion

_AHEAD = 50_000


def aim(camera, motion: Motion, scene) -> None:
    """Give a camera of ours the lens and the place of the one that took the footage of `motion`."""
    if camera.animation_data and camera.animation_data.action and KEY_RATE in camera.animation_data.action:
        bpy.data.actions.remove(camera.animation_data.action)  # the path of an earlier run
    framing.set_lens(camera.data, motion.intrinsics.tolist(), motion.image_size, scene)
    camera.matrix_world = Matrix(axes.camera_matrix(motion.camera_to_world).tolist())


def footage_camera(scene, footage: Path, clip):
    """The camera of `scene` that shows `footage`, made if there is none; what it sees is guessed until motion is there.

    It stands at eye height and looks along +y, with the image diagonal as its focal length, as the engine guesses it.
    """
    camera = camera_of_footage(scene, footage)
    if camera is None:
        width, height = clip.size if all(clip.size) else (1920, 1080)
        camera = new_camera(f"{footage.stem} camera")
        camera[FOOTAGE] = str(footage)
        focal = hypot(width, height)
        lens = [[focal, 0.0, width / 2], [0.0, focal, height / 2], [0.0, 0.0, 1.0]]
        framing.set_lens(camera.data, lens, (width, height), scene)
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


def new_camera(name: str):
    """A camera object that is in no collection yet."""
    data = bpy.data.cameras.new(name)
    data.clip_start, data.clip_end = 0.01, 1000.0
    data.show_passepartout = True
    return bpy.data.objects.new(name, data)


def show_footage(camera, footage: Path, motion: Motion, scene, rate: Fraction, start: float):
    """The clip as background of `camera`, laid for `rate`, its first frame at `start`; gives back the movie clip.

    Raises UserError if Blender cannot read the footage.
    """
    clip = load_clip(footage)
    follow_keys(clip, motion.rate, rate, start)
    mirror(clip, motion.mirrored)
    show_clip(camera, clip)
    for background in camera.data.background_images:
        if background.clip == clip:  # a lens without distortion cannot show it as it was filmed
            background.clip_user.use_render_undistorted = motion.keypoints2d_footage is not None
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
    _flip(background)


def mirror(clip, mirrored: bool) -> None:
    """Show a Movie Clip flipped back behind all cameras, or as it is."""
    clip[MIRRORED] = mirrored
    for data in bpy.data.cameras:
        for background in data.background_images if data.library is None else ():
            if background.clip == clip:
                _flip(background)


def _flip(background) -> None:
    """Flip the picture as its clip is to be shown; a picture is flipped before it is turned."""
    is_on_its_side = round(background.rotation / radians(90)) % 2 == 1
    flipped = bool(background.clip.get(MIRRORED))
    background.use_flip_x, background.use_flip_y = flipped and not is_on_its_side, flipped and is_on_its_side


def follow_path(camera, motion: Motion, rate: Fraction, start: float) -> None:
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
    _key(camera, f"{camera.name} path", values, motion, rate, start)


def follow_zoom(camera, motion: Motion, scene, rate: Fraction, start: float) -> None:
    """Key the focal length of a camera of ours as the one that took the footage zoomed."""
    lenses = [framing.lens_of(one.tolist(), motion.image_size, scene) for one in motion.camera_intrinsics]
    names = ("lens", "shift_x", "shift_y")
    values = {(name, 0): [lens[number] for lens in lenses] for number, name in enumerate(names)}
    _key(camera.data, f"{camera.name} zoom", values, motion, rate, start)


def _key(datablock, name: str, values: dict[tuple[str, int], list[float]], motion: Motion, rate, start: float) -> None:
    """A new action with a key for each row of the motion; `values` (T,) by path and index."""
    action, new_curve = compat.new_action(datablock, name)
    action[KEY_RATE], action[KEY_START] = str(rate), float(start)
    frames = timing.frames_at(motion.timestamps, motion.rate, rate, start)
    for (path, index), row in values.items():
        curve = new_curve(path, index, "Camera")
        curve.keyframe_points.add(len(frames))
        curve.keyframe_points.foreach_set("co", [value for pair in zip(frames, row, strict=True) for value in pair])
        curve.update()


def turn_upright(camera, motion: Motion, scene) -> None:
    """Turn and fit the footage behind `camera` if it is stored lying on its side.

    Phones store it so, with a flag that older Blenders do not look at. Blender fits the picture into the frame before
    turning it, so the size depends on the shape of the frame: call this again when the scene's resolution has changed.
    """
    quarters = motion_io.stored_rotation(motion) // 90 % 4
    stored = motion.image_size[::-1] if quarters % 2 else motion.image_size
    for background in camera.data.background_images if quarters else ():
        done_already = compat.turns_movies_upright() if quarters == 2 else tuple(background.clip.size) != stored
        if not done_already:
            background.rotation = radians(90 * quarters)
            background.scale = framing.turned_scale(motion.image_size, quarters, scene)
            _flip(background)


def follow_keys(clip, clip_rate: Fraction, key_rate: Fraction, start: float) -> None:
    """Show that frame of the movie clip for which there is a key, or the last before it.

    A movie clip shows one of its frames at each frame of the scene, at whatever rate that runs. Where keys are laid for
    another rate than the clip's, an F-curve shifts the clip.
    """
    if clip.animation_data and clip.animation_data.action:
        bpy.data.actions.remove(clip.animation_data.action)
    clip[CLIP_RATE], clip[KEY_RATE], clip[KEY_START] = str(clip_rate), str(key_rate), float(start)
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
