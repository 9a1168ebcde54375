"""An action's pose channels as arrays, and back: what cleaning up and retargeting read and write.

Keys are set in bulk. Between keys a curve is straight, or a cubic with given slopes: Blender's Bezier curve whose
handles reach a third of the way, which then is exactly the cubic Hermite polynomial.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import bpy
import numpy as np

from ..errors import UserError
from . import bones as bone_arrays
from . import compat, rotations
from .bones import Bones

ROTATION_PROPERTIES = {"QUATERNION": "rotation_quaternion", "AXIS_ANGLE": "rotation_axis_angle"}
"""Property of a pose bone by rotation mode; all others are Euler angles."""


@dataclass(frozen=True)
class Poses:
    """T poses of B bones.

    Attributes:
        frames: (T,) increasing frames of the scene.
        bones: the skeleton.
        turns: (T, B, 4) the pose bones' own rotations, signs without jumps.
        locations: (T, 3) by bone number, of the bones that are moved.
        keyed: (B,) which bones' rotations have curves.
        kinds: (T, B) Blender's keyframe types.
    """

    frames: np.ndarray
    bones: Bones
    turns: np.ndarray
    locations: dict[int, np.ndarray]
    keyed: np.ndarray
    kinds: np.ndarray

    def forward(self) -> tuple[np.ndarray, np.ndarray]:
        """(T, B, 4) orientations and (T, B, 3) heads in armature space."""
        return bone_arrays.forward(self.bones, self.turns, self.locations)

    def with_turns(self, turns: np.ndarray) -> Poses:
        """The same with other rotations; their signs are made to go on without jumps."""
        return replace(self, turns=smooth_signs(turns))


def path_of(bone: str, property_name: str) -> str:
    """RNA path of a pose bone's property."""
    return f'pose.bones["{bpy.utils.escape_identifier(bone)}"].{property_name}'


def rotation_property(mode: str) -> str:
    """Name of the property that a pose bone turns by in a rotation mode."""
    return ROTATION_PROPERTIES.get(mode, "rotation_euler")


def smooth_signs(turns: np.ndarray) -> np.ndarray:
    """(T, B, 4) quaternions with signs that neighbours in time share; the first has w >= 0."""
    along = (turns[1:] * turns[:-1]).sum(-1)
    first = np.where(turns[:1, :, 0] < 0, -1.0, 1.0)
    return turns * np.cumprod(np.concatenate([first, np.where(along < 0, -1.0, 1.0)]), axis=0)[..., None]


def read(
    armature, frames: np.ndarray | None = None, follows: dict[str, str] | None = None, curves: list | None = None
) -> Poses:
    """The poses that an armature's action gives.

    Args:
        armature: object with an action.
        frames: (T,) where to look; without it at the keys if all curves share theirs, else at every whole frame.
        follows: bones that constraints bind to another, as in a bone map.
        curves: of another action in place of the armature's.

    Raises:
        UserError: the armature has no motion.
    """
    own = compat.curves_of(armature) if curves is None else curves
    by_path = {(curve.data_path, curve.array_index): curve for curve in own}
    posed = {key: curve for key, curve in by_path.items() if key[0].startswith("pose.bones")}
    if not posed or not any(len(curve.keyframe_points) for curve in posed.values()):
        raise UserError(f"{armature.name} has no motion.", "Adapt a clip, or choose an action for it.")
    frames = common_frames(list(posed.values())) if frames is None else np.asarray(frames, dtype=np.float64)
    animated = {key[0].split('"')[1] for key in posed if '"' in key[0]}
    skeleton = bone_arrays.read(armature, [bone.name for bone in armature.data.bones if bone.name in animated], follows)
    turns = np.zeros((len(frames), len(skeleton.names), 4))
    keyed = np.zeros(len(skeleton.names), dtype=bool)
    kinds = np.zeros(turns.shape[:2], dtype=np.int32)
    locations = {}
    for number, name in enumerate(skeleton.names):
        pose_bone = armature.pose.bones[name]
        mode = skeleton.modes[number]
        path = path_of(name, rotation_property(mode))
        size = 3 if path.endswith("euler") else 4
        keyed[number] = any((path, index) in posed for index in range(size))
        values = _channels(posed, path, getattr(pose_bone, rotation_property(mode)), frames)
        turns[:, number] = as_quaternions(values, mode)
        kinds[:, number] = _kinds(posed.get((path, 0)), frames)
        path = path_of(name, "location")
        if any((path, index) in posed for index in range(3)) or pose_bone.location.length > 0:
            locations[number] = _channels(posed, path, pose_bone.location, frames)
    return Poses(frames, skeleton, smooth_signs(turns), locations, keyed, kinds)


def common_frames(curves: list) -> np.ndarray:
    """(T,) frames of the keys if the curves share them, else every whole frame from the first to the last key."""
    keyed = [key_frames(curve) for curve in curves if len(curve.keyframe_points)]
    first = max(keyed, key=len)
    if all(len(frames) == len(first) and np.array_equal(frames, first) for frames in keyed):
        return first
    start, end = min(frames[0] for frames in keyed), max(frames[-1] for frames in keyed)
    return np.arange(np.floor(start + 1e-3), np.ceil(end - 1e-3) + 1)


def key_frames(curve) -> np.ndarray:
    """(T,) frames of a curve's keys; a hair beside a whole frame counts as on it."""
    points = np.empty(2 * len(curve.keyframe_points), dtype=np.float32)
    curve.keyframe_points.foreach_get("co", points)
    frames = points[::2].astype(np.float64)
    whole = np.round(frames)
    return np.where(np.abs(frames - whole) < 1e-3, whole, frames)


