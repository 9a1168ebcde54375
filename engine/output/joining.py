"""Several stretches of one person's motion in one motion file: rows one after the other, with gaps in their times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.output.motion_file import Motion

_ROWS = {
    "poses", "trans", "timestamps", "cam_global_orient", "cam_transl", "joints3d_cam", "joints3d_world", "keypoints2d",
    "keypoints2d_origin", "labels", "label_similarity", "contacts", "initial_poses", "initial_trans",
    "keypoints2d_footage", "camera_intrinsics",
}  # fmt: skip


def joined(motions: Sequence[Motion], shots: Sequence[int]) -> Motion:
    """One motion of several of the same body and lens, in the order of time.

    Args:
        motions: none overlaps another.
        shots: the shot of each. Each shot has a camera of its own, so the motion gets a path for the camera.
    """
    first = motions[0]
    ends = np.cumsum([len(one.timestamps) for one in motions])
    edges = [(int(end) - len(one.timestamps), int(end) - 1) for one, end in zip(motions, ends, strict=True)]
    values: dict[str, Any] = {
        item.name: np.concatenate([getattr(one, item.name) for one in motions])
        for item in fields(Motion)
        if item.name in _ROWS and getattr(first, item.name) is not None
    }
    if first.camera_path is not None or any(shot != shots[0] for shot in shots):
        values["camera_path"] = np.concatenate([_path(one) for one in motions])
    if first.shots is not None:
        spans = [[row for edge, its in zip(edges, shots, strict=True) if its == shot for row in edge] for shot in shots]
        values["shots"] = np.unique(np.array([(min(span), max(span)) for span in spans], np.int64), axis=0)
    return replace(first, **values)


def _path(motion: Motion) -> NDArray[np.float64]:
    if motion.camera_path is not None:
        return motion.camera_path
    return np.repeat(motion.camera_to_world[None], len(motion.timestamps), 0)


def joined_takes(takes: Sequence[dict[str, NDArray[Any]]], lengths: Sequence[int]) -> dict[str, NDArray[Any]]:
    """The takes of several stretches, whose motions have `lengths` rows, as those of the motion joined from them."""
    starts = np.cumsum([0, *lengths[:-1]])
    there = [(one, start) for one, start in zip(takes, starts, strict=True) if one]
    if not there:
        return {}
    count = min(len(one["poses"]) for one, _ in there)
    of_stretches = ("kinds", "labels", "similarity", "slide_mm", "reprojection_px")
    return {
        "rows": np.concatenate([one["rows"] + start for one, start in there]),
        "poses": np.concatenate([one["poses"][:count] for one, _ in there], axis=1),
        "stretches": np.concatenate([one["stretches"] for one, _ in there]),
        **{name: np.concatenate([one[name][:, :count] for one, _ in there]) for name in of_stretches},
    }
