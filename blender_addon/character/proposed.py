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


STRETCH, LABEL = "adapt_motion_take_stretch", "adapt_motion_take_label"
"""Custom properties of the copy of the action: the stretch that takes are proposed for, and its label then."""


def stretch(armature) -> tuple[float, float] | None:
    """First and last second of the stretch that takes are proposed for; None without takes."""
    base = _base(armature)
    return tuple(base[STRETCH]) if base is not None and STRETCH in base else None


def label(armature) -> str:
    """The label that the proposed takes are for."""
    base = _base(armature)
    return base.get(LABEL, "") if base is not None else ""


def set_label(armature, text: str) -> None:
    """Keep the label that the proposed takes are for."""
    base = _base(armature)
    if base is not None:
        base[LABEL] = text


def shown(armature) -> str:
    """What is known of the take that is shown: its place, label and scores."""
    return next((track.name for track in tracks(armature) if not track.mute), "")


def _base(armature):
    """The copy of the action that lies below proposed takes."""
    animation = armature.animation_data
    there = animation.nla_tracks if animation else ()
    actions = [strip.action for track in there for strip in track.strips if strip.action]
    return next((action for action in actions if action.get(MARK) == 0), None)


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
