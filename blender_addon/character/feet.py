"""Feet that stand still where they touch the ground: hips and legs are corrected, by closed formulas, at all frames.

A foot touches with its heel, its ball (the sole under the joint of the toes) or both. Each stretch of contact has one
place, the mean of where the point was. What brings the points there comes first from the hips (which turns no limb),
then from thigh and shin; a foot that stands on heel and ball is also laid flat. Before and after, it eases in and out.
Where the source's own feet slide or float, the legs may be kept from turning too far: what is missing then is reported.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..blender import filters, rotations

TOUCHES = 0.5
"""Probability of contact from which on a point counts as on the ground."""

KEEPS_PLACE = 0.002
"""How much a contact's own place counts against the steps before and after it."""

FOOT_IS_STIFF = 30.0
"""How much the length of a foot counts against the length of a step."""

STRAIGHTEST = 0.9995
"""Share of its length to which a leg is stretched at most; a straight knee has no bending direction."""


LOW_ANKLE = 0.01
"""Metres under which an ankle is too low for its foot to show how it is tilted."""

_OVER_TIME = ("hip", "knee", "ankle", "thigh", "shin", "foot")


@dataclass(frozen=True)
class Leg:
    """One leg over T frames, in the world (z up, metres).

    Attributes:
        hip, knee, ankle: (T, 3) joints.
        thigh, shin, foot: (T, 4) orientations of the bones.
        heel, ball: (3,) from the ankle to the two points of the sole, in the foot bone's own axes.
    """

    hip: np.ndarray
    knee: np.ndarray
    ankle: np.ndarray
    thigh: np.ndarray
    shin: np.ndarray
    foot: np.ndarray
    heel: np.ndarray
    ball: np.ndarray

    def points(self) -> np.ndarray:
        """(T, 2, 3) heel and ball."""
        return np.stack([self.ankle + rotations.turn(self.foot, offset) for offset in (self.heel, self.ball)], axis=1)


@dataclass(frozen=True)
class Stand:
    """How planted feet are corrected.

    Attributes:
        fps: frames a second.
        hips: share of the correction that the hips take, 0 to 1; the legs take what is left.
        ease_s: seconds that a foot takes to come from its free path to where it stands.
        flat: whether a foot on heel and ball is laid flat.
        slack_m: metres by which a foot may stand beside its place, so that legs turn less.
        most_turn: radians by which thigh and shin turn at most; a foot that needs more stays off its place.
    """

    fps: float
    hips: float = 1.0
    ease_s: float = 0.12
    flat: bool = True
    slack_m: float = 0.0
    most_turn: float = np.inf


@dataclass(frozen=True)
class Planted:
    """Result.

    Attributes:
        hips_move: (T, 3) metres.
        thigh, shin, foot: each two of (T, 4), left then right.
        off_m: (T, 2) metres that each foot that stands is off its place.
    """

    hips_move: np.ndarray
    thigh: list[np.ndarray]
    shin: list[np.ndarray]
    foot: list[np.ndarray]
    off_m: np.ndarray


def plant(legs: list[Leg], contacts: np.ndarray, heights: np.ndarray, stand: Stand) -> Planted:
    """Let the feet stand still in contact.

    Args:
        legs: left and right.
        contacts: (T, 4) left heel, left toe, right heel, right toe: probability of touching.
        heights: (T, 4) height of the ground under each point where it touches.
        stand: settings.

    Returns:
        The corrections.
    """
    ease = max(1, round(stand.ease_s * stand.fps))
    touches = np.asarray(contacts) > TOUCHES
    points = np.concatenate([leg.points() for leg in legs], axis=1)
    places = _places(points, touches, heights, together=stand.hips > 0)
    goals, stands, feet = [], [], []
    for side, leg in enumerate(legs):
        here, on = places[:, 2 * side : 2 * side + 2], touches[:, 2 * side : 2 * side + 2]
        foot = _laid_flat(leg, here, on.all(1), ease) if stand.flat else leg.foot
        goals.append(_ankle_goal(leg, foot, here, on))
        stands.append(on.any(1))
        feet.append(foot)
    move = _hips_move(legs, goals, stands, stand, ease)
    thighs, shins, off = [], [], []
    for leg, goal, on in zip(legs, goals, stands, strict=True):
        wanted = goal - (leg.ankle + move)
        lack = wanted * np.clip(1 - stand.slack_m / np.maximum(_length(wanted), 1e-9), 0, 1)[:, None]
        lack = _bounded(leg, _fade(lack, on, ease), stand.most_turn)
        thigh, shin = _reach(leg, lack)
        thighs.append(thigh)
        shins.append(shin)
        off.append(_length(wanted - lack) * on)
    return Planted(move, thighs, shins, feet, np.stack(off, axis=1))


