"""Takes that are proposed for a hidden stretch, each on an NLA track of its own: which is shown, and how they go.

While takes are proposed, the curves of the bones that are hidden in the stretch are muted in the armature's action, and
a copy of it and the takes lie below it in the NLA. `take_keys` makes and keeps them.
"""

from __future__ import annotations

from typing import Any

import bpy
from bpy.props import IntProperty

from ..blender import compat

MOST = 8
MARK = "adapt_motion_take"
"""Custom property of the actions of takes, 1, and of the copy, 0."""


def choose(armature, number: int) -> None:
    """Show one of the takes that are proposed, counted from 1 by how little they disagree with what is seen."""
    for place, track in enumerate(tracks(armature), 1):
        track.mute = place != number


def proposed(armature) -> int:
    """How many takes are proposed now."""
    return len(tracks(armature))


def discard(armature) -> None:
    """Take proposed takes away, and have the action count alone."""
    animation = armature.animation_data
    gone = [track for track in animation.nla_tracks if any(one.action and MARK in one.action for one in track.strips)]
    actions = {strip.action for track in gone for strip in track.strips}
    paths = {curve.data_path for action in actions if action[MARK] for curve in compat.all_curves(action)}
    for track in gone:
        animation.nla_tracks.remove(track)
    for curve in compat.curves_of(armature):
        if curve.data_path in paths:
            curve.mute = False
    for action in actions:
        bpy.data.actions.remove(action)


def tracks(armature) -> list[Any]:
    """NLA tracks of the takes that are proposed."""
    animation = armature.animation_data
    there = animation.nla_tracks if animation else ()
    return [track for track in there if any(one.action and one.action.get(MARK) for one in track.strips)]


def _chosen(armature, _context) -> None:
    choose(armature, min(armature.adapt_motion_take, max(1, proposed(armature))))


def register() -> None:
    """Give objects the number of the take that is shown."""
    bpy.types.Object.adapt_motion_take = IntProperty(
        name="Take", description="Which of the proposed takes is shown", default=1, min=1, max=MOST, update=_chosen
    )


def unregister() -> None:
    """Undo `register`."""
    del bpy.types.Object.adapt_motion_take
