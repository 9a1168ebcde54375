"""Two motions made into one: the second is turned and put to where the first ends, and a bridge of steps leads over.

In the bridge the pose runs from the first motion's last to the second's first with both their speeds (a cubic Hermite
curve for each joint); feet that stand where the second motion wants them stay, the others step there one after the
other, and legs follow by inverse kinematics, so that what is planted stays planted. World frames are y up.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d, maximum_filter1d

from engine.training.authored.stage import two_bones
from engine.training.authored.steps import ease
from engine.training.figure import INDEX, Figure, Floats, MotionClip, local_rotations, matrices, vectors
from engine.training.ground import foot_contacts

_SIDES = ("left", "right")
_STAYS_M = 0.01
"""Way under which a foot is not lifted."""
_STEP_S, _STEP_S_PER_M, _PAUSE_S = 0.36, 0.3, 0.06
_SHORTEST_S, _FASTEST = 0.4, 1.6
"""Shortest bridge, and metres a second that count of how fast the first motion ends."""
_CLEARANCE_M = 0.055
"""Rise of a foot that steps: clear of the ground however short the step."""
_LONGEST_LEG = 0.995


@dataclass(frozen=True)
class Joined:
    """Two motions in one."""

    clip: MotionClip
    start: int
    """First frame of the bridge."""
    end: int
    """First frame of the second motion."""


@dataclass(frozen=True)
class _Moved:
    """Where one foot goes in the bridge."""

    start: int
    end: int
    """Frames of the bridge in which it is off the ground; equal if it stays."""


def join(first: MotionClip, second: MotionClip, figure: Figure) -> Joined:
    """The first motion, a bridge, and the second.

    Args:
        first: any motion, captured or authored, of at least two frames.
        second: another, at the same rate; it is turned about the vertical and moved on the floor, not in height.
        figure: the body of both.

    Returns:
        The motion; contacts of the bridge are open (NaN) if they are open on both sides.

    Raises:
        ValueError: a motion is too short or the rates differ.
    """
    if min(len(first.pelvis), len(second.pelvis)) < 2:
        raise ValueError("a motion to be joined needs at least two frames")
    if first.fps != second.fps:
        raise ValueError(f"motions of {first.fps:g} and {second.fps:g} frames a second cannot be joined")
    placed = _placed(first, second, figure)
    before, after = _ankles(first, figure)[-1], _ankles(placed, figure)[0]
    moves, frames = _plan(before, after, first, placed)
    rotations, pelvis = _bridge(first, placed, frames, figure, moves)
    whole = MotionClip(
        f"{first.name}, {second.name}",
        np.concatenate([first.rotations, rotations, placed.rotations]),
        np.concatenate([first.pelvis, pelvis, placed.pelvis]),
        np.concatenate([first.contacts, _contacts(first, second, rotations, pelvis, figure), second.contacts]),
        first.fps,
    )
    return Joined(whole, len(first.pelvis), len(first.pelvis) + frames)


def _heading(turned: Floats) -> float:
    """Angle about the vertical of a pelvis's rotation (3, 3)."""
    return float(np.arctan2(turned[0, 2], turned[2, 2]))


def _ankles(clip: MotionClip, figure: Figure) -> Floats:
    """(T, 2, 3) ankles, left and right."""
    posed, _ = figure.pose(clip.rotations, clip.pelvis)
    return posed[:, [INDEX["left_ankle"], INDEX["right_ankle"]]]