def touching(contacts: np.ndarray, fps: float) -> np.ndarray:
    """(T, C) bool of (T, C) probabilities: gaps under 0.07 s are closed, touches under 0.07 s are left out."""
    shortest = max(2, round(0.07 * fps))
    result = np.asarray(contacts) > TOUCHES
    for value in (False, True):
        for column in range(result.shape[1]):
            for start, end in filters.runs(result[:, column] == value):
                inside = value or (start > 0 and end < len(result))
                if end - start < shortest and inside:
                    result[start:end, column] = not value
    return result


def _places(points: np.ndarray, touches: np.ndarray, heights: np.ndarray, together: bool) -> np.ndarray:
    """(T, P, 3) where each point stands while it touches; elsewhere where it is."""
    places = points.copy()
    runs = [(point, *run) for point in range(points.shape[1]) for run in filters.runs(touches[:, point])]
    stood = np.array([points[start:end, point].mean(0) for point, start, end in runs]).reshape(-1, 3)
    if runs:
        stood[:, :2] = _agreed(points[..., :2], runs, stood[:, :2], together)
    for (point, start, end), place in zip(runs, stood, strict=True):
        places[start:end, point, :2] = place[:2]
        places[start:end, point, 2] = heights[start:end, point].mean()
    return places


def _fade(values: np.ndarray, on: np.ndarray, ease: int) -> np.ndarray:
    """(T, C) the values where `on`; beside, the nearest of them on either side, easing to 0 within `ease` frames."""
    if not on.any():
        return np.zeros_like(values)
    frames, there = np.arange(len(on)), np.flatnonzero(on)
    following = np.searchsorted(there, frames)
    result = np.where(on[:, None], values, 0.0)
    for position in (following - 1, following):
        exists = (position >= 0) & (position < len(there)) & ~on
        nearest = there[np.clip(position, 0, len(there) - 1)]
        share = np.clip(1 - np.abs(frames - nearest) / (ease + 1), 0, 1) * exists
        result += (share * share * (3 - 2 * share))[:, None] * values[nearest]
    return result


def _agreed(points: np.ndarray, runs: list, means: np.ndarray, together: bool) -> np.ndarray:
    """(N, 2) places of N contacts, apart from each other as the points are while two of them touch.

    Heel and ball of a foot are as far apart as the foot is long. Legs of other proportions make other steps: where the
    hips may go along (`together`), the steps count and not the places, which only keep the whole path from drifting.
    Least squares over all pairs of contacts that overlap in time.
    """
    count = len(runs)
    system, right = np.zeros((count, count)), np.zeros((count, 2))
    for one, (point, start, end) in enumerate(runs):
        keep = (KEEPS_PLACE if together else 1.0) * (end - start)
        system[one, one] += keep
        right[one] += keep * means[one]
        for two in range(one):
            other, other_start, other_end = runs[two]
            first, last = max(start, other_start), min(end, other_end)
            same_foot = point // 2 == other // 2
            weight = (last - first) * (FOOT_IS_STIFF if same_foot else 1.0)
            if first < last and (same_foot or together):
                apart = (points[first:last, point] - points[first:last, other]).mean(0) * weight
                pair = [one, two]
                system[pair, pair] += weight
                system[pair, pair[::-1]] -= weight
                right[one] += apart
                right[two] -= apart
    return np.linalg.solve(system, right)


