"""Fewer keys, and a curve that stays within a bound of where it was: degrees for each bone, millimetres for each joint.

Kept keys are joined by cubics whose slopes are those of the dense motion, so that the curve is as smooth as it was and
can be edited. Where the reduced curve leaves the bound, keys come back, worst place first in every stretch between two
keys, until all frames of all bones are inside.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..blender import compat, pose_curves, rotations
from ..blender.pose_curves import Poses
from ..character import contacts
from ..retarget import bake

_ROUNDING = 0.97
"""Share of the bound that is used: Blender keeps keys in single precision."""


@dataclass(frozen=True)
class Bound:
    """How far the reduced motion may be off: `degrees` for each bone's own rotation, `millimetres` for each joint."""

    degrees: float = 1.0
    millimetres: float = 5.0


@dataclass(frozen=True)
class Reduced:
    """Result.

    Attributes:
        kept: (T, B) which keys of each bone's rotation stay.
        kept_location: (T,) by bone number, for those that are moved.
        before, after: how many keys of bones there were and are.
    """

    kept: np.ndarray
    kept_location: dict[int, np.ndarray]
    before: int
    after: int


PLANTED_MM = 0.1
"""How far joints of a foot that stands may be off: what is more is seen as sliding."""


def planted_joints(armature, poses: Poses) -> np.ndarray | None:
    """(T, B) which bones begin at a joint that stands on the ground: ankles over heels, toes over balls. None if the
    armature tells no contacts, or not which bones are its feet."""
    limbs, touching = bake.limbs_of(armature), contacts.read(armature, poses.frames)
    if limbs is None or touching is None:
        return None
    standing = np.zeros(poses.turns.shape[:2], dtype=bool)
    joints = (f"{side}_{part}" for side in ("left", "right") for part in ("ankle", "foot"))
    for column, joint in enumerate(joints):
        if limbs.bones.get(joint) in poses.bones.names:
            standing[:, poses.bones.names.index(limbs.bones[joint])] = touching[:, column]
    return standing


def reduce(poses: Poses, unit_m: float, bound: Bound, planted: np.ndarray | None = None) -> Reduced:
    """Choose keys.

    Args:
        poses: dense motion, T frames of B bones.
        unit_m: metres in a unit of the armature.
        bound: what the reduced motion must keep to at each of the T frames.
        planted: (T, B) joints that stand still and must not begin to slide (`planted_joints`).
    """
    bones = [int(bone) for bone in np.flatnonzero(poses.keyed)]
    limit = np.radians(bound.degrees) * _ROUNDING
    reach = bound.millimetres / 1000 * _ROUNDING / unit_m
    least = min(bound.millimetres, PLANTED_MM) / 1000 * _ROUNDING / unit_m
    reaches = np.full(poses.turns.shape[:2], reach) if planted is None else np.where(planted, least, reach)
    turning = {}
    for bone in bones:
        mode = poses.bones.modes[bone]
        values = pose_curves.from_quaternions(poses.turns[:, bone], mode)
        turning[bone] = _Channel(poses.frames, values, limit, mode)
    moving = {bone: _Channel(poses.frames, values, reach / 2) for bone, values in poses.locations.items()}
    wanted = poses.forward()[1]
    turns, locations = poses.turns.copy(), {}
    while True:
        for bone, channel in turning.items():
            turns[:, bone] = channel.now
        locations = {bone: channel.now for bone, channel in moving.items()}
        heads = replace(poses, turns=turns, locations=locations).forward()[1]
        off = np.linalg.norm(heads - wanted, axis=-1) / reaches
        if not _bring_back(poses, turning, moving, heads, off):
            break
    kept = np.zeros(poses.turns.shape[:2], dtype=bool)
    for bone, channel in turning.items():
        kept[:, bone] = channel.kept
    kept_location = {bone: channel.kept for bone, channel in moving.items()}
    count = sum(int(channel.kept.sum()) for channel in (*turning.values(), *moving.values()))
    return Reduced(kept, kept_location, len(poses.frames) * (len(bones) + len(kept_location)), count)


