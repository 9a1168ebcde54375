"""Markers on the timeline where footage is cut, each bound to the camera of the shot that begins there. Needs no NumPy.

A marker has no properties of its own, so the shots are known by their cameras: a marker is one of ours while it is
bound to one. The markers of labels are others.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from math import ceil
from typing import Any

from ..blender.timing import CLIP_RATE, JITTER, KEY_RATE, KEY_START

_MOST_FRAME = 1048574
"""The last frame of Blender's."""

SHOT = "adapt_motion_shot_s"
"""Custom property of cameras: second of the footage at which their shot begins. Only where the footage is cut."""


def is_cut(marker) -> bool:
    """Whether a marker is where footage is cut."""
    return marker.camera is not None and SHOT in marker.camera


def others(scene) -> list[Any]:
    """Markers of the scene that are not cuts: labels, and what the user has marked."""
    return [marker for marker in scene.timeline_markers if not is_cut(marker)]


def write(scene, cameras: Iterable[Any], clip_rate: Fraction, rate: Fraction, start: float) -> None:
    """Have a marker for each camera of the shots of a clip, laid for `rate` with the clip's time 0 at `start`."""
    bound, deserted = _bound(scene), {one.name: one for one in scene.timeline_markers if one.camera is None}
    for number, camera in enumerate(sorted(cameras, key=_begins), 1):
        camera[CLIP_RATE] = str(clip_rate)
        name = f"Shot {number}"
        marker = bound.get(camera) or deserted.pop(name, None) or scene.timeline_markers.new(name)
        marker.name, marker.camera = name, camera
        _lay(camera, marker, rate, start)


def lay(scene, items: Iterable[Any], rate: Fraction, start: float | None) -> None:
    """Move the markers of the cameras among `items` to where their cuts are at another rate or from another first frame
    (None: the one that there is)."""
    bound = _bound(scene)
    for camera in items:
        if SHOT in camera and KEY_START in camera:
            _lay(camera, bound.get(camera), rate, camera[KEY_START] if start is None else start)


def forget(scene, camera) -> None:
    """A camera is that of a shot no more."""
    marker = _bound(scene).get(camera)
    if marker is not None:
        scene.timeline_markers.remove(marker)
    for key in (SHOT, CLIP_RATE, KEY_RATE, KEY_START):
        if key in camera:
            del camera[key]


def camera_at(cameras: Iterable[Any], frame: float) -> Any | None:
    """Which of the cameras of one clip films at a frame: the shot's where there are shots, else the first."""
    known = list(cameras)
    begun = [one for one in known if SHOT in one and _frame(one) <= frame]
    shots = sorted((one for one in known if SHOT in one), key=_begins)
    return max(begun, key=_begins) if begun else next(iter(shots or known), None)


def _begins(camera) -> float:
    return float(camera[SHOT])


def _bound(scene) -> dict[Any, Any]:
    """Cameras, each with the first of the markers that are bound to it."""
    return {marker.camera: marker for marker in reversed(scene.timeline_markers) if marker.camera is not None}


def _lay(camera, marker, rate: Fraction, start: float) -> None:
    camera[KEY_RATE], camera[KEY_START] = str(rate), float(start)
    if marker is not None:
        marker.frame = _frame(camera)


def _frame(camera) -> int:
    """The first frame of the scene that shows a shot."""
    rates = Fraction(camera[CLIP_RATE]), Fraction(camera[KEY_RATE])
    place = place_of(_begins(camera), *rates, camera[KEY_START])
    return ceil(min(max(place, -_MOST_FRAME), _MOST_FRAME))


def place_of(second: float, clip_rate: Fraction, rate: Fraction, start: float) -> float:
    """Where a second of a clip lies in frames of a scene, on the whole frame that it is within rounding of."""
    frame = second * float(clip_rate)
    frame = round(frame) if abs(frame - round(frame)) < JITTER else frame
    place = start + frame * float(rate / clip_rate)
    return float(round(place)) if abs(place - round(place)) < 1e-3 else place