def _placed(first: MotionClip, second: MotionClip, figure: Figure) -> MotionClip:
    """The second motion where the first one ends, or where its run takes it."""
    turn = matrices(np.array([0.0, _heading(first.rotations[-1, 0]) - _heading(second.rotations[0, 0]), 0.0]))
    rotations, pelvis = second.rotations.copy(), second.pelvis @ turn.T
    rotations[:, 0] = turn @ rotations[:, 0]
    moved = MotionClip(second.name, rotations, pelvis, second.contacts, second.fps)
    speed = _speed(first.pelvis[-3:]) * first.fps
    speed[1] = 0
    speed *= min(1.0, _FASTEST / max(float(np.linalg.norm(speed)), 1e-9))
    goes_on = float(np.linalg.norm(speed)) > 0.25
    if goes_on:
        shift = first.pelvis[-1] + speed * 0.45 - pelvis[0]
    else:
        shift = _ankles(first, figure)[-1].mean(0) - _ankles(moved, figure)[0].mean(0)
    shift[1] = 0
    return MotionClip(second.name, rotations, pelvis + shift, second.contacts, second.fps)


def _speed(path: Floats) -> Floats:
    """Mean difference of neighbours (3,)."""
    speed: Floats = np.diff(path, axis=0).mean(0)
    return speed


def _plan(before: Floats, after: Floats, first: MotionClip, second: MotionClip) -> tuple[list[_Moved], int]:
    """When each foot steps, and how many frames the bridge has. A foot that is in the air goes first."""
    fps = first.fps
    ways = np.linalg.norm(after - before, axis=1)
    standing = np.nan_to_num(first.contacts[-1], nan=1.0).reshape(2, 2).max(1)
    order = sorted(range(2), key=lambda foot: (standing[foot], -ways[foot]))
    at = 1
    moves = [_Moved(0, 0), _Moved(0, 0)]
    for foot in order:
        if ways[foot] < _STAYS_M:
            continue
        length = max(3, round((_STEP_S + _STEP_S_PER_M * min(ways[foot], 1.0)) * fps))
        moves[foot] = _Moved(at, at + length)
        at += length + round(_PAUSE_S * fps)
    return moves, max(round(_SHORTEST_S * fps), at + 1)


def _bridge(
    first: MotionClip, second: MotionClip, frames: int, figure: Figure, moves: list[_Moved]
) -> tuple[Floats, Floats]:
    """Rotations (N, 24, 3, 3) relative to the parent and pelvis (N, 3) between the motions."""
    share = (np.arange(frames, dtype=np.float64) + 1.0) / (frames + 1.0)
    pelvis = _hermite(first.pelvis[-1], second.pelvis[0], _last_speed(first.pelvis), _first_speed(second.pelvis), share)
    rotations = _turned_over(first.rotations, second.rotations, share)
    before, after = (figure.pose(c.rotations[[k]], c.pelvis[[k]]) for c, k in ((first, -1), (second, 0)))
    posed, turned = figure.pose(rotations, pelvis)
    feet = [_foot(before, after, side, move, frames) for side, move in zip(_SIDES, moves, strict=True)]
    pelvis = pelvis - _drop(posed, [ankles for ankles, _ in feet], figure)
    posed, turned = figure.pose(rotations, pelvis)
    for side, (ankles, soles) in zip(_SIDES, feet, strict=True):
        hip, knee, ankle, toes = (INDEX[f"{side}_{name}"] for name in ("hip", "knee", "ankle", "foot"))
        # where the knee is, and the front of the thigh for a straight leg
        bend = 8 * (posed[:, knee] - (posed[:, hip] + posed[:, ankle]) / 2) + 0.3 * turned[:, hip, :, 2]
        chain = [hip, knee, ankle]
        upper, lower = two_bones(figure, chain, posed[:, hip], ankles, bend, np.array([1.0, 0.0, 0.0]))
        local_toes = np.swapaxes(turned[:, ankle], 1, 2) @ turned[:, toes]
        turned[:, hip], turned[:, knee], turned[:, ankle] = upper, lower, soles
        turned[:, toes] = soles @ local_toes
    return local_rotations(turned), pelvis


def _last_speed(path: Floats) -> Floats:
    return _speed(path[-3:])


def _first_speed(path: Floats) -> Floats:
    return _speed(path[:3])


