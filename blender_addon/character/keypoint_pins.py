"""Keypoints that the user has moved, hidden or shown over the footage, as pins of the armature.

A frame has one pin with all the keypoints that were dragged in it; a hidden keypoint has a pin for its stretch.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from ..errors import UserError
from . import keypoints, pins

SEEN, FILLED, DRAGGED, HIDDEN, NONE = "seen", "filled", "dragged", "hidden", "none"
"""What a keypoint is: detected, filled in, put there by the user, not seen as the user has it, or found by nobody."""

_DIGITS = 2
_HALF = 0.4
"""How far from a frame, in frames of the clip, the stretch of a keypoint reaches that is hidden in it alone."""


@dataclass(frozen=True)
class Handle:
    """A keypoint of one frame: `x`, `y` are pixels of the motion's pinhole camera, y down."""

    name: str
    x: float
    y: float
    state: str


def handles(scene, armature, frame: float) -> list[Handle]:
    """All keypoints of a frame that have a place; none where the motion file is not read or the person is not there."""
    motion = keypoints.known(armature)
    row = None if motion is None else keypoints.row_at(scene, armature, motion, frame)
    if row is None:
        return []
    time_s = float(motion.timestamps[row])
    dragged = _dragged(armature, time_s)
    hidden = {name for one in _used(armature, "unseen") if _covers(one, time_s) for name in one["points"]}
    found = []
    for number, name in enumerate(motion.keypoint_names):
        x, y, confidence = motion.keypoints2d[row, number].tolist()
        state = (NONE, SEEN, FILLED)[int(motion.keypoints2d_origin[row, number])]
        if name in dragged:
            (x, y), state = dragged[name], DRAGGED
        elif name in hidden:
            state = HIDDEN
        elif not confidence and state == NONE:
            place = _of_joint(motion, row, name)
            if place is None:
                continue
            x, y = place
        found.append(Handle(name, x, y, state))
    return found


def drag(scene, armature, frame: float, name: str, x: float, y: float) -> Any:
    """Put a keypoint to a pixel of a frame: it is seen there. Gives back the pin.

    Raises:
        UserError: there is no such keypoint, or nobody is there at that frame.
    """
    time_s, _ = _time_at(scene, armature, frame, name)
    show(scene, armature, frame, name)
    points = {**_dragged(armature, time_s), name: (round(float(x), _DIGITS), round(float(y), _DIGITS))}
    return _put_dragged(armature, time_s, points)


def hide(scene, armature, first: float, last: float, name: str) -> Any:
    """Say that a keypoint is not seen from one frame to another, both included. Gives back the pin.

    Raises:
        UserError: as `drag`; the range ends before it begins.
    """
    start_s, step = _time_at(scene, armature, first, name)
    end_s, _ = _time_at(scene, armature, last, name)
    start_s, end_s = max(0.0, start_s - _HALF * step), end_s + _HALF * step
    for number in _places(armature, "keypoints"):
        if start_s <= _entry(armature, number)["time_s"] <= end_s:
            _take_out(armature, number, name)
    return pins.add_range(armature, f"{name} not seen", start_s, end_s, {"kind": "unseen", "points": [name]})


def show(scene, armature, frame: float, name: str) -> bool:
    """Take away that a keypoint is not seen in a frame, for all of the stretch; gives back whether there was one."""
    time_s, _ = _time_at(scene, armature, frame, name)
    there = [number for number in _places(armature, "unseen") if _covers(_entry(armature, number), time_s)]
    return any([_take_out(armature, number, name) for number in there])


def put_back(scene, armature, frame: float, name: str) -> bool:
    """Have a keypoint be again as it was detected in a frame; gives back whether the user had changed it."""
    time_s, _ = _time_at(scene, armature, frame, name)
    found = show(scene, armature, frame, name)
    there = [number for number in _places(armature, "keypoints") if _is_at(_entry(armature, number), time_s)]
    return any([_take_out(armature, number, name) for number in there]) or found


def _take_out(armature, number: int, name: str) -> bool:
    """Take a keypoint out of a pin, and the pin away if it has no other; gives back whether it was in there."""
    pin, entry = armature.adapt_motion_pins[number], _entry(armature, number)
    if name not in entry["points"]:
        return False
    entry["points"] = (
        {one: place for one, place in entry["points"].items() if one != name}
        if isinstance(entry["points"], dict)
        else [one for one in entry["points"] if one != name]
    )
    if not entry["points"]:
        pins.remove(armature, number)
        return True
    pin.entry = json.dumps(entry)
    if entry["kind"] == "keypoints":
        pin.what = _what(entry["points"])
    return True


def _put_dragged(armature, time_s: float, points: dict[str, Any]) -> Any:
    entry = {"kind": "keypoints", "time_s": time_s, "points": points}
    for number in _places(armature, "keypoints"):
        if _is_at(_entry(armature, number), time_s):
            pin = armature.adapt_motion_pins[number]
            pin.what, pin.entry, pin.use = _what(points), json.dumps(entry), True
            return pin
    return pins.add(armature, _what(points), time_s, entry)


def _what(points: dict[str, Any]) -> str:
    names = list(points)
    return f"{names[0]} dragged" if len(names) == 1 else f"{len(names)} keypoints dragged"


def _time_at(scene, armature, frame: float, name: str) -> tuple[float, float]:
    """Second of the footage, and seconds between its frames."""
    motion = keypoints.known(armature) or keypoints.read(armature)
    if name not in motion.keypoint_names:
        raise UserError(f"The motion of {armature.name} has no keypoint {name}.", "Choose one that is shown.")
    row = keypoints.row_at(scene, armature, motion, frame)
    if row is None:
        raise UserError(
            f"{armature.name} is not tracked at frame {frame:g}.", "Go to a frame in which the person is there."
        )
    return float(motion.timestamps[row]), 1 / float(motion.rate)


def _of_joint(motion, row: int, name: str) -> tuple[float, float] | None:
    """Pixel of the joint that a keypoint is called after; None if there is none."""
    from .motion_io import read_skeleton

    names = read_skeleton().names
    if name not in names:
        return None
    x, y, depth = motion.joints3d_cam[row, names.index(name)] @ motion.intrinsics.T
    return (float(x / depth), float(y / depth)) if depth > 0 else None


def _dragged(armature, time_s: float) -> dict[str, tuple[float, float]]:
    near = [entry for entry in _used(armature, "keypoints") if _is_at(entry, time_s)]
    return {name: tuple(place) for entry in near for name, place in entry["points"].items()}


def _is_at(entry: dict[str, Any], time_s: float) -> bool:
    return abs(entry["time_s"] - time_s) < 1e-6


def _covers(entry: dict[str, Any], time_s: float) -> bool:
    return entry["start_s"] - 1e-6 <= time_s <= entry["end_s"] + 1e-6


def _entry(armature, number: int) -> dict[str, Any]:
    return json.loads(armature.adapt_motion_pins[number].entry)


def _used(armature, kind: str) -> list[dict[str, Any]]:
    """Entries of a kind that count."""
    return [_entry(armature, number) for number in _places(armature, kind) if armature.adapt_motion_pins[number].use]


def _places(armature, kind: str) -> list[int]:
    """Places in the list of the pins of a kind, the last first, so that any of them may be taken away."""
    word = f'"kind": "{kind}"'
    return [number for number, pin in enumerate(armature.adapt_motion_pins) if word in pin.entry][::-1]
