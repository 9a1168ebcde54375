"""EgoBody (Zhang et al. 2022), seen from the HoloLens: SMPL of the person faced, much of the body out of the picture.

The layout is that of the data set's own README and renderer: `data_info_release.csv` and `data_splits.csv` hold the
test recordings, their frames, and which body is the person faced; `egocentric_color/<recording>/202*/` has
`*_pv.txt` (first row cx, cy, width, height; then time stamp in 100 ns, fx, fy and the camera's pose in the
HoloLens's world), `keypoints.npz` (OpenPose's BODY_25) and `valid_frame.npz` (all pictures);
`calibrations/<recording>/cal_trans/holo_to_kinect12.json` leads from there to the master Kinect, in whose frame
`smpl_interactee*/<recording>/body_idx_<i>/results/frame_<n>/000.pkl` give the body, one file a frame.

Protocol: SMPL's 24 joints, pelvis put together. The focal length changes by a few pixels; its median is used.
"""

from __future__ import annotations

import ast
import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine.backbones.types import Camera
from engine.errors import UsageError
from engine.evaluation.data import Case, Truth, make_track
from engine.evaluation.datasets import shared
from engine.evaluation.datasets.shared import Float, Licensed
from engine.evaluation.joints import SMPL_SET, Pose, joints_of
from engine.keypoints.joint_sets import BODY_25

NAME = "egobody"
_TICKS_A_SECOND = 1e7
_TO_PICTURE = np.diag([1.0, -1.0, -1.0, 1.0])  # the HoloLens's camera looks along -z with y up
_HINT = "Is the data set unpacked as its README says?"


@dataclass(frozen=True)
class _Recording:
    """A row of the table: frames `first` to `last`, and the body that is faced."""

    name: str
    first: int
    last: int
    body: int
    gender: str


@dataclass(frozen=True)
class _Shot:
    """One picture: its time stamp, focal lengths and (4, 4) camera-to-world."""

    ticks: int
    focal: tuple[float, float]
    to_world: Float


def read(root: Path, licensed: Licensed) -> Iterator[Case]:
    """The person faced in every test recording. Raises UsageError."""
    for recording in _recordings(root):
        yield _case(root, recording, licensed)


def _recordings(root: Path) -> list[_Recording]:
    table = _table(root / "data_info_release.csv")
    splits = root / "data_splits.csv"
    test = {row.get("test", "") for row in _table(splits)} if splits.is_file() else None
    found = []
    for row in table:
        try:
            body, gender = row["body_idx_fpv"].split()
            one = _Recording(row["recording_name"], int(row["start_frame"]), int(row["end_frame"]), int(body), gender)
        except (KeyError, TypeError, ValueError) as error:
            raise UsageError(
                f"{root / 'data_info_release.csv'} has a row that cannot be read: {error}.", _HINT
            ) from error
        if (test is None or one.name in test) and (root / "egocentric_color" / one.name).is_dir():
            found.append(one)
    if not found:
        raise UsageError(f"{root} has no test recordings.", _HINT)
    return found


def _case(root: Path, recording: _Recording, licensed: Licensed) -> Case:
    folder = _only(root / "egocentric_color" / recording.name, "202*")
    middle, size, shots = _shots(folder)
    keypoints = _keypoints(folder / "keypoints.npz")
    frames = [number for number in sorted(shots) if recording.first <= number <= recording.last]
    fits = {number: _fit_file(root, recording, number) for number in frames}
    if not any(fits.values()):
        raise UsageError(f"{root} has no SMPL bodies of {recording.name}.", _HINT)
    intrinsics = np.eye(3)
    intrinsics[[0, 1], [0, 1]] = np.median([shots[number].focal for number in frames], axis=0)
    intrinsics[:2, 2] = middle
    true_body = licensed.body_of(recording.gender)
    body = true_body or licensed.body
    pose, known = _true_pose(root, recording, frames, fits, shots, body)
    blank = np.zeros((len(BODY_25), 3))
    seen = np.stack([keypoints.get(number, blank) for number in frames]).astype(np.float32)
    ticks = np.array([shots[number].ticks for number in frames], np.int64)
    return Case(
        name=recording.name,
        clip=recording.name,
        category=NAME,
        condition=NAME,
        label="",
        track=make_track(seen, None, (ticks - ticks[0]) / _TICKS_A_SECOND, BODY_25, size),
        camera=Camera(intrinsics, "given"),
        truth=Truth(
            joints=np.where(known[:, None, None], joints_of(body, pose), np.nan),
            joint_set=SMPL_SET,
            pose=pose if known.all() else None,
            body=true_body,
            note="" if true_body is not None else shared.NO_GENDER,
        ),
    )


