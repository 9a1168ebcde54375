"""`bench --corpus --tables corrections`: the truth pinned in one frame or three, or one keypoint dragged to it.

The pin is in the middle of the longest stretch in which something is hidden. Compared are the joints that are hidden
within a second of it. Legend: T frames, J joints of the case.
"""

from __future__ import annotations

import math
import tempfile
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from engine.adaptation.corrected import Work, correct
from engine.adaptation.corrected_rows import camera_pose
from engine.adaptation.corrections import Correction, KeypointPin, PosePin
from engine.backbones.types import Backbone, Prediction
from engine.body.landmarks import JOINT_NAMES
from engine.body.model import BodyModel
from engine.body.rotations import matrix_to_axis_angle
from engine.camera.pinhole import project
from engine.evaluation import metrics
from engine.evaluation.data import Case
from engine.evaluation.finished import finished
from engine.evaluation.joints import Float
from engine.protocol import Job
from engine.run_options import check_options
from engine.runtime.cache import Cache
from engine.runtime.progress import Progress

ONE, THREE, DRAGGED = "one", "three", "dragged"
_NEAR_S, _APART_S = 1.0, 0.5
_ENDS = ("knee", "ankle", "elbow", "wrist")


def middle(case: Case) -> int | None:
    """The frame in the middle of the longest stretch in which a joint is hidden; None where nothing is, or nobody knows
    the true pose."""
    if case.truth.seen is None or case.truth.pose is None or bool(case.truth.seen.all()):
        return None
    hidden = (~case.truth.seen).any(1).astype(int)
    edges = np.flatnonzero(np.diff(np.concatenate(([0], hidden, [0])))).reshape(-1, 2)
    first, last = edges[(edges[:, 1] - edges[:, 0]).argmax()].tolist()
    return int((first + last - 1) // 2)


def dragged_joint(case: Case, prediction: Prediction, body: BodyModel) -> int | None:
    """Of the limb joints that are hidden there, the one that lies farthest from its true place in the picture."""
    row = middle(case)
    if row is None or case.truth.points is None:
        return None
    names = case.truth.joint_set.names
    hidden = [place for place, name in enumerate(names) if name.endswith(_ENDS) and not _seen(case)[row, place]]
    if not hidden:
        return None
    parts = (prediction.rotations[row : row + 1], prediction.betas, prediction.transl[row : row + 1])
    marks = body.landmarks(*(torch.from_numpy(part) for part in parts))[0]
    points = project(marks, torch.from_numpy(case.camera.intrinsics)).numpy()
    off = [points[body.landmark_names.index(names[place])] - _true(case, row, place) for place in hidden]
    return hidden[int(np.linalg.norm(off, axis=1).argmax())]


def corrected(
    case: Case, prediction: Prediction, how: str, body: BodyModel, seed: int, progress: Progress
) -> Prediction:
    """The prediction with the truth pinned; as it was where nothing is hidden."""
    row = middle(case)
    pins = [] if row is None else _pins(case, prediction, row, how, body)
    if not pins:
        return prediction

    def no_backbone() -> Backbone:
        raise AssertionError("pins estimate nothing with a backbone")

    options = check_options(Job(footage=["-"], out="-", device="cpu", seed=seed))
    work = Work(case.camera, body, no_backbone, options)
    stretch = finished(prediction, case.track, case.camera, body, case.label)
    with tempfile.TemporaryDirectory() as folder:
        done = correct(stretch, pins, work, Cache(Path(folder), True, progress.warn), progress)
    rotations, transl = camera_pose(done.motion)
    return Prediction(
        rotations.numpy(), prediction.betas, transl.numpy(), prediction.joint_confidence, done.prediction.residual_px
    )


def near_figures(case: Case, predicted: Float, dragged: int | None) -> dict[str, float]:
    """Errors after similarity alignment within a second of the pin: of hidden joints, and of the one that is dragged.

    Args:
        case: with truth.
        predicted: (T, J, 3) millimetres.
        dragged: of `dragged_joint`.
    """
    row = middle(case)
    if row is None:
        return {}
    true, there = 1000 * case.truth.joints, np.asarray(np.isfinite(predicted).all((1, 2)))[:, None]
    predicted = np.where(there[..., None], predicted, 0.0)
    far = metrics.aligned_errors(predicted, true, np.asarray(np.isfinite(true).all(-1), np.bool_))
    times = case.track.timestamps
    near = there & ~_seen(case) & (np.abs(times - times[row]) <= _NEAR_S)[:, None]
    alone = math.nan if dragged is None else metrics.mean_over(far[:, dragged], near[:, dragged])
    return {"pa_pinned": metrics.mean_over(far, near), "pa_dragged": alone}


def _pins(case: Case, prediction: Prediction, row: int, how: str, body: BodyModel) -> list[Correction]:
    times = case.track.timestamps
    if how == DRAGGED:
        place = dragged_joint(case, prediction, body)
        if place is None:
            return []
        x, y = _true(case, row, place).tolist()
        return [KeypointPin(kind="keypoints", time_s=times[row], points={case.truth.joint_set.names[place]: (x, y)})]
    apart = (0.0,) if how == ONE else (-_APART_S, 0.0, _APART_S)
    wanted = [int(np.abs(times - times[row] - one).argmin()) for one in apart]
    return [_pose(case, one) for one in dict.fromkeys(wanted)]


def _pose(case: Case, row: int) -> PosePin:
    """The true pose of a frame; its place is left open, since the body is not the true one."""
    assert case.truth.pose is not None
    turns = matrix_to_axis_angle(torch.from_numpy(case.truth.pose.rotations[row])).tolist()
    rotations = {name: tuple(turn) for name, turn in zip(JOINT_NAMES, turns, strict=True)}
    return PosePin(kind="pose", time_s=float(case.track.timestamps[row]), space="camera", rotations=rotations)


def _seen(case: Case) -> NDArray[np.bool_]:
    assert case.truth.seen is not None
    return case.truth.seen


def _true(case: Case, row: int, place: int) -> Float:
    """(2,) pixels of a joint's keypoint."""
    assert case.truth.points is not None
    point: Float = case.truth.points[row, case.track.keypoint_names.index(case.truth.joint_set.names[place])]
    return point
