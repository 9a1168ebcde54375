"""An armature's bones as arrays, and where they are in a pose: forward kinematics over all frames at once.

Lengths are in the armature's own units and axes. `Placing` brings them into the world, in metres.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from ..errors import UserError
from . import rotations


@dataclass(frozen=True)
class Bones:
    """B bones, parents before children.

    Attributes:
        names: bone names.
        parents: (B,) number of the parent, -1 for none.
        rest: (B, 4) rest orientation in armature space, quaternions.
        heads, tails: (B, 3) rest places in armature space.
        inherits: (B,) whether a bone turns with its parent.
        local_location: (B,) whether a bone's location counts in its own axes.
        modes: Blender's rotation mode of each pose bone.
        locked: (B,) whether a bone cannot be moved because it is connected to its parent.
    """

    names: list[str]
    parents: np.ndarray
    rest: np.ndarray
    heads: np.ndarray
    tails: np.ndarray
    inherits: np.ndarray
    local_location: np.ndarray
    modes: list[str]
    locked: np.ndarray

    def index(self, name: str) -> int:
        """Number of a bone."""
        return self.names.index(name)

    def children(self, bone: int) -> list[int]:
        """Numbers of a bone's children."""
        return np.flatnonzero(self.parents == bone).tolist()

    def ancestors(self, bone: int) -> list[int]:
        """Numbers of the bones above, nearest first."""
        above = []
        while self.parents[bone] >= 0:
            bone = int(self.parents[bone])
            above.append(bone)
        return above


@dataclass(frozen=True)
class Placing:
    """Where an armature object stands: a point p of the armature is at `scale` * (`turn` p) + `origin`, metres."""

    turn: np.ndarray
    scale: float
    origin: np.ndarray

    def points(self, local: np.ndarray) -> np.ndarray:
        """(..., 3) armature space to the world."""
        return rotations.turn(self.turn, local) * self.scale + self.origin

    def local_points(self, world: np.ndarray) -> np.ndarray:
        """(..., 3) world to armature space."""
        return rotations.turn(rotations.inverse(self.turn), (world - self.origin) / self.scale)


def read(armature, only: Iterable[str] | None = None, follows: Mapping[str, str] | None = None) -> Bones:
    """The bones of an armature object.

    Args:
        armature: object.
        only: names of the bones to read, with all above them; all without it.
        follows: bones that a constraint binds to another at the same place: what hangs from them hangs from that one.
    """
    data, follows = armature.data.bones, follows or {}
    above = {bone.name: _carrier(bone, data, follows) for bone in data}
    wanted = set(above) if only is None else set()
    for name in only or ():
        current = data.get(name)
        while current is not None and current.name not in wanted:
            wanted.add(current.name)
            current = above[current.name]
    chosen = [bone for bone in _in_order(data, above) if bone.name in wanted]
    numbers = {bone.name: number for number, bone in enumerate(chosen)}
    matrices = np.array([bone.matrix_local for bone in chosen]).reshape(-1, 4, 4)
    return Bones(
        names=list(numbers),
        parents=np.array([numbers[above[name].name] if above[name] else -1 for name in numbers], dtype=int),
        rest=rotations.from_matrices(matrices[:, :3, :3]),
        heads=np.array([bone.head_local for bone in chosen], dtype=np.float64).reshape(-1, 3),
        tails=np.array([bone.tail_local for bone in chosen], dtype=np.float64).reshape(-1, 3),
        inherits=np.array([bone.use_inherit_rotation for bone in chosen], dtype=bool),
        local_location=np.array([bone.use_local_location for bone in chosen], dtype=bool),
        modes=[armature.pose.bones[bone.name].rotation_mode for bone in chosen],
        locked=np.array([bone.use_connect and bone.parent is not None for bone in chosen], dtype=bool),
    )


def _carrier(bone, data, follows: Mapping[str, str]):
    """The bone that carries a bone: its parent, or the one that its parent follows."""
    parent = bone.parent
    return data.get(follows.get(parent.name, "")) or parent if parent else None


def _in_order(data, above: dict) -> list:
    """Bones with every carrier before what it carries."""
    carried: dict[str, list] = {}
    for bone in data:
        carried.setdefault(above[bone.name].name if above[bone.name] else "", []).append(bone)
    ordered, waiting = [], carried.get("", [])[::-1]
    while waiting:
        bone = waiting.pop()
        ordered.append(bone)
        waiting += carried.get(bone.name, [])[::-1]
    return ordered


