"""Shots of footage that is cut: which camera took each, and whose motion is in it.

Where the footage is not cut there is one shot, and it has no marker.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from ..blender import compat
from ..blender.timing import CLIP_RATE, KEY_RATE, KEY_START
from ..errors import UserError
from . import camera as cameras
from . import cut_markers
from .clip_times import CLIP, FOOTAGE
from .cut_markers import SHOT
from .motion_io import Motion

_SAME_S = 1e-3


@dataclass(frozen=True)
class Shot:
    """A stretch of the footage between two cuts.

    Attributes:
        start_s, end_s: seconds into the footage; the last ends never.
        filmed: a motion as far as it is in the shot, for what it says of the camera; None if nobody is in it.
    """

    start_s: float
    end_s: float
    filmed: Motion | None


@dataclass(frozen=True)
class Filmed:
    """The cameras of a clip, in the order of its shots; `clip` is the Movie Clip behind them, or None."""

    cameras: list[Any]
    clip: Any
    warnings: list[str]


def shots_of(motions: Sequence[Motion], known_s: Iterable[float] = ()) -> list[Shot]:
    """The shots of one clip, from the beginning of the footage.

    Args:
        motions: of people of the clip, such as a run on all of it or on a part has brought.
        known_s: where shots begin by earlier runs; those outside of the time of these motions stay.
    """
    first, last = (edge(float(one.timestamps[row]) for one in motions) for edge, row in ((min, 0), (max, -1)))
    found = {float(cut) for one in motions if one.cuts_s is not None for cut in one.cuts_s}
    elsewhere = {one for one in known_s if not first < one <= last and all(abs(one - cut) > _SAME_S for cut in found)}
    starts = sorted({0.0} | found | elsewhere)
    ends = [*starts[1:], np.inf]
    return [Shot(start, end, _filmed(motions, start, end)) for start, end in zip(starts, ends, strict=True)]


def _filmed(motions: Sequence[Motion], start: float, end: float) -> Motion | None:
    for motion in motions:
        rows = (motion.timestamps >= start - _SAME_S) & (motion.timestamps < end - _SAME_S)
        if rows.any():
            return _part(motion, rows)
    return None


def _part(motion: Motion, rows: np.ndarray) -> Motion:
    """A motion with the times and the camera of some of its rows only."""
    if rows.all() and motion.cuts_s is None:
        return motion
    path, lenses = motion.camera_path, motion.camera_intrinsics
    path = None if path is None else path[rows]
    still = path is not None and float(np.ptp(path, axis=0).max()) < 1e-9
    return replace(
        motion,
        timestamps=motion.timestamps[rows],
        camera_to_world=motion.camera_to_world if path is None else path[0],
        camera_path=None if still else path,
        camera_intrinsics=None if lenses is None else lenses[rows],
    )


def into_world(shots: Sequence[Shot], motion: Motion) -> np.ndarray:
    """(4, 4) from the world of a motion into that of the shot in which it begins: the camera ties them together."""
    shot = _of(shots, motion)[0]
    own = _filmed([motion], shot.start_s, shot.end_s)
    if len(shots) > 1 and any(one.camera_path is not None for one in (own, shot.filmed)):
        return np.eye(4)  # a path is in the world of all
    return shot.filmed.camera_to_world @ np.linalg.inv(own.camera_to_world)


def _of(shots: Sequence[Shot], motion: Motion) -> list[Shot]:
    """The shots that a motion is in, first to last."""
    first, last = motion.timestamps[0] + _SAME_S, motion.timestamps[-1] + _SAME_S
    return [shot for shot in shots if shot.start_s <= last and shot.end_s > first]


def are_apart(shots: Sequence[Shot], motions: Sequence[Motion]) -> bool:
    """Whether motions are in one shot each, and not all in the same."""
    inside = [_of(shots, motion) for motion in motions]
    return all(len(its) == 1 for its in inside) and len({its[0].start_s for its in inside}) > 1


def known_starts(scene, footage: str | None, clip_name: str) -> list[float]:
    """Where the shots of a clip begin by the cameras that are in the scene, seconds."""
    return [float(item[SHOT]) for item in _cameras(scene, footage, clip_name) if SHOT in item]


def _cameras(scene, footage: str | None, clip_name: str) -> list[Any]:
    """Cameras that took a clip and may be changed; without footage those of its shots alone."""
    ours = [item for item in scene.objects if item.type == "CAMERA" and item.library is None]
    if footage:
        return [item for item in ours if item.get(FOOTAGE) == footage]
    return [item for item in ours if SHOT in item and FOOTAGE not in item and item.get(CLIP) == clip_name]


def film(
    shots: Sequence[Shot], motion: Motion, scene, collection, footage: str | None, rate: Fraction, start: float
) -> Filmed:
    """A camera for each shot with the footage behind it and, where the footage is cut, a marker that switches to it.

    Cameras of the clip that are there are used again, and those of shots that are none any more go.

    Args:
        shots: of the clip.
        motion: of the clip's first person.
        scene, collection: where new cameras go.
        footage: to be shown, or None.
        rate, start: what the clip is laid for, and the frame of its time 0.
    """
    name = motion.clip_name
    there = _cameras(scene, footage, name)
    used: list[Any] = []
    for place, (shot, nearest) in enumerate(zip(shots, _nearest(shots), strict=True)):
        ours = _camera_of(shot, place == 0, [one for one in there if one not in used])
        is_new = ours is None
        if is_new:
            ours = cameras.new_camera(f"{name} camera" + (f" {place + 1}" if place else ""))
            collection.objects.link(ours)
        if shot.filmed is not None or is_new:
            _aim(ours, shot.filmed or nearest, scene, rate, start)
        ours[CLIP] = name
        used.append(ours)
    _mark(scene, shots, used, there, motion, rate, start)
    return _with_footage(used, motion, scene, footage, rate, start)


def _mark(scene, shots: Sequence[Shot], used, there, motion: Motion, rate: Fraction, start: float) -> None:
    """Markers for the cameras in use where there are several shots; what earlier runs had and this one has not goes."""
    for item in there:
        if SHOT in item and (item not in used or len(shots) == 1):
            cut_markers.forget(scene, item)
            if item not in used:
                _remove(item)
    if len(shots) > 1:
        for item, shot in zip(used, shots, strict=True):
            item[SHOT] = shot.start_s
        cut_markers.write(scene, used, motion.rate, rate, start)


def _camera_of(shot: Shot, is_first: bool, there: Sequence[Any]) -> Any | None:
    """The camera of a shot among those that are there; the first takes one that belongs to no shot."""
    own = [one for one in there if SHOT in one and abs(one[SHOT] - shot.start_s) < _SAME_S]
    return next(iter(own or [one for one in there if is_first and SHOT not in one]), None)


def _nearest(shots: Sequence[Shot]) -> list[Motion]:
    """For each shot what the nearest with somebody in it says of the camera."""
    known = [(number, replace(one.filmed, camera_path=None, camera_intrinsics=None))
             for number, one in enumerate(shots) if one.filmed is not None]  # fmt: skip
    found, left = [], 0
    for place in range(len(shots)):
        while left + 1 < len(known) and known[left + 1][0] - place < place - known[left][0]:
            left += 1
        found.append(known[left][1])
    return found


def _aim(camera, filmed: Motion, scene, rate: Fraction, start: float) -> None:
    cameras.aim(camera, filmed, scene)
    if filmed.camera_path is not None:
        cameras.follow_path(camera, filmed, rate, start)
    if filmed.camera_intrinsics is not None:
        cameras.follow_zoom(camera, filmed, scene, rate, start)


def _remove(camera) -> None:
    data = camera.data
    bpy.data.objects.remove(camera)
    if not data.users:
        bpy.data.cameras.remove(data)


def _with_footage(used: list[Any], motion: Motion, scene, footage: str | None, rate: Fraction, start: float) -> Filmed:
    clip, warnings = None, []
    for item in used if footage else ():
        item[FOOTAGE] = footage
        try:
            clip = cameras.show_footage(item, Path(footage), motion, scene, rate, start)
        except UserError as error:  # the motion is there; only the picture behind it is missing
            warnings = [str(error)]
    return Filmed(used, clip, warnings)


def show_within(mesh, shots: Sequence[Shot], motion: Motion, rate: Fraction, start: float) -> None:
    """Hide a body while the footage is in another shot than its motion: it would stand about in another world."""
    shot = _of(shots, motion)[0]
    keys = [(shot.start_s - 1.0, True)] if shot.start_s > 0 else []
    keys += [(shot.start_s, False)]
    keys += [(shot.end_s, True)] if np.isfinite(shot.end_s) else []
    action, new_curve = compat.new_action(mesh, f"{mesh.name} in its shot")
    action[CLIP_RATE], action[KEY_RATE], action[KEY_START] = str(motion.rate), str(rate), float(start)
    for path in ("hide_viewport", "hide_render"):
        curve = new_curve(path, 0, "Shot")
        curve.keyframe_points.add(len(keys))
        for point, (second, hidden) in zip(curve.keyframe_points, keys, strict=True):
            point.co = (cut_markers.place_of(second, motion.rate, rate, start), float(hidden))
            point.interpolation = "CONSTANT"
        curve.update()
        setattr(mesh, path, bool(curve.evaluate(bpy.context.scene.frame_current)))  # keys act when the frame changes
