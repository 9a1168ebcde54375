"""MPI-INF-3DHP (Mehta et al. 2017), the test set: six sequences with joints from markerless capture, no SMPL.

The layout is that of the data set's own test tools: `TS1` to `TS6`, each with `annot_data.mat`, in which `annot2`
(2, 17, 1, N) are pixels, `annot3` and `univ_annot3` (3, 17, 1, N) millimetres in the camera frame, the latter
brought to one skeleton size, and `valid_frame` marks the frames that count. The files are MATLAB's version 7.3,
which is HDF5 and needs `h5py`, an optional package; files saved again as version 5 or 7 are read without it.

There are no cameras in the files: focal length and principal point follow from `annot3` and `annot2`. There are no
detected keypoints either: without OpenPose's (`--keypoints`) the true ones are given to the methods, which is noted
in the table. Protocol as in SPIN and CycleAdapt: 17 joints of Human3.6M's vertex regressor against `univ_annot3`,
pelvis put together; without a regressor the 14 of them that SMPL has.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io
from numpy.typing import NDArray

from engine.backbones.types import Camera
from engine.body.landmarks import JOINT_NAMES
from engine.errors import UsageError
from engine.evaluation.data import Case, Truth, make_track
from engine.evaluation.datasets import openpose, shared
from engine.evaluation.datasets.shared import Float, Licensed
from engine.evaluation.joints import JointSet

NAME = "3dhp"
JOINTS = (
    "head_top", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist",
    "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "pelvis", "spine", "nose",
)  # fmt: skip
"""The test set's 17 joints in its order, under the regressor's names; its `head` is compared with their nose."""
_SHARED = tuple(name for name in JOINTS if name in JOINT_NAMES)
_KEYPOINTS = tuple(name for name in JOINTS if name not in ("head_top", "pelvis", "spine", "nose"))
_PLACES = ("mpi_inf_3dhp_test_set/TS*/annot_data.mat", "TS*/annot_data.mat", "annot_data.mat")
_WIDE_PICTURES = ("TS5", "TS6")
_RATE = 25.0
"""Frames a second, which the files do not state. Acceleration errors rest on it."""
_NO_REGRESSOR = "14 joints are SMPL's own, not Human3.6M's 17: no --regressor was given"


def read(root: Path, licensed: Licensed) -> Iterator[Case]:
    """Every test sequence. Raises UsageError."""
    wanted = shared.joint_set(JOINTS, ("pelvis",), licensed)
    joint_set = wanted or JointSet(_SHARED, ("pelvis",), tuple(JOINT_NAMES.index(name) for name in _SHARED))
    for path in shared.sequences(root, _PLACES, "annotations of the test set"):
        yield _case(path, _read_mat(path), licensed, joint_set)


def _case(path: Path, values: dict[str, Any], licensed: Licensed, joint_set: JointSet) -> Case:
    points, camera_mm, universal_mm = (
        _per_frame(values, name, size, path) for name, size in (("annot2", 2), ("annot3", 3), ("univ_annot3", 3))
    )
    valid = np.asarray(values["valid_frame"]).ravel() > 0
    if len(valid) != len(points):
        raise UsageError(f"{path}: valid_frame has {len(valid)} entries, not {len(points)}.", "Get the file again.")
    columns = [JOINTS.index(name) for name in joint_set.names]
    sequence = path.parent.name
    intrinsics = fitted_intrinsics(camera_mm[valid], points[valid])
    size = (1920, 1080) if sequence in _WIDE_PICTURES else (2048, 2048)
    keypoints, names, notes = _keypoints(points, sequence, licensed, size)
    if joint_set.regressor is None:
        notes = [*notes, _NO_REGRESSOR]
    return Case(
        name=sequence,
        clip=sequence,
        category=NAME,
        condition=NAME,
        label="",
        track=make_track(keypoints, None, np.arange(len(points)) / _RATE, names, size),
        camera=Camera(intrinsics, "given"),
        truth=Truth(
            joints=np.where(valid[:, None, None], universal_mm[:, columns] / 1000, np.nan),
            joint_set=joint_set,
            note="; ".join(notes),
        ),
    )


def _keypoints(
    points: Float, sequence: str, licensed: Licensed, size: tuple[int, int]
) -> tuple[NDArray[np.float32], tuple[str, ...], list[str]]:
    """What the methods see (T, K, 3), the names, and the notes on them."""
    if licensed.keypoints is not None:
        found, names = openpose.read(licensed.keypoints / sequence, len(points), size, points.mean(1))
        return found, names, []
    columns = [JOINTS.index(name) for name in _KEYPOINTS]
    inside = ((points >= 0) & (points < np.array(size))).all(-1, keepdims=True)
    true = np.concatenate([points, inside], -1)[:, columns]
    return true.astype(np.float32), _KEYPOINTS, [openpose.TRUE_2D]


def fitted_intrinsics(joints: Float, points: Float) -> Float:
    """(3, 3) of the camera that sees joints (T, J, 3), in its own frame, at points (T, J, 2): linear least squares."""
    ray = joints[..., :2] / joints[..., 2:]
    matrix = np.eye(3)
    for axis in (0, 1):
        design = np.stack([ray[..., axis].ravel(), np.ones(ray[..., axis].size)], 1)
        matrix[axis, axis], matrix[axis, 2] = np.linalg.lstsq(design, points[..., axis].ravel(), rcond=None)[0]
    return matrix


def _per_frame(values: dict[str, Any], name: str, size: int, path: Path) -> Float:
    """(T, 17, size) from MATLAB's (size, 17, 1, T), or from HDF5's view of it, which is the other way round."""
    shared.wanted_entries(values, (name,), path)
    array = np.asarray(values[name], np.float64)
    if array.ndim >= 3 and array.shape[:2] == (size, len(JOINTS)):
        array = array.transpose(range(array.ndim)[::-1])
    if array.ndim < 3 or array.shape[-2:] != (len(JOINTS), size):
        raise UsageError(f"{path}: {name} is {array.shape}, not ({size}, 17, 1, frames).", "Is it the test set's file?")
    return np.asarray(array.reshape(-1, len(JOINTS), size))


def _read_mat(path: Path) -> dict[str, Any]:
    """The arrays of a MATLAB file. Raises UsageError."""
    try:
        with path.open("rb") as file:
            is_hdf5 = b"MATLAB 7.3" in file.read(128)
        values = _read_hdf5(path) if is_hdf5 else scipy.io.loadmat(path, variable_names=_WANTED)
    except UsageError:
        raise
    except Exception as error:  # whatever damaged bytes make the readers raise
        raise UsageError(
            f"{path} cannot be read as a MATLAB file: {error}.", "Get it from the data set again."
        ) from error
    shared.wanted_entries(values, _WANTED, path)
    return values


_WANTED = ("annot2", "annot3", "univ_annot3", "valid_frame")


def _read_hdf5(path: Path) -> dict[str, Any]:
    try:
        h5py = importlib.import_module("h5py")
    except ImportError as error:
        raise UsageError(
            f"{path} is a MATLAB file of version 7.3, which needs the package h5py.", "Install it: pip install h5py"
        ) from error
    with h5py.File(path, "r") as file:
        return {name: np.asarray(file[name]) for name in _WANTED if name in file}
