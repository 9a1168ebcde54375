"""Footage into the scene: a Movie Clip, the background of a camera, and a strip in the sequencer if wanted."""

from __future__ import annotations

import os
from pathlib import Path

import bpy

from ..blender import compat, timing
from ..blender.paths import absolute
from . import clip_times

MOVIES = (
    ".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".mts", ".m2ts", ".wmv", ".3gp",
)  # fmt: skip


def choose(scene, path: str | Path) -> None:
    """Make `path` the scene's footage; of an image its folder, since a sequence is a folder to the engine."""
    settings, path = scene.adapt_motion, Path(path)
    if path.suffix.lower() in bpy.path.extensions_image:
        path = path.parent
    text = str(path)
    if bpy.data.filepath and bpy.context.preferences.filepaths.use_relative_paths:
        try:
            text = bpy.path.relpath(text)
        except ValueError:  # on another drive
            text = str(path)
    settings.footage = text


def load(scene, *, as_background: bool = True, as_strip: bool = False):
    """Load the scene's footage as a Movie Clip, behind a camera and into the sequencer; gives back the clip.

    What is there already is used again. Rate, range and resolution of the scene stay as they are.
    Raises UserError if Blender cannot read the footage.
    """
    from . import camera

    settings = scene.adapt_motion
    footage = Path(absolute(settings.footage))
    clip = camera.load_clip(footage)
    settings.movie_clip = clip
    rate, start = clip_times.shown_at(scene)
    settings.laid_rate = str(rate)
    camera.follow_keys(clip, clip_rate(clip) or timing.scene_rate(scene), rate, start)
    camera.mirror(clip, settings.mirrored)
    if as_background:
        camera.footage_camera(scene, footage, clip)
    if as_strip:
        strip = compat.new_footage_strip(scene, clip, settings.footage_start)
        strip.use_flip_x = settings.mirrored
    return clip


def mirrored_changed(settings, _context=None) -> None:
    """Called by Blender when *Mirrored* has changed: the footage is shown flipped, and people are listed anew."""
    from . import camera

    settings.people_of = ""
    if settings.movie_clip is not None:
        camera.mirror(settings.movie_clip, settings.mirrored)


def clip_rate(clip):
    """Frames a second of a Movie Clip as a Fraction; None for a sequence of images, which has none."""
    if clip is None or clip.source != "MOVIE" or not clip.fps:
        return None
    return timing.exact_rate(clip.fps)


def name(path: str) -> str:
    """Footage by its file's, or folder's, name."""
    return os.path.basename(path.rstrip("/\\")) or path


def is_shown(settings) -> bool:
    """Whether the Movie Clip is that of the footage. Compares paths and looks at no disk."""
    clip = settings.movie_clip
    if clip is None:
        return False
    shown, wanted = absolute(clip.filepath), absolute(settings.footage)
    return shown == wanted or os.path.dirname(shown) == wanted
