"""When a clip plays. Its keys, its footage, its camera, its labels and the scene's range lie at one rate and from one
first frame, and are moved together: here, and nowhere else.

What is of a clip knows it: objects by the path of their footage (`FOOTAGE`) or the clip's name (`CLIP`), actions and
Movie Clips by the rate and the frame that they were laid for (`KEY_RATE`, `KEY_START`). All of that is in the file, so
that undo takes it back together.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import bpy

from ..blender import compat, timing
from ..blender.paths import absolute
from ..blender.timing import CLIP_RATE, KEY_RATE, KEY_START
from . import cut_markers, framing, label_times

CLIP, PERSON, FOOTAGE = "adapt_motion_clip", "adapt_motion_person", "adapt_motion_footage"
"""Custom properties of objects: name of the clip, on armatures and cameras; path of the motion file, on armatures; path
of the footage, on both."""

MIRRORED = "adapt_motion_mirrored"
"""Custom property of Movie Clips: whether the footage is mirrored, and shown flipped back behind cameras."""


def of_one_clip(one: Any, other: Any) -> bool:
    """Whether two objects came from the same clip: the same footage or, where one knows none, the same name."""
    footage = (one.get(FOOTAGE), other.get(FOOTAGE))
    if all(footage):
        return footage[0] == footage[1]
    return one.get(CLIP) is not None and one.get(CLIP) == other.get(CLIP)


def of_footage(scene, path: str) -> list[Any]:
    """Armatures and cameras of `scene` that came from the footage at `path`, and rigs with motion of them."""
    known = [item for item in scene.objects if item.get(FOOTAGE) == path]
    names = {item.get(CLIP) for item in known} - {None}
    ours = [item for item in scene.objects if item in known or (FOOTAGE not in item and item.get(CLIP) in names)]
    files = {item.get(PERSON) for item in ours} - {None}
    rigs = [item for item in scene.objects if item not in ours and _action_file(item) in files]
    return ours + rigs


def _action_file(item) -> str | None:
    action = item.animation_data.action if item.animation_data else None
    return action.get(PERSON) if action else None


def shown_at(scene) -> tuple[Fraction, int]:
    """The rate and the first frame that the scene's footage is laid for."""
    settings = getattr(scene, "adapt_motion", None)
    if settings is None:
        return timing.scene_rate(scene), scene.frame_start
    return Fraction(settings.laid_rate or timing.scene_rate(scene)), settings.laid_start


def laid_at(scene, path: str) -> tuple[Fraction, float] | None:
    """The rate and the first frame of the footage at `path` in `scene`; None if it is not there."""
    settings = getattr(scene, "adapt_motion", None)
    if settings is not None and settings.footage and absolute(settings.footage) == path:
        return shown_at(scene)
    for _, action in _actions(of_footage(scene, path)):
        return Fraction(action[KEY_RATE]), float(action[KEY_START])
    return None


def rates(scene) -> set[Fraction]:
    """The rates that what is in the scene is laid for. Touches no disk."""
    settings = getattr(scene, "adapt_motion", None)
    found = {Fraction(action[KEY_RATE]) for _, action in _actions(scene.objects)}
    found |= {Fraction(clip[KEY_RATE]) for clip in _movie_clips(scene, scene.objects, True)}
    return found | ({Fraction(settings.laid_rate)} if settings is not None and settings.laid_rate else set())


def lay(scene, rate: Fraction) -> None:
    """Lay everything of every clip of the scene for `rate`; first frames stay, and times in the clips do."""
    before, start = shown_at(scene)
    now = float((scene.frame_current - Fraction(start)) * rate / before) + start if before != rate else None
    with _ranges_follow(scene):
        _lay(scene, list(scene.objects), rate, None, whole=True)
        settings = getattr(scene, "adapt_motion", None)
        if settings is not None:
            label_times.lay(scene, (before, start), (rate, start))
            settings.laid_rate = str(rate)
    for item in scene.objects:
        if item.type == "CAMERA":
            framing.refit(item, scene)
    if now is not None and settings is not None and settings.footage:
        scene.frame_current = round(now)


