"""Rows of a finished motion: as a pose in the camera's frame, and others in their place.

Legend: T rows of the motion, S rows of a window.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.adaptation.corrections import Correction, KeypointPin
from engine.backbones.evidence import gather
from engine.backbones.summary import residual_px
from engine.backbones.types import Prediction
from engine.body.model import BodyModel
from engine.body.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from engine.output.motion_file import ORIGIN_DETECTED, Motion
from engine.output.results import Stretch
from engine.world.grounding import contact_probability
from engine.world.still_camera import posed


@dataclass(frozen=True)
class Window:
    """Rows that are changed together.

    Attributes:
        rows: of the motion.
        pins: corrections that touch them.
        until_s: up to which second these bind; those after it have their turn in the next window.
        fade: (S,) share of the change in each row.
    """

    rows: slice
    pins: tuple[Correction, ...]
    until_s: float
    fade: NDArray[np.float64]


def row_of(times: NDArray[np.float64], time_s: float) -> int | None:
    """The row at a time, None where there is none within most of a frame."""
    row = int(np.abs(times - time_s).argmin())
    step = float(np.median(np.diff(times))) if len(times) > 1 else 0.1
    return row if abs(times[row] - time_s) <= 0.75 * step else None


def camera_pose(motion: Motion) -> tuple[Tensor, Tensor]:
    """Rotations (T, 24, 3, 3), the root's in the camera frame, and transl (T, 3) of a motion file."""
    turns = torch.from_numpy(motion.poses.reshape(len(motion.poses), 24, 3)).clone()
    turns[:, 0] = torch.from_numpy(motion.cam_global_orient)
    return axis_angle_to_matrix(turns), torch.from_numpy(motion.cam_transl.copy())


def to_world_rows(motion: Motion) -> NDArray[np.float64]:
    """(T, 4, 4) camera to world of each row."""
    if motion.camera_path is not None:
        return motion.camera_path
    return np.repeat(np.asarray(motion.camera_to_world, np.float64)[None], len(motion.poses), 0)


def with_rows(
    stretch: Stretch, window: Window, rotations: NDArray[np.float32], transl: NDArray[np.float32], body: BodyModel
) -> Stretch:
    """The stretch with other rows; `rotations` (S, 24, 3, 3) and `transl` (S, 3) in the camera frame."""
    motion, rows = stretch.motion, window.rows
    to_world = to_world_rows(motion)[rows]
    part = replace(
        stretch.prediction, rotations=rotations, transl=transl, betas=motion.betas,
        joint_confidence=stretch.prediction.joint_confidence[rows], residual_px=stretch.prediction.residual_px[rows],
    )  # fmt: skip
    joints, soles = posed(part, body)
    turns = torch.from_numpy(rotations).double()
    poses = matrix_to_axis_angle(turns)
    cam_root = poses[:, 0].float().numpy()
    poses[:, 0] = matrix_to_axis_angle(torch.from_numpy(to_world[:, :3, :3]) @ turns[:, 0])
    world, ground = (_into(to_world, points) for points in (joints, soles))
    rest = joints[0, 0] - transl[0]
    changed: dict[str, Any] = {
        "poses": poses.reshape(len(poses), -1),
        "trans": world[:, 0] - rest,
        "cam_global_orient": cam_root,
        "cam_transl": transl,
        "joints3d_cam": joints,
        "joints3d_world": world,
        "contacts": contact_probability(ground, ground[..., 2], motion.timestamps[rows]),
    }
    arrays: dict[str, Any] = {name: _put(getattr(motion, name), rows, values) for name, values in changed.items()}
    motion = replace(motion, **arrays, **_keypoints(motion, window))
    return replace(stretch, motion=motion, prediction=_prediction(stretch, window, rotations, transl, motion, body))


def on_cpu(body: BodyModel) -> BodyModel:
    """The body, or a copy of it on the CPU."""
    return body if next(body.buffers()).device.type == "cpu" else copy.deepcopy(body).to("cpu")


def _into(to_world: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    moved: NDArray[np.float64] = np.einsum("tij,tnj->tni", to_world[:, :3, :3], points) + to_world[:, None, :3, 3]
    return moved


def _put(array: NDArray[Any], rows: slice, values: Any) -> NDArray[Any]:
    copy = array.copy()
    copy[rows] = np.asarray(values, array.dtype)
    return copy


def _keypoints(motion: Motion, window: Window) -> dict[str, Any]:
    """2D targets and their origin with the keypoints that were dragged."""
    points, origins = motion.keypoints2d.copy(), motion.keypoints2d_origin.copy()
    names = motion.keypoint_names.tolist()
    for one in window.pins:
        if isinstance(one, KeypointPin):
            row = int(np.abs(motion.timestamps - one.time_s).argmin())
            for name, place in one.points.items():
                if name in names:
                    points[row, names.index(name)] = (*place, 1.0)
                    origins[row, names.index(name)] = ORIGIN_DETECTED
    return {"keypoints2d": points, "keypoints2d_origin": origins}


def _prediction(
    stretch: Stretch,
    window: Window,
    rotations: NDArray[np.float32],
    transl: NDArray[np.float32],
    motion: Motion,
    body: BodyModel,
) -> Prediction:
    """The stretch's prediction with the reprojection error of the rows as they are now."""
    evidence = gather(stretch.track, motion.intrinsics, body.landmark_names).rows(window.rows)
    parts = (torch.from_numpy(rotations), torch.from_numpy(motion.betas), torch.from_numpy(transl))
    residual = _put(stretch.prediction.residual_px, window.rows, residual_px(evidence, body, *parts))
    return replace(stretch.prediction, residual_px=residual)
