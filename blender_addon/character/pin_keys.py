"""A result that was adapted around pins, keyed on the armature: what the engine left alone is not touched."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from ..blender import axes, compat, timing
from . import keying, pins
from .chosen import action_of

if TYPE_CHECKING:
    from .motion_io import Motion

_SAME = 1e-7


def changed_rows(before: Motion, after: Motion) -> np.ndarray:
    """(R,) rows in which two motions of the same frames differ; all of `after` where the frames differ."""
    if len(before.poses) != len(after.poses):
        return np.arange(len(after.poses))
    off = np.abs(before.poses - after.poses).max(1) + np.abs(before.pelvis_world - after.pelvis_world).max(1)
    return np.flatnonzero(off > _SAME)


def changed_bones(armature, before: Motion, least_degrees: float) -> dict[int, list[str]]:
    """Frame to the bones that the user has turned there; of a run of frames, where they are turned most."""
    names, laid = pins.skeleton(armature), frames_of(armature, before)
    frames = np.arange(np.ceil(laid[0] - 1e-3), np.floor(laid[-1] + 1e-3) + 1)
    turns = keying.continuous(axes.bone_rotations(before.poses, names)).reshape(len(laid), -1)
    given = np.stack([np.interp(frames, laid, column) for column in turns.T], 1).reshape(len(frames), -1, 4)
    apart = _angles(turns_at(armature, frames, given, names), given / np.linalg.norm(given, axis=-1, keepdims=True))
    found: dict[int, list[str]] = {}
    for column, name in enumerate(names):
        off = apart[:, column] > least_degrees
        edges = np.flatnonzero(np.diff(np.concatenate(([0], off.astype(int), [0]))))
        for first, last in edges.reshape(-1, 2).tolist():
            found.setdefault(int(frames[first + apart[first:last, column].argmax()]), []).append(name)
    return found


def apply(armature, before: Motion, after: Motion) -> int:
    """Put the change from one motion to another into the armature's keys; gives back how many frames changed.

    Pinned bones take the new values at their frames. Elsewhere what the user or Lock Feet did to a key stays and takes
    the change on top.
    """
    rows = changed_rows(before, after)
    if not len(rows):
        return 0
    names = pins.skeleton(armature)
    old, new = (axes.bone_rotations(one.poses[rows], names) for one in (before, after))
    frames = frames_of(armature, after)[rows]
    kept = turns_at(armature, frames, old, names)
    turns = axes.multiply(kept, axes.multiply(old * (1, -1, -1, -1), new))
    pinned = np.zeros(turns.shape[:2], bool)
    for row, bones in _pinned(armature, after, names).items():
        pinned[rows == row] |= [name in bones for name in names]
    turns = np.where(pinned[..., None], new, turns)
    turns = np.where((turns * kept).sum(-1, keepdims=True) < 0, -turns, turns)
    path = axes.pelvis_locations(after.pelvis_world[rows], armature.data.bones[names[0]].head_local, names[0])
    moved = axes.pelvis_locations(after.pelvis_world[rows] - before.pelvis_world[rows], np.zeros(3), names[0])
    for curve in compat.curves_of(armature):
        bone, _, what = curve.data_path.rpartition(".")
        name = bone.partition('"')[2].rpartition('"')[0]
        if name in names and what == "rotation_quaternion":
            put(curve, frames, turns[:, names.index(name), curve.array_index])
        elif name == names[0] and what == "location":
            now = np.array([curve.evaluate(frame) for frame in frames])
            put(curve, frames, np.where(pinned[:, 0], path[:, curve.array_index], now + moved[:, curve.array_index]))
    return len(rows)


def _pinned(armature, motion: Motion, names: list[str]) -> dict[int, list[str]]:
    """Row to the bones that are as the engine has them there: those of a limb that is pinned, all where a place is."""
    found: dict[int, list[str]] = {}
    for pin in armature.adapt_motion_pins:
        entry = json.loads(pin.entry)
        if pin.use and entry["kind"] == "pose":
            row = int(np.abs(motion.timestamps - pin.time_s).argmin())
            found.setdefault(row, []).extend(names if entry.get("positions") else entry["rotations"])
    return found


def frames_of(armature, motion: Motion) -> np.ndarray:
    """(T,) frames of the scene at which the armature has the motion's rows."""
    action = action_of(armature)
    rate = Fraction(action[timing.KEY_RATE])
    return timing.frames_at(motion.timestamps, motion.rate, rate, float(action[timing.KEY_START]))


def turns_at(armature, frames: np.ndarray, given: np.ndarray, names: list[str]) -> np.ndarray:
    """(T, 24, 4) rotations that the action has at frames; those `given` where a bone has no curve."""
    turns = given.copy()
    for curve in compat.curves_of(armature):
        bone, _, what = curve.data_path.rpartition(".")
        name = bone.partition('"')[2].rpartition('"')[0]
        if what == "rotation_quaternion" and name in names:
            turns[:, names.index(name), curve.array_index] = [curve.evaluate(frame) for frame in frames]
    return turns / np.linalg.norm(turns, axis=-1, keepdims=True)


def _angles(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(T, 24) degrees between rotations (T, 24, 4)."""
    along = np.abs((one * other).sum(-1)).clip(max=1)
    return np.degrees(2 * np.arccos(along))


def put(curve, frames: np.ndarray, values: np.ndarray) -> None:
    """Values of keys at frames; a frame without a key gets one."""
    keys = np.empty((len(curve.keyframe_points), 2), dtype=np.float32)
    curve.keyframe_points.foreach_get("co", keys.ravel())
    place = np.searchsorted(keys[:, 0], frames - 0.01).clip(max=max(len(keys) - 1, 0))
    there = np.abs(keys[place, 0] - frames) < 0.02 if len(keys) else np.zeros(len(frames), bool)
    keys[place[there], 1] = values[there]
    curve.keyframe_points.foreach_set("co", keys.ravel())
    for frame, value in zip(frames[~there], values[~there], strict=True):
        curve.keyframe_points.insert(frame, value, options={"FAST"})
    curve.update()
