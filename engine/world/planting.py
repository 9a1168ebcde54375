"""Feet that stand stay where they are: what the root's shift leaves of their sliding, the legs take up.

While a sole stands, the place where it stands on the mean is held. While heel and toe stand, the foot points one way.
Hip and knee are bent for the ankle to get there (inverse kinematics of two bones). Between two steps the displacement
fades smoothly, so that nothing pops.

Legend: T frames. Foot points (4): left heel, left toe, right heel, right toe.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import spsolve

from engine.body.landmarks import JOINT_NAMES
from engine.world.grounding import second_differences

Array = NDArray[np.float64]

_STANDS = 0.5
"""Probability of contact from which a foot point is held."""
_LEAST_S = 0.08
_FARTHEST_M = 0.08
"""A sole that would have to be moved farther than this does not stand: it slides, as in a dance."""
_FARTHEST_RAD = 0.35
_FREE_S = 0.08
"""How fast the displacement fades where no sole stands, and how smooth it is."""
_HOLD = 1000.0
_STRETCHED = 0.998
"""Of the leg's length, the most that an ankle is from its hip: knees do not snap straight."""
_SIDES = (("left", (0, 1)), ("right", (2, 3)))


def planted(
    rotations: Array, joints: Array, feet: Array, contacts: Array, up: Array, times: Array
) -> tuple[Array, Array, Array]:
    """Pose, joints and soles with standing feet at rest.

    Args:
        rotations: (T, 24, 3, 3) of each joint relative to its parent, the root's in the frame of `joints`.
        joints: (T, 24, 3) metres.
        feet: (T, 4, 3) soles, metres.
        contacts: (T, 4) probability of standing.
        up: (3,) unit vector; heights are left as they are, so that heels roll.
        times: (T,) seconds.

    Returns:
        The same three: of the legs, what had to be moved.
    """
    if len(times) < 3:
        return rotations, joints, feet
    rotations, joints, feet = rotations.copy(), joints.copy(), feet.copy()
    for side, points in _SIDES:
        stances = [_stances(contacts[:, point] >= _STANDS, times) for point in points]
        if any(stances):
            _plant(rotations, joints, feet, contacts, side, points, stances, up, times)
    return rotations, joints, feet


def _plant(
    rotations: Array,
    joints: Array,
    feet: Array,
    contacts: Array,
    side: str,
    points: tuple[int, int],
    stances: list[list[slice]],
    up: Array,
    times: Array,
) -> None:
    """Hold the foot of one side, in place: first where it points to, then where it is."""
    ankle = joints[:, JOINT_NAMES.index(f"{side}_ankle")]
    soles, strength = feet[:, points], contacts[:, points]
    turn = _about(np.broadcast_to(up, ankle.shape), _yaw(soles, strength, up, times))
    soles = ankle[:, None] + (soles - ankle[:, None]) @ turn.transpose(0, 2, 1)
    moved = _bent(rotations, joints, side, turn, _displacement(soles, strength, stances, up, times))
    feet[:, points] = soles + moved[:, None]


def _yaw(soles: Array, contacts: Array, up: Array, times: Array) -> Array:
    """(T,) radians about `up` by which a foot is turned so that it points one way while heel and toe stand."""
    ahead = soles[:, 1] - soles[:, 0]
    both, wanted = contacts.min(1), np.zeros(len(times))
    held = np.zeros(len(times))
    for rows in _stances(both >= _STANDS, times):
        mean = (both[rows, None] * ahead[rows]).sum(0)
        away = np.arctan2(np.cross(ahead[rows], mean) @ up, ahead[rows] @ mean - (ahead[rows] @ up) * (mean @ up))
        if np.abs(away).max() <= _FARTHEST_RAD:
            wanted[rows], held[rows] = away, both[rows]
    return _faded(wanted[:, None], held, times)[:, 0]


def _displacement(soles: Array, contacts: Array, stances: list[list[slice]], up: Array, times: Array) -> Array:
    """(T, 3) by which a foot is moved, for its heel and toe (T, 2, 3) that stand with probability (T, 2)."""
    wanted, weight = np.zeros((len(times), 3)), np.zeros(len(times))
    for point, spans in enumerate(stances):
        for rows in spans:
            strength = contacts[rows, point]
            place = (strength[:, None] * soles[rows, point]).sum(0) / strength.sum()
            away = place - soles[rows, point]
            away -= (away @ up)[:, None] * up
            if np.linalg.norm(away, axis=1).max() <= _FARTHEST_M:
                wanted[rows] += strength[:, None] * away
                weight[rows] += strength
    return _faded(wanted / np.maximum(weight, 1e-9)[:, None], np.minimum(weight, 1), times)


