"""Motion capture clips put on the SMPL skeleton: rotations, root, ground contact.

A clip's joint frames must be axis-aligned in its T-pose (x left, y up, z front), so that global rotations carry over.
What differs between skeletons is the direction of the bones in the T-pose. Limbs are matched by direction, so that
elbows, wrists, knees and ankles point where the source's point; spine, neck and head are matched T-pose to T-pose,
because their joints lie at other heights in every skeleton, and the trunk then leans so that the shoulders come where
the source's are; collars aim the shoulder; feet are levelled so that the sole is flat where the source stands.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.body.smpl_file import PARENTS
from engine.errors import UsageError
from engine.training.acclaim import CMU_FPS, read_amc, read_asf, skeleton_of
from engine.training.bvh import BvhClip, read_bvh
from engine.training.figure import (
    INDEX,
    JOINTS,
    Figure,
    Floats,
    MotionClip,
    local_rotations,
    matrices,
    turn_between,
    twist_about,
    vectors,
)
from engine.training.ground import contact_slide, floor_height, foot_contacts, keep_out_of_floor
from engine.training.source_pose import LIMBS, JointMap, SourcePose, joint_errors, scaled_source

FPS = 30.0
_SPINE = ("pelvis", "spine1", "spine2", "spine3")
_STILL_SPEED, _STILL_HEIGHT_M = 0.25, 0.04
_MOST_FOOT_SLOPE = 0.45
_PELVIS_SHARE, _MOST_PELVIS_TURN = 0.5, 0.45
_AIM_ROUNDS = 4
_MOST_WRIST_BEND, _MOST_ANKLE_BEND = 1.5, 1.1


@dataclass(frozen=True)
class RetargetReport:
    """How well a clip sits on the SMPL skeleton."""

    joint_error_m: float
    """Mean distance of the joints to the source's, scaled to the same limb lengths (`scaled_source`)."""
    joint_errors_m: dict[str, float]
    """The same for each joint compared."""
    sunk_m: float
    """Deepest point of the skin under the floor, over all frames."""
    lifted_m: float
    """Largest rise that was needed to keep the body out of the floor."""
    contact_slide: float
    """Mean horizontal speed of the heels and toes while in contact, metres per second."""
    warnings: tuple[str, ...] = ()
    """What was repaired in the clip, one sentence each."""


def retarget(
    clip: BvhClip, joints: JointMap, figure: Figure, level_floor: bool = True
) -> tuple[MotionClip, RetargetReport]:
    """Put a clip on the SMPL skeleton.

    Args:
        clip: the clip in any unit, at 30 frames per second.
        joints: which source joint drives which SMPL joint.
        figure: the body that the motion is for.
        level_floor: the clip was taken on one level floor. Otherwise only the deepest point is put on the floor and
            contact is left open (NaN).

    Returns:
        The motion, floor at y = 0, and how well it fits.

    Raises:
        BvhError: the skeleton lacks a joint of the map, or its size fits no unit.
    """
    source = SourcePose(clip, joints)
    goal = _global_rotations(source, figure)
    rotations, pelvis = local_rotations(goal), _pelvis_path(source, goal, figure)
    pelvis = pelvis - (0, floor_height(rotations, pelvis, figure, level_floor, FPS), 0)
    rotations, pelvis, lifted = keep_out_of_floor(rotations, pelvis, figure)
    posed, turned = figure.pose(rotations, pelvis)
    skin = figure.skin_points(posed, turned)
    soles = skin[:, figure.soles]
    contacts = foot_contacts(soles, FPS) if level_floor else np.full((len(pelvis), 4), np.nan)
    errors = joint_errors(source, figure, posed)
    report = RetargetReport(
        joint_error_m=float(np.mean(list(errors.values()))),
        joint_errors_m=errors,
        sunk_m=float(max(0.0, -skin[..., 1].min())),
        lifted_m=lifted,
        contact_slide=contact_slide(soles, contacts, FPS),
        warnings=(*clip.warnings, *source.warnings),
    )
    return MotionClip(clip.path.stem, rotations, pelvis, contacts), report


