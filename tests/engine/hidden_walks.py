"""Walks with known swing and bend, as joints and as motion files, for the bench on hidden limbs."""

import numpy as np

from engine.evaluation.hide_scores import FullView, Joints, scored_limbs
from engine.output.motion_file import Motion

RATE = 25.0
WIDTH, HEIGHT, FOCAL = 321, 243, 300.0


def walk(rows=100, rate=1.0, amplitude=20.0, phase=0.0, cycles_hz=1.0):
    """(T, 24, 3) metres, camera frame, 4 m away: both legs swing and bend about a mean, half a cycle apart.

    `amplitude` in degrees, `phase` in cycles; the arms hang.
    """
    times = np.arange(rows) / RATE
    joints = np.zeros((rows, 24, 3))
    joints[:] = [0, 0, 4]
    joints[:, 12] += [0, -0.5, 0]
    joints[:, 15] += [0, -0.7, 0]
    for side, (shoulder, elbow, wrist, hand) in ((1, (16, 18, 20, 22)), (-1, (17, 19, 21, 23))):
        for joint, down in ((shoulder, -0.45), (elbow, -0.15), (wrist, 0.1), (hand, 0.18)):
            joints[:, joint] += [0.2 * side, down, 0]
    for side, (hip, knee, ankle, foot), offset in ((1, (1, 4, 7, 10), 0.0), (-1, (2, 5, 8, 11), 0.5)):
        wave = amplitude * np.sin(2 * np.pi * (cycles_hz * rate * times + phase + offset))
        swing, bend = np.radians(40 + wave), np.radians(40 + wave / 2)
        joints[:, hip] += [0.1 * side, 0.05, 0]
        joints[:, knee] = joints[:, hip] + 0.4 * np.stack((0 * swing, np.cos(swing), -np.sin(swing)), -1)
        lower = swing - bend
        joints[:, ankle] = joints[:, knee] + 0.4 * np.stack((0 * swing, np.cos(lower), -np.sin(lower)), -1)
        joints[:, foot] = joints[:, ankle] + [0, 0.05, -0.1]
    return joints


def joints_of(joints, contacts=None):
    """What is compared, of joints in metres."""
    rows = len(joints)
    contacts = np.zeros((rows, 4)) if contacts is None else contacts
    return Joints(np.arange(rows) / RATE, 1000 * joints, 1000 * joints, contacts)


def view_of(joints, hidden=None, limbs=("left_leg", "right_leg"), contacts=None):
    """A full view in which the legs below the hips are hidden, unless `hidden` (T, 24) says what is."""
    if hidden is None:
        hidden = np.zeros(joints.shape[:2], bool)
        hidden[:, [4, 5, 7, 8, 10, 11]] = True
    return FullView(joints_of(joints, contacts), hidden, ~hidden, scored_limbs(hidden, limbs))


def motion_of(joints, times=None):
    """A motion file's content with these joints; its keypoints are those of both wrists, ankles and toes."""
    rows = len(joints)
    names = ["left_wrist", "right_wrist", "left_ankle", "right_ankle", "left_foot_index", "right_foot_index"]
    flat = joints[:, [20, 21, 7, 8, 10, 11]]
    pixels = FOCAL * flat[..., :2] / flat[..., 2:] + [WIDTH / 2, HEIGHT / 2]
    keypoints = np.concatenate((pixels, np.full((rows, len(names), 1), 0.9)), -1).astype(np.float32)
    zero = np.zeros((rows, 3), np.float32)
    return Motion(
        poses=np.zeros((rows, 72), np.float32), trans=zero, betas=np.zeros(10, np.float32), gender="neutral",
        surface_model_type="open-body", mocap_framerate=RATE,
        timestamps=np.arange(rows) / RATE if times is None else times,
        cam_global_orient=np.tile(np.array([np.pi, 0, 0], np.float32), (rows, 1)),
        cam_transl=np.tile(np.array([0, 0.2, 4], np.float32), (rows, 1)), joints3d_cam=joints.astype(np.float32),
        joints3d_world=joints.astype(np.float32),
        intrinsics=np.array([[FOCAL, 0, WIDTH / 2], [0, FOCAL, HEIGHT / 2], [0, 0, 1]]),
        camera_to_world=np.eye(4), image_size=np.array([WIDTH, HEIGHT]), keypoints2d=keypoints,
        keypoints2d_origin=np.ones((rows, len(names)), np.uint8), keypoint_names=np.array(names),
        labels=np.array([""] * rows), label_similarity=np.zeros(rows, np.float32),
        contacts=np.zeros((rows, 4), np.float32), initial_poses=np.zeros((rows, 72), np.float32), initial_trans=zero,
    )  # fmt: skip
