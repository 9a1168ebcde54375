"""EMDB (Kaufmann et al. 2023): people outdoors from a phone that moves, SMPL in the world from electromagnetic sensors.

The layout is that of the data set's own `dataset.md`: `P0` to `P9`, each with a folder for each sequence that holds
`<P>_<sequence>_data.pkl`: `gender`, `emdb1` and `emdb2` (which part of the paper's evaluation it belongs to),
`good_frames_mask` (N), `camera` with `intrinsics` (3, 3), `extrinsics` (N, 4, 4) world to camera, `width` and `height`,
and `smpl` with `poses_root` (N, 3), `poses_body` (N, 69), `trans` (N, 3) and `betas` (10). 30 frames a second.

Protocol: SMPL's 24 joints, good frames alone. In the world the motion that a method gives in the camera frame is placed
by the data set's own camera path, so what is measured is the person and not the camera. There are no detected keypoints
in the files: without OpenPose's (`--keypoints`) the true joints are given to the methods, which is noted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from engine.backbones.types import Camera
from engine.errors import UsageError
from engine.evaluation.data import Case, Truth, make_track
from engine.evaluation.datasets import openpose, shared
from engine.evaluation.datasets.shared import Licensed
from engine.evaluation.joints import SMPL_SET, joints_of

NAME = "emdb"
_RATE = 30.0
_PLACES = ("P*/*/*_data.pkl", "*/*_data.pkl", "*_data.pkl")
_NEEDED = ("gender", "emdb1", "emdb2", "good_frames_mask", "camera", "smpl")


def reader(part: str) -> Callable[[Path, Licensed], Iterator[Case]]:
    """What reads the sequences of `emdb1` or `emdb2`."""

    def read(root: Path, licensed: Licensed) -> Iterator[Case]:
        found = False
        for path in shared.sequences(root, _PLACES, "sequences (*_data.pkl)"):
            values = shared.read_pickle_file(path)
            shared.wanted_entries(values, _NEEDED, path)
            if bool(values[part]):
                found = True
                yield _case(path, values, part, licensed)
        if not found:
            raise UsageError(f"{root} has no sequence of {part}.", "Are P0 to P9 all there?")

    return read


def _case(path: Path, values: dict[str, Any], part: str, licensed: Licensed) -> Case:
    smpl, camera = values["smpl"], values["camera"]
    shared.wanted_entries(smpl, ("poses_root", "poses_body", "trans", "betas"), path)
    shared.wanted_entries(camera, ("intrinsics", "extrinsics", "width", "height"), path)
    root = shared.shaped(smpl["poses_root"], (-1, 3), "poses_root", path)
    frames = len(root)
    poses = np.hstack((root, shared.shaped(smpl["poses_body"], (frames, 69), "poses_body", path)))
    trans = shared.shaped(smpl["trans"], (frames, 3), "trans", path)
    to_camera = shared.shaped(camera["extrinsics"], (frames, 4, 4), "extrinsics", path)
    intrinsics = shared.shaped(camera["intrinsics"], (3, 3), "intrinsics", path)
    size = int(camera["width"]), int(camera["height"])
    true_body = licensed.body_of(str(values["gender"]))
    body = true_body or licensed.body
    pose = shared.pose_from_axis_angle(poses, smpl["betas"], trans)
    pose = shared.seen_from(pose, shared.rest_pelvis(body, np.asarray(pose.betas, np.float64)), to_camera)
    joints, good = joints_of(body, pose), np.asarray(values["good_frames_mask"]).ravel()[:frames] > 0
    name = path.stem.removesuffix("_data")
    keypoints, names, note = openpose.seen_or_true(licensed, name, joints, good, intrinsics, size)
    notes = [note, "" if true_body is not None else shared.NO_GENDER]
    return Case(
        name=name,
        clip=name,
        category=part,
        condition=part,
        label="",
        track=make_track(keypoints, None, np.arange(frames) / _RATE, names, size),
        camera=Camera(intrinsics, "given"),
        truth=Truth(
            joints=np.where(good[:, None, None], joints, np.nan),
            joint_set=SMPL_SET,
            pose=pose,
            body=true_body,
            note="; ".join(filter(None, notes)),
            to_world=np.asarray(np.linalg.inv(to_camera), np.float64),
        ),
    )