class _Channel:
    """One property of one bone, reduced.

    Attributes:
        kept: (T,) which keys stay.
        now: (T, 4) rotations, or (T, 3) places, that the curves through them give.
    """

    def __init__(self, frames: np.ndarray, values: np.ndarray, limit: float, mode: str = "") -> None:
        """`values` (T, C) as the property has them, with its rotation `mode`; '' for places."""
        self._frames, self._values, self._limit, self._mode = frames, values, limit, mode
        self._slopes = slopes_of(frames, values)
        self._wanted = self._meaning(values)
        self.kept = np.zeros(len(frames), dtype=bool)
        self.kept[[0, -1]] = True
        self.now = self._wanted.copy()
        self._settle(np.arange(len(frames)))

    def errors(self, rows: np.ndarray) -> np.ndarray:
        """(R,) how far the curve is off at some frames: radians, or the armature's units."""
        if self._mode:
            return rotations.angle(self.now[rows], self._wanted[rows])
        return np.linalg.norm(self.now[rows] - self._wanted[rows], axis=-1)

    def _meaning(self, values: np.ndarray) -> np.ndarray:
        return pose_curves.as_quaternions(values, self._mode) if self._mode else values

    def keep_worst(self, rows: np.ndarray, errors: np.ndarray) -> bool:
        """Keep the worst of some frames in every stretch between keys; False if none was left to keep."""
        added = self._worst(rows, errors, 0.0)
        self._settle(self._beside(added))
        return bool(len(added))

    def _settle(self, rows: np.ndarray) -> None:
        """Add keys until the frames `rows`, which have changed, are inside the limit."""
        while len(rows):
            self.now[rows] = self._meaning(joined(self._frames, self._values, self._slopes, self.kept, rows))
            rows = self._beside(self._worst(rows, self.errors(rows), self._limit))

    def _worst(self, rows: np.ndarray, errors: np.ndarray, limit: float) -> np.ndarray:
        errors = np.where(self.kept[rows], 0.0, errors)
        rows, errors = rows[errors > limit], errors[errors > limit]
        stretch = np.searchsorted(np.flatnonzero(self.kept), rows)
        order = np.lexsort((-errors, stretch))
        added = rows[order[np.unique(stretch[order], return_index=True)[1]]]
        self.kept[added] = True
        return added

    def _beside(self, added: np.ndarray) -> np.ndarray:
        """Frames of the stretches on both sides of new keys."""
        if not len(added):
            return added
        at = np.flatnonzero(self.kept)
        place = np.searchsorted(at, added)
        changes = np.zeros(len(self.kept) + 1, dtype=int)
        np.add.at(changes, at[place - 1], 1)
        np.add.at(changes, at[place + 1], -1)
        return np.flatnonzero(np.cumsum(changes)[:-1] > 0)


def write(armature, poses: Poses, reduced: Reduced) -> None:
    """Key what `reduce` has kept on the armature's action, in place of what is there."""
    maker = compat.curve_maker(armature)
    for bone, name in enumerate(poses.bones.names):
        if poses.keyed[bone]:
            mode = poses.bones.modes[bone]
            values = pose_curves.from_quaternions(poses.turns[:, bone], mode)
            _write(maker, name, pose_curves.rotation_property(mode), poses, values, reduced.kept[:, bone], bone)
        if bone in poses.locations:
            _write(maker, name, "location", poses, poses.locations[bone], reduced.kept_location[bone], bone)


def _write(maker, name: str, property_name: str, poses: Poses, values, kept, bone: int) -> None:
    pose_curves.write_channels(
        maker,
        name,
        property_name,
        poses.frames[kept],
        values[kept],
        poses.kinds[kept, bone],
        slopes_of(poses.frames, values)[kept],
    )


def slopes_of(frames: np.ndarray, values: np.ndarray) -> np.ndarray:
    """(T, C) change per frame at each key."""
    return np.gradient(values, frames, axis=0) if len(frames) > 1 else np.zeros_like(values)


def joined(frames, values: np.ndarray, slopes: np.ndarray, kept: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """(R, C) values at the frames numbered `rows` of the cubics through the kept keys."""
    at = np.flatnonzero(kept)
    left = np.clip(np.searchsorted(at, rows, side="right") - 1, 0, max(len(at) - 2, 0))
    start, end = at[left], at[np.minimum(left + 1, len(at) - 1)]
    span = np.maximum(frames[end] - frames[start], 1e-9)
    s = ((frames[rows] - frames[start]) / span)[:, None]
    rest, span = 1 - s, span[:, None]
    return (
        rest * rest * (1 + 2 * s) * values[start]
        + s * s * (3 - 2 * s) * values[end]
        + span * s * rest * (rest * slopes[start] - s * slopes[end])
    )


def _bring_back(poses: Poses, turning: dict, moving: dict, heads: np.ndarray, off: np.ndarray) -> bool:
    """Where a joint is too far off ((T, B) in parts of its reach), keep one more key of the bone above it that moves it
    most. False if none is."""
    frames = np.flatnonzero((off > 1).any(1))
    if not len(frames):
        return False
    joints = off[frames].argmax(1)
    channels = [*turning.values(), *moving.values()]
    share = np.zeros((len(frames), len(channels)))
    for column, (bone, channel) in enumerate(turning.items()):
        above = np.array([bone in poses.bones.ancestors(joint) for joint in range(len(poses.bones.names))])[joints]
        arm = np.linalg.norm(heads[frames, joints] - heads[frames, bone], axis=-1)
        share[:, column] = channel.errors(frames) * arm * above * ~channel.kept[frames]
    for column, channel in enumerate(moving.values(), len(turning)):
        share[:, column] = channel.errors(frames) * ~channel.kept[frames]
    guilty = share.argmax(1)
    added = False
    for column, channel in enumerate(channels):
        rows = guilty == column
        if rows.any():
            added |= channel.keep_worst(frames[rows], share[rows, column])
    return added
