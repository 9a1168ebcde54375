"""How much of what is hidden comes back: a motion of hidden footage beside that of the same footage in full view.

Legend: T rows, J SMPL joints (24), M limbs in the order of `LIMBS`, C angles. Millimetres, degrees, seconds. A figure
that cannot be measured is NaN.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.evaluation import metrics
from engine.evaluation.yardstick import SMPL_PLACES
from engine.output.motion_file import Motion

Float = NDArray[np.float64]
Bool = NDArray[np.bool_]

LIMBS: dict[str, tuple[int, int, int]] = {
    "left_arm": (16, 18, 20),
    "right_arm": (17, 19, 21),
    "left_leg": (1, 4, 7),
    "right_leg": (2, 5, 8),
}
"""Root, middle and end joint."""
LEGS = ("left_leg", "right_leg")

FIGURES = {
    "pa": "PA, mm",
    "range": "range",
    "rate": "rate",
    "phase": "phase",
    "contacts": "contacts",
    "jump": "jump, mm",
    "seen_change": "seen, mm",
    "frames": "frames",
}
"""Figures with their titles; `docs/benchmark.md` says what they mean."""

_PELVIS, _NECK = 0, 12
_ANKLES = [7, 8]
_ROOTS, _MIDDLES, _ENDS = (list(column) for column in zip(*LIMBS.values(), strict=True))
_PLACES = np.array([[SMPL_PLACES.index(joint) for joint in limb[1:]] for limb in LIMBS.values()])
_LEAST_ROWS, _LEAST_SEEN = 5, 4
_CYCLE_S = 1.0  # a stretch that is shorter has no rate
_LASTING_S, _ABOUT_S = 0.1, 0.15
_STANDS = 0.5
_SAME_TIME = 0.6  # of a step


@dataclass(frozen=True)
class Joints:
    """What is compared of a motion.

    Attributes:
        times: (T,) seconds into the footage.
        camera, world: (T, J, 3) millimetres.
        contacts: (T, 4) left heel, left toe, right heel, right toe: probability of standing on the ground.
    """

    times: Float
    camera: Float
    world: Float
    contacts: Float

    @classmethod
    def of(cls, motion: Motion) -> Joints:
        """Those of a motion file."""
        camera, world = (1000 * value.astype(np.float64) for value in (motion.joints3d_cam, motion.joints3d_world))
        return cls(motion.timestamps.astype(np.float64), camera, world, motion.contacts.astype(np.float64))


@dataclass(frozen=True)
class FullView:
    """The motion in full view, and what of it the other footage hides.

    Attributes:
        joints: of the motion.
        hidden: (T, J) whether something is painted over the joint.
        seen: (T, J) whether it is in the picture and nothing is painted over it.
        scored: (T, M, 2) whether the middle and the end of a limb are compared; its swing and its bend go with them.
    """

    joints: Joints
    hidden: Bool
    seen: Bool
    scored: Bool


def scored_limbs(hidden: Bool, limbs: tuple[str, ...]) -> Bool:
    """(T, M, 2) all rows of the `limbs`; without any, the joints that are `hidden` (T, J) in each row."""
    if limbs:
        named = np.array([name in limbs for name in LIMBS])
        return np.broadcast_to(named[:, None], (len(hidden), len(LIMBS), 2)).copy()
    return np.stack((hidden[:, _MIDDLES], hidden[:, _ENDS]), -1)


def score(view: FullView, result: Joints) -> dict[str, float]:
    """Figures of a motion of hidden footage, those of `FIGURES` without `seen_change`."""
    rows, keep = matched(view.joints.times, result.times)
    found = dict.fromkeys((name for name in FIGURES if name != "seen_change"), math.nan)
    found["frames"] = float(keep.mean())
    if not keep.any():
        return found
    scored, times = view.scored[keep], view.joints.times[keep]
    errors = metrics.aligned_errors(
        result.camera[rows][:, SMPL_PLACES],
        view.joints.camera[keep][:, SMPL_PLACES],
        np.ones((len(rows), len(SMPL_PLACES)), bool),
    )
    found["pa"] = metrics.mean_over(errors[:, _PLACES], scored)
    step = float(np.median(np.diff(view.joints.times))) if len(view.joints.times) > 1 else math.nan
    have, want = (angles(joints).reshape(len(rows), -1) for joints in (result.camera[rows], view.joints.camera[keep]))
    found |= _moves(have, want, scored.reshape(len(rows), -1), step)
    feet = view.hidden[keep][:, _ANKLES]
    agree = _stands(result.contacts[rows]) == _stands(view.joints.contacts[keep])
    found["contacts"] = metrics.mean_over(agree.astype(np.float64), feet)
    found["jump"] = _jump(result.world[rows], view.joints.world[keep], view.hidden[keep], scored, times)
    return found


def seen_change(view: FullView, result: Joints, base: Joints) -> float:
    """Mean distance of the limb joints that are seen to those of `base`, aligned on them in each row, mm."""
    rows, keep = matched(view.joints.times, result.times)
    others, kept = matched(view.joints.times, base.times)
    both = keep & kept
    have, want = result.camera[rows[both[keep]]][:, SMPL_PLACES], base.camera[others[both[kept]]][:, SMPL_PLACES]
    valid = view.seen[both][:, SMPL_PLACES]
    valid &= valid.sum(1, keepdims=True) >= _LEAST_SEEN
    return metrics.mean_over(metrics.aligned_errors(have, want, valid), valid) if both.any() else math.nan


def matched(times: Float, at: Float) -> tuple[NDArray[np.int64], Bool]:
    """Rows of `at` that are nearest to `times`, and which of `times` (T,) have one at their time."""
    nearest = np.abs(times[:, None] - at).argmin(1)
    step = np.median(np.diff(times)) if len(times) > 1 else np.inf
    keep = np.abs(at[nearest] - times) < _SAME_TIME * step
    return nearest[keep], keep


def angles(joints: Float) -> Float:
    """(T, M, 2) degrees: swing of each limb against the trunk, and its bend."""
    trunk = (joints[:, _PELVIS] - joints[:, _NECK])[:, None]
    upper, lower = joints[:, _MIDDLES] - joints[:, _ROOTS], joints[:, _ENDS] - joints[:, _MIDDLES]
    return np.stack((_between(trunk, upper), _between(upper, lower)), -1)


def _between(first: Float, second: Float) -> Float:
    lengths = np.linalg.norm(first, axis=-1) * np.linalg.norm(second, axis=-1)
    cosine = (first * second).sum(-1) / np.maximum(lengths, 1e-9)
    return np.asarray(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


def _moves(have: Float, want: Float, mask: Bool, step: float) -> dict[str, float]:
    """Range, rate and phase of angles (T, C) over the full view's, in the rows of each angle that count."""
    enough = mask.sum(0) >= _LEAST_ROWS
    have, want, mask = have[:, enough], want[:, enough], mask[:, enough]
    if not enough.any():
        return {}
    found = {}
    wanted = _spread(want, mask).mean()
    if wanted > 1e-6:
        found["range"] = float(_spread(have, mask).mean() / wanted)
    longest = _longest(np.asarray(mask.any(1)))
    if longest * step >= _CYCLE_S or mask.all():
        found["rate"] = _peak(have, mask, step, longest) / _peak(want, mask, step, longest)
    everywhere = np.ones_like(mask)
    quarter = 0.25 / _peak(want, everywhere, step, len(want))
    if math.isfinite(quarter):
        reach = max(1, round(quarter / step))
        found["phase"] = max(_match(have, want, mask, shift) for shift in range(-reach, reach + 1))
    return found