def placing(armature) -> Placing:
    """Where an armature object stands now. Raises UserError if its scale differs between its axes or mirrors."""
    matrix = np.array(armature.matrix_world, dtype=np.float64)
    scales = np.linalg.norm(matrix[:3, :3], axis=0)
    mirrored = np.linalg.det(matrix[:3, :3]) <= 0
    if mirrored or scales.min() <= 0 or np.ptp(scales) > 1e-3 * scales.max():
        raise UserError(
            f"{armature.name} is scaled differently along its axes, or mirrored.",
            "Apply its scale with Ctrl A > Scale.",
        )
    turn = rotations.from_matrices(matrix[:3, :3] / scales)
    return Placing(turn, float(scales.mean()), matrix[:3, 3])


def forward(bones: Bones, turns: np.ndarray, locations: dict[int, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Where the bones are in their poses.

    Args:
        bones: B bones.
        turns: (T, B, 4) the pose bones' own rotations.
        locations: (T, 3) of the pose bones that are moved, by number.

    Returns:
        (T, B, 4) orientations and (T, B, 3) heads, armature space.
    """
    orientation, heads = np.empty(turns.shape), np.empty((*turns.shape[:2], 3))
    for bone, parent in enumerate(bones.parents):
        frame, origin = _carried(bones, bone, orientation[:, parent], heads[:, parent])
        orientation[:, bone] = rotations.multiply(frame, turns[:, bone])
        heads[:, bone] = origin
        if bone in locations:
            axes = frame if bones.local_location[bone] else np.array([1.0, 0, 0, 0])
            heads[:, bone] += rotations.turn(axes, locations[bone])
    return orientation, heads


def own_turns(bones: Bones, orientation: np.ndarray, given: np.ndarray) -> np.ndarray:
    """The pose bones' own rotations for wanted orientations; what is not given stays at rest upon its parent.

    Args:
        bones: B bones.
        orientation: (T, B, 4) armature space; entries that are not given are filled in.
        given: (B,) which bones' orientation is wanted.

    Returns:
        (T, B, 4).
    """
    turns = np.zeros(orientation.shape)
    turns[..., 0] = 1
    for bone, parent in enumerate(bones.parents):
        frame = _frame(bones, bone, orientation[:, parent])
        if given[bone]:
            turns[:, bone] = rotations.multiply(rotations.inverse(frame), orientation[:, bone])
        else:
            orientation[:, bone] = frame
    return turns


def location_for(bones: Bones, bone: int, parent_orientation, parent_heads, wanted: np.ndarray) -> np.ndarray:
    """(T, 3) location of a pose bone that brings its head to `wanted` (T, 3), armature space.

    `parent_orientation` (T, 4) and `parent_heads` (T, 3) are the posed parent's; not read for a bone without one.
    """
    frame, origin = _carried(bones, bone, parent_orientation, parent_heads)
    move = wanted - origin
    return rotations.turn(rotations.inverse(frame), move) if bones.local_location[bone] else move


def _frame(bones: Bones, bone: int, parent_orientation: np.ndarray) -> np.ndarray:
    """Orientation of a bone whose own rotation is none."""
    parent = bones.parents[bone]
    if parent < 0 or not bones.inherits[bone]:
        return np.broadcast_to(bones.rest[bone], parent_orientation.shape)
    upon_parent = rotations.multiply(rotations.inverse(bones.rest[parent]), bones.rest[bone])
    return rotations.multiply(parent_orientation, upon_parent)


def _carried(bones: Bones, bone: int, parent_orientation, parent_heads) -> tuple[np.ndarray, np.ndarray]:
    """Orientation and head of a bone that has no rotation or location of its own."""
    frame, parent = _frame(bones, bone, parent_orientation), bones.parents[bone]
    if parent < 0:
        return frame, np.broadcast_to(bones.heads[bone], (*frame.shape[:-1], 3))
    offset = rotations.turn(rotations.inverse(bones.rest[parent]), bones.heads[bone] - bones.heads[parent])
    return frame, parent_heads + rotations.turn(parent_orientation, offset)
