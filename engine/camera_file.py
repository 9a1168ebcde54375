"""The `--camera` file: what is known of the camera that took the footage, such as Blender's camera solve.

JSON with `intrinsics`, 3 x 3 pixels of the full upright frame (or one for each frame), and optionally
`camera_to_world`, 4 x 4 for each frame of the footage, or one for all: metres, the world's Z up, the camera's x right,
y down and z away. The camera may move; it may not zoom.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import UsageError

_RIGID = 1e-3
_HINT = (
    'A camera file looks like {"intrinsics": [[1500, 0, 960], [0, 1500, 540], [0, 0, 1]], "camera_to_world": [4x4, …]}.'
)


@dataclass(frozen=True)
class GivenCamera:
    """What a camera file says: `intrinsics` (3, 3), and `path` (F, 4, 4) camera to world or None."""

    intrinsics: NDArray[np.float64]
    path: NDArray[np.float64] | None


def read_camera(path: Path) -> GivenCamera:
    """Read and check a camera file. Raises UsageError if it is wrong or the camera zooms."""
    try:
        values = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UsageError(f"The camera file {path} cannot be read: {error.strerror or error}.", _HINT) from error
    except ValueError as error:
        raise UsageError(f"The camera file {path} is not JSON: {error}.", _HINT) from error
    if not isinstance(values, dict) or "intrinsics" not in values:
        raise UsageError(f"The camera file {path} has no intrinsics.", _HINT)
    cameras = _matrices(values["intrinsics"], 3, f"intrinsics of the camera file {path}")
    poses: NDArray[np.float64] | None = None
    if "camera_to_world" in values:
        poses = _matrices(values["camera_to_world"], 4, f"camera_to_world of the camera file {path}")
        turns = poses[:, :3, :3]
        if np.abs(turns @ turns.transpose(0, 2, 1) - np.eye(3)).max() > _RIGID or (np.linalg.det(turns) < 0).any():
            raise UsageError(f"The camera_to_world of the camera file {path} are not turns and places.", _HINT)
    if (np.abs(cameras - cameras[0]).max(axis=(1, 2)) > 0.01 * cameras[0, 0, 0]).any():
        raise UsageError(f"The camera of {path} zooms, which is not supported.", "Use footage with one focal length.")
    camera: NDArray[np.float64] = cameras[0]
    if camera[0, 0] <= 0 or camera[1, 1] <= 0 or not np.allclose(camera[2], (0, 0, 1)):
        raise UsageError(f"The intrinsics of the camera file {path} are no camera matrix.", _HINT)
    return GivenCamera(camera, poses)


def _matrices(value: Any, size: int, name: str) -> NDArray[np.float64]:
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise UsageError(f"The {name} are not numbers.", _HINT) from error
    if array.ndim == 2:
        array = array[None]
    if array.ndim != 3 or array.shape[1:] != (size, size) or not len(array) or not np.isfinite(array).all():
        raise UsageError(f"The {name} are not {size} x {size} matrices of finite numbers.", _HINT)
    return array
