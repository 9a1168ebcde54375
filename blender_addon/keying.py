"""Motion onto the armature: quaternion keys without flips, and the pelvis' path, set in bulk."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import bpy
import numpy as np

from . import axes, compat, timing
from .motion_io import Motion
from .rig import Rest

INTERPOLATION = "LINEAR"
"""Between the keys, which lie one frame apart: what a renderer's motion blur and a slower playback expect."""

CLIP_RATE, KEY_RATE, KEY_START = "adapt_motion_clip_rate", "adapt_motion_key_rate", "adapt_motion_key_start"
"""Custom properties of the action: the clip's rate, the scene's rate that the keys were laid out for (both as
`30000/1001`), and the frame of the clip's time 0. Exports turn frames back into seconds with them."""


def apply(motion: Motion, rest: Rest, armature, scene_rate: Fraction, start: float) -> Any:
    """Key `motion` on `armature` in a new action.

    Args:
        motion: T frames.
        rest: rest pose of the armature.
        armature: object with the 24 bones.
        scene_rate: frames a second that the keys are laid out for.
        start: frame of the clip's time 0.

    Returns:
        The action.
    """
    names = rest.skeleton.names
    rotations = continuous(axes.bone_rotations(motion.poses, names))
    locations = axes.pelvis_locations(motion.pelvis_world, rest.heads[0], names[0])
    frames = timing.frames_at(motion.timestamps, motion.rate, scene_rate, start)
    action, new_curve = compat.new_action(armature, motion.name)
    _add_curves(new_curve, f'pose.bones["{names[0]}"].location', names[0], frames, locations)
    for joint, name in enumerate(names):
        _add_curves(new_curve, f'pose.bones["{name}"].rotation_quaternion', name, frames, rotations[:, joint])
    action[CLIP_RATE], action[KEY_RATE], action[KEY_START] = str(motion.rate), str(scene_rate), float(start)
    return action


def continuous(rotations: np.ndarray) -> np.ndarray:
    """(T, J, 4) quaternions with the sign of each chosen so that neighbours in time are close; the first has w >= 0."""
    rotations = np.array(rotations, dtype=np.float64)
    along = (rotations[1:] * rotations[:-1]).sum(-1)
    first = np.where(rotations[:1, :, 0] < 0, -1.0, 1.0)
    signs = np.cumprod(np.concatenate([first, np.where(along < 0, -1.0, 1.0)]), axis=0)
    return rotations * signs[..., None]


def _add_curves(new_curve, path: str, group: str, frames: np.ndarray, values: np.ndarray) -> None:
    """One F-curve for each column of `values` (T, C), with keys at `frames` (T,)."""
    points = np.empty((len(frames), 2), dtype=np.float32)
    points[:, 0] = frames
    linear = bpy.types.Keyframe.bl_rna.properties["interpolation"].enum_items[INTERPOLATION].value
    kinds = np.full(len(frames), linear, dtype=np.int32)
    for index in range(values.shape[1]):
        points[:, 1] = values[:, index]
        curve = new_curve(path, index, group)
        curve.keyframe_points.add(len(frames))
        curve.keyframe_points.foreach_set("co", points.ravel())
        curve.keyframe_points.foreach_set("interpolation", kinds)
        curve.update()


def retime(armature, rate: Fraction, first_frame: float | None = None) -> tuple[float, float]:
    """Lay the keys of the armature's action for another frame rate, so that the motion lasts as long as before.

    Args:
        armature: object with an action that `apply` made (edited since or not).
        rate: frames a second.
        first_frame: where the first key comes to lie; without it, time 0 of the clip stays at its frame.

    Returns:
        Frames of the first and the last key.
    """
    action = armature.animation_data.action
    ratio = float(rate / key_rate(action, rate))
    curves = [curve for curve in compat.curves_of(armature) if len(curve.keyframe_points)]
    if not curves:
        return 0.0, 0.0
    first = min(curve.keyframe_points[0].co[0] for curve in curves)
    old, new = (action.get(KEY_START, 1.0),) * 2 if first_frame is None else (first, first_frame)
    ends = []
    for curve in curves:
        for part in ("co", "handle_left", "handle_right"):
            points = np.empty((len(curve.keyframe_points), 2), dtype=np.float32)
            curve.keyframe_points.foreach_get(part, points.ravel())
            frames = new + (points[:, 0].astype(np.float64) - old) * ratio
            whole = np.round(frames)
            # single precision of the old frames must not move a key off its frame
            points[:, 0] = np.where(np.abs(frames - whole) < 0.01, whole, frames)
            curve.keyframe_points.foreach_set(part, points.ravel())
            if part == "co":
                ends += [float(points[0, 0]), float(points[-1, 0])]
        curve.update()
    action[KEY_RATE], action[KEY_START] = str(rate), float(new + (action.get(KEY_START, old) - old) * ratio)
    return min(ends), max(ends)


def add_rest_keys(armature, frame: float) -> None:
    """Key the rest pose at `frame`, which lies before all other keys, on every curve of a pose bone."""
    rest = {"rotation_quaternion": (1.0, 0.0, 0.0, 0.0), "location": (0.0, 0.0, 0.0)}
    for curve in compat.curves_of(armature):
        values = rest.get(curve.data_path.rpartition(".")[2])
        if values and curve.data_path.startswith("pose.bones"):
            curve.keyframe_points.insert(frame, values[curve.array_index], options={"FAST"})
            curve.update()


def key_rate(action, default: Fraction) -> Fraction:
    """Frames a second that the action's keys were laid out for."""
    return Fraction(action.get(KEY_RATE, str(default)))


def clip_rate(action, default: Fraction) -> Fraction:
    """Frames a second of the clip that the action came from."""
    return Fraction(action.get(CLIP_RATE, str(default)))