def _global_rotations(source: SourcePose, figure: Figure) -> Floats:
    """(T, 24, 3, 3) global rotations of the SMPL joints."""
    goal = np.empty((source.clip.frame_count, 24, 3, 3))
    for j, name in enumerate(JOINTS):
        # what nothing drives follows its parent; spine joints are shared out below
        goal[:, j] = source.turned(name) if source.drives(name) else goal[:, PARENTS[j]]
    _share_spine(goal, source)
    _lean_trunk(goal, source, figure)
    for name in ("head", "left_collar", "right_collar"):
        if not source.drives(name):
            goal[:, INDEX[name]] = goal[:, PARENTS[INDEX[name]]]
    for side in ("left", "right"):
        _share_forearm_twist(goal, source, side)
        for start, end in LIMBS:
            _match_direction(goal, source, figure, f"{side}_{start}", f"{side}_{end}")
        _repair_foot(goal, source, side)
        _level_foot(goal, source, side)
        _aim_collar(goal, source, figure, side)
    _aim_trunk(goal, scaled_source(source, figure), figure)
    return goal


def _share_spine(goal: Floats, source: SourcePose) -> None:
    """A spine joint that the source lacks turns half-way between the one below and the one above."""
    for below, name, above in zip(_SPINE, _SPINE[1:], (*_SPINE[2:], ""), strict=False):
        if source.drives(name):
            continue
        low = goal[:, INDEX[below]]
        goal[:, INDEX[name]] = low
        if above and source.drives(above):
            bend = vectors(np.swapaxes(low, 1, 2) @ goal[:, INDEX[above]])
            goal[:, INDEX[name]] = low @ matrices(bend / 2)


def _lean_trunk(goal: Floats, source: SourcePose, figure: Figure) -> None:
    """Make the line from the hips to the shoulders, at rest, lean as the source's: some rest poses lean back more."""

    def rise(places: dict[str, Floats]) -> Floats:
        line: Floats = places["left_shoulder"] + places["right_shoulder"] - places["left_hip"] - places["right_hip"]
        return line * (0, 1, 1)  # left and right are no matter of posture

    names = ("left_shoulder", "right_shoulder", "left_hip", "right_hip")
    own, theirs = {n: figure.joints[INDEX[n]] for n in names}, {n: source.rest(n) for n in names}
    lean = turn_between(rise(own), rise(theirs))
    for name in _SPINE[1:]:
        goal[:, INDEX[name]] = goal[:, INDEX[name]] @ lean


def _share_forearm_twist(goal: Floats, source: SourcePose, side: str) -> None:
    """Half of the turn of the hand about the forearm belongs to the forearm, or the wrist looks wrung.

    Turns and bends that no wrist can do are faults of the capture and are limited.
    """
    elbow, wrist, hand = (INDEX[f"{side}_{n}"] for n in ("elbow", "wrist", "hand"))
    if not source.drives(f"{side}_hand"):
        goal[:, hand] = goal[:, wrist]
    fingers = np.swapaxes(goal[:, wrist], 1, 2) @ goal[:, hand]
    relative = np.swapaxes(goal[:, elbow], 1, 2) @ goal[:, wrist]
    along = np.array([1.0, 0, 0])  # the forearm lies along x at rest
    twist = twist_about(relative, along)
    bend = vectors(relative @ matrices(-twist[:, None] * along))
    bend *= np.minimum(1, _MOST_WRIST_BEND / np.maximum(np.linalg.norm(bend, axis=1, keepdims=True), 1e-9))
    half = matrices(_folded(twist)[:, None] * along / 2)
    bent = goal[:, elbow] @ matrices(bend)
    goal[:, elbow] = goal[:, elbow] @ half
    goal[:, wrist] = bent @ half @ half
    goal[:, hand] = goal[:, wrist] @ fingers


