"""3DPW (von Marcard et al. 2018): outdoor video from a moving camera, SMPL from inertial sensors.

The layout is that of the data set's own readme.txt: `sequenceFiles/test/<sequence>.pkl`, written by Python 2, with
a list entry for each person: `poses` (N, 72), `trans` (N, 3), `betas` (10), `genders`, `jointPositions` (N, 72) in
the world, `poses2d` (N, 3, 18) OpenPose's keypoints, `campose_valid` (N); and for the sequence `cam_poses` (N, 4,
4) world to camera and `cam_intrinsics` (3, 3). Images, which are not needed, have 30 a second and 1920 x 1080
pixels, upright or not.

Protocol as in VIBE and CycleAdapt: the 14 joints of Human3.6M's vertex regressor, mid-hips put together, frames
without an aligned camera left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from engine.backbones.types import Camera
from engine.evaluation.data import Case, Truth, make_track
from engine.evaluation.datasets import shared
from engine.evaluation.datasets.shared import Float, Licensed
from engine.keypoints.joint_sets import COCO_18

NAME = "3dpw"
_RATE = 30.0
_PLACES = ("sequenceFiles/test/*.pkl", "test/*.pkl", "*.pkl")
_NEEDED = ("poses", "trans", "betas", "jointPositions", "poses2d", "cam_poses", "cam_intrinsics")


def read(root: Path, licensed: Licensed) -> Iterator[Case]:
    """Every person of every test sequence. Raises UsageError."""
    wanted = shared.joint_set(shared.LSP_14, ("right_hip", "left_hip"), licensed)
    for path in shared.sequences(root, _PLACES, "sequence files"):
        values = shared.read_pickle_file(path)
        shared.wanted_entries(values, _NEEDED, path)
        for person in range(len(values["poses"])):
            yield _case(path, values, person, licensed, wanted)


def _case(path: Path, values: dict[str, Any], person: int, licensed: Licensed, wanted: Any) -> Case:
    poses = shared.shaped(values["poses"][person], (-1, 72), "poses", path)
    frames = len(poses)
    to_camera = shared.shaped(values["cam_poses"], (frames, 4, 4), "cam_poses", path)
    intrinsics = shared.shaped(values["cam_intrinsics"], (3, 3), "cam_intrinsics", path)
    keypoints = shared.shaped(values["poses2d"][person], (frames, 3, len(COCO_18)), "poses2d", path).transpose(0, 2, 1)
    world = shared.shaped(values["jointPositions"][person], (frames, 72), "jointPositions", path).reshape(-1, 24, 3)
    plain = np.einsum("tij,tkj->tki", to_camera[:, :3, :3], world) + to_camera[:, None, :3, 3]
    gender = str(values["genders"][person]) if "genders" in values else "neutral"
    true_body = licensed.body_of(gender)
    pose = None
    if true_body is not None:
        trans = shared.shaped(values["trans"][person], (frames, 3), "trans", path)
        pose = shared.pose_from_axis_angle(poses, values["betas"][person], trans)
        pose = shared.seen_from(pose, shared.rest_pelvis(true_body, np.asarray(pose.betas, np.float64)), to_camera)
    joints, joint_set, notes = shared.truth_joints(licensed, true_body, pose, wanted, plain)
    valid = _valid(values, person, frames)
    name = f"{path.stem}_{person}"
    return Case(
        name=name,
        clip=name,
        category=NAME,
        condition=NAME,
        label="",
        track=make_track(keypoints.astype(np.float32), None, np.arange(frames) / _RATE, COCO_18, _size(intrinsics)),
        camera=Camera(intrinsics, "given"),
        truth=Truth(
            joints=np.where(valid[:, None, None], joints, np.nan),
            joint_set=joint_set,
            pose=pose,
            body=true_body,
            note="; ".join(notes),
        ),
    )


def _valid(values: dict[str, Any], person: int, frames: int) -> Any:
    """(T,) bool: frames whose camera was aligned to the picture."""
    if "campose_valid" not in values:
        return np.ones(frames, bool)
    return np.asarray(values["campose_valid"][person]).ravel()[:frames] > 0


def _size(intrinsics: Float) -> tuple[int, int]:
    """Width and height: the principal point is near the middle of pictures of 1920 x 1080 pixels, upright or not."""
    return (1080, 1920) if intrinsics[1, 2] > intrinsics[0, 2] else (1920, 1080)