def _hermite(start: Floats, end: Floats, speed: Floats, last_speed: Floats, share: Floats) -> Floats:
    """(N, …) points between two with the speeds (per frame) at both."""
    u = share.reshape(-1, *(1,) * start.ndim)
    frames = len(share) + 1
    course: Floats = (
        (2 * u**3 - 3 * u**2 + 1) * start
        + (u**3 - 2 * u**2 + u) * speed * frames
        + (3 * u**2 - 2 * u**3) * end
        + (u**3 - u**2) * last_speed * frames
    )
    return course


def _turned_over(first: Floats, second: Floats, share: Floats) -> Floats:
    """(N, 24, 3, 3) rotations between the first motion's last frame and the second's first, with both speeds."""
    last, next_ = first[-1], second[0]
    way = vectors(np.swapaxes(last, 1, 2) @ next_)
    start = vectors(np.swapaxes(first[-2], 1, 2) @ last)
    end = vectors(np.swapaxes(next_, 1, 2) @ second[1])
    most = 0.12  # radians a frame: what is faster would swing out of the way
    start, end = (
        v * np.minimum(1, most / np.maximum(np.linalg.norm(v, axis=1, keepdims=True), 1e-9)) for v in (start, end)
    )
    course = _hermite(np.zeros_like(way), way, start, end, share)
    turned: Floats = last @ matrices(course)
    return turned


def _foot(
    before: tuple[Floats, Floats], after: tuple[Floats, Floats], side: str, move: _Moved, frames: int
) -> tuple[Floats, Floats]:
    """(N, 3) way of an ankle and (N, 3, 3) rotation of its foot."""
    j = INDEX[f"{side}_ankle"]
    start, end = before[0][0, j], after[0][0, j]
    turn = vectors(before[1][0, j].T @ after[1][0, j])
    times = np.arange(frames, dtype=np.float64) + 1.0
    share: Floats
    if move.end > move.start:
        share = np.clip((times - move.start) / (move.end - move.start), 0, 1)
    else:  # it stays: the hair's breadth that is left is spread over the whole bridge
        share = times / (frames + 1.0)
    eased = ease(share)[:, None]
    way = start + eased * (end - start)
    if move.end > move.start:
        clearance = _CLEARANCE_M + 0.04 * min(float(np.linalg.norm(end - start)), 0.6)
        way[:, 1] += clearance * np.sin(np.pi * share) ** 2
    return way, before[1][0, j] @ matrices(eased * turn)


def _drop(posed: Floats, ankles: list[Floats], figure: Figure) -> Floats:
    """(N, 3) how far the pelvis has to come down so that both legs reach, smoothly, 0 at both ends."""
    needed = np.zeros(len(posed))
    for side, goal in zip(_SIDES, ankles, strict=True):
        hip = posed[:, INDEX[f"{side}_hip"]]
        longest = figure.length(f"{side}_hip", f"{side}_knee", f"{side}_ankle") * _LONGEST_LEG
        aside = np.linalg.norm((hip - goal)[:, [0, 2]], axis=1)
        needed = np.maximum(needed, hip[:, 1] - goal[:, 1] - np.sqrt(np.maximum(longest**2 - aside**2, 0.01)))
    smooth = gaussian_filter1d(maximum_filter1d(np.pad(needed, 4), 5), 1.5)[4:-4]
    drop: Floats = np.stack([np.zeros_like(smooth), np.maximum(smooth, 0), np.zeros_like(smooth)], 1)
    return drop


def _contacts(first: MotionClip, second: MotionClip, rotations: Floats, pelvis: Floats, figure: Figure) -> Floats:
    """(N, 4) contacts of the bridge."""
    if np.isnan(first.contacts[-1]).any() and np.isnan(second.contacts[0]).any():
        return np.full((len(pelvis), 4), np.nan)
    soles = figure.skin_points(*figure.pose(rotations, pelvis))[:, figure.soles]
    return foot_contacts(soles, first.fps)
