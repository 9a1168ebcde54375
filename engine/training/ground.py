"""Bodies and the floor: nothing sinks in, and which heel or toe stands. World frames are y up, the floor is y = 0."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d, maximum_filter1d

from engine.training.figure import INDEX, Figure, Floats, local_rotations, matrices

_CONTACT_HEIGHT_M, _CONTACT_SPEED = 0.05, 0.45
_MOST_BEND, _BEYOND_BENDING = 1.2, 2.4
"""Radians that toes and hands bend back, and beyond which bending back is no way out of the floor."""


def floor_height(rotations: Floats, pelvis: Floats, figure: Figure, level_floor: bool, fps: float) -> float:
    """Height of the floor under a motion, measured from the feet that stand, or from the deepest point of the body.

    Args:
        rotations: (T, 24, 3, 3) relative to the parent.
        pelvis: (T, 3), y up.
        figure: the body.
        level_floor: the feet stand on one level floor.
        fps: frames per second.

    Returns:
        Metres.
    """
    skin = figure.skin_points(*figure.pose(rotations, pelvis))
    if not level_floor:
        return float(np.quantile(skin[..., 1].min(1), 0.002))
    soles = skin[:, figure.soles]
    speed = np.linalg.norm(np.gradient(soles, axis=0), axis=2) * fps if len(soles) > 1 else np.zeros((1, 4))
    low = soles[..., 1].min(1)
    standing = (speed.min(1) < 0.3) & (low < np.quantile(low, 0.1) + 0.08)
    return float(np.median(low[standing])) if standing.sum() >= 3 else float(np.quantile(low, 0.05))


def keep_out_of_floor(rotations: Floats, pelvis: Floats, figure: Figure) -> tuple[Floats, Floats, float]:
    """Bend toes and hands that would sink into the floor, then lift the body smoothly where that is not enough.

    Args:
        rotations: (T, 24, 3, 3) relative to the parent.
        pelvis: (T, 3) with the floor at y = 0.
        figure: the body.

    Returns:
        The rotations, the pelvis path, and the largest lift in metres.
    """
    posed, turned = figure.pose(rotations, pelvis)
    for tip in ("left_foot", "right_foot", "left_wrist", "right_wrist"):
        _bend_up(posed, turned, figure, tip)
    rotations = local_rotations(turned)
    lowest = figure.skin_points(*figure.pose(rotations, pelvis))[..., 1].min(1)
    raised, lifted = lift_out_of_floor(pelvis, lowest)
    return rotations, raised, lifted


def _bend_up(posed: Floats, turned: Floats, figure: Figure, joint: str) -> None:
    """Bend toes (or a hand) back about their joint until the tip lies on the floor, as the floor itself would."""
    j = INDEX[joint]
    own, axis = [j], np.array([-1.0, 0, 0])
    if joint.endswith("wrist"):
        own, axis = (
            [j, INDEX[joint.replace("wrist", "hand")]],
            np.array([0, 0, 1.0 if joint.startswith("left") else -1.0]),
        )
    skin = figure.skin[np.isin(figure.carriers, own)] - figure.joints[j]
    tip = skin[np.linalg.norm(skin, axis=1).argmax()]
    # the tip's height over its joint after a turn by an angle a is: level + reach cos(a - peak)
    fixed = (tip @ axis) * axis
    level, along, aside = (turned[:, j, 1] @ v for v in (fixed, tip - fixed, np.cross(axis, tip)))
    reach, peak = np.hypot(along, aside), np.arctan2(aside, along) % (2 * np.pi)
    needed = np.clip((np.minimum(-posed[:, j, 1], 0) - level) / reach, -1, 1)  # a joint under the floor is for the lift
    bend = np.where(np.cos(peak) >= needed, 0, peak - np.arccos(needed))
    bend = np.where((bend < 0) | (bend > _BEYOND_BENDING), 0, np.minimum(bend, _MOST_BEND))
    bend = np.maximum(bend, gaussian_filter1d(bend, 1.0, mode="nearest"))
    turn = matrices(bend[:, None] * axis)
    for k in reversed(own):  # the hand before the wrist that carries it
        turned[:, k] = turned[:, j] @ turn @ np.swapaxes(turned[:, j], 1, 2) @ turned[:, k]


def lift_out_of_floor(pelvis: Floats, lowest: Floats) -> tuple[Floats, float]:
    """Raise the body where its lowest point lies under the floor, smoothly in time.

    Args:
        pelvis: (T, 3) path of the pelvis, y up.
        lowest: (T,) height of the body's lowest point.

    Returns:
        The raised path and the largest rise, metres.
    """
    sunk = np.maximum(0.0, -lowest)
    # a Gaussian over the running maximum of the same reach never falls under the curve itself
    lift = gaussian_filter1d(maximum_filter1d(sunk, 13, mode="nearest"), 2.0, mode="nearest", radius=6)
    raised = pelvis.copy()
    raised[:, 1] += lift
    return raised, float(lift.max())


def foot_contacts(soles: Floats, fps: float) -> Floats:
    """Which heels and toes are on the ground.

    Args:
        soles: (T, 4, 3) heel and toe points of the left, then the right foot, y up, floor at 0.
        fps: frames per second.

    Returns:
        (T, 4) 1 where the point is low and slow, 0 elsewhere; single frames are smoothed away.
    """
    if len(soles) < 3:
        return np.asarray(soles[..., 1] < _CONTACT_HEIGHT_M, dtype=float)
    speed = np.linalg.norm(np.gradient(soles, axis=0), axis=2) * fps
    touching = ((soles[..., 1] < _CONTACT_HEIGHT_M) & (speed < _CONTACT_SPEED)).astype(float)
    padded = np.pad(touching, ((1, 1), (0, 0)), mode="edge")
    result: Floats = np.median(np.stack([padded[:-2], padded[1:-1], padded[2:]]), axis=0)
    return result


def contact_slide(soles: Floats, contacts: Floats, fps: float) -> float:
    """Mean horizontal speed of heels and toes while in contact, metres per second (0 without contact)."""
    both = (np.nan_to_num(contacts[1:]) > 0.5) & (np.nan_to_num(contacts[:-1]) > 0.5)
    speed = np.linalg.norm(np.diff(soles[..., [0, 2]], axis=0), axis=2) * fps
    return float(speed[both].mean()) if both.any() else 0.0
