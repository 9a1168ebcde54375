"""A performance in anatomical channels (degrees, metres, over time) and its solution into SMPL rotations.

The person faces +z, left is +x, y is up, the floor is y = 0. Everything is authored for the right hand and right foot;
left-handed performers are mirrored. Feet are given as places on the ground and legs follow by two-bone inverse
kinematics, so that what is planted stays planted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import gaussian_filter1d, maximum_filter1d

from engine.training.figure import INDEX, Figure, Floats, MotionClip, local_rotations, matrices
from engine.training.ground import foot_contacts

FPS = 30.0
SIDES = ("left", "right")
_SIGN = {"left": 1.0, "right": -1.0}
_SPINE_SHARES = {"spine1": 0.4, "spine2": 0.35, "spine3": 0.25}
_HEAD_SHARES = {"neck": 0.45, "head": 0.55}
_STRAIGHTEST_LEG = 0.995
"""Share of the leg's full length that a standing leg may use: knees are never locked dead straight."""
_MOST_TOE_BEND = 70.0
_THIGH_M, _KNUCKLES_M = 0.1, 0.09
"""Clearance of the hands from the line of the thigh; length from the wrist to the knuckles."""
_CLEARING_ROUNDS, _TOO_LITTLE_M = 4, 1e-3


@dataclass(frozen=True)
class Performer:
    """A person who performs all actions: body and habits."""

    name: str
    figure: Figure
    left_handed: bool = False
    tempo: float = 1.0
    """Speed of movement; 1 is that of the action."""
    amplitude: float = 1.0
    """Size of free movements; 1 is that of the action."""
    stance_m: float = 0.2
    """Distance between the ankles in standing."""
    toe_out: float = 7.0
    """Degrees that each foot points outward."""
    arm_hang: float = 8.0
    """Degrees that the hanging arms stand off."""
    stoop: float = 0.0
    """Degrees that the spine is bent forward in standing."""
    sway: float = 1.0
    """Restlessness of head, trunk and hands."""


@dataclass
class Arm:
    """Channels of one arm over T frames, degrees, from the arm that hangs straight down, thumb ahead."""

    flexion: Floats
    abduction: Floats
    rotation: Floats
    """Inward turn of the upper arm about itself."""
    elbow: Floats
    pronation: Floats
    extension: Floats
    """Wrist, back of the hand towards the forearm."""
    deviation: Floats
    """Wrist, towards the thumb."""
    reach: Floats
    """(T, 3) place for the wrist."""
    weight: Floats
    """0: the angles hold; 1: the wrist is at `reach`."""
    hint: Floats
    """(T, 3) direction in which the elbow points, for reaching."""
    lift: float | Floats = 0.0
    """Degrees that the shoulder is pulled up."""


@dataclass
class Foot:
    """Channels of one foot over T frames."""

    flat: Floats
    """(T, 3) point of the sole under the ankle while the foot is flat."""
    pitch: Floats
    """Degrees; above 0 the heel is up and the foot turns on its ball, under 0 on its heel."""
    yaw: Floats
    """Degrees that the foot points outward."""
    knee: Floats
    """Degrees that the knee points outward."""
    toes_bend: Floats
    """0: toes straight; 1: toes stay flat while the heel rises."""
    support: Floats
    """Height of what is under the foot: 0 on the floor, more on a stair."""


