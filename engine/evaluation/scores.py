"""The figures of one method on one case."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from engine.backbones.types import Prediction
from engine.body.model import BodyModel
from engine.evaluation import metrics, pinned
from engine.evaluation.data import Case
from engine.evaluation.joints import Float, Pose, joints_of, vertex_count, vertices_of
from engine.evaluation.world_metrics import STANDS_M_S, world_scores

_LEAST_IN_WORLD = 4
_NEAR_SHARE = 0.1  # of the longer side of the true person's box

FIGURES: dict[str, str] = {
    "mpjpe": "MPJPE",
    "pa": "PA-MPJPE",
    "mpvpe": "MPVPE",
    "accel": "accel. error",
    "mpjpe_seen": "MPJPE seen",
    "mpjpe_unseen": "MPJPE unseen",
    "pa_seen": "PA seen",
    "pa_unseen": "PA unseen",
    "pck": "PCK filled, %",
    "filled": "filled in, %",
    "pa_pinned": "PA near pins",
    "pa_dragged": "PA dragged",
    "px": "2D error, px",
    "similarity": "similarity",
    "ms": "ms/frame",
    "wa_mpjpe": "WA-MPJPE",
    "w_mpjpe": "W-MPJPE",
    "rte": "RTE, %",
    "skating": "skating",
    "jitter": "jitter",
}
"""Figures by name, with their titles. Millimetres; acceleration m/s²; PCK, and keypoints filled in beside those
detected, percent; similarity of motion and label -1..1; milliseconds for a frame of footage."""


@dataclass(frozen=True)
class Outcome:
    """What a method gives for a case. T frames, J joints of the case, K keypoints of the track.

    Attributes:
        prediction: SMPL motion; None from a method that gives joints alone.
        marks: (T, J, 3) a detector's own 3D, metres, in camera axes about any point; NaN where it has none.
        targets: (T, K, 2) pixels, final 2D targets; None from a method without.
        filled: (T, K) bool, targets that were filled in.
        detected: (T, K) bool, targets that were detected.
        similarity: of motion and label, mean over the frames that have one; NaN for none.
        seconds: what each stage took.
        dragged: the joint that `engine.evaluation.pinned` drags, or would; None for none.
    """

    prediction: Prediction | None = None
    marks: Float | None = None
    targets: Float | None = None
    filled: NDArray[np.bool_] | None = None
    detected: NDArray[np.bool_] | None = None
    similarity: float = math.nan
    seconds: dict[str, float] = field(default_factory=dict)
    dragged: int | None = None


def figures_of(case: Case, outcome: Outcome, body: BodyModel) -> dict[str, float]:
    """Every figure of `FIGURES`, NaN where it cannot be had, and `ms_<stage>` for each stage."""
    truth, joint_set = case.truth, case.truth.joint_set
    if outcome.prediction is not None:
        predicted, true = joint_set.of(body, pose_of(outcome.prediction)), truth.joints
    else:
        predicted = _held(np.full_like(truth.joints, np.nan) if outcome.marks is None else outcome.marks)
        true = truth.joints if truth.marks is None else truth.marks
    figures = dict.fromkeys(FIGURES, math.nan)
    figures |= joint_figures(1000 * predicted, 1000 * true, truth.seen, case.track.timestamps, joint_set.root_places)
    figures |= pinned.near_figures(case, 1000 * predicted, outcome.dragged)
    figures["mpvpe"] = _mesh_error(case, outcome, body)
    figures |= _fill_figures(case, outcome)
    if truth.to_world is not None and outcome.prediction is not None:
        figures |= _world_figures(case, predicted)
    figures["similarity"] = outcome.similarity
    if outcome.prediction is not None:
        figures["px"] = float(np.mean(outcome.prediction.residual_px))
    if outcome.seconds:
        figures["ms"] = 1000 * sum(outcome.seconds.values()) / case.frames
    return figures | {f"ms_{stage}": 1000 * value / case.frames for stage, value in outcome.seconds.items()}


def pose_of(prediction: Prediction) -> Pose:
    """A prediction's body."""
    return Pose(prediction.rotations, prediction.betas, prediction.transl)


