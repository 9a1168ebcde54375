"""The scene as a clip wants it: frame rate, range, resolution, view."""

from __future__ import annotations

import contextlib
from fractions import Fraction

import bpy

from ..blender import timing
from ..blender.paths import absolute
from ..blender.timing import CLIP_RATE
from . import chosen, clip_times, cut_markers, footage, framing, label_times, solved_camera


def wanted_rate(scene, character=None) -> Fraction | None:
    """Frames a second of the character's clip or, without one, of the footage; None if neither tells."""
    action = character.animation_data.action if character is not None and character.animation_data else None
    if action is not None and CLIP_RATE in action:
        return Fraction(action[CLIP_RATE])
    return footage.clip_rate(scene.adapt_motion.movie_clip)


def wanted_range(scene, character=None) -> tuple[int, int] | None:
    """First and last frame of the character's clip or, without one, of the footage, as they are laid."""
    action = character.animation_data.action if character is not None and character.animation_data else None
    if action is not None and CLIP_RATE in action:
        first, last = action.frame_range
        return round(first), round(last)
    return label_times.clip_range(scene) if scene.adapt_motion.movie_clip is not None else None


def wanted_size(scene, view) -> tuple[int, int] | None:
    """Width and height of what the camera `view` has filmed or, without one, of the footage."""
    clip = scene.adapt_motion.movie_clip
    known = framing.footage_size(view) if view is not None else None
    return known or (tuple(clip.size) if clip is not None and all(clip.size) else None)


def is_matched(scene, character=None, view=None) -> bool:
    """Whether rate, range and resolution are the clip's already. Touches no disk."""
    rate, frames, size = wanted_rate(scene, character), wanted_range(scene, character), wanted_size(scene, view)
    render = scene.render
    return (
        rate in (None, timing.scene_rate(scene))
        and frames in (None, (scene.frame_start, scene.frame_end))
        and size in (None, (render.resolution_x, render.resolution_y))
    )


def is_laid(scene) -> bool:
    """Whether all clips are laid for the scene's rate, and their cameras for its resolution. Touches no disk."""
    fitting = all(framing.fits(item, scene) for item in scene.objects if item.type == "CAMERA")
    return fitting and clip_times.rates(scene) <= {timing.scene_rate(scene)}


def is_new(scene) -> bool:
    """Whether rate, range and resolution are as Blender starts with, and nothing is animated."""
    render = scene.render
    now = (render.fps, render.fps_base, scene.frame_start, scene.frame_end)
    size = (render.resolution_x, render.resolution_y, render.resolution_percentage)
    return now == (24, 1.0, 1, 250) and size == (1920, 1080, 100) and not len(bpy.data.actions)


def whose(context) -> tuple[bpy.types.Object | None, bpy.types.Object | None]:
    """The character, where the panel has no footage of its own to show, and the camera that goes with either."""
    settings = context.scene.adapt_motion
    if settings.movie_clip is None:
        return chosen.character_of(context), chosen.camera_of(context)
    path = absolute(settings.footage)
    cameras = [item for item in context.scene.objects if item.type == "CAMERA" and item.get(clip_times.FOOTAGE) == path]
    now = cut_markers.camera_at(cameras, context.scene.frame_current)
    return None, solved_camera.camera_object(context.scene) or now


def match(scene, view=None, character=None, *, rate: bool = True, frames: bool = True, size: bool = True) -> None:
    """Give the scene what its footage has; every clip in it follows.

    Args:
        scene: with footage or a character.
        view: the clip's camera, if there is one.
        character: armature whose clip counts in place of the footage.
        rate, frames, size: what is set.
    """
    wanted = wanted_rate(scene, character)
    if rate and wanted:
        timing.set_scene_rate(scene, wanted)
        clip_times.lay(scene, wanted)
    span = wanted_range(scene, character)
    if frames and span:
        scene.frame_start, scene.frame_end = span
        if not span[0] <= scene.frame_current <= span[1]:
            scene.frame_current = span[0]
    pixels = wanted_size(scene, view)
    if size and pixels:
        scene.render.resolution_x, scene.render.resolution_y = pixels
        scene.render.resolution_percentage = 100
        for item in scene.objects:
            if item.type == "CAMERA":
                framing.refit(item, scene)


def look_through(context, view) -> None:
    """Have the 3D View of the context, or the window's first, look through a camera whose frame fills it.

    Where the footage is cut it looks through the scene's camera, which the markers switch from shot to shot.
    """
    window = context.window
    areas = [area for area in window.screen.areas if area.type == "VIEW_3D"] if window else []
    area = context.area if context.area is not None and context.area.type == "VIEW_3D" else next(iter(areas), None)
    if area is None:
        return
    space = area.spaces.active
    in_shots = cut_markers.SHOT in view
    if in_shots:
        context.scene.camera = view
    space.use_local_camera, space.camera = not in_shots, view
    space.region_3d.view_perspective = "CAMERA"
    region = next(one for one in area.regions if one.type == "WINDOW")
    with contextlib.suppress(RuntimeError), context.temp_override(window=window, area=area, region=region):
        bpy.ops.view3d.view_center_camera()


def start_scene(context) -> None:
    """A scene that is as Blender starts with becomes that of its footage; the cube of the start is hidden.

    Labels that were made before the footage was shown went to the scene's end, and go to the footage's.
    """
    scene = context.scene
    _, view = whose(context)
    to_the_end = [item for item in scene.adapt_motion.labels if item.frame_end == scene.frame_end]
    match(scene, view)
    for item in to_the_end:
        item.frame_end = max(item.frame_start, label_times.clip_range(scene)[1])
    cube = scene.objects.get("Cube")
    if cube is not None and cube.type == "MESH" and len(cube.data.vertices) == 8 and not cube.location.length:
        cube.hide_set(True)
        cube.hide_render = True
    if view is not None:
        look_through(context, view)
