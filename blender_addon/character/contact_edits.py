"""Ranges in which a foot touches the ground, edited: begun, ended, split, removed; heel and toe of a foot together."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..blender import compat, pose_curves
from . import contacts

SIDES = {"LEFT": contacts.NAMES[:2], "RIGHT": contacts.NAMES[2:]}
"""Curves of each foot."""

NEW_S = 0.3
"""Seconds that a new range lasts, unless another comes before."""


@dataclass(frozen=True)
class Range:
    """Frames from `first` to `last`, both touching; `after` is the first that does not."""

    first: float
    last: float
    after: float

    def holds(self, frame: float) -> bool:
        """Whether the foot touches at a frame."""
        return self.first - 1e-3 <= frame < self.after - 1e-3


def ranges(curve) -> list[Range]:
    """The ranges of a curve whose keys hold."""
    keys, found, first = [(point.co[0], point.co[1] > 0.5) for point in curve.keyframe_points], [], None
    for number, (frame, on) in enumerate(keys):
        if on and first is None:
            first = frame
        if first is not None and (not on or number == len(keys) - 1):
            end = frame if not on else frame + 1
            inside = [other for other, touches in keys if touches and first <= other < end]
            found.append(Range(first, max(inside), end))
            first = None
    return found


def at(armature, side: str, frame: float) -> Range | None:
    """The range of a foot at a frame: the widest of heel's and toe's; None if it is in the air."""
    curves = contacts.curves_of(armature)
    here = [one for name in SIDES[side] if name in curves for one in ranges(curves[name]) if one.holds(frame)]
    if not here:
        return None
    return Range(min(one.first for one in here), max(one.last for one in here), max(one.after for one in here))


def edit(armature, side: str, how: str, frame: int, fps: float) -> bool:
    """Change the contacts of a foot at a frame; False if there was nothing to change.

    Args:
        armature: with curves of contact that hold (`contacts.key` makes them).
        side: `LEFT` or `RIGHT`.
        how: `ADD` a range from here on, let the one here or the next `START` here, the one here or the last `END` here,
            `SPLIT` it, leaving this frame free, or `REMOVE` it.
        frame: of the scene.
        fps: frames a second.
    """
    maker, changed = compat.curve_maker(armature), False
    curves = contacts.curves_of(armature)
    for name in SIDES[side]:
        old = ranges(curves[name]) if name in curves else []
        new = _edited(old, how, float(frame), fps)
        if new == old:
            continue
        start = min(
            pose_curves.key_frames(curves[name])[0] if name in curves else frame, new[0].first if new else frame
        )
        contacts.make_property(armature, name)
        _write(maker.replace(contacts.path_of(name), 0, contacts.GROUP), new, float(start))
        changed = True
    return changed


def _edited(old: list[Range], how: str, frame: float, fps: float) -> list[Range]:
    here = next((one for one in old if one.holds(frame)), None)
    later = next((one for one in old if one.first > frame), None)
    earlier = next((one for one in reversed(old) if one.after <= frame + 1e-3), None)
    others = [one for one in old if one is not here]
    if how == "ADD" and here is None:
        after = min(frame + max(2.0, round(NEW_S * fps)), later.first if later else np.inf)
        return sorted([*old, Range(frame, max(frame, after - 1), after)], key=lambda one: one.first)
    if how == "REMOVE" and here is not None:
        return others
    if how == "SPLIT" and here is not None:
        parts = [replace(here, last=max(here.first, frame - 1), after=frame), replace(here, first=frame + 1)]
        sound = [one for one in parts if one.first < one.after]
        return sorted([*others, *sound], key=lambda one: one.first)
    if how == "START" and (one := here or later) is not None:
        return [replace(other, first=frame) if other is one else other for other in old]
    if how == "END" and (one := here or earlier) is not None:
        return [replace(other, last=frame, after=frame + 1) if other is one else other for other in old]
    return old


def _write(curve, new: list[Range], start: float) -> None:
    keys: dict[float, float] = {start: 0.0}
    for one in new:
        keys |= {one.first: 1.0, one.last: 1.0, one.after: 0.0}
    for one in new:  # where one ends as the next begins
        keys[one.first] = 1.0
    frames = np.array(sorted(keys))
    contacts.set_held(curve, frames, np.array([keys[frame] for frame in frames]))