def _true_pose(
    root: Path,
    recording: _Recording,
    frames: list[int],
    fits: dict[int, Path | None],
    shots: dict[int, _Shot],
    body: Any,
) -> tuple[Pose, Any]:
    """The body in each picture's camera, and (T,) bool: frames that have one; others repeat the one before."""
    kinect_to_holo = np.linalg.inv(_transform(root, recording.name))
    first = next(path for path in fits.values() if path)
    values = _parameters(first)
    rows, moves = [], []
    for number in frames:
        values = _parameters(path) if (path := fits[number]) else values
        rows.append(values)
        moves.append(_TO_PICTURE @ np.linalg.inv(shots[number].to_world) @ kinect_to_holo)
    poses = np.stack([np.concatenate([row["global_orient"], row["body_pose"]]) for row in rows])
    betas = np.mean([row["betas"] for row in rows], axis=0)
    pose = shared.pose_from_axis_angle(poses, betas, np.stack([row["transl"] for row in rows]))
    moved = shared.seen_from(pose, shared.rest_pelvis(body, betas), np.stack(moves))
    return moved, np.array([fits[number] is not None for number in frames])


def _parameters(path: Path) -> dict[str, Float]:
    values = shared.read_pickle_file(path)
    sizes = {"global_orient": 3, "body_pose": 69, "betas": 10, "transl": 3}
    shared.wanted_entries(values, tuple(sizes), path)
    return {name: shared.shaped(np.ravel(values[name])[:size], (size,), name, path) for name, size in sizes.items()}


def _fit_file(root: Path, recording: _Recording, number: int) -> Path | None:
    for folder in ("smpl_interactee_test", "smpl_interactee"):
        path = (
            root
            / folder
            / recording.name
            / f"body_idx_{recording.body}"
            / "results"
            / f"frame_{number:05d}"
            / "000.pkl"
        )
        if path.is_file():
            return path
    return None


def _shots(folder: Path) -> tuple[Float, tuple[int, int], dict[int, _Shot]]:
    """Principal point, picture size, and pictures by frame number."""
    path = _only(folder, "*_pv.txt")
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        centre_x, centre_y, width, height = ast.literal_eval(lines[0])
        by_ticks = {}
        for line in lines[1:]:
            cells = line.split(",")
            pose = np.array([float(cell) for cell in cells[3:19]]).reshape(4, 4)
            by_ticks[int(cells[0])] = _Shot(int(cells[0]), (float(cells[1]), float(cells[2])), pose)
    except (OSError, ValueError, IndexError, SyntaxError, TypeError) as error:
        raise UsageError(f"{path} cannot be read: {error}.", _HINT) from error
    shots = {}
    for name in _arrays(folder / "valid_frame.npz", ("imgname",))["imgname"]:
        ticks, number = _picture(str(name), folder)
        if ticks in by_ticks and abs(np.linalg.det(by_ticks[ticks].to_world)) > 1e-6:
            shots[number] = by_ticks[ticks]
    return np.array([centre_x, centre_y]), (int(width), int(height)), shots


def _picture(name: str, folder: Path) -> tuple[int, int]:
    """Time stamp and frame number of `…/<ticks>_frame_<number>.jpg`."""
    try:
        ticks, _, number = Path(name).stem.split("_")
        return int(ticks), int(number)
    except ValueError as error:
        raise UsageError(f"{folder} names a picture {name}, which has no time and frame.", _HINT) from error


def _keypoints(path: Path) -> dict[int, Float]:
    values = _arrays(path, ("imgname", "keypoints"))
    points = shared.shaped(values["keypoints"], (-1, len(BODY_25), 3), "keypoints", path)
    return {_picture(str(name), path)[1]: one for name, one in zip(values["imgname"], points, strict=True)}


def _transform(root: Path, recording: str) -> Float:
    """(4, 4) from the HoloLens's world to the master Kinect's colour camera."""
    folder = root / "calibrations" / recording
    path = folder / "cal_trans" / "holo_to_kinect12.json"
    path = path if path.is_file() else folder / "holo_to_kinect12.json"
    try:
        return shared.shaped(json.loads(path.read_text(encoding="utf-8"))["trans"], (4, 4), "trans", path)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path} cannot be read: {error}.", _HINT) from error


def _arrays(path: Path, names: tuple[str, ...]) -> dict[str, Any]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            values = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError) as error:
        raise UsageError(f"{path} cannot be read: {error}.", _HINT) from error
    shared.wanted_entries(values, names, path)
    return values


def _table(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path} cannot be read: {error}.", _HINT) from error


def _only(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern))
    if not found:
        raise UsageError(f"{folder} has no {pattern}.", _HINT)
    return found[0]