def _faded(wanted: Array, weight: Array, times: Array) -> Array:
    """Values (T, N) that are as `wanted` where they have `weight` (T,), and fade smoothly to 0 elsewhere."""
    if not weight.any():
        return wanted
    bend = _FREE_S**2 * second_differences(times)
    hold = sparse.diags(_HOLD * weight)
    system = hold + bend.T @ bend + sparse.identity(len(times))
    smooth: Array = spsolve(system.tocsc(), hold @ wanted).reshape(wanted.shape)
    return smooth


def _stances(stands: NDArray[np.bool_], times: Array) -> list[slice]:
    """Stretches of rows in which a foot point stands (T,), without those that are too short."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], stands, [False])).astype(int)))
    spans = zip(edges[::2], edges[1::2], strict=True)
    return [slice(first, last) for first, last in spans if times[last - 1] - times[first] >= _LEAST_S]


def _bent(rotations: Array, joints: Array, side: str, turn: Array, moved: Array) -> Array:
    """Bend a leg, in place, so that its ankle moves by (T, 3), as far as it reaches, and its foot by `turn` (T, 3, 3).

    Returns how far the ankle moved.
    """
    hip, knee, ankle, foot = (JOINT_NAMES.index(f"{side}_{part}") for part in ("hip", "knee", "ankle", "foot"))
    thigh, shank = joints[:, knee] - joints[:, hip], joints[:, ankle] - joints[:, knee]
    upper, lower = np.linalg.norm(thigh, axis=1), np.linalg.norm(shank, axis=1)
    goal = joints[:, ankle] + moved - joints[:, hip]
    reach, before = np.linalg.norm(goal, axis=1), np.linalg.norm(thigh + shank, axis=1)
    most = np.maximum(_STRETCHED * (upper + lower), before)
    far = np.clip(reach, 1.01 * np.abs(upper - lower), most)
    goal *= (far / reach)[:, None]
    above = rotations[:, 0] @ rotations[:, hip]  # the pelvis is the hip's parent
    turned_shank = above @ rotations[:, knee]
    turned_foot = turn @ turned_shank @ rotations[:, ankle]
    bend = _knee_bend(upper, lower, far) - _knee_bend(upper, lower, before)
    hinge = 0.02 * (upper * lower)[:, None] * above[:, :, 0]  # decides where the leg is stretched
    axis = _unit(np.cross(thigh, shank) + hinge)
    fold = _about(axis, bend)
    swing = _between(thigh + (fold @ shank[:, :, None])[..., 0], goal)
    new_thigh, new_shank = swing @ above, swing @ fold @ turned_shank
    rotations[:, hip] = rotations[:, 0].transpose(0, 2, 1) @ new_thigh
    rotations[:, knee] = new_thigh.transpose(0, 2, 1) @ new_shank
    rotations[:, ankle] = new_shank.transpose(0, 2, 1) @ turned_foot
    joints[:, knee] = joints[:, hip] + (swing @ thigh[:, :, None])[..., 0]
    toes = (turn @ (joints[:, foot] - joints[:, ankle])[:, :, None])[..., 0]
    moved = joints[:, hip] + goal - joints[:, ankle]
    joints[:, ankle] += moved
    joints[:, foot] = joints[:, ankle] + toes
    return moved


def _knee_bend(upper: Array, lower: Array, far: Array) -> Array:
    """(T,) radians by which a knee is bent whose ankle is so `far` from the hip; 0 is a straight leg."""
    cosine = (far**2 - upper**2 - lower**2) / (2 * upper * lower)
    bend: Array = np.arccos(np.clip(cosine, -1, 1))
    return bend


def _unit(vectors: Array) -> Array:
    unit: Array = vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
    return unit


def _about(axis: Array, angle: Array) -> Array:
    """Turns (T, 3, 3) about unit axes (T, 3) by angles (T,)."""
    return _turn(np.sin(angle)[:, None] * axis, np.cos(angle))


def _between(first: Array, second: Array) -> Array:
    """The shortest turns (T, 3, 3) that bring directions (T, 3) onto others; they lie less than a half turn apart."""
    first, second = _unit(first), _unit(second)
    return _turn(np.cross(first, second), (first * second).sum(1))


def _turn(sine: Array, cosine: Array) -> Array:
    """Turns (T, 3, 3) from their axis times the sine (T, 3), and the cosine (T,) of the angle (Rodrigues)."""
    zero = np.zeros(len(sine))
    x, y, z = sine.T
    cross = np.stack((zero, -z, y, z, zero, -x, -y, x, zero), 1).reshape(-1, 3, 3)
    factor = 1 / np.maximum(1 + cosine, 1e-6)
    turn: Array = np.eye(3) + cross + cross @ cross * factor[:, None, None]
    return turn