def joint_figures(
    predicted: Float, true: Float, seen: NDArray[np.bool_] | None, times: Float, roots: tuple[int, ...]
) -> dict[str, float]:
    """Joint errors of one case.

    Frames in which a root is unknown, or the prediction is NaN, do not count. Acceleration is that of joints relative
    to the root, as for the yardstick.

    Args:
        predicted, true: (T, J, 3) millimetres; NaN where the truth is unknown.
        seen: (T, J) bool; None: all.
        times: (T,) seconds.
        roots: places of the joints whose mean is the root.
    """
    known = np.asarray(np.isfinite(true).all(-1), np.bool_)
    usable = np.asarray(known[:, list(roots)].all(1) & np.isfinite(predicted).all((1, 2)), np.bool_)
    known &= usable[:, None]
    true, predicted = np.where(known[..., None], true, 0.0), np.where(usable[:, None, None], predicted, 0.0)
    seen = np.ones_like(known) if seen is None else seen
    plain, aligned = metrics.joint_errors(predicted, true, roots), metrics.aligned_errors(predicted, true, known)
    figures = {
        "mpjpe": metrics.mean_over(plain, known),
        "pa": metrics.mean_over(aligned, known),
        "mpjpe_seen": metrics.mean_over(plain, known & seen),
        "mpjpe_unseen": metrics.mean_over(plain, known & ~seen),
        "pa_seen": metrics.mean_over(aligned, known & seen),
        "pa_unseen": metrics.mean_over(aligned, known & ~seen),
    }
    if len(times) >= 3:
        miss = (metrics.relative(predicted, roots) - metrics.relative(true, roots)) / 1000
        in_a_row = known[2:] & known[1:-1] & known[:-2] & metrics.evenly_spaced(times, 2)[:, None]
        figures["accel"] = metrics.mean_over(metrics.derivative_norms(miss, times, 2), in_a_row)
    return figures


def _held(joints: Float) -> Float:
    """Frames without joints repeat the nearest that has them, as a user would see it."""
    there = np.flatnonzero(np.isfinite(joints).all((1, 2)))
    if not len(there):
        return joints
    return np.asarray(joints[there[np.abs(np.arange(len(joints))[:, None] - there).argmin(1)]])


def _mesh_error(case: Case, outcome: Outcome, body: BodyModel) -> float:
    """Mean vertex error in millimetres, pelvis put together; NaN where the two meshes cannot be compared."""
    truth = case.truth
    true_body = truth.body or body
    if outcome.prediction is None or truth.pose is None or vertex_count(true_body) != vertex_count(body):
        return math.nan
    pose, true_pose = (one.every(truth.mesh_step) for one in (pose_of(outcome.prediction), truth.pose))
    roots = joints_of(body, pose)[:, 0], joints_of(true_body, true_pose)[:, 0]
    errors, first = [], 0
    for predicted, true in zip(vertices_of(body, pose), vertices_of(true_body, true_pose), strict=True):
        rows = slice(first, first + len(predicted))
        errors.append(metrics.vertex_errors(predicted, true, roots[0][rows], roots[1][rows]))
        first += len(predicted)
    every = np.concatenate(errors)
    return 1000 * metrics.mean_over(every, np.isfinite(every))


def _world_figures(case: Case, predicted: Float) -> dict[str, float]:
    """Figures in the world of joints (T, J, 3), camera frame, metres, brought there by the true camera's path."""
    truth, to_world = case.truth, case.truth.to_world
    assert to_world is not None
    names = truth.joint_set.names
    places = [names.index(name) for name in ("pelvis", "left_foot", "right_foot")]
    known = np.isfinite(truth.joints).all((1, 2))
    times = case.track.timestamps
    joints, true = (
        np.einsum("tij,tkj->tki", to_world[:, :3, :3], one) + to_world[:, None, :3, 3]
        for one in (predicted, truth.joints)
    )
    speed = np.linalg.norm(np.gradient(true[:, places[1:]], times, axis=0), axis=-1)
    stands = np.nan_to_num(speed, nan=np.inf)[known] < STANDS_M_S
    joints, true = joints[known], true[known]
    if len(joints) < _LEAST_IN_WORLD:
        return {}
    found = world_scores(
        joints, true, (joints[:, places[0]], true[:, places[0]]), (joints[:, places[1:]], true[:, places[1:]]), stands,
        1 / float(np.median(np.diff(times))),
    )  # fmt: skip
    return {name: getattr(found, name) for name in ("wa_mpjpe", "w_mpjpe", "rte", "skating", "jitter")}


def _fill_figures(case: Case, outcome: Outcome) -> dict[str, float]:
    """How many keypoints were filled in, as percent of those detected, and how many of these are right."""
    if outcome.targets is None or outcome.filled is None or outcome.detected is None:
        return {}
    filled = {"filled": 100 * float(outcome.filled.sum()) / max(int(outcome.detected.sum()), 1)}
    true = case.truth.points
    if true is None:
        return filled
    side = (true.max(1) - true.min(1)).max(1)
    return filled | {"pck": metrics.correct_share(outcome.targets, true, _NEAR_SHARE * side, outcome.filled)}