def _laid_flat(leg: Leg, places: np.ndarray, on: np.ndarray, ease: int) -> np.ndarray:
    """(T, 4) the foot turned so that heel and ball point as their places do, not tilted sideways, where both touch."""
    now = rotations.turn(leg.foot, np.broadcast_to(leg.ball - leg.heel, leg.ankle.shape))
    wanted = places[:, 1] - places[:, 0]
    sound = _length(wanted) > 0.5 * _length(leg.ball - leg.heel)  # else it has no direction
    wanted = np.where(sound[:, None], wanted, now)
    turned = rotations.between(now, wanted)
    if _length(leg.heel) > LOW_ANKLE:  # the heel is what lies under the ankle
        axis = _unit(wanted)
        up = rotations.turn(rotations.multiply(turned, leg.foot), np.broadcast_to(-leg.heel, axis.shape))
        level = np.array([0.0, 0.0, 1.0]) - axis * axis[:, 2:]
        turned = rotations.multiply(rotations.between(up - axis * (up * axis).sum(-1, keepdims=True), level), turned)
    change = np.where((on & sound)[:, None], rotations.log(turned), 0.0)
    return rotations.multiply(rotations.quaternions(_fade(change, on & sound, ease)), leg.foot)


def _ankle_goal(leg: Leg, foot: np.ndarray, places: np.ndarray, on: np.ndarray) -> np.ndarray:
    """(T, 3) where the ankle must be for the points that touch to be in their places."""
    goals = [places[:, point] - rotations.turn(foot, offset) for point, offset in enumerate((leg.heel, leg.ball))]
    mean = (on[:, :1] * goals[0] + on[:, 1:] * goals[1]) / np.maximum(on.sum(1), 1)[:, None]
    return np.where(on.any(1)[:, None], mean, leg.ankle)


def _hips_move(legs: list[Leg], goals: list, stands: list, stand: Stand, ease: int) -> np.ndarray:
    """(T, 3) how the hips go along with the planted feet, and down where a leg would be too short.

    Where both feet stand the hips cannot suit both: they go where thighs and shins have to turn least.
    """
    pull, hold = np.zeros((len(goals[0]), 3, 1)), np.tile(np.eye(3) * 0.01, (len(goals[0]), 1, 1))
    for leg, goal, on in zip(legs, goals, stands, strict=True):
        cost = _turning_cost(leg) * _fade(np.ones((len(on), 1)), on, ease)[..., None]
        pull += cost @ _fade(goal - leg.ankle, on, ease)[..., None]
        hold += cost
    sigma = max(1.0, ease / 3)
    move = stand.hips * np.linalg.solve(filters.gaussian(hold, sigma), filters.gaussian(pull, sigma))[..., 0]
    lack = np.zeros(len(move))
    for leg, goal, on in zip(legs, goals, stands, strict=True):
        length = STRAIGHTEST * (_length(leg.knee - leg.hip) + _length(leg.ankle - leg.knee))
        way = goal - (leg.hip + move)
        highest = np.sqrt(np.maximum(length**2 - (way[:, :2] ** 2).sum(1), 0))
        lack = np.maximum(lack, (-way[:, 2] - highest) * on)
    move[:, 2] -= filters.gaussian(filters.widest(np.maximum(lack, 0), ease), ease / 3)
    return move


