"""Finished motions as the pipeline hands them on, for tests of what is done with them afterwards."""

import numpy as np

from engine.output.motion_file import Motion
from engine.output.results import Stretch
from engine.world.still_camera import to_world


def finished(body, person, track, prediction=None):
    """The stretch of somebody whose motion is `prediction`, or the true one."""
    prediction = prediction or person.prediction
    world = to_world(prediction, track.timestamps, body, person.camera)
    rows = len(track.timestamps)
    seen = track.keypoints[..., 2] >= 0.3
    motion = Motion(
        poses=world.poses,
        trans=world.trans,
        betas=prediction.betas,
        gender=body.gender,
        surface_model_type=body.surface_model_type,
        mocap_framerate=30.0,
        timestamps=track.timestamps,
        cam_global_orient=world.cam_global_orient,
        cam_transl=world.cam_transl,
        joints3d_cam=world.joints3d_cam,
        joints3d_world=world.joints3d_world,
        intrinsics=person.camera.intrinsics,
        camera_to_world=world.camera_to_world,
        image_size=np.array(track.image_size),
        keypoints2d=np.nan_to_num(track.keypoints),
        keypoints2d_origin=seen.astype(np.uint8),
        keypoint_names=np.array(track.keypoint_names),
        labels=np.zeros(rows, "<U4"),
        label_similarity=np.zeros(rows, np.float32),
        contacts=world.contacts,
        initial_poses=world.poses,
        initial_trans=world.trans,
    )
    return Stretch(track, prediction, motion, {}, None)