def _repair_foot(goal: Floats, source: SourcePose, side: str) -> None:
    """Undo half turns of the foot about its own length, which leave the toes where they are, and limit the ankle."""
    knee, ankle, toes = (INDEX[f"{side}_{n}"] for n in ("knee", "ankle", "foot"))
    along = np.array([0.0, 0, 1])
    if source.has_place(f"{side}_foot"):
        along = source.rest(f"{side}_foot") - source.rest(f"{side}_ankle")
        along = along / np.linalg.norm(along)
    for parent, joint in ((knee, ankle), (ankle, toes)):
        relative = np.swapaxes(goal[:, parent], 1, 2) @ goal[:, joint]
        roll = twist_about(relative, along)
        bend = vectors(relative @ matrices((_folded(roll) - roll)[:, None] * along))
        bend *= np.minimum(1, _MOST_ANKLE_BEND / np.maximum(np.linalg.norm(bend, axis=1, keepdims=True), 1e-9))
        goal[:, joint] = goal[:, parent] @ matrices(bend)


def _folded(angles: Floats) -> Floats:
    """Angles as they are up to a quarter turn, and back to 0 towards a half turn: continuous, blind to half turns."""
    folded: Floats = np.arcsin(np.sin(angles))
    return folded


def _match_direction(goal: Floats, source: SourcePose, figure: Figure, start: str, end: str) -> None:
    """Turn a limb's rest direction on the figure to the source's, before the source's rotation.

    Where the source has a bending joint between the two (a twist joint in the forearm that also bends), the remaining
    difference is taken up frame by frame.
    """
    if not (source.has_place(start) and source.has_place(end)) or source.same_place(start, end):
        return
    ours = figure.joints[INDEX[end]] - figure.joints[INDEX[start]]
    turned = goal[:, INDEX[start]] @ turn_between(ours, source.rest(end) - source.rest(start))
    goal[:, INDEX[start]] = turn_between(turned @ ours, source.moving(end) - source.moving(start)) @ turned


def _level_foot(goal: Floats, source: SourcePose, side: str) -> None:
    """Sources draw the rest foot at various slopes: the slope at which they stand becomes the figure's flat foot."""
    ankle, toes = INDEX[f"{side}_ankle"], INDEX[f"{side}_foot"]
    place = source.moving(f"{side}_ankle")
    speed = np.linalg.norm(np.gradient(place, axis=0), axis=1) * FPS if len(place) > 1 else np.zeros(1)
    still = (speed < _STILL_SPEED) & (place[:, 1] < place[:, 1].min() + _STILL_HEIGHT_M)
    slope = 0.0
    if still.sum() >= 5:
        up, ahead = goal[still, ankle, :, 1], goal[still, ankle, :, 2]  # the foot's own axes in the world
        slope = float(np.median(np.arctan2(-ahead[:, 1], up[:, 1])))
    level = matrices(np.array([-np.clip(slope, -_MOST_FOOT_SLOPE, _MOST_FOOT_SLOPE), 0, 0]))
    goal[:, ankle] = goal[:, ankle] @ level
    goal[:, toes] = goal[:, toes] @ level if source.drives(f"{side}_foot") else goal[:, ankle]


def _aim_collar(goal: Floats, source: SourcePose, figure: Figure, side: str) -> None:
    """Turn the collar so that the shoulder leaves its rest place, seen from the chest, as the source's does."""
    if not (source.drives(f"{side}_collar") and source.drives("spine3") and source.has_place("spine3")):
        return
    shoulder, collar, spine3 = f"{side}_shoulder", INDEX[f"{side}_collar"], INDEX["spine3"]
    chest = np.swapaxes(source.turned("spine3"), 1, 2)
    arm = np.einsum("tij,tj->ti", chest, source.moving(shoulder) - source.moving("spine3"))
    moved = turn_between(source.rest(shoulder) - source.rest("spine3"), arm)
    own, place = figure.joints, figure.joints[INDEX[shoulder]]
    target = moved @ (place - own[spine3]) - (own[collar] - own[spine3])
    goal[:, collar] = goal[:, spine3] @ turn_between(place - own[collar], target)


