"""Before adaptation and adapted: two actions of one armature, and one slider to go from one to the other.

The action before adaptation lies in the NLA; the adapted one is the armature's own action above it, which replaces it
as far as its influence goes. The slider is that influence, a property of Blender's own, so nothing of ours has to run.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from ..blender import compat

TRACK = "Before adaptation"
"""Name of the NLA track."""


def push_down(armature) -> Any:
    """Lay the armature's action into the NLA; the armature has no action of its own then. Gives back the strip."""
    animation = armature.animation_data
    action = animation.action
    track = animation.nla_tracks.new()
    track.name = TRACK
    strip = add_strip(track, action)
    animation.action = None
    animation.action_influence, animation.action_blend_type = 1.0, "REPLACE"
    animation.action_extrapolation = "HOLD"
    return strip


def has(armature) -> bool:
    """Whether there is something to compare the armature's action with."""
    animation = armature.animation_data if armature is not None else None
    return bool(animation and animation.action and any(track.name == TRACK for track in animation.nla_tracks))


def retime(armature, rate: Fraction, start: float | None = None) -> None:
    """Lay the keys of the action before adaptation for another frame rate, as `keying.retime` does for the other, and
    from another first frame."""
    from . import keying  # needs NumPy

    for track in armature.animation_data.nla_tracks:
        if track.name != TRACK:
            continue
        for action in [strip.action for strip in track.strips if strip.action and keying.KEY_RATE in strip.action]:
            keying.retime_curves(action, compat.all_curves(action), rate, start=start)
            for strip in [one for one in track.strips if one.action == action]:
                track.strips.remove(strip)
            add_strip(track, action)


def add_strip(track, action) -> Any:
    """A strip of an action on a track, from its first key on, which replaces what lies below."""
    first, _ = action.frame_range
    strip = track.strips.new(action.name, int(first), action)
    strip.frame_start = first
    strip.extrapolation, strip.blend_type = "HOLD", "REPLACE"
    if hasattr(strip, "action_slot") and strip.action_slot is None and len(action.slots):
        strip.action_slot = action.slots[0]
    return strip
