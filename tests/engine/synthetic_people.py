"""People whose true motion is known, seen by a camera of known tilt: for the tests of the fit and of the world."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from engine.backbones.types import Camera, Prediction
from engine.body.landmarks import JOINT_NAMES
from engine.body.rotations import axis_angle_to_matrix
from engine.camera.pinhole import default_focal_px, intrinsics, project
from engine.keypoints.joint_sets import MEDIAPIPE_33
from engine.keypoints.types import PersonTrack

SIZE = (1280, 720)
LIMB_JOINTS = [
    JOINT_NAMES.index(f"{side}_{part}")
    for side in ("left", "right")
    for part in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")
]


@dataclass(frozen=True)
class Person:
    """A motion in the camera frame, its joints, and the true up of that camera."""

    prediction: Prediction
    joints: np.ndarray
    times: np.ndarray
    up: np.ndarray
    camera: Camera


def camera_pose(pitch_degrees, roll_degrees):
    """Rotation of Y-up world coordinates (the camera looks along -Z) into camera axes; positive pitch looks down."""
    pitch, roll = np.radians([pitch_degrees, roll_degrees])
    turn_x = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
    turn_z = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    return turn_z @ turn_x @ np.diag([1.0, -1.0, -1.0])


def person(body, angles, root, times, pitch=0.0, roll=0.0, distance=4.0):
    """Somebody with joint angles {name: (T, 3) axis-angle} and pelvis path (T, 3) in a Y-up room, floor at y = 0."""
    pose = torch.zeros(len(times), 24, 3)
    for name, value in angles.items():
        pose[:, JOINT_NAMES.index(name)] = torch.as_tensor(np.asarray(value), dtype=torch.float32)
    to_camera = camera_pose(pitch, roll)
    rotations = axis_angle_to_matrix(pose)
    rotations[:, 0] = torch.as_tensor(to_camera, dtype=torch.float32) @ rotations[:, 0]
    pelvis = (np.asarray(root) - [0, 0.9, 0]) @ to_camera.T + [0, 0, distance]
    betas = torch.zeros(10)
    transl = torch.as_tensor(pelvis, dtype=torch.float32) - body.rest_joints(betas)[0]
    joints = body.joints(rotations, betas, transl).numpy()
    ones = np.ones((len(times), 24), np.float32)
    prediction = Prediction(rotations.numpy(), betas.numpy(), transl.numpy(), ones, np.zeros(len(times), np.float32))
    matrix = intrinsics(default_focal_px(*SIZE), *SIZE).numpy()
    return Person(prediction, joints, np.asarray(times), to_camera @ [0, 1, 0], Camera(matrix, "given"))


def walk(body, seconds=1.5, rate=30.0, heading_degrees=50.0, speed=1.2, **camera):
    """A walk with bent knees and swinging arms; the lowest sole is on the floor in every frame."""
    times = np.arange(round(seconds * rate)) / rate
    phase = 2 * np.pi * times * speed / 1.3
    zero = np.zeros_like(phase)
    heading = np.radians(heading_degrees)
    angles = {"pelvis": np.stack((zero, zero + heading, zero), 1)}
    for side, sign in (("left", 1.0), ("right", -1.0)):
        swing = sign * np.sin(phase)
        angles[f"{side}_hip"] = np.stack((-0.45 * swing - 0.1, zero, zero), 1)
        angles[f"{side}_knee"] = np.stack((0.35 + 0.3 * np.cos(phase) * sign, zero, zero), 1)
        angles[f"{side}_ankle"] = np.stack((0.15 * swing - 0.1, zero, zero), 1)
        angles[f"{side}_shoulder"] = np.stack((zero, -0.5 * swing * sign * sign, zero - sign * 1.2), 1)
        angles[f"{side}_elbow"] = np.stack((zero, zero - sign * 0.5, zero), 1)
    path = np.outer(times * speed - times.mean() * speed, [np.sin(heading), 0, np.cos(heading)])
    return _on_floor(body, angles, path, times, **camera)


def stand(body, seconds=1.0, rate=30.0, hop_m=0.0, **camera):
    """Somebody who stands still, and hops once in the middle if `hop_m` is given."""
    times = np.arange(round(seconds * rate)) / rate
    zero = np.zeros_like(times)
    angles = {"pelvis": np.stack((zero, zero + 0.3, zero), 1)}
    for side, sign in (("left", 1.0), ("right", -1.0)):
        angles[f"{side}_shoulder"] = np.stack((zero, zero, zero - sign * 1.2), 1)
        angles[f"{side}_elbow"] = np.stack((zero, zero - sign * 0.4, zero), 1)
    flight = 2 * np.sqrt(2 * hop_m / 9.81)
    since = times - (times[-1] - flight) / 2
    height = np.where((since > 0) & (since < flight), 9.81 / 2 * since * (flight - since), 0.0)
    path = np.stack((zero, height, zero), 1)
    return _on_floor(body, angles, path, times, **camera)


def _on_floor(body, angles, path, times, **camera):
    flat = person(body, angles, np.zeros((len(times), 3)), times)
    rotations, betas = torch.as_tensor(flat.prediction.rotations), torch.zeros(10)
    marks = body.landmarks(rotations, betas, -body.rest_joints(betas)[0])
    names = list(body.landmark_names)
    feet = [names.index(f"{side}_{part}") for side in ("left", "right") for part in ("heel", "foot_index")]
    lowest = -marks[:, feet, 1].numpy().max(1)
    return person(body, angles, path - np.outer(lowest, [0, 1, 0]), times, **camera)


def seen(body, person, names=MEDIAPIPE_33, with_depth=True, noise_px=0.0, seed=0):
    """The track of somebody whose every keypoint is seen."""
    prediction = person.prediction
    arguments = (prediction.rotations, prediction.betas, prediction.transl)
    marks = body.landmarks(*(torch.as_tensor(value) for value in arguments))
    marks = marks[:, [body.landmark_names.index(name) for name in names]]
    pixels = project(marks, torch.as_tensor(person.camera.intrinsics)).numpy()
    pixels = pixels + np.random.default_rng(seed).normal(0, noise_px, pixels.shape)
    keypoints = np.concatenate((pixels, np.full((*pixels.shape[:2], 1), 0.95)), -1).astype(np.float32)
    hips = [names.index("left_hip"), names.index("right_hip")]
    about_hips = (marks - marks[:, hips].mean(1, keepdim=True)).numpy()
    landmarks = about_hips if with_depth else np.full_like(about_hips, np.nan)
    count = len(keypoints)
    return PersonTrack(
        person=1,
        frame_indices=np.arange(count),
        timestamps=person.times,
        keypoints=keypoints,
        landmarks3d=landmarks.astype(np.float32),
        boxes=np.concatenate((pixels.min(1), pixels.max(1)), 1).astype(np.float32),
        detected=np.ones(count, bool),
        keypoint_names=tuple(names),
        image_size=SIZE,
    )


def unseen(track, rows=slice(None), names=()):
    """The same track with keypoints of these names (all of them if none is given) not seen in these rows."""
    keypoints, detected, landmarks = track.keypoints.copy(), track.detected.copy(), track.landmarks3d.copy()
    if names:
        keypoints[rows, [track.keypoint_names.index(name) for name in names], 2] = 0.1
    else:
        keypoints[rows], landmarks[rows], detected[rows] = 0, np.nan, False
    return replace(track, keypoints=keypoints, detected=detected, landmarks3d=landmarks)


def hip_centred(joints):
    """Joints (T, 24, 3) about the middle of the hips."""
    return joints - joints[:, 1:3].mean(1, keepdims=True)