def _aim_trunk(goal: Floats, wanted: dict[str, Floats], figure: Figure) -> None:
    """Turn pelvis and trunk so that the shoulders come where the source's are.

    Sources bend their spines at other heights: in a deep bend the same rotations put the shoulders elsewhere. The
    pelvis takes a part of the turn, about the hips, the spine the rest, each joint a share; head, arms and legs keep
    their rotations.
    """
    target = (wanted["left_shoulder"] + wanted["right_shoulder"]) / 2

    def shoulders(bottom: str) -> tuple[Floats, Floats]:
        """From the bottom joint (or the middle of the hips) to the shoulders, now and as wanted."""
        posed, _ = figure.pose(local_rotations(goal), np.zeros((len(goal), 3)))
        hips = (posed[:, INDEX["left_hip"]] + posed[:, INDEX["right_hip"]]) / 2
        start = hips if bottom == "hips" else posed[:, INDEX[bottom]]
        now = (posed[:, INDEX["left_shoulder"]] + posed[:, INDEX["right_shoulder"]]) / 2
        return now - start, target + hips - start

    share = vectors(turn_between(*shoulders("hips"))) * _PELVIS_SHARE
    share *= np.minimum(1, _MOST_PELVIS_TURN / np.maximum(np.linalg.norm(share, axis=1, keepdims=True), 1e-9))
    goal[:, 0] = matrices(share) @ goal[:, 0]
    for _ in range(_AIM_ROUNDS):
        aim = turn_between(*shoulders("spine1"))
        for name in ("spine3", "left_collar", "right_collar"):
            goal[:, INDEX[name]] = aim @ goal[:, INDEX[name]]
        bend = vectors(np.swapaxes(goal[:, 0], 1, 2) @ goal[:, INDEX["spine3"]])
        for name, part in (("spine1", 0.4), ("spine2", 0.75)):
            goal[:, INDEX[name]] = goal[:, 0] @ matrices(bend * part)


def _pelvis_path(source: SourcePose, goal: Floats, figure: Figure) -> Floats:
    """Pelvis joint such that the middle of the hips follows the source's, scaled by the length of the legs."""
    scale = figure.length("left_hip", "left_knee", "left_ankle") / source.leg_length()
    middle = (source.moving("left_hip") + source.moving("right_hip")) / 2 * scale
    own = (figure.joints[INDEX["left_hip"]] + figure.joints[INDEX["right_hip"]]) / 2 - figure.joints[0]
    path: Floats = middle - goal[:, 0] @ own
    return path


def retarget_folder(
    folder: Path,
    maps: Mapping[str, JointMap],
    figure: Figure,
    uneven: frozenset[str] = frozenset(),
    rates: Mapping[str, float] | None = None,
) -> Iterator[tuple[Path, tuple[MotionClip, RetargetReport] | UsageError]]:
    """Retarget `folder/<source>/<clip>.bvh` and `.amc` (its skeleton `.asf` beside it), clip by clip.

    Args:
        folder: one sub-folder per source.
        maps: joint map of each source.
        figure: the body.
        uneven: names of clips that were not taken on a level floor.
        rates: frames per second of `.amc` clips, which do not tell it themselves; CMU's if left out.

    Yields:
        The path with the motion and its report, or with the error of a bad clip; the others go on.
    """
    for path in motion_files(folder):
        yield path, _retarget_file(path, maps, figure, path.stem not in uneven, (rates or {}).get(path.stem, CMU_FPS))


def motion_files(folder: Path) -> list[Path]:
    """The motion files `folder/<source>/<clip>` of the formats that are read, in order."""
    return sorted(path for ending in ("bvh", "amc") for path in folder.glob(f"*/*.{ending}"))


def _retarget_file(
    path: Path, maps: Mapping[str, JointMap], figure: Figure, level_floor: bool, amc_fps: float
) -> tuple[MotionClip, RetargetReport] | UsageError:
    try:
        if path.parent.name not in maps:
            raise UsageError(
                f"{path.name}: there is no joint map for the source '{path.parent.name}'.", "Add one to skeletons.json."
            )
        acclaim = path.suffix == ".amc"
        clip = read_amc(path, read_asf(skeleton_of(path)), amc_fps, FPS) if acclaim else read_bvh(path, FPS)
        return retarget(clip, maps[path.parent.name], figure, level_floor)
    except UsageError as error:
        return error
