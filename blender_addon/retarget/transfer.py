"""Motion of our character onto another rig: bones of other lengths, other axes and another rest pose.

Both skeletons are thought of as standing upright. What turns the target's rest pose into the source's is found once
(`alignments`): limbs by the direction from joint to joint, so that an A-pose becomes the T-pose; trunk, head and
collarbones are taken to stand alike, and feet to stand flat, since there the joints of rigs lie at different places.
From then on every bone turns in the world as its joint does. The hips' path is scaled by the length of the legs, and
planted feet are put back to where they stand (`feet`). All of it over all frames at once, without Blender's own
evaluation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..blender import bones as bone_arrays
from ..blender import rotations
from ..blender.bones import Bones, Placing
from ..character import feet
from ..errors import UserError

LIMBS = {
    f"{side}_{joint}": (f"{side}_{child}", f"{side}_{parent}" if parent else "")
    for side in ("left", "right")
    for joint, child, parent in (
        ("hip", "knee", ""),
        ("knee", "ankle", "hip"),
        ("shoulder", "elbow", ""),
        ("elbow", "wrist", "shoulder"),
        ("wrist", "hand", "elbow"),
    )
}
"""Joints whose bone is aligned by its direction: where it points to, and the joint that is aligned before it."""

NEARLY_DEGREES = 8.0

UP = np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True)
class Figure:
    """A skeleton at rest in the world, with its joints.

    Attributes:
        bones: all bones that matter.
        placing: where the armature object stands.
        joints: bone number by SMPL joint.
        floor: height of the ground under the rest pose.
        hands: (3,) world direction in which each hand points at rest, by wrist joint.
    """

    bones: Bones
    placing: Placing
    joints: dict[str, int]
    floor: float
    hands: dict[str, np.ndarray]

    @property
    def heads(self) -> np.ndarray:
        """(B, 3) rest places in the world."""
        return self.placing.points(self.bones.heads)

    @property
    def rest(self) -> np.ndarray:
        """(B, 4) rest orientations in the world."""
        return rotations.multiply(self.placing.turn, self.bones.rest)

    def head(self, joint: str) -> np.ndarray:
        """(3,) rest place of a joint in the world."""
        return self.heads[self.joints[joint]]

    def frame(self) -> np.ndarray:
        """(4,) how the figure stands at rest: x to its left, z up, facing along -y. Upright, by its hips.

        Rigs are modelled along the axes of their object: hips that lie nearly along one are taken to lie along it.
        """
        local = self.bones.heads[self.joints["left_hip"]] - self.bones.heads[self.joints["right_hip"]]
        nearest = np.zeros(3)
        nearest[np.abs(local).argmax()] = np.sign(local[np.abs(local).argmax()])
        if local @ nearest > np.cos(np.radians(NEARLY_DEGREES)) * np.linalg.norm(local):
            local = nearest * np.linalg.norm(local)
        across = rotations.turn(self.placing.turn, local)
        across = across - UP * (across @ UP)
        if np.linalg.norm(across) < 1e-6:
            raise UserError("Both legs of the rig begin at one place.", "Check left_hip and right_hip in the bone map.")
        across /= np.linalg.norm(across)
        return rotations.from_matrices(np.stack([across, np.cross(UP, across), UP], axis=1))

    def leg_length(self) -> float:
        """Hip to ankle along the bones, metres; mean of both sides."""
        heads = [[self.head(f"{side}_{joint}") for joint in ("hip", "knee", "ankle")] for side in ("left", "right")]
        return float(np.linalg.norm(np.diff(heads, axis=1), axis=-1).sum(1).mean())

    def ankle_height(self) -> float:
        """Metres above the ground."""
        return float(np.mean([self.head(f"{side}_ankle")[2] for side in ("left", "right")]) - self.floor)


def figure(armature, joints: dict[str, str], follows: dict[str, str] | None = None) -> Figure:
    """Read a rig. `joints` names the bone of each SMPL joint that has one. Raises UserError for an odd scale."""
    placing = bone_arrays.placing(armature)
    skeleton = bone_arrays.read(armature, joints.values(), follows)
    numbers = {joint: skeleton.index(name) for joint, name in joints.items()}
    data = armature.data.bones
    ends = {joint: _hand_end(data[joints[joint]]) for joint in ("left_wrist", "right_wrist")}
    hands = {joint: rotations.turn(placing.turn, end) for joint, end in ends.items()}
    lowest = min(float(placing.points(np.array(data[joints[name]].head_local))[2]) for name in joints)
    height = float(np.ptp(placing.points(skeleton.heads)[:, 2]))
    floor = float(placing.origin[2])  # where an armature stands, unless its feet are elsewhere
    return Figure(skeleton, placing, numbers, floor if 0 <= lowest - floor < 0.12 * height else lowest, hands)


def _hand_end(hand) -> np.ndarray:
    """(3,) where a hand bone points at rest, armature space: to the middle finger, the fingers, or its own tail."""
    below = [bone for bone in hand.children_recursive if "middle" in bone.name.lower()] or [
        bone for bone in hand.children if "thumb" not in bone.name.lower() and bone.name != hand.name
    ]
    ends = [np.array(bone.head_local - hand.head_local) for bone in below]
    lengths = [np.linalg.norm(end) for end in ends]
    if ends and max(lengths) > 1e-3 * max(hand.length, 1e-6):
        return ends[int(np.argmin(lengths))] if "middle" in below[0].name.lower() else np.mean(ends, axis=0)
    return np.array(hand.tail_local - hand.head_local)


def alignments(source: Figure, target: Figure) -> dict[str, np.ndarray]:
    """(4,) world turn of each of the target's bones at rest that puts it as the source's joint is at rest."""
    stand = rotations.multiply(source.frame(), rotations.inverse(target.frame()))
    turns = {joint: stand for joint in target.joints}
    for joint, (child, before) in LIMBS.items():
        if joint not in target.joints:
            continue
        start = turns.get(before, stand)
        now, wanted = (_direction(one, joint, child) for one in (target, source))
        turns[joint] = rotations.multiply(rotations.between(rotations.turn(start, now), wanted), start)
    for side in ("left", "right"):
        foot, toe = f"{side}_ankle", f"{side}_foot"
        if toe in target.joints:  # flat on the ground, and pointing alike
            now, wanted = (_flat(one.head(toe) - one.head(foot)) for one in (target, source))
            turns[foot] = rotations.multiply(rotations.between(_flat(rotations.turn(stand, now)), wanted), stand)
            turns[toe] = turns[foot]
    return turns


def _direction(one: Figure, joint: str, child: str) -> np.ndarray:
    return one.head(child) - one.head(joint) if child in one.joints else one.hands[joint]


def _flat(vector: np.ndarray) -> np.ndarray:
    return vector - UP * (vector @ UP)


@dataclass(frozen=True)
class Moving:
    """A figure's joints in motion, in the world: `turns` (T, B, 4) orientations and `heads` (T, B, 3)."""

    turns: np.ndarray
    heads: np.ndarray