@dataclass
class Stage:
    """One performance over T frames; it starts as standing at ease and actions change the channels."""

    performer: Performer
    rng: np.random.Generator
    seconds: float
    times: Floats = field(init=False)
    pelvis: Floats = field(init=False)
    """(T, 3) pelvis joint."""
    turn: Floats = field(init=False)
    """(T, 3) pelvis: forward pitch, lean to the left, turn to the left, degrees."""
    spine: Floats = field(init=False)
    """(T, 3) spine on the pelvis: bend forward, to the left, twist to the left, degrees."""
    head: Floats = field(init=False)
    """(T, 3) head on the spine: the same."""
    arms: dict[str, Arm] = field(init=False)
    feet: dict[str, Foot] = field(init=False)
    settles: bool = True
    """Lower the pelvis where a planted foot would be out of reach."""
    knee_soft: float = 0.0
    """Metres that the pelvis stays under the height of straight legs."""

    def __post_init__(self) -> None:
        person, figure = self.performer, self.performer.figure
        frames = max(2, round(self.seconds * FPS) + 1)
        self.times = np.arange(frames) / FPS
        self.pelvis = np.tile([0.0, figure.standing_height, 0.0], (frames, 1))
        self.turn = np.zeros((frames, 3))
        self.spine = np.tile([person.stoop, 0.0, 0.0], (frames, 1))
        self.head = np.tile([-0.6 * person.stoop, 0.0, 0.0], (frames, 1))
        self.arms = {side: self._hanging_arm(person) for side in SIDES}
        self.feet = {}
        for side in SIDES:
            place = (_SIGN[side] * person.stance_m / 2, 0.0, figure.joints[INDEX[f"{side}_ankle"], 2])
            self.feet[side] = Foot(
                np.tile(place, (frames, 1)),
                self.still(),
                self.still(person.toe_out),
                self.still(8),
                self.still(1),
                self.still(),
            )
        self._breathe()

    def _hanging_arm(self, person: Performer) -> Arm:
        hint = np.tile([0.0, -1.0, -0.6], (len(self.times), 1))
        return Arm(
            self.still(4),
            self.still(person.arm_hang),
            self.still(12),
            self.still(14),
            self.still(15),
            self.still(0),
            self.still(0),
            np.zeros((len(self.times), 3)),
            self.still(0),
            hint,
        )

    def _breathe(self) -> None:
        """Postural sway: some millimetres and a degree or two, slower than 1 Hz (Winter 1995, Gait & Posture 3:193)."""
        s = self.performer.sway
        self.pelvis[:, [0, 2]] += np.stack([self.noise(0.006 * s, 1.6), self.noise(0.006 * s, 1.4)], 1)
        for i, size in enumerate((1.2, 1.0, 1.5)):
            self.spine[:, i] += self.noise(size * s, 1.1)
            self.head[:, i] += self.noise((2.0, 1.2, 4.0)[i] * s, 0.9)
        for arm in self.arms.values():
            arm.flexion = arm.flexion + self.noise(2.0 * s, 0.9)
            arm.abduction = arm.abduction + self.noise(1.0 * s, 0.9)
            arm.elbow = arm.elbow + self.noise(3.0 * s, 0.8)

    @property
    def frames(self) -> int:
        """Number of frames T."""
        return len(self.times)

    def still(self, value: float = 0.0) -> Floats:
        """A channel that keeps one value."""
        return np.full(len(self.times), float(value))

    def noise(self, size: float, seconds: float) -> Floats:
        """(T,) smooth random wander of standard deviation `size` that changes over about `seconds`."""
        width = max(1.0, seconds * FPS / 2)
        raw = gaussian_filter1d(self.rng.standard_normal(len(self.times) + 8 * int(width)), width)
        wander: Floats = raw[4 * int(width) :][: len(self.times)] * size * np.sqrt(2 * np.sqrt(np.pi) * width)
        return wander

    def key(self, *keys: tuple[float, float], smooth_s: float = 0.05) -> Floats:
        """(T,) channel through (seconds, value) keys: flat at turning points, rounded, held before and after."""
        at, values = np.array([k[0] for k in keys]), np.array([k[1] for k in keys])
        curve = (
            PchipInterpolator(at, values)(np.clip(self.times, at[0], at[-1])) if len(at) > 1 else self.still(values[0])
        )
        rounded: Floats = gaussian_filter1d(curve, smooth_s * FPS, mode="nearest")
        return rounded

    def path(self, *keys: tuple[float, tuple[float, float, float]]) -> Floats:
        """(T, 3) the same for points."""
        return np.stack([self.key(*((t, p[i]) for t, p in keys)) for i in range(3)], 1)

    def vary(self, value: float, share: float = 0.1) -> float:
        """The value, up to `share` more or less."""
        return float(value * (1 + self.rng.uniform(-share, share)))

    def solve(self, name: str) -> MotionClip:
        """Turn the channels into a motion, mirrored for left-handed performers."""
        figure = self.performer.figure
        turned = np.tile(np.eye(3), (self.frames, 24, 1, 1))
        self._solve_trunk(turned)
        if self.settles:
            self._settle(turned)
        for side in SIDES:
            self._solve_leg(turned, side)
        for side in SIDES:  # hands keep clear of the thighs, so legs come first
            self._solve_arm(turned, side)
        rotations = local_rotations(turned)
        posed, globally = figure.pose(rotations, self.pelvis)
        soles = figure.skin_points(posed, globally)[:, figure.soles].copy()
        soles[..., 1] -= np.stack([self.feet[side].support for side in SIDES], 1)[:, [0, 0, 1, 1]]
        clip = MotionClip(name, rotations, self.pelvis.copy(), foot_contacts(soles, FPS), FPS)
        return clip.mirrored() if self.performer.left_handed else clip

    def _solve_trunk(self, turned: Floats) -> None:
        turned[:, 0] = _trunk_turn(self.turn)
        below = turned[:, 0]
        for name, share in (*_SPINE_SHARES.items(), *_HEAD_SHARES.items()):
            channel = self.spine if name in _SPINE_SHARES else self.head
            below = below @ _trunk_turn(channel * share)
            turned[:, INDEX[name]] = below
        for side in SIDES:
            arm = self.arms[side]
            raised = np.hypot(arm.flexion, arm.abduction)
            # the shoulder girdle gives about a fifth of the arm's rise past 30 degrees (Inman 1944, J Bone Joint Surg)
            shrug = (0.2 * np.clip(raised - 30, 0, 150) + arm.lift) * _SIGN[side]
            turned[:, INDEX[f"{side}_collar"]] = turned[:, INDEX["spine3"]] @ _about("z", shrug)

    def _foot_turn(self, side: str) -> Floats:
        foot = self.feet[side]
        return _about("y", _SIGN[side] * foot.yaw) @ _about("x", foot.pitch)

    def ankle(self, side: str) -> Floats:
        """(T, 3) where the foot's place, pitch and yaw put the ankle, so that the sole touches the ground."""
        foot, figure = self.feet[side], self.performer.figure
        ankle, ball = (figure.joints[INDEX[f"{side}_{n}"]] for n in ("ankle", "foot"))
        heel = figure.skin[figure.soles[0 if side == "left" else 2]]
        tilt = _about("x", foot.pitch)
        sole, toes = (figure.skin[figure.carriers == INDEX[f"{side}_{n}"]] for n in ("ankle", "foot"))
        heights = np.einsum("tj,sj->ts", tilt[:, 1], sole - ankle)
        bent = tilt @ self._toes_turn(side)
        toe_heights = tilt[:, 1] @ (ball - ankle) + np.einsum("tj,sj->st", bent[:, 1], toes - ball)
        pivot = np.where(foot.pitch[:, None] > 0, ball - ankle, heel - ankle)
        place = (pivot - np.einsum("tij,tj->ti", tilt, pivot)) * (1, 0, 1)
        place[:, 1] = -np.minimum(heights.min(1), toe_heights.min(0))
        where: Floats = foot.flat + np.einsum("tij,tj->ti", _about("y", _SIGN[side] * foot.yaw), place)
        return where

    def _toes_turn(self, side: str) -> Floats:
        foot = self.feet[side]
        return _about("x", -np.clip(foot.pitch, 0, _MOST_TOE_BEND) * foot.toes_bend)

    def _settle(self, turned: Floats) -> None:
        """Lower the pelvis until planted feet are in reach, smoothly."""
        figure = self.performer.figure
        drops = np.zeros(self.frames)
        for side in SIDES:
            hip = self.pelvis + turned[:, 0] @ (figure.joints[INDEX[f"{side}_hip"]] - figure.joints[0])
            leg = figure.length(*(f"{side}_{n}" for n in ("hip", "knee", "ankle"))) * _STRAIGHTEST_LEG
            away = hip - self.ankle(side)
            most = np.sqrt(np.maximum(leg**2 - (away[:, [0, 2]] ** 2).sum(1), 0.01))
            foot = self.feet[side]
            speed = np.abs(np.gradient(foot.flat, axis=0)).max(1) * FPS
            needed = np.where(speed < 0.5, away[:, 1] - most + self.knee_soft, 0)
            drops = np.maximum(drops, needed)
        self.pelvis[:, 1] -= gaussian_filter1d(
            maximum_filter1d(drops, 9, mode="nearest"), 2.0, mode="nearest", radius=4
        )

    def _solve_leg(self, turned: Floats, side: str) -> None:
        figure, foot = self.performer.figure, self.feet[side]
        joints = [INDEX[f"{side}_{n}"] for n in ("hip", "knee", "ankle")]
        hip = self.pelvis + turned[:, 0] @ (figure.joints[joints[0]] - figure.joints[0])
        hint = turned[:, 0] @ _about("y", _SIGN[side] * foot.knee) @ np.array([0.0, 0.0, 1.0])
        hint = hint + (0, 0.35, 0) * np.maximum(0, hint[:, 1:2] * -1)  # a deep bow must not turn the knees downward
        upper, lower = two_bones(figure, joints, hip, self.ankle(side), hint, np.array([1.0, 0.0, 0.0]))
        turned[:, joints[0]], turned[:, joints[1]] = upper, lower
        turned[:, joints[2]] = self._foot_turn(side)
        turned[:, INDEX[f"{side}_foot"]] = turned[:, joints[2]] @ self._toes_turn(side)

    def _solve_arm(self, turned: Floats, side: str) -> None:
        arm, sign = self.arms[side], _SIGN[side]
        chest = turned[:, INDEX["spine3"]]
        hang = _about("z", np.array([-90.0 * sign]))
        swing = _about("x", -arm.flexion) @ _about("z", sign * arm.abduction) @ _about("y", -sign * arm.rotation)
        upper = chest @ swing @ hang
        lower = upper @ _about("y", -sign * arm.elbow)
        joints = [INDEX[f"{side}_{n}"] for n in ("shoulder", "elbow", "wrist")]
        upper, lower = self._reach(turned, side, upper, lower)
        half = _about("x", arm.pronation / 2)
        turned[:, joints[0]], turned[:, joints[1]] = upper, lower @ half
        wrist = lower @ half @ half @ _about("z", sign * arm.extension) @ _about("y", -sign * arm.deviation)
        turned[:, joints[2]] = turned[:, INDEX[f"{side}_hand"]] = wrist

    def _reach(self, turned: Floats, side: str, upper: Floats, lower: Floats) -> tuple[Floats, Floats]:
        figure, arm = self.performer.figure, self.arms[side]
        joints = [INDEX[f"{side}_{n}"] for n in ("shoulder", "elbow", "wrist")]
        probe = turned.copy()
        for j, now in zip(joints, (upper, lower, lower), strict=True):
            probe[:, j] = now
        posed, _ = figure.pose(local_rotations(probe), self.pelvis)
        shoulder, elbow, wrist = (posed[:, j] for j in joints)
        weight = arm.weight[:, None]
        hint = arm.hint * ((_SIGN[side], 1, 1))
        hint = (1 - weight) * (elbow - shoulder) * 3 + weight * hint
        target = (1 - weight) * wrist + weight * arm.reach
        given = self._clear_of_thighs(posed, elbow, target)
        if weight.max() == 0 and np.abs(given).max() < _TOO_LITTLE_M:
            return upper, lower
        target = target + given
        return two_bones(figure, joints, shoulder, target, hint, np.array([0.0, -_SIGN[side], 0.0]))

    def _clear_of_thighs(self, posed: Floats, elbow: Floats, wrist: Floats) -> Floats:
        """(T, 3) way that the hand has to give so that neither wrist nor knuckles are inside a thigh."""
        scale = self.performer.figure.standing_height / 0.965
        moved = np.zeros_like(wrist)
        for _ in range(_CLEARING_ROUNDS):
            fingers = wrist + moved - elbow
            fingers *= _KNUCKLES_M / np.maximum(np.linalg.norm(fingers, axis=1, keepdims=True), 1e-6)
            for side in SIDES:
                hip, knee = posed[:, INDEX[f"{side}_hip"]], posed[:, INDEX[f"{side}_knee"]]
                for point in (wrist + moved, wrist + moved + fingers):
                    away = _from_segment(point, hip, knee)
                    distance = np.linalg.norm(away, axis=1, keepdims=True)
                    way = away + np.array(
                        [0.0, 0.03, 0.015]
                    )  # up and ahead where the hand is in the middle of the thigh
                    way /= np.linalg.norm(way, axis=1, keepdims=True)
                    deep = np.maximum(0, _THIGH_M * scale - distance)
                    moved += gaussian_filter1d(way * deep, 1.5, axis=0, mode="nearest")
        return moved


