"""Motion in the world of a camera that stays in its place and turns there.

What such a camera sees is carried over to how it looked in the shot's first frame; from then on it stands still
(`still_camera.py`). In the end every frame gets its own camera back. Legend: T frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from engine.backbones.types import Camera, Prediction
from engine.body.model import BodyModel
from engine.body.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from engine.keypoints.types import PersonTrack
from engine.world.still_camera import WorldMotion

Array = NDArray[np.float64]


def turns_of(camera: Camera, frame_indices: NDArray[np.int64]) -> Array | None:
    """(T, 3, 3) turns of frames of the footage, None for a camera that does not turn in any of them."""
    if camera.turns is None:
        return None
    turns: Array = camera.turns[frame_indices]
    return turns if np.ptp(turns, axis=0).max(initial=0.0) > 0 else None


def steadied(
    camera: Camera, tracks: Sequence[PersonTrack], predictions: Sequence[Prediction], body: BodyModel
) -> list[Prediction]:
    """Predictions, of one track each in each frame's camera, as the camera of the shot's first frame would see them."""
    turns = [turns_of(camera, track.frame_indices) for track in tracks]
    return [one if turn is None else _turned(one, turn, body) for one, turn in zip(predictions, turns, strict=True)]


def _turned(prediction: Prediction, turns: Array, body: BodyModel) -> Prediction:
    rest = body.rest(prediction.betas).joints[0].astype(np.float64)
    rotations = prediction.rotations.copy()
    rotations[:, 0] = turns @ rotations[:, 0]
    transl = np.einsum("tij,tj->ti", turns, prediction.transl + rest) - rest
    return replace(prediction, rotations=rotations, transl=transl.astype(np.float32))


def seen_turning(world: WorldMotion, turns: Array | None) -> WorldMotion:
    """The same motion, in the camera frame as each frame's own camera sees it; `turns` are those of `turns_of`."""
    if turns is None:
        return world
    rest = world.joints3d_cam[0, 0].astype(np.float64) - world.cam_transl[0]
    joints = np.einsum("tji,tnj->tni", turns, world.joints3d_cam)
    root = axis_angle_to_matrix(torch.as_tensor(world.cam_global_orient, dtype=torch.float64))
    root = torch.as_tensor(turns).mT @ root
    path = np.repeat(world.camera_to_world[None], len(turns), 0)
    path[:, :3, :3] = world.camera_to_world[:3, :3] @ turns
    return replace(
        world,
        joints3d_cam=joints.astype(np.float32),
        cam_transl=(joints[:, 0] - rest).astype(np.float32),
        cam_global_orient=matrix_to_axis_angle(root).float().numpy(),
        camera_path=path,
    )