def moving(one: Figure, turns: np.ndarray, locations: dict[int, np.ndarray]) -> Moving:
    """Where a figure's bones are in poses: (T, B, 4) own rotations, and (T, 3) locations by bone number."""
    orientation, heads = bone_arrays.forward(one.bones, turns, locations)
    return Moving(rotations.multiply(one.placing.turn, orientation), one.placing.points(heads))


@dataclass(frozen=True)
class Result:
    """Poses of the target.

    Attributes:
        turns: (T, B, 4).
        location: (T, 3) of the hips' bone.
        given: (B,) which bones turn.
        off_m: (T, 2) metres that the left and the right foot, where it stands, is off its place.
    """

    turns: np.ndarray
    location: np.ndarray
    given: np.ndarray
    off_m: np.ndarray


def retarget(
    source: Figure,
    target: Figure,
    motion: Moving,
    contacts: np.ndarray,
    stand: feet.Stand | None,
    in_world: bool = True,
) -> Result:
    """The target's poses that make it move as the source does.

    Args:
        source, target: the two figures at rest.
        motion: the source in motion, T frames.
        contacts: (T, 4) left heel, left toe, right heel, right toe: whether each touches the ground.
        stand: how planted feet are kept; None leaves them as they come.
        in_world: move where the source moves; else from where the target's armature object stands, as it is turned.
    """
    aligned = alignments(source, target)
    turned = rotations.multiply(target.frame(), rotations.inverse(source.frame()))
    place = np.array([1.0, 0, 0, 0]) if in_world else turned
    wanted = np.zeros((len(motion.turns), len(target.bones.names), 4))
    given = np.zeros(len(target.bones.names), dtype=bool)
    for joint, bone in target.joints.items():
        number = source.joints[joint]
        change = rotations.multiply(motion.turns[:, number], rotations.inverse(source.rest[number]))
        rest = rotations.multiply(aligned[joint], target.rest[bone])
        wanted[:, bone] = rotations.multiply(place, rotations.multiply(change, rest))
        given[bone] = True
    hips = _hips_path(source, target, motion, place, in_world)
    turns, location, posed = _pose(target, wanted, given, hips)
    off = np.zeros((len(turns), 2))
    if stand is not None:
        turns, location, off = _plant(target, wanted, given, hips, posed, contacts, stand)
    return Result(turns, location, given, off)