def _from_segment(points: Floats, start: Floats, end: Floats) -> Floats:
    """(T, 3) from the nearest point of a segment to each point."""
    along = end - start
    share = np.clip(((points - start) * along).sum(1) / (along**2).sum(1), 0, 1)
    away: Floats = points - start - share[:, None] * along
    return away


def _about(axis: str, degrees: Floats) -> Floats:
    """(T, 3, 3) turns about one axis."""
    vectors = np.zeros((len(degrees), 3))
    vectors[:, "xyz".index(axis)] = np.radians(degrees)
    return matrices(vectors)


def _trunk_turn(channel: Floats) -> Floats:
    """(T, 3, 3) from forward bend, bend to the left, twist to the left, (T, 3) degrees."""
    return _about("y", channel[:, 2]) @ _about("x", channel[:, 0]) @ _about("z", -channel[:, 1])


def _frame(along: Floats, axis: Floats) -> Floats:
    """(…, 3, 3) orthonormal frames with the first column along a bone and the third near the joint's axis."""
    first = along / np.linalg.norm(along, axis=-1, keepdims=True)
    third = axis - (axis * first).sum(-1, keepdims=True) * first
    third = third / np.linalg.norm(third, axis=-1, keepdims=True)
    return np.stack([first, np.cross(third, first), third], -1)


