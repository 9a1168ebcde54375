"""Which stretches of a motion somebody should look at: hidden, unsure, unlike their label, or with feet that slide.

Legend: T rows, K keypoints.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.body.landmarks import JOINT_NAMES
from engine.output.motion_file import ORIGIN_DETECTED, Motion
from engine.output.review_command import REASONS

HIDDEN, UNSURE, LABEL, SLIDE = REASONS
_LIMBS = {
    "head": ("nose", "left_ear", "right_ear"),
    "left arm": ("left_elbow", "left_wrist"),
    "right arm": ("right_elbow", "right_wrist"),
    "left leg": ("left_knee", "left_ankle"),
    "right leg": ("right_knee", "right_ankle"),
}
_LEAST_S = {HIDDEN: 0.3, UNSURE: 0.5, LABEL: 1.0, SLIDE: 0.2}
"""How long it has to last."""
_JOINED_S = 0.2
_SURE = 0.6
_LIKE = 0.35
"""Similarity below which a run warns that motion and label do not fit, too."""
_STANDS, _SLIDES_M_S = 0.5, 0.15
_FEET = {"left leg": ("left_ankle", 0), "right leg": ("right_ankle", 2)}


def weak_stretches(motion: Motion) -> list[dict[str, Any]]:
    """Stretches in the order of time: `start_s`, `end_s`, `limb` ('' for the whole body), `why` and `value`.

    `value` is the mean confidence of an unsure limb, the similarity of a label, and the speed of a foot in m/s; 0 for a
    hidden limb.
    """
    found = [*_evidence(motion), *_labels(motion), *_feet(motion)]
    return sorted(found, key=lambda one: (one["start_s"], one["limb"], one["why"]))


def _evidence(motion: Motion) -> Iterator[dict[str, Any]]:
    names = motion.keypoint_names.tolist()
    for limb, wanted in _LIMBS.items():
        columns = [names.index(name) for name in wanted if name in names]
        if not columns:
            continue
        seen = motion.keypoints2d_origin[:, columns] == ORIGIN_DETECTED
        confidence = np.where(seen, motion.keypoints2d[:, columns, 2], 0.0).mean(1).astype(np.float64)
        hidden = seen.mean(1) < 0.5
        yield from _stretches(motion, HIDDEN, limb, hidden, np.zeros(len(hidden)))
        yield from _stretches(motion, UNSURE, limb, ~hidden & (confidence < _SURE), confidence)


def _labels(motion: Motion) -> Iterator[dict[str, Any]]:
    likeness = motion.label_similarity.astype(np.float64)
    unlike = (motion.labels != "") & (likeness != 0) & (likeness < _LIKE)
    yield from _stretches(motion, LABEL, "", np.asarray(unlike, np.bool_), likeness)


def _feet(motion: Motion) -> Iterator[dict[str, Any]]:
    if len(motion.timestamps) < 2:
        return
    for limb, (joint, column) in _FEET.items():
        place = motion.joints3d_world[:, JOINT_NAMES.index(joint), :2].astype(np.float64)
        speed = np.linalg.norm(np.gradient(place, motion.timestamps, axis=0), axis=1)
        stands = motion.contacts[:, column : column + 2].min(1) > _STANDS
        yield from _stretches(motion, SLIDE, limb, stands & (speed > _SLIDES_M_S), speed)


def _stretches(
    motion: Motion, why: str, limb: str, where: NDArray[np.bool_], values: NDArray[np.float64]
) -> Iterator[dict[str, Any]]:
    """Stretches of rows `where` (T,), short gaps bridged and short ones left out; `values` (T,) are averaged."""
    times = motion.timestamps
    rows = np.flatnonzero(where)
    if not len(rows):
        return
    step = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    for part in np.split(rows, np.flatnonzero(np.diff(times[rows]) > _JOINED_S + step) + 1):
        start, end = float(times[part[0]]), float(times[part[-1]]) + step
        if end - start >= _LEAST_S[why]:
            value = round(float(values[part].mean()), 3)
            yield {"start_s": round(start, 3), "end_s": round(end, 3), "limb": limb, "why": why, "value": value}