def _hips_path(source: Figure, target: Figure, motion: Moving, place: np.ndarray, in_world: bool) -> np.ndarray:
    """(T, 3) middle between the target's hip joints, in the world."""
    middle = (motion.heads[:, source.joints["left_hip"]] + motion.heads[:, source.joints["right_hip"]]) / 2
    scale = target.leg_length() / source.leg_length()
    anchor = np.array([*(middle[0, :2] if in_world else source.placing.origin[:2]), source.floor])
    start = anchor if in_world else np.array([*target.placing.origin[:2], target.floor])
    lift = target.ankle_height() - scale * source.ankle_height()
    return start + rotations.turn(place, (middle - anchor) * scale) + UP * lift


def _pose(target: Figure, wanted: np.ndarray, given: np.ndarray, hips: np.ndarray) -> tuple:
    """Own rotations, the hips' location and the motion for wanted orientations (world) and path of the hips."""
    to_local = rotations.inverse(target.placing.turn)
    turns = bone_arrays.own_turns(target.bones, rotations.multiply(to_local, wanted), given)
    orientation, heads = bone_arrays.forward(target.bones, turns, {})
    legs = [target.joints["left_hip"], target.joints["right_hip"]]
    shift = target.placing.local_points(hips) - heads[:, legs].mean(1)
    root = target.joints["pelvis"]
    above = target.bones.parents[root]
    location = bone_arrays.location_for(
        target.bones, root, orientation[:, above], heads[:, above], heads[:, root] + shift
    )
    return turns, location, moving(target, turns, {root: location})


def legs_of(one: Figure, motion: Moving) -> list[feet.Leg]:
    """Both legs of a figure in motion."""
    legs = []
    for side in ("left", "right"):
        thigh, shin, foot = (one.joints[f"{side}_{joint}"] for joint in ("hip", "knee", "ankle"))
        heel, ball = sole(one, side)
        legs.append(
            feet.Leg(
                *(motion.heads[:, number] for number in (thigh, shin, foot)),
                *(motion.turns[:, number] for number in (thigh, shin, foot)),
                heel,
                ball,
            )
        )
    return legs


def sole(one: Figure, side: str) -> tuple[np.ndarray, np.ndarray]:
    """(3,) heel and ball on the ground at rest, from the ankle, in the foot bone's axes, metres."""
    ankle = one.head(f"{side}_ankle")
    toe = f"{side}_foot"
    if toe in one.joints:
        ball = one.head(toe)
    else:
        ball = ankle + rotations.turn(one.frame(), np.array([0, -0.3 * one.leg_length() / 2, 0]))
    back = rotations.inverse(one.rest[one.joints[f"{side}_ankle"]])
    points = [np.array([*point[:2], one.floor]) - ankle for point in (ankle, ball)]
    return rotations.turn(back, points[0]), rotations.turn(back, points[1])


def _plant(target: Figure, wanted, given, hips, posed: Moving, contacts: np.ndarray, stand: feet.Stand) -> tuple:
    legs = legs_of(target, posed)
    touching = np.asarray(contacts) > feet.TOUCHES
    planted = feet.plant(legs, touching, ground(legs, touching, target.floor), stand)
    for index, side in enumerate(("left", "right")):
        for joint, turns in (("hip", planted.thigh), ("knee", planted.shin), ("ankle", planted.foot)):
            wanted[:, target.joints[f"{side}_{joint}"]] = turns[index]
    turns, location, _ = _pose(target, wanted, given, hips + planted.hips_move)
    return turns, location, planted.off_m


def ground(legs: list[feet.Leg], touching: np.ndarray, floor: float, step: float = 0.07) -> np.ndarray:
    """(T, 4) height of the ground under the points of the soles: the floor, or a step where feet stand off it."""
    heights = np.concatenate([leg.points() for leg in legs], axis=1)[..., 2]
    result = np.full(heights.shape, floor)
    for column in range(4):
        for start in np.flatnonzero(np.diff(np.concatenate([[0], touching[:, column].astype(int)])) == 1):
            end = start + int(np.argmin(np.append(touching[start:, column], False)))
            stood = float(np.sort(heights[start:end, column])[(end - start) // 2])
            result[start:end, column] = floor if abs(stood - floor) < step else stood
    return result