def sample(curve, frames: np.ndarray) -> np.ndarray:
    """(T,) values of a curve at `frames`."""
    count = len(curve.keyframe_points)
    points = np.empty((count, 2), dtype=np.float32)
    curve.keyframe_points.foreach_get("co", points.ravel())
    if count == len(frames) and np.abs(points[:, 0] - frames).max(initial=0) < 1e-3:
        return points[:, 1].astype(np.float64)
    ways = np.empty(count, dtype=np.int32)
    curve.keyframe_points.foreach_get("interpolation", ways)
    if count and (ways == _enum("interpolation", "LINEAR")).all() and not len(curve.modifiers):
        return np.interp(frames, points[:, 0], points[:, 1])
    return np.array([curve.evaluate(frame) for frame in frames.tolist()])


def set_keys(curve, frames: np.ndarray, values: np.ndarray, kinds=None, slopes: np.ndarray | None = None) -> None:
    """Give an empty curve its keys.

    Args:
        curve: F-curve without keys.
        frames, values: (K,).
        kinds: (K,) Blender's keyframe types; ordinary keys without it.
        slopes: (K,) change per frame at each key, for a smooth curve; without it the curve is straight between keys.
    """
    points = curve.keyframe_points
    points.add(len(frames))
    points.foreach_set("co", np.stack([frames, values], axis=1).astype(np.float32).ravel())
    way = _enum("interpolation", "LINEAR" if slopes is None else "BEZIER")
    points.foreach_set("interpolation", np.full(len(frames), way, dtype=np.int32))
    if kinds is not None:
        points.foreach_set("type", np.ascontiguousarray(kinds, dtype=np.int32))  # 3.4 takes no views
    if slopes is not None:
        compat.free_handles(points)
        gaps = np.diff(frames, prepend=frames[0] - 1, append=frames[-1] + 1) / 3
        for name, reach in (("handle_left", -gaps[:-1]), ("handle_right", gaps[1:])):
            handles = np.stack([frames + reach, values + slopes * reach], axis=1)
            points.foreach_set(name, handles.astype(np.float32).ravel())
    curve.update()


def write(armature, poses: Poses, which: np.ndarray | None = None) -> None:
    """Key `poses` on the armature's action in place of what the bones in `which` (B,) have there; all keyed bones
    without it. Locations are written for the bones that have some."""
    maker = compat.curve_maker(armature)
    for number, name in enumerate(poses.bones.names):
        if not (poses.keyed if which is None else which)[number]:
            continue
        mode = poses.bones.modes[number]
        values = from_quaternions(poses.turns[:, number], mode)
        write_channels(maker, name, rotation_property(mode), poses.frames, values, poses.kinds[:, number])
        if number in poses.locations:
            write_channels(maker, name, "location", poses.frames, poses.locations[number], poses.kinds[:, number])


def write_channels(maker, bone: str, property_name: str, frames, values, kinds=None, slopes=None) -> None:
    """Replace the curves of one property of a pose bone by (K, C) `values`; `slopes` likewise, or None."""
    for index in range(values.shape[1]):
        curve = maker.replace(path_of(bone, property_name), index, bone)
        set_keys(curve, frames, values[:, index], kinds, None if slopes is None else slopes[:, index])


def from_quaternions(turns: np.ndarray, mode: str) -> np.ndarray:
    """(T, 4) rotations as values of a pose bone in a rotation mode: (T, 4) or (T, 3)."""
    if mode == "QUATERNION":
        return turns
    if mode == "AXIS_ANGLE":
        vector = rotations.log(turns)
        size = np.linalg.norm(vector, axis=-1, keepdims=True)
        return np.concatenate([size, np.where(size > 1e-9, vector / np.maximum(size, 1e-9), [0.0, 1.0, 0.0])], axis=-1)
    return rotations.to_euler(turns, mode)


def as_quaternions(values: np.ndarray, mode: str) -> np.ndarray:
    """(T, 4) rotations of a pose bone's values in a rotation mode; undoes `from_quaternions`."""
    if mode == "QUATERNION":
        return rotations.unit(values)
    if mode == "AXIS_ANGLE":
        axis = values[:, 1:] / np.maximum(np.linalg.norm(values[:, 1:], axis=-1, keepdims=True), 1e-9)
        return rotations.quaternions(axis * values[:, :1])
    return rotations.from_euler(values, mode)


def _channels(curves: dict, path: str, now, frames: np.ndarray) -> np.ndarray:
    """(T, C) values of a property; what has no curve stays as it is `now`."""
    values = np.tile(np.array(now[:], dtype=np.float64), (len(frames), 1))
    for index in range(values.shape[1]):
        curve = curves.get((path, index))
        if curve is not None:
            values[:, index] = sample(curve, frames)
    return values


def _kinds(curve, frames: np.ndarray) -> np.ndarray:
    """(T,) keyframe type at each frame: that of the key there, or the last before it."""
    if curve is None or not len(curve.keyframe_points):
        return np.zeros(len(frames), dtype=np.int32)
    kinds = np.empty(len(curve.keyframe_points), dtype=np.int32)
    curve.keyframe_points.foreach_get("type", kinds)
    return kinds[np.clip(np.searchsorted(key_frames(curve), frames + 1e-3) - 1, 0, len(kinds) - 1)]


def _enum(name: str, item: str) -> Any:
    return bpy.types.Keyframe.bl_rna.properties[name].enum_items[item].value
