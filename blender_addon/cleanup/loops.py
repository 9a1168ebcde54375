"""One cycle of a walk, cut out so that its end goes on in its beginning."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..blender import compat, pose_curves, rotations, timing
from ..blender.pose_curves import Poses
from ..errors import UserError
from ..retarget import transfer
from . import edits, root_motion
from .edits import Subject

CYCLIC_LIKENESS = 0.35
"""How unlike poses one period apart may be, as a share of how unlike poses are on average, to count as a cycle."""


@dataclass(frozen=True)
class Cycle:
    """Rows `start` to `end` (included) of a motion; `unlike` is 0 where they are the same pose, 1 for any two poses."""

    start: int
    end: int
    unlike: float


def make_loop(armature, scene, shortest_s: float = 0.4, longest_s: float = 2.5, in_place: bool = False):
    """Give the armature a new action with one cycle that repeats, from the scene's first frame on.

    Args:
        armature: character or retargeted rig.
        scene: gives frame rate and first frame.
        shortest_s, longest_s: seconds between which the cycle is looked for.
        in_place: drop the travel, which otherwise goes on from cycle to cycle.

    Returns:
        The action and the cycle.

    Raises:
        UserError: nothing repeats.
    """
    subject = edits.read(armature)
    fps = float(timing.scene_rate(scene))
    cycle = find(features(subject), max(2, round(shortest_s * fps)), max(3, round(longest_s * fps)))
    rows = slice(cycle.start, cycle.end + 1)
    poses = closed(subject, rows, in_place)
    old_frames = subject.poses.frames[rows]
    others = edits.other_curves(armature, old_frames)
    frames = scene.frame_start + np.arange(len(old_frames), dtype=np.float64)
    action = edits.new_action(armature, f"{armature.animation_data.action.name} loop")
    pose_curves.write(armature, Poses(**{**vars(poses), "frames": frames}))
    edits.write_others(armature, frames, others)
    for curve in compat.curves_of(armature):
        repeat = curve.modifiers.new("CYCLES")
        travels = curve.data_path.endswith(".location") and not in_place
        repeat.mode_before = repeat.mode_after = "REPEAT_OFFSET" if travels else "REPEAT"
    action.use_frame_range, action.use_cyclic = True, True
    action.frame_start, action.frame_end = float(frames[0]), float(frames[-1])
    return action, cycle


def features(subject: Subject) -> np.ndarray:
    """(T, N) places and speeds of the joints as seen from the hips, which do not change with place or heading."""
    motion = subject.motion()
    heads = motion.heads[:, list(subject.figure.joints.values())]
    heading = rotations.about_z(-_heading(subject, motion))
    seen = rotations.turn(heading[:, None], heads - heads[:, :1] * [1, 1, 0])
    places = seen.reshape(len(seen), -1)
    return np.concatenate([places, 4 * np.gradient(places, axis=0)], axis=1)


def find(seen: np.ndarray, shortest: int, longest: int) -> Cycle:
    """The cycle of (T, N) features that closes best, `shortest` to `longest` rows long; UserError if none does."""
    count = len(seen)
    longest = min(longest, count - 2)
    if longest <= shortest:
        raise UserError("The motion is too short for a cycle.", "Choose a longer clip, or a shorter cycle.")
    typical = 2 * seen.var(0).sum() + 1e-12
    lags = np.arange(shortest, longest + 1)
    unlike = np.array([((seen[lag:] - seen[:-lag]) ** 2).sum(1).mean() for lag in lags]) / typical
    inner = np.flatnonzero((unlike[1:-1] <= unlike[:-2]) & (unlike[1:-1] <= unlike[2:])) + 1
    if not len(inner) or unlike[inner].min() > CYCLIC_LIKENESS:
        raise UserError(
            "Nothing in this motion repeats.", "Trim the action to the walk, or change the length that is looked for."
        )
    sound = inner[unlike[inner] <= unlike[inner].min() + 0.2 * CYCLIC_LIKENESS]
    period = int(lags[sound[0]])  # the shortest that is as good as any: not two cycles
    best = Cycle(0, period, np.inf)
    for lag in range(max(shortest, round(0.94 * period)), min(longest, round(1.06 * period)) + 1):
        apart = ((seen[lag:] - seen[:-lag]) ** 2).sum(1) / typical
        start = int(apart.argmin())
        if apart[start] < best.unlike:
            best = Cycle(start, start + lag, float(apart[start]))
    return best


def closed(subject: Subject, rows: slice, in_place: bool) -> Poses:
    """The rows of a motion, with what is between last and first pose shared out over all of them."""
    one, poses = subject.figure, subject.poses
    cut = Poses(
        poses.frames[rows],
        poses.bones,
        poses.turns[rows],
        {bone: values[rows] for bone, values in poses.locations.items()},
        poses.keyed,
        poses.kinds[rows],
    )
    share = np.linspace(-0.5, 0.5, len(cut.frames))
    root = subject.bone("pelvis")
    motion = transfer.moving(one, cut.turns, cut.locations)
    turned, path = _straight(motion.turns[:, root], motion.heads[:, root], share, in_place)
    gap = rotations.multiply(rotations.inverse(cut.turns[-1]), cut.turns[0])
    turns = rotations.multiply(cut.turns, rotations.part_of(gap[None], share[:, None]))
    hips = Subject(subject.armature, one, cut.with_turns(turns))
    back = rotations.inverse(one.placing.turn)
    return root_motion.with_hips(hips, rotations.multiply(back, turned), one.placing.local_points(path))


def _heading(subject: Subject, motion: transfer.Moving) -> np.ndarray:
    """(T,) angle about z of where the hips look, by the line between the hip joints."""
    across = motion.heads[:, subject.bone("left_hip")] - motion.heads[:, subject.bone("right_hip")]
    return np.unwrap(np.arctan2(across[:, 1], across[:, 0]))


def _straight(turns: np.ndarray, heads: np.ndarray, share: np.ndarray, in_place: bool) -> tuple[np.ndarray, np.ndarray]:
    """Orientation (T, 4) and path (T, 3) of the hips in the world that end as they begin, but for the travel."""
    drift = rotations.yaw(rotations.multiply(turns[-1], rotations.inverse(turns[0])))
    unturn = rotations.about_z(-drift * share)
    turns = rotations.multiply(unturn, turns)
    middle = rotations.about_z(-drift * (share[1:] + share[:-1]) / 2)
    steps = rotations.turn(middle, np.diff(heads, axis=0))
    path = heads[:1] + np.concatenate([np.zeros((1, 3)), np.cumsum(steps, axis=0)])
    gap = rotations.multiply(rotations.inverse(turns[-1]), turns[0])
    turns = rotations.multiply(turns, rotations.part_of(np.broadcast_to(gap, turns.shape), share))
    travel = path[-1] - path[0]
    path = path - (share + 0.5)[:, None] * (travel if in_place else travel * [0, 0, 1])
    return turns, path
