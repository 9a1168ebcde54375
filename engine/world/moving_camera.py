"""Motion in the world of a camera whose path is known, such as Blender's solved camera track.

The world is the path's own: metres, Z up. Each frame is carried over by its own pose, so that the camera may move. The
body is then brought onto the floor and planted feet are held still as in `world.py`: by moving it along the viewing
ray, which now starts at another place in each frame. The floor is z = 0 where the feet are near it (a solve whose floor
was set); otherwise the height at which the feet are mostly, as the world may not be changed.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from engine.backbones.types import Prediction
from engine.body.model import BodyModel
from engine.body.rotations import matrix_to_axis_angle
from engine.errors import UsageError
from engine.world.grounding import contact_probability, floor_height, root_correction, steady_depth
from engine.world.planting import planted
from engine.world.still_camera import WorldMotion, posed

Array = NDArray[np.float64]

_FLOOR_SET_M = 0.5
"""How far from z = 0 the feet may be for it to be taken as the floor."""
_UP = np.array([0.0, 0.0, 1.0])


def rows_of(path: Array, frame_indices: NDArray[np.int64]) -> Array:
    """Poses (T, 4, 4) of frames of the footage; one pose stands for all. Raises UsageError if the path is too short."""
    if len(path) == 1:
        return np.repeat(path, len(frame_indices), 0)
    if frame_indices.max() >= len(path):
        raise UsageError(
            f"The camera file has poses for {len(path)} frames, and frame {int(frame_indices.max()) + 1} needs one.",
            "Write one pose for each frame of the footage, or --end-s to stop before.",
        )
    rows: Array = path[frame_indices]
    return rows


def to_moving_world(
    prediction: Prediction, timestamps: NDArray[np.float64], body: BodyModel, poses: Array, reference: Array
) -> WorldMotion:
    """Put a prediction into the world that `poses` are in.

    Args:
        prediction: SMPL in each frame's camera, T rows.
        timestamps: (T,) seconds, increasing.
        body: the body that the prediction belongs to.
        poses: (T, 4, 4) camera to world of each row, x right, y down, z away to metres, Z up.
        reference: (4, 4) what `camera_to_world` of the result says: the pose of the footage's first frame.

    Raises:
        ValueError: the numbers of rows differ.
    """
    times = np.asarray(timestamps, np.float64)
    if not len(times) == len(prediction.rotations) == len(poses):
        raise ValueError(f"{len(times)} timestamps, {len(prediction.rotations)} rows and {len(poses)} poses")
    turns, centres = poses[:, :3, :3], poses[:, :3, 3]
    joints, feet = posed(prediction, body)
    rest_pelvis = joints[:, 0] - prediction.transl.astype(np.float64)
    steady = steady_depth(joints[:, 0], times, prediction.joint_confidence.mean(1)) - joints[:, 0]
    joints, feet = (
        np.einsum("tij,tnj->tni", turns, points + steady[:, None]) + centres[:, None] for points in (joints, feet)
    )
    floor = floor_height(feet @ _UP, times)
    floor = 0.0 if abs(floor) < _FLOOR_SET_M else floor
    heights = feet @ _UP - floor
    contacts = contact_probability(feet, heights, times)
    shift = root_correction(feet, heights, contacts, _UP, joints[:, 0] - centres, times)
    joints, feet = joints + shift[:, None], feet + shift[:, None]
    contacts = contact_probability(feet, feet @ _UP - floor, times)
    rotations = prediction.rotations.astype(np.float64)
    rotations[:, 0] = turns @ rotations[:, 0]
    rotations, joints, feet = planted(rotations, joints, feet, contacts, _UP, times)
    contacts = contact_probability(feet, feet @ _UP - floor, times)
    return _motion(torch.from_numpy(rotations), joints, contacts, rest_pelvis, poses, reference)


def _motion(
    rotations: torch.Tensor, joints: Array, contacts: Array, rest_pelvis: Array, poses: Array, reference: Array
) -> WorldMotion:
    turns, centres = poses[:, :3, :3], poses[:, :3, 3]
    in_camera = np.einsum("tji,tnj->tni", turns, joints - centres[:, None])
    axis_angle = matrix_to_axis_angle(rotations)
    root_in_camera = matrix_to_axis_angle(torch.as_tensor(turns).mT @ rotations[:, 0])
    return WorldMotion(
        poses=axis_angle.reshape(len(joints), -1).float().numpy(),
        trans=(joints[:, 0] - rest_pelvis).astype(np.float32),
        joints3d_world=joints.astype(np.float32),
        contacts=contacts.astype(np.float32),
        cam_global_orient=root_in_camera.float().numpy(),
        cam_transl=(in_camera[:, 0] - rest_pelvis).astype(np.float32),
        joints3d_cam=in_camera.astype(np.float32),
        gravity_cam=-(reference[:3, :3].T @ _UP),
        camera_to_world=reference,
        camera_path=poses,
    )