def two_bones(
    figure: Figure, joints: list[int], root: Floats, end: Floats, hint: Floats, axis: Floats
) -> tuple[Floats, Floats]:
    """Global rotations of two bones whose chain runs from `root` to `end`.

    Args:
        figure: the body.
        joints: the three SMPL joints of the chain.
        root: (T, 3) place of the first joint.
        end: (T, 3) place wanted for the last; if too far the chain points at it.
        hint: (T, 3) direction in which the middle joint bends out.
        axis: (3,) axis of the middle joint at rest, about which it bends.

    Returns:
        (T, 3, 3) rotations of the first and the second bone.
    """
    rest = [figure.joints[b] - figure.joints[a] for a, b in pairwise(joints)]
    a, b = (float(np.linalg.norm(bone)) for bone in rest)
    line = end - root
    distance = np.clip(np.linalg.norm(line, axis=1, keepdims=True), abs(a - b) + 0.02, (a + b) * 0.9995)
    straight = line / np.linalg.norm(line, axis=1, keepdims=True)
    out = hint - (hint * straight).sum(1, keepdims=True) * straight
    out = out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-6)
    along = (a**2 - b**2 + distance**2) / (2 * distance)
    middle = root + along * straight + np.sqrt(np.maximum(a**2 - along**2, 0)) * out
    normal = np.cross(out, straight)
    last = root + distance * straight
    upper = _frame(middle - root, normal) @ _frame(rest[0], axis).T
    lower = _frame(last - middle, normal) @ _frame(rest[1], axis).T
    return upper, lower