def move(scene, start: int) -> None:
    """Let the scene's footage begin at the frame `start`, with all that came from it."""
    rate, before = shown_at(scene)
    settings = scene.adapt_motion
    if before == start:
        return
    with _ranges_follow(scene):
        _lay(scene, of_footage(scene, absolute(settings.footage)), rate, start)
        if settings.movie_clip is not None:
            _lay_footage(settings.movie_clip, rate, start)
        label_times.lay(scene, (rate, before), (rate, start))
        settings.laid_start = start


def catch_up(scene) -> None:
    """Labels that waited while other footage was in the panel come to where theirs lies now."""
    settings = scene.adapt_motion
    clip = settings.movie_clip
    if clip is None or KEY_RATE not in clip:
        return
    old, new = shown_at(scene), (Fraction(clip[KEY_RATE]), round(clip[KEY_START]))
    settings.laid_rate, settings.laid_start = str(new[0]), new[1]
    settings.footage_start = settings.laid_start
    if old != new:
        label_times.lay(scene, old, new)


def _lay(scene, items, rate: Fraction, start: float | None, whole: bool = False) -> None:
    from . import comparison, keying

    for _, action in _actions(items):
        keying.retime_curves(action, compat.all_curves(action), rate, start=start)
    for item in items:
        if item.type == "ARMATURE" and item.animation_data:
            comparison.retime(item, rate, start)
    cut_markers.lay(scene, items, rate, start)
    for clip in _movie_clips(scene, items, whole):
        _lay_footage(clip, rate, start)


def _lay_footage(clip, rate: Fraction, start: float | None) -> None:
    from . import camera

    if KEY_RATE in clip:
        own = Fraction(clip[CLIP_RATE])
        camera.follow_keys(clip, own, rate, clip[KEY_START] if start is None else start)


def _actions(items) -> Iterator[tuple[Any, Any]]:
    """Data-blocks with the actions of ours that they use, each action once."""
    seen = set()
    for item in items:
        more = (item.data,) if item.type == "CAMERA" else item.children if item.type == "ARMATURE" else ()
        for datablock in (item, *more):
            action = datablock.animation_data.action if datablock.animation_data else None
            if action is not None and KEY_RATE in action and action.library is None and action not in seen:
                seen.add(action)
                yield datablock, action


def _movie_clips(scene, items, whole: bool) -> set[Any]:
    """Movie Clips of ours that cameras among `items` show; for all objects those of the panel too."""
    cameras = [item.data for item in items if item.type == "CAMERA"]
    found = {background.clip for data in cameras for background in data.background_images if background.clip}
    settings = getattr(scene, "adapt_motion", None)
    if settings is not None and whole:
        found |= {one.movie_clip for one in (settings, *settings.kept) if one.movie_clip is not None}
    return {clip for clip in found if KEY_RATE in clip}


class _ranges_follow:
    """While the body moves the footage: the scene's range follows where it was the footage's, and the preview range
    keeps to the part of the footage that it was on."""

    def __init__(self, scene) -> None:
        self._scene, self._settings = scene, getattr(scene, "adapt_motion", None)

    def __enter__(self) -> None:
        self._old = shown_at(self._scene)
        range_now = (self._scene.frame_start, self._scene.frame_end)
        self._whole = (
            self._settings is not None and self._has_range() and range_now == label_times.clip_range(self._scene)
        )

    def __exit__(self, *_: object) -> None:
        scene, settings = self._scene, self._settings
        if settings is None or not settings.footage:
            return
        if self._whole:
            scene.frame_start, scene.frame_end = label_times.clip_range(scene)
        if scene.use_preview_range and settings.use_preview_range:
            ends = scene.frame_preview_start, scene.frame_preview_end + 1
            first, end = (label_times.at(frame, self._old, shown_at(scene)) for frame in ends)
            scene.frame_preview_start, scene.frame_preview_end = first, max(first, end - 1)

    def _has_range(self) -> bool:
        clip = self._settings.movie_clip
        return clip is not None and bool(clip.frame_duration)


def same_path(one: str, other: str) -> bool:
    """Whether two paths of properties are the same file."""
    return bool(one) == bool(other) and (one == other or os.path.normcase(absolute(one)) == absolute(other))


def start_moved(settings, _context: bpy.types.Context) -> None:
    """Called by Blender when *First Frame* has changed."""
    move(settings.id_data, settings.footage_start)
