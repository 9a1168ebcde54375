"""The `--camera` file: what is known of the camera that took the footage, such as Blender's camera solve.

JSON with `intrinsics`, 3 x 3 pixels of the full upright frame, or one for each frame of the footage if the camera
zooms, and optionally

* `camera_to_world`, 4 x 4 for each frame of the footage, or one for all: metres, the world's Z up, the camera's x
  right, y down and z away;
* `distortion`, `{"model": "polynomial", "k": [k1, k2, k3, k4], "p": [p1, p2]}` or
  `{"model": "division", "k": [k1, k2]}`, or `reciprocal` likewise, as `engine/camera/lens.py` says; k may be
  shorter and p may be left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.camera.lens import MOST_BENDING, Distortion, Lens, make_lens
from engine.errors import UsageError
from engine.files.json_file import JsonFileError, read_json
from engine.protocol import LEAST_FOCAL_PX, MOST_FOCAL_PX

_RIGID = 1e-3
_MOST_METRES = 1e6
_HINT = (
    'A camera file looks like {"intrinsics": [[1500, 0, 960], [0, 1500, 540], [0, 0, 1]], "camera_to_world": [4x4, …]}.'
)


@dataclass(frozen=True)
class GivenCamera:
    """What a camera file says.

    Attributes:
        intrinsics: (3, 3) of the pinhole camera that is computed with.
        path: (F, 4, 4) camera to world, or None.
        lens: what the real camera differs from the pinhole in; None for nothing.
    """

    intrinsics: NDArray[np.float64]
    path: NDArray[np.float64] | None
    lens: Lens | None = None


def read_camera(path: Path) -> GivenCamera:
    """Read and check a camera file. Raises UsageError if it is wrong or the camera zooms."""
    try:
        values = read_json(path)
    except OSError as error:
        raise UsageError(f"The camera file {path} cannot be read: {error.strerror or error}.", _HINT) from error
    except JsonFileError as error:
        raise UsageError(f"The camera file {path} is not JSON: {error}.", _HINT) from error
    if not isinstance(values, dict) or "intrinsics" not in values:
        raise UsageError(f"The camera file {path} has no intrinsics.", _HINT)
    cameras = _matrices(values["intrinsics"], 3, f"intrinsics of the camera file {path}")
    poses: NDArray[np.float64] | None = None
    if "camera_to_world" in values:
        poses = _matrices(values["camera_to_world"], 4, f"camera_to_world of the camera file {path}")
        turns = poses[:, :3, :3]
        if (
            np.abs(poses).max() > _MOST_METRES
            or np.abs(turns @ turns.transpose(0, 2, 1) - np.eye(3)).max() > _RIGID
            or (np.linalg.det(turns) < 0).any()
        ):
            raise UsageError(f"The camera_to_world of the camera file {path} are not turns and places.", _HINT)
    focal = cameras[:, (0, 1), (0, 1)]
    sizes_fit = (focal >= LEAST_FOCAL_PX).all() and np.abs(cameras).max() <= MOST_FOCAL_PX
    if not sizes_fit or not np.allclose(cameras[:, 2], (0, 0, 1)):
        raise UsageError(f"The intrinsics of the camera file {path} are no camera matrix.", _HINT)
    lens = make_lens(cameras, _distortion(values.get("distortion"), path))
    return GivenCamera(cameras[0] if lens is None else lens.pinhole, poses, lens)


def _distortion(value: Any, path: Path) -> Distortion | None:
    """The `distortion` entry. Raises UsageError if it is none."""
    if value is None:
        return None
    most = {"polynomial": 4, "division": 2, "reciprocal": 2}
    try:
        model = value["model"]
        k = tuple(float(number) for number in value["k"])
        p1, p2 = (float(number) for number in value.get("p") or (0.0, 0.0))
        fits = (
            len(k) <= most[model]
            and bool((np.abs((*k, p1, p2)) <= MOST_BENDING).all())
            and (model == "polynomial" or p1 == p2 == 0)
        )
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
        fits = False
    if not fits:
        raise UsageError(
            f"The distortion of the camera file {path} is none that is known.",
            'It looks like {"model": "polynomial", "k": [-0.2, 0.05]} or {"model": "division", "k": [-0.2]}.',
        )
    return Distortion(model, k, (p1, p2))


def _matrices(value: Any, size: int, name: str) -> NDArray[np.float64]:
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise UsageError(f"The {name} are not numbers.", _HINT) from error
    if array.ndim == 2:
        array = array[None]
    if array.ndim != 3 or array.shape[1:] != (size, size) or not len(array) or not np.isfinite(array).all():
        raise UsageError(f"The {name} are not {size} x {size} matrices of finite numbers.", _HINT)
    return array