def _centred(values: Float, mask: Bool) -> Float:
    """Less their mean over the rows that count; 0 in the others."""
    count = np.maximum(mask.sum(0), 1)
    return np.where(mask, values - np.where(mask, values, 0).sum(0) / count, 0.0)


def _spread(values: Float, mask: Bool) -> Float:
    """(C,) standard deviation over the rows that count."""
    return np.asarray(np.sqrt((_centred(values, mask) ** 2).sum(0) / mask.sum(0)))


def _longest(rows: Bool) -> int:
    """Length of the longest run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], rows.astype(int), [0]))))
    return int((edges[1::2] - edges[::2]).max(initial=0))


def _peak(values: Float, mask: Bool, step: float, longest: int) -> float:
    """Dominant frequency, Hz, of those that fit into the `longest` run of rows; NaN if there is none."""
    length = 8 * len(values)
    power = (np.abs(np.fft.rfft(_centred(values, mask), length, axis=0)) ** 2).sum(1)
    frequency = np.fft.rfftfreq(length, step)
    usable = frequency > 1 / (longest * step)
    return float(frequency[usable][power[usable].argmax()]) if usable.any() else math.nan


def _match(have: Float, want: Float, mask: Bool, shift: int) -> float:
    """Correlation of the angles with the full view's `shift` rows before; 0 where either stands still."""
    rows = len(have)
    here, there = slice(max(shift, 0), rows + min(shift, 0)), slice(max(-shift, 0), rows + min(-shift, 0))
    first, second = _centred(have[here], mask[there]), _centred(want[there], mask[there])
    return float((first * second).sum() / max(np.sqrt((first**2).sum() * (second**2).sum()), 1e-9))


def _stands(contacts: Float) -> Bool:
    """(T, 2) whether each foot stands on its heel or toe."""
    return np.asarray(contacts.reshape(len(contacts), 2, 2).max(-1) > _STANDS)


def _jump(have: Float, want: Float, hidden: Bool, scored: Bool, times: Float) -> float:
    """The worst step of a limb's end where it appears again, less the full view's own; NaN where none does."""
    worst = math.nan
    for limb, end in enumerate(_ENDS):
        if not scored[:, limb, 1].any():
            continue
        steps, own = (np.linalg.norm(np.diff(joints[:, end], axis=0), axis=-1) for joints in (have, want))
        for row in _appearances(hidden[:, end], times):
            about = (times[:-1] >= times[row] - _ABOUT_S) & (times[1:] <= times[row] + _ABOUT_S)
            if about.any():
                worst = float(np.fmax(worst, steps[about].max() - own[about].max()))
    return worst


def _appearances(hidden: Bool, times: Float) -> list[int]:
    """Rows in which something appears that was hidden for a while and then is seen for a while."""
    edges = [0, *(np.flatnonzero(hidden[1:] != hidden[:-1]) + 1).tolist(), len(hidden)]
    ends = [*times.tolist(), float(times[-1]) + _LASTING_S]
    return [
        row
        for before, row, after in zip(edges, edges[1:], edges[2:], strict=False)
        if not hidden[row] and min(ends[row] - ends[before], ends[after] - ends[row]) >= _LASTING_S - 1e-6
    ]
