"""Where a character's travel is kept: in its hips, in the armature object, or nowhere (walking on the spot)."""

from __future__ import annotations

import numpy as np

from ..blender import bones as bone_arrays
from ..blender import compat, filters, pose_curves, rotations, timing
from ..blender.bones import Placing
from ..blender.pose_curves import Poses
from ..retarget import transfer
from . import edits
from .edits import Subject

SWAY_S = 0.6
"""Seconds over which the path is smoothed where the hips' sway stays and only the travel goes."""


def set_travel(armature, where: str, scene) -> float:
    """Keep the travel of a character elsewhere.

    Args:
        armature: character or retargeted rig.
        where: `HIPS`; `OBJECT`, whose location and turn about z then are keyed; or `IN_PLACE`, which drops it.
        scene: gives the frame rate.

    Returns:
        Metres from the first to the last place.
    """
    subject = edits.read(armature)
    frames = subject.poses.frames
    base, path = object_path(armature, subject, frames)
    hips = _hips(subject)
    world_turns = rotations.multiply(path.turn, hips.turns)  # the hips' bone in the world
    world_heads = rotations.turn(path.turn, hips.heads * base.scale) + path.origin
    travel = world_heads - world_heads[:1]
    travel[:, 2] = 0
    _drop_object_curves(armature, base)
    if where == "OBJECT":
        headed = rotations.yaw(rotations.multiply(world_turns, rotations.inverse(world_turns[:1])))
        turn = rotations.about_z(np.unwrap(headed))
        pivot = world_heads[:1] * [1, 1, 0]
        origin = rotations.turn(turn, base.origin - pivot) + pivot + travel
        path = _Path(rotations.multiply(turn, base.turn), origin)
        _key_object(armature, frames, path)
    else:
        path = _Path(np.broadcast_to(base.turn, world_turns.shape), np.broadcast_to(base.origin, travel.shape))
        if where == "IN_PLACE":
            sigma = SWAY_S * float(timing.scene_rate(scene)) / 2
            mean = _straightened(travel, sigma)
            world_heads = world_heads - mean
    back = rotations.inverse(path.turn)
    local_turns = rotations.multiply(back, world_turns)
    local_heads = rotations.turn(back, world_heads - path.origin) / base.scale
    pose_curves.write(armature, with_hips(subject, local_turns, local_heads), _only(subject))
    return float(np.linalg.norm(travel[-1]))


class _Path:
    """Where an object is: `turn` (T, 4) and `origin` (T, 3)."""

    def __init__(self, turn: np.ndarray, origin: np.ndarray) -> None:
        self.turn, self.origin = turn, origin


def _straightened(travel: np.ndarray, sigma: float) -> np.ndarray:
    """(T, 3) the travel without the sway: smoothed, with its ends carried on in the direction they have."""
    reach = min(len(travel) - 1, max(1, round(3 * sigma)))
    steps = np.arange(1, reach + 1)[:, None]
    before = 2 * travel[:1] - travel[steps[::-1, 0]] if reach else travel[:0]
    after = 2 * travel[-1:] - travel[-1 - steps[:, 0]] if reach else travel[:0]
    return filters.gaussian(np.concatenate([before, travel, after]), sigma)[reach : reach + len(travel)]


def _hips(subject: Subject) -> transfer.Moving:
    """The hips' bone in armature space: `turns` (T, 4) and `heads` (T, 3)."""
    orientation, heads = subject.poses.forward()
    root = subject.bone("pelvis")
    return transfer.Moving(orientation[:, root], heads[:, root])


def with_hips(subject: Subject, turns: np.ndarray, heads: np.ndarray) -> Poses:
    """The poses with the hips' bone elsewhere in armature space; what hangs from it goes along."""
    poses, root = subject.poses, subject.bone("pelvis")
    orientation, old_heads = poses.forward()
    above = poses.bones.parents[root]
    orientation = orientation.copy()
    orientation[:, root] = turns
    given = np.zeros(len(poses.bones.names), dtype=bool)
    given[root] = True
    own = poses.turns.copy()
    own[:, root] = bone_arrays.own_turns(poses.bones, orientation.copy(), given | ~_below(poses, root))[:, root]
    location = bone_arrays.location_for(poses.bones, root, orientation[:, above], old_heads[:, above], heads)
    return Poses(**{**vars(poses), "locations": {**poses.locations, root: location}}).with_turns(own)


def _below(poses: Poses, root: int) -> np.ndarray:
    """(B,) which bones hang from `root`."""
    return np.array([root in poses.bones.ancestors(bone) for bone in range(len(poses.bones.names))])


def _only(subject: Subject) -> np.ndarray:
    which = np.zeros(len(subject.poses.bones.names), dtype=bool)
    which[subject.bone("pelvis")] = True
    return which


def object_path(armature, subject: Subject, frames: np.ndarray) -> tuple[Placing, _Path]:
    """Where the object stands without its own curves, and where it is at each frame."""
    curves = {(curve.data_path, curve.array_index): curve for curve in compat.curves_of(armature)}
    now = subject.figure.placing
    mode = armature.rotation_mode
    turning = pose_curves.rotation_property(mode)
    if not any(path in ("location", turning) for path, _ in curves):
        count = len(frames)
        return now, _Path(np.tile(now.turn, (count, 1)), np.tile(now.origin, (count, 1)))
    values = {
        path: np.stack(
            [
                pose_curves.sample(curves[path, index], frames)
                if (path, index) in curves
                else np.full(len(frames), getattr(armature, path)[index])
                for index in range(len(getattr(armature, path)))
            ],
            axis=1,
        )
        for path in ("location", turning)
    }
    turn = pose_curves.as_quaternions(values[turning], mode)
    return Placing(turn[0], now.scale, values["location"][0]), _Path(turn, values["location"])


def _drop_object_curves(armature, base: Placing) -> None:
    maker = compat.curve_maker(armature)
    turning = pose_curves.rotation_property(armature.rotation_mode)
    had = any(curve.data_path in ("location", turning) for curve in compat.curves_of(armature))
    for path in ("location", turning):
        for index in range(4):
            maker.remove(path, index)
    if had:
        armature.location = base.origin
        setattr(armature, turning, pose_curves.from_quaternions(base.turn[None], armature.rotation_mode)[0])


def _key_object(armature, frames: np.ndarray, path: _Path) -> None:
    maker = compat.curve_maker(armature)
    turning = pose_curves.rotation_property(armature.rotation_mode)
    turns = pose_curves.smooth_signs(path.turn[:, None])[:, 0]
    values = {"location": path.origin, turning: pose_curves.from_quaternions(turns, armature.rotation_mode)}
    for name, columns in values.items():
        for index in range(columns.shape[1]):
            pose_curves.set_keys(maker.replace(name, index, "Travel"), frames, columns[:, index])