def _turning_cost(leg: Leg) -> np.ndarray:
    """(T, 3, 3) squared radians that thigh and shin turn for an ankle that is moved by a metre.

    Across the leg that is one over its length; along it, a knee that is nearly straight must turn far for a little.
    """
    upper, lower, line = leg.knee - leg.hip, leg.ankle - leg.knee, leg.ankle - leg.hip
    reach, product = _length(line), _length(upper) * _length(lower)
    bend = np.maximum(_length(rotations.cross(upper, lower)) / product, 0.05)
    along = _unit(line)
    stiff = (reach / (2 * product * bend)) ** 2
    return np.eye(3) / (reach**2)[:, None, None] + stiff[:, None, None] * along[:, :, None] * along[:, None, :]


def _bounded(leg: Leg, lack: np.ndarray, most_turn: float) -> np.ndarray:
    """(T, 3) the share of `lack` that the ankle makes up for while thigh and shin turn by `most_turn` at most."""
    far = np.flatnonzero(_turned(leg, lack) > most_turn) if np.isfinite(most_turn) else np.zeros(0, dtype=int)
    if not len(far):
        return lack
    some = replace(leg, **{name: getattr(leg, name)[far] for name in _OVER_TIME})
    low, high = np.zeros(len(far)), np.ones(len(far))
    for _ in range(14):
        middle = (low + high) / 2
        sound = _turned(some, lack[far] * middle[:, None]) <= most_turn
        low, high = np.where(sound, middle, low), np.where(sound, high, middle)
    result = lack.copy()
    result[far] *= low[:, None]
    return result


def _turned(leg: Leg, lack: np.ndarray) -> np.ndarray:
    """(T,) angle by which thigh or shin, whichever more, points elsewhere when the ankle goes by `lack`."""
    angles = []
    before = (leg.thigh, leg.knee - leg.hip), (leg.shin, leg.ankle - leg.knee)
    for after, (turn, line) in zip(_reach(leg, lack), before, strict=True):
        now = rotations.turn(rotations.multiply(after, rotations.inverse(turn)), line)
        angles.append(np.arctan2(_length(rotations.cross(line, now)), (line * now).sum(-1)))
    return np.maximum(*angles)


def _reach(leg: Leg, lack: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Orientations of thigh and shin when the ankle goes along by `lack` (T, 3) as seen from the hip."""
    upper, lower = leg.knee - leg.hip, leg.ankle - leg.knee
    long, short = _length(upper), _length(lower)
    line, wanted = upper + lower, leg.ankle + lack - leg.hip
    distance = np.clip(_length(wanted), np.abs(long - short) * 1.001, (long + short) * STRAIGHTEST)
    ahead = rotations.turn(leg.foot, np.broadcast_to(leg.ball - leg.heel, upper.shape))
    bend = rotations.cross(upper, lower) / (long * short)[:, None]
    hinge = bend + 0.02 * _unit(rotations.cross(upper, -ahead))  # a straight knee bends to where the foot points
    hinge = _unit(hinge - (hinge * _unit(line)).sum(-1, keepdims=True) * _unit(line))
    hip_now, hip_new = (_corner(long, reach, short) for reach in (_length(line), distance))
    knee_now, knee_new = (_corner(short, reach, long) for reach in (_length(line), distance))
    swing = rotations.between(line, wanted)
    thigh = rotations.multiply(swing, rotations.quaternions(hinge * (hip_now - hip_new)[:, None]))
    shin = rotations.multiply(swing, rotations.quaternions(hinge * (knee_new - knee_now)[:, None]))
    return rotations.multiply(thigh, leg.thigh), rotations.multiply(shin, leg.shin)


def _corner(beside: np.ndarray, reach: np.ndarray, opposite: np.ndarray) -> np.ndarray:
    """Angle of a triangle between its sides `beside` and `reach`."""
    cosine = (beside**2 + reach**2 - opposite**2) / np.maximum(2 * beside * reach, 1e-12)
    return np.arccos(np.clip(cosine, -1, 1))


def _length(vector: np.ndarray) -> np.ndarray:
    return np.linalg.norm(vector, axis=-1)


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.maximum(np.linalg.norm(vector, axis=-1, keepdims=True), 1e-12)
