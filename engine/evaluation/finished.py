"""A prediction as the finished motion that the pipeline would make of it, for measures of what is done afterwards."""

from __future__ import annotations

import numpy as np

from engine.backbones.types import Camera, Prediction
from engine.body.model import BodyModel
from engine.keypoints.types import SEEN_CONFIDENCE, PersonTrack
from engine.output.motion_file import ORIGIN_DETECTED, ORIGIN_NONE, Motion
from engine.output.results import Stretch
from engine.world.still_camera import to_world


def finished(prediction: Prediction, track: PersonTrack, camera: Camera, body: BodyModel, label: str = "") -> Stretch:
    """The stretch of one person whom a camera saw that stands still; `body` is on the CPU."""
    world = to_world(prediction, track.timestamps, body, camera)
    rows = len(track.timestamps)
    seen = track.keypoints[..., 2] >= SEEN_CONFIDENCE
    motion = Motion(
        poses=world.poses,
        trans=world.trans,
        betas=prediction.betas,
        gender=body.gender,
        surface_model_type=body.surface_model_type,
        mocap_framerate=1 / float(np.median(np.diff(track.timestamps))),
        timestamps=track.timestamps,
        cam_global_orient=world.cam_global_orient,
        cam_transl=world.cam_transl,
        joints3d_cam=world.joints3d_cam,
        joints3d_world=world.joints3d_world,
        intrinsics=camera.intrinsics,
        camera_to_world=world.camera_to_world,
        image_size=np.array(track.image_size),
        keypoints2d=np.nan_to_num(track.keypoints),
        keypoints2d_origin=np.where(seen, ORIGIN_DETECTED, ORIGIN_NONE).astype(np.uint8),
        keypoint_names=np.array(track.keypoint_names),
        labels=np.array([label] * rows),
        label_similarity=np.zeros(rows, np.float32),
        contacts=world.contacts,
        initial_poses=world.poses,
        initial_trans=world.trans,
    )
    return Stretch(track, prediction, motion, {}, None)
