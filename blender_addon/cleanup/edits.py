"""Cleaning up a character's motion: smoothing, feet that stand still, rotation modes, root motion, mirroring.

Each function changes the action that the armature uses, or gives it a new one, and works on our own characters as on
rigs that were retargeted to.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import bpy
import numpy as np

from ..blender import bones as bone_arrays
from ..blender import compat, filters, pose_curves, rotations, steps, timing
from ..blender.pose_curves import Poses
from ..character import contact_edits, contacts, feet, keying
from ..character.scene import PERSON
from ..errors import UserError
from ..retarget import bake, transfer
from ..retarget.properties import MAP

LIMBS = {
    "LEFT_ARM": ("left_collar", "left_shoulder", "left_elbow", "left_wrist", "left_hand"),
    "RIGHT_ARM": ("right_collar", "right_shoulder", "right_elbow", "right_wrist", "right_hand"),
    "LEFT_LEG": ("left_hip", "left_knee", "left_ankle", "left_foot"),
    "RIGHT_LEG": ("right_hip", "right_knee", "right_ankle", "right_foot"),
    "TORSO": ("pelvis", "spine1", "spine2", "spine3"),
    "HEAD": ("neck", "head"),
}
"""SMPL joints of each limb; the torso brings the path of the hips along."""


@dataclass(frozen=True)
class Subject:
    """An armature with its motion, ready to be worked on."""

    armature: object
    figure: transfer.Figure
    poses: Poses

    def motion(self) -> transfer.Moving:
        """The bones in the world."""
        return transfer.moving(self.figure, self.poses.turns, self.poses.locations)

    def bone(self, joint: str) -> int:
        """Number of the bone of a SMPL joint."""
        return self.figure.joints[joint]


def read(armature, frames: np.ndarray | None = None) -> Subject:
    """Read an armature whose limbs are known. Raises UserError if they are not, or there is no motion."""
    limbs = bake.limbs_of(armature)
    if limbs is None or limbs.missing():
        raise UserError(
            f"The limbs of {armature.name} are not known.", "Choose an adapted character, or a rig retargeted to."
        )
    poses = pose_curves.read(armature, frames, limbs.follows)
    one = transfer.figure(armature, limbs.bones, limbs.follows)
    numbers = {name: number for number, name in enumerate(poses.bones.names)}
    joints = {joint: numbers[name] for joint, name in limbs.bones.items() if name in numbers}
    figure = transfer.Figure(poses.bones, one.placing, joints, one.floor, one.hands)
    if "pelvis" not in joints:
        raise UserError(f"The hips of {armature.name} have no keys.", "Choose the action of the adapted motion.")
    return Subject(armature, figure, poses)


def smooth(armature, limbs: set[str], seconds: float, scene, keep_feet: bool = True) -> int:
    """Smooth some limbs in time, over `seconds` (the width of the Gaussian); gives back how many bones.

    With `keep_feet` feet that stand are put back to where they stand.
    """
    subject = read(armature)
    sigma = seconds * float(timing.scene_rate(scene)) / 2
    turns, locations = subject.poses.turns.copy(), dict(subject.poses.locations)
    chosen = [subject.bone(joint) for limb in limbs for joint in LIMBS[limb] if joint in subject.figure.joints]
    for bone in chosen:
        turns[:, bone] = filters.gaussian_turns(turns[:, bone], sigma)
    if "TORSO" in limbs and subject.bone("pelvis") in locations:
        root = subject.bone("pelvis")
        locations[root] = filters.gaussian(locations[root], sigma)
    changed = Poses(**{**vars(subject.poses), "turns": turns, "locations": locations})
    if keep_feet and limbs & {"LEFT_LEG", "RIGHT_LEG", "TORSO"}:
        # where the feet stood before, not where smoothing has put them
        changed = _planted(subject, changed, float(timing.scene_rate(scene)), 0.12)
    pose_curves.write(armature, changed)
    return len(chosen)


@dataclass(frozen=True)
class Locked:
    """What `lock_feet` did: on how many `frames` feet stand, and by how many metres hips and ankles moved at most."""

    frames: int
    hips_m: float
    feet_m: float


def lock_feet(armature, scene, ease_s: float = 0.12, hips: float = 1.0) -> Locked:
    """Hold planted feet where they stand, by the hips and by turning the legs; gives back how much that moved.

    Args:
        armature: character or retargeted rig.
        scene: gives the frame rate.
        ease_s: seconds that a foot takes to come from its free path to where it stands.
        hips: share that the hips take over. Without them a nearly straight leg turns far, and its knee may jump.
    """
    return steps.finish(lock_feet_steps(armature, scene, ease_s, hips))


def lock_feet_steps(armature, scene, ease_s: float = 0.12, hips: float = 1.0) -> Generator[None, None, Locked]:
    """`lock_feet` in steps: reading, computing beside Blender, writing."""
    subject = read(armature)
    fps = float(timing.scene_rate(scene))
    touching = _contacts(subject, fps)
    if not touching.any():
        raise UserError("No foot touches the ground in this motion.", "Add contacts under Clean Up, or skip this.")
    yield
    planted = yield from steps.beside(lambda: _planted(subject, subject.poses, fps, ease_s, hips, touching))
    pose_curves.write(armature, planted)
    yield
    heads = [transfer.moving(subject.figure, poses.turns, poses.locations).heads for poses in (subject.poses, planted)]
    far = np.linalg.norm(heads[1] - heads[0], axis=-1).max(0)
    ankles = [far[subject.bone(f"{side}_ankle")] for side in ("left", "right")]
    return Locked(int(touching.any(1).sum()), float(far[subject.bone("pelvis")]), float(max(ankles)))


def edit_contact(armature, scene, side: str, how: str) -> bool:
    """Change the contact of a foot at the scene's frame (`contact_edits.edit`); False if there is none to change.

    Contacts that are only seen in the motion, or are probabilities, become ranges first.
    """
    known = contacts.curves_of(armature)
    if len(known) < len(contacts.NAMES) or not all(contacts.is_held(curve) for curve in known.values()):
        subject = read(armature)
        contacts.key(armature, subject.poses.frames, _contacts(subject, float(timing.scene_rate(scene))))
    return contact_edits.edit(armature, side, how, scene.frame_current, float(timing.scene_rate(scene)))


def soles(subject: Subject, fps: float) -> tuple[np.ndarray, np.ndarray]:
    """(T, 4, 3) heel and ball of both feet in the world, and (T, 4) whether they touch the ground."""
    legs = transfer.legs_of(subject.figure, subject.motion())
    return np.concatenate([leg.points() for leg in legs], axis=1), _contacts(subject, fps)


def _contacts(subject: Subject, fps: float) -> np.ndarray:
    return bake.contacts_of(subject.armature, subject.figure, subject.motion(), subject.poses.frames, fps)


def _planted(
    subject: Subject, poses: Poses, fps: float, ease_s: float, hips: float = 0.0, touching: np.ndarray | None = None
) -> Poses:
    """`poses` with feet that stand still while those of `subject` touch: `touching` (T, 4) where that is known."""
    one = subject.figure
    touching = _contacts(subject, fps) if touching is None else touching
    motion = transfer.moving(one, poses.turns, poses.locations)
    legs = transfer.legs_of(one, motion)
    planted = feet.plant(legs, touching, transfer.ground(legs, touching, one.floor), feet.Stand(fps, hips, ease_s))
    wanted = motion.turns.copy()
    for index, side in enumerate(("left", "right")):
        for joint, turned in (("hip", planted.thigh), ("knee", planted.shin), ("ankle", planted.foot)):
            wanted[:, one.joints[f"{side}_{joint}"]] = turned[index]
    local = rotations.multiply(rotations.inverse(one.placing.turn), wanted)
    turns = bone_arrays.own_turns(one.bones, local, np.ones(len(one.bones.names), dtype=bool))
    return moved(one, poses.with_turns(turns), planted.hips_move)


def moved(one: transfer.Figure, poses: Poses, by: np.ndarray) -> Poses:
    """Poses whose hips go along by (T, 3) metres in the world."""
    root = one.joints["pelvis"]
    orientation, heads = poses.forward()
    step = rotations.turn(rotations.inverse(one.placing.turn), by) / one.placing.scale
    above = one.bones.parents[root]
    location = bone_arrays.location_for(one.bones, root, orientation[:, above], heads[:, above], heads[:, root] + step)
    return Poses(**{**vars(poses), "locations": {**poses.locations, root: location}})


def set_rotation_mode(armature, mode: str) -> int:
    """Key rotations as `QUATERNION` or as Euler angles in an order such as `XYZ`; gives back how many bones changed."""
    poses = pose_curves.read(armature)
    modes = list(poses.bones.modes)
    maker = compat.curve_maker(armature)
    changed = 0
    for number, name in enumerate(poses.bones.names):
        if not poses.keyed[number] or modes[number] == mode:
            continue
        old = pose_curves.rotation_property(modes[number])
        for index in range(4):
            maker.remove(pose_curves.path_of(name, old), index)
        armature.pose.bones[name].rotation_mode = mode
        values = pose_curves.from_quaternions(poses.turns[:, number], mode)
        kinds = poses.kinds[:, number]
        pose_curves.write_channels(maker, name, pose_curves.rotation_property(mode), poses.frames, values, kinds)
        changed += 1
    return changed


def new_action(armature, name: str):
    """Give an armature a new action of ours, with the rates of the one before, which stays in the file. The action."""
    old = armature.animation_data.action
    old.use_fake_user = True
    action, _ = compat.new_action(armature, name)
    for key in (keying.CLIP_RATE, keying.KEY_RATE, keying.KEY_START, MAP, PERSON):
        if key in old:
            action[key] = old[key]
    return action


def mirror(armature) -> object:
    """Give the armature a new action with left and right exchanged; gives it back. The rest pose must be symmetric."""
    subject = read(armature)
    poses = subject.poses
    names = poses.bones.names
    partner = [names.index(other) if (other := flipped(name)) in names else number for number, name in enumerate(names)]
    flip = np.array([1.0, 1.0, -1.0, -1.0])  # a turn seen in the mirror x -> -x
    orientation, heads = poses.forward()
    change = rotations.multiply(orientation, rotations.inverse(poses.bones.rest))[:, partner] * flip
    wanted = rotations.multiply(change, poses.bones.rest)
    given = np.ones(len(names), dtype=bool)
    turns = bone_arrays.own_turns(poses.bones, wanted, given)
    extras = other_curves(armature, poses.frames)
    root = subject.bone("pelvis")
    above = poses.bones.parents[root]
    place = heads[:, root] * np.array([-1.0, 1.0, 1.0])
    carried, carried_heads = bone_arrays.forward(poses.bones, turns, {})
    location = bone_arrays.location_for(poses.bones, root, carried[:, above], carried_heads[:, above], place)
    action = new_action(armature, f"{armature.animation_data.action.name} mirrored")
    mirrored = Poses(**{**vars(poses), "locations": {root: location}, "kinds": poses.kinds[:, partner]})
    pose_curves.write(armature, mirrored.with_turns(turns))
    write_others(armature, poses.frames, {_flipped_words(path): values for path, values in extras.items()})
    return action


def flipped(name: str) -> str:
    """Name of the bone on the other side; the same if it has none."""
    other = bpy.utils.flip_name(name)
    return other if other != name else _flipped_words(name)


def _flipped_words(text: str) -> str:
    """`text` with left and right exchanged, also as in `J_Bip_L_Hand`."""
    for left, right in (("Left", "Right"), ("left", "right"), ("_L_", "_R_"), ("_l_", "_r_")):
        if left in text:
            return text.replace(left, right)
        if right in text:
            return text.replace(right, left)
    if text[:2] in ("L_", "R_"):
        return ("R" if text[0] == "L" else "L") + text[1:]
    return text


def other_curves(armature, frames: np.ndarray) -> dict[str, np.ndarray]:
    """(T,) values of the curves of the object's own custom properties, by path: contacts, confidence."""
    curves = [curve for curve in compat.curves_of(armature) if curve.data_path.startswith('["')]
    return {curve.data_path: pose_curves.sample(curve, frames) for curve in curves if len(curve.keyframe_points)}


def write_others(armature, frames: np.ndarray, values: dict[str, np.ndarray]) -> None:
    """Key custom properties of the object, by path."""
    maker = compat.curve_maker(armature)
    for path, column in values.items():
        if path in map(contacts.path_of, contacts.NAMES):
            contacts.write_ranges(maker.replace(path, 0, contacts.GROUP), frames, column > feet.TOUCHES)
        else:
            pose_curves.set_keys(maker.replace(path, 0, "Confidence"), frames, column)
