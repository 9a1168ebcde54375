"""AMASS (Mahmood et al. 2019): motions by the path that BABEL gives them, as rotations at 30 frames a second."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import numpy as np
import torch
from numpy.typing import NDArray

from engine.body.rotations import axis_angle_to_matrix, matrix_to_six
from engine.errors import ModelFileError
from engine.files.array_file import ArrayFileError, read_arrays
from engine.files.array_tables import AMASS
from engine.semantics.types import RATE, WINDOW

_HINT = "Give the folder into which AMASS's archives were unpacked."
_HANDS = {52: (22, 37), 55: (25, 40), 24: (22, 23)}
"""Joints that stand for SMPL's hands, by the number of joints: SMPL+H, SMPL-X, SMPL."""
_ENDINGS = ("_poses", "_stageii")


def find_amass(folder: Path) -> dict[tuple[str, str], Path]:
    """Every motion below a folder, by the name of its folder and its own, in small letters.

    The data sets in AMASS were renamed from release to release; subject and take were not. Raises ModelFileError.
    """
    if not folder.is_dir():
        raise ModelFileError(f"The AMASS folder {folder} does not exist.", _HINT)
    found = {_key(path.parent.name, path.stem): path for path in sorted(folder.rglob("*.npz")) if path.stem != "shape"}
    if not found:
        raise ModelFileError(f"There are no AMASS motions in {folder}.", _HINT)
    return found


def key_of(motion: str) -> tuple[str, str]:
    """Key in `find_amass` of a path as BABEL writes it."""
    path = PurePosixPath(motion)
    return _key(path.parent.name, path.stem)


def _key(folder: str, name: str) -> tuple[str, str]:
    for ending in _ENDINGS:
        name = name.removesuffix(ending)
    return folder.lower().replace(" ", "_"), name.lower().replace(" ", "_")


def read_window(path: Path, start_s: float, end_s: float) -> NDArray[np.float32]:
    """The 60 frames in the middle of a stretch of a motion; what lies beyond the motion is held.

    Args:
        path: SMPL+H, SMPL-X or SMPL motion of AMASS.
        start_s, end_s: seconds into the motion. A shorter stretch takes in what is around it.

    Returns:
        (60, 24, 6) rotations as `engine.semantics.types` describes them, z up.

    Raises:
        ModelFileError: the file is damaged or no motion.
    """
    poses, rate = read_poses(path)
    first = (start_s + end_s) / 2 - WINDOW / RATE / 2
    rows = np.rint((first + np.arange(WINDOW) / RATE) * rate).astype(np.int64).clip(0, len(poses) - 1)
    rotations = axis_angle_to_matrix(torch.as_tensor(poses[rows]).float())
    six: NDArray[np.float32] = matrix_to_six(rotations, "columns").numpy()
    return six


def read_poses(path: Path) -> tuple[NDArray[np.floating], float]:
    """SMPL's poses (T, 24, 3) in axis-angle, z up, and frames a second. Raises ModelFileError, as above."""
    try:
        arrays = read_arrays(path, AMASS)
    except (OSError, ArrayFileError) as error:
        if getattr(error, "missing", ()):
            raise ModelFileError(f"{path} is no AMASS motion: it holds no poses.", _HINT) from error
        raise ModelFileError(f"{path} cannot be read as an AMASS motion: {error}.", _HINT) from error
    rates = [float(arrays[name]) for name in ("mocap_framerate", "mocap_frame_rate") if name in arrays]
    if not rates:
        raise ModelFileError(f"{path} is no AMASS motion: it does not state its frame rate.", _HINT)
    poses, rate = arrays["poses"], rates[0]
    if not len(poses) or poses.shape[1] not in [3 * joints for joints in _HANDS]:
        raise ModelFileError(f"{path} is no AMASS motion: its poses are {poses.shape} at {rate:g} a second.", _HINT)
    joints = poses.shape[1] // 3
    return poses.reshape(len(poses), joints, 3)[:, [*range(22), *_HANDS[joints]]], rate
