"""The `--camera` file: what is known of the camera that took the footage, such as Blender's camera solve.

JSON with `intrinsics`, 3 x 3 pixels of the full upright frame (or one for each frame), and optionally
`camera_to_world`, 4 x 4 for each frame. In this version the camera has to stand still.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import UsageError

_STILL_M, _STILL_ENTRY = 0.01, 0.01
_HINT = (
    'A camera file looks like {"intrinsics": [[1500, 0, 960], [0, 1500, 540], [0, 0, 1]], "camera_to_world": [4x4, …]}.'
)


def read_camera(path: Path) -> NDArray[np.float64]:
    """(3, 3) intrinsics of a camera that stands still. Raises UsageError if the file is wrong or the camera moves."""
    try:
        values = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UsageError(f"The camera file {path} cannot be read: {error.strerror or error}.", _HINT) from error
    except ValueError as error:
        raise UsageError(f"The camera file {path} is not JSON: {error}.", _HINT) from error
    if not isinstance(values, dict) or "intrinsics" not in values:
        raise UsageError(f"The camera file {path} has no intrinsics.", _HINT)
    cameras = _matrices(values["intrinsics"], 3, f"intrinsics of the camera file {path}")
    poses = _matrices(
        values.get("camera_to_world", [np.eye(4).tolist()]), 4, f"camera_to_world of the camera file {path}"
    )
    moved = np.abs(poses - poses[0]).max(axis=0)
    if moved[:3, 3].max() > _STILL_M or moved[:3, :3].max() > _STILL_ENTRY:
        raise UsageError(
            f"The camera of {path} moves, and this version needs one that stands still.",
            "Use footage from a tripod, or leave --camera out and take the motion relative to the camera.",
        )
    if (np.abs(cameras - cameras[0]).max(axis=(1, 2)) > 0.01 * cameras[0, 0, 0]).any():
        raise UsageError(f"The camera of {path} zooms, and this version needs one that stands still.", _HINT)
    camera: NDArray[np.float64] = cameras[0]
    if camera[0, 0] <= 0 or camera[1, 1] <= 0 or not np.allclose(camera[2], (0, 0, 1)):
        raise UsageError(f"The intrinsics of the camera file {path} are no camera matrix.", _HINT)
    return camera


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
