"""From the camera's frame to the world, for a camera that stands still.

World frame: right-handed, metres, Z up, floor at z = 0; the origin is on the floor under the pelvis in the first
person's first frame, and +Y is the camera's horizontal viewing direction, so that +X is to the camera's right. All the
people of a clip share it; whoever stands far from the floor of the others has z = 0 there (`one_floor.py`).

The camera's frame is rigidly fixed to the world: what is corrected (feet that float, sink or slide) is corrected by
moving the root in both, mostly along the viewing ray, where the picture constrains it least. So the body stays over
the person in the picture, and `camera_to_world` takes `joints3d_cam` exactly to `joints3d_world`.

Legend: T frames. Foot points are left heel, left toe, right heel, right toe.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from engine.backbones.types import Camera, Prediction
from engine.body.landmarks import JOINT_NAMES
from engine.body.model import BodyModel
from engine.body.rotations import matrix_to_axis_angle
from engine.world.gravity import estimate_up
from engine.world.grounding import contact_probability, floor_height, root_correction, steady_depth
from engine.world.planting import planted

Array = NDArray[np.float64]

_FOOT_POINTS = (
    ("left_heel", "left_ankle"),
    ("left_foot_index", "left_foot"),
    ("right_heel", "right_ankle"),
    ("right_foot_index", "right_foot"),
)
"""Keypoint, and the joint that stands in for it on a body that lacks it."""
_ROWS_AT_ONCE = 1024


@dataclass(frozen=True)
class WorldMotion:
    """One person's motion in the world, and the same in the camera frame.

    Attributes:
        poses: (T, 72) axis-angle, root first and in the world frame.
        trans: (T, 3) SMPL translation, world frame, metres.
        joints3d_world: (T, 24, 3) metres.
        contacts: (T, 4) left heel, left toe, right heel, right toe: probability of standing on the ground.
        cam_global_orient, cam_transl: (T, 3) the same root in the camera frame, corrections included.
        joints3d_cam: (T, 24, 3) metres, corrections included.
        gravity_cam: (3,) unit vector, down, in the camera frame.
        camera_to_world: (4, 4) rigid transform of camera coordinates (x right, y down, z away) into the world; of the
            footage's or the shot's first frame, if the camera moves.
        camera_path: (T, 4, 4) the same of each row, None for a camera that stands still.
    """

    poses: NDArray[np.float32]
    trans: NDArray[np.float32]
    joints3d_world: NDArray[np.float32]
    contacts: NDArray[np.float32]
    cam_global_orient: NDArray[np.float32]
    cam_transl: NDArray[np.float32]
    joints3d_cam: NDArray[np.float32]
    gravity_cam: NDArray[np.float64]
    camera_to_world: NDArray[np.float64]
    camera_path: NDArray[np.float64] | None = None


def to_world(
    prediction: Prediction,
    timestamps: NDArray[np.float64],
    body: BodyModel,
    camera: Camera,
    shared: NDArray[np.float64] | None = None,
    floor_under_m: float | None = None,
) -> WorldMotion:
    """Put a prediction into the world: gravity estimated, feet on the floor, planted feet at rest.

    Args:
        prediction: SMPL in the camera frame, T rows.
        timestamps: (T,) seconds, increasing.
        body: the body that the prediction belongs to.
        camera: it stands still.
        shared: (4, 4) `camera_to_world` of somebody else in the clip: the same up, heading and origin are taken, so
            that all people are in one world.
        floor_under_m: how far the floor lies under the camera, metres; if not given, where this person's feet are.

    Raises:
        ValueError: the numbers of rows differ.
    """
    times = np.asarray(timestamps, np.float64)
    if len(times) != len(prediction.rotations):
        raise ValueError(f"timestamps is {times.shape}, not ({len(prediction.rotations)},)")
    joints, feet = posed(prediction, body)
    transl = prediction.transl.astype(np.float64)
    path = steady_depth(joints[:, 0], times, prediction.joint_confidence.mean(1)) - joints[:, 0]
    joints, feet = joints + path[:, None], feet + path[:, None]
    up = estimate_up(joints, feet, times) if shared is None else shared[2, :3]
    rotation = axes_of(up)
    heights = feet @ up
    floor = floor_height(heights, times) if floor_under_m is None else -floor_under_m
    contacts = contact_probability(feet, heights - floor, times)
    shift = root_correction(feet, heights - floor, contacts, up, joints[:, 0], times)
    joints, feet, transl = joints + shift[:, None], feet + shift[:, None], transl + path + shift
    contacts = contact_probability(feet, feet @ up - floor, times)
    rotations = prediction.rotations.astype(np.float64)
    rotations, joints, feet = planted(rotations, joints, feet, contacts, up, times)
    contacts = contact_probability(feet, feet @ up - floor, times)
    origin = -(rotation @ joints[0, 0])[:2] if shared is None else shared[:2, 3]
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = rotation, (*origin, -floor)
    return _motion(torch.from_numpy(rotations), transl, joints, contacts, up, matrix)


def _motion(
    rotations: torch.Tensor, transl: Array, joints: Array, contacts: Array, up: Array, matrix: Array
) -> WorldMotion:
    in_camera = matrix_to_axis_angle(rotations[:, 0])
    axis_angle = matrix_to_axis_angle(rotations)
    axis_angle[:, 0] = matrix_to_axis_angle(torch.as_tensor(matrix[:3, :3]) @ rotations[:, 0])
    rest_pelvis = joints[:, 0] - transl  # what turns with the root does not move it: SMPL turns about the pelvis
    world = joints @ matrix[:3, :3].T + matrix[:3, 3]
    return WorldMotion(
        poses=axis_angle.reshape(len(joints), -1).float().numpy(),
        trans=(world[:, 0] - rest_pelvis).astype(np.float32),
        joints3d_world=world.astype(np.float32),
        contacts=contacts.astype(np.float32),
        cam_global_orient=in_camera.float().numpy(),
        cam_transl=transl.astype(np.float32),
        joints3d_cam=joints.astype(np.float32),
        gravity_cam=-up,
        camera_to_world=matrix,
    )


def posed(prediction: Prediction, body: BodyModel) -> tuple[Array, Array]:
    """Joints (T, 24, 3), and the soles under the foot points (T, 4, 3), camera frame."""
    betas = torch.as_tensor(prediction.betas)
    device = next(body.buffers()).device
    rest = body.rest(betas)
    names = list(body.landmark_names)
    joints, feet = [], []
    for start in range(0, len(prediction.transl), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        arguments = (torch.as_tensor(prediction.rotations[rows]), betas, torch.as_tensor(prediction.transl[rows]))
        posed, marks = body.joints_and_landmarks(*(argument.to(device) for argument in arguments))
        joints.append(posed.cpu())
        points = [
            marks[:, names.index(mark)] if mark in names else posed[:, JOINT_NAMES.index(joint)]
            for mark, joint in _FOOT_POINTS
        ]
        feet.append(torch.stack(points, 1).cpu())
    soles = torch.cat(feet).double().numpy()
    turns = _foot_turns(prediction)
    at_rest = _rest_points(body, betas)
    drop = at_rest[:, 1] - rest.vertices[:, 1].min()
    # the sole lies below the points on the skin, in the foot's own direction
    soles = soles - drop[None, :, None] * turns[:, :, :, 1]
    return torch.cat(joints).double().numpy(), soles


def _rest_points(body: BodyModel, betas: torch.Tensor) -> Array:
    """Foot points (4, 3) of the rest pose."""
    device = next(body.buffers()).device
    eye = torch.eye(3, device=device).expand(1, len(JOINT_NAMES), 3, 3)
    joints, marks = body.joints_and_landmarks(eye, betas.to(device))
    names = list(body.landmark_names)
    points = [
        marks[0, names.index(mark)] if mark in names else joints[0, JOINT_NAMES.index(joint)]
        for mark, joint in _FOOT_POINTS
    ]
    rest: Array = torch.stack(points).cpu().double().numpy()
    return rest


def _foot_turns(prediction: Prediction) -> Array:
    """Turns (T, 4, 3, 3) of the ankles' frames in the camera, one for each foot point."""
    turns = []
    for side in ("left", "right"):
        turn = prediction.rotations[:, 0].astype(np.float64)
        for part in ("hip", "knee", "ankle"):
            turn = turn @ prediction.rotations[:, JOINT_NAMES.index(f"{side}_{part}")]
        turns += [turn, turn]
    return np.stack(turns, 1)


def axes_of(up: Array) -> Array:
    """Rotation (3, 3) of camera coordinates into the world's axes, for `up` (3,) in the camera frame."""
    ahead = np.array([0.0, 0.0, 1.0])
    if abs(ahead @ up) > 0.99:  # it looks straight down or up: the top or the bottom of the picture lies ahead
        ahead = np.array([0.0, np.sign(ahead @ up), 0.0])
    forward = ahead - (ahead @ up) * up
    forward /= np.linalg.norm(forward)
    return np.stack((np.cross(forward, up), forward, up))
