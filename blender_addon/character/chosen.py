"""The character and the camera that the user means."""

from __future__ import annotations

import bpy

from ..blender.paths import absolute
from . import clip_times, cut_markers


def character_of(context) -> bpy.types.Object | None:
    """The armature that the user means: the active one (or its body's), else the last result of the scene."""
    active = context.active_object
    for candidate in (active, active.parent if active else None, context.scene.adapt_motion.character):
        if candidate is not None and candidate.type == "ARMATURE" and clip_times.CLIP in candidate:
            return candidate if candidate.name in context.scene.objects else None
    return None


def camera_of(context) -> bpy.types.Object | None:
    """The camera that took the footage of the character, or of the scene while there is none; where the footage is cut,
    that of the shot at the current frame."""
    from . import solved_camera

    armature, ours = character_of(context), context.scene
    cameras = [item for item in ours.objects if item.type == "CAMERA"]
    if armature is not None:
        filmed = [item for item in cameras if clip_times.of_one_clip(item, armature)]
        if filmed:
            return cut_markers.camera_at(filmed, ours.frame_current)
    solved = solved_camera.camera_object(ours)
    if solved is not None and ours.adapt_motion.camera_source == "solved":
        return solved
    if armature is not None or not ours.adapt_motion.footage:
        return None
    path = absolute(ours.adapt_motion.footage)
    return cut_markers.camera_at((item for item in cameras if item.get(clip_times.FOOTAGE) == path), ours.frame_current)


def camera_where_it_begins(scene, armature) -> bpy.types.Object | None:
    """The camera that took a character's footage, in the shot in which its motion begins; None if there is none."""
    cameras = [item for item in scene.objects if item.type == "CAMERA" and clip_times.of_one_clip(item, armature)]
    action = action_of(armature)
    return cut_markers.camera_at(cameras, action.frame_range[0] if action else scene.frame_current)


NO_MOTION = "Select an armature that has motion"


def armature_of(context):
    """The armature that is cleaned up: the active one if it has an action, else the character. None if neither has."""
    active = context.active_object
    for candidate in (active, active.parent if active else None, character_of(context)):
        if candidate is not None and candidate.type == "ARMATURE" and action_of(candidate) is not None:
            return candidate
    return None


def action_of(armature):
    """The action that an armature uses, or None."""
    return armature.animation_data.action if armature.animation_data else None
