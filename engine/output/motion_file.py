"""The motion file `person_<N>.npz`: what the engine writes, and Blender and other SMPL tools read.

An AMASS-style archive of plain arrays. `docs/motion-file.md` says what each key means; `Motion` mirrors it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import UsageError
from engine.files.array_file import ArrayFileError, read_arrays
from engine.files.array_tables import FORMAT_VERSION, MOST_MOTION_BYTES, MOTION
from engine.files.atomic import write_arrays

ORIGIN_NONE, ORIGIN_DETECTED, ORIGIN_FILLED = 0, 1, 2

_ROW_SHAPES = {
    "poses": (72,),
    "trans": (3,),
    "timestamps": (),
    "cam_global_orient": (3,),
    "cam_transl": (3,),
    "joints3d_cam": (24, 3),
    "joints3d_world": (24, 3),
    "labels": (),
    "label_similarity": (),
    "contacts": (4,),
    "initial_poses": (72,),
    "initial_trans": (3,),
}
_FIXED_SHAPES = {"betas": (10,), "intrinsics": (3, 3), "image_size": (2,), "camera_to_world": (4, 4)}


@dataclass(frozen=True)
class Motion:
    """One person's motion, T rows, one per footage frame.

    Attributes:
        poses: (T, 72) axis-angle in radians, 24 SMPL joints, root first; root in the world frame.
        trans: (T, 3) SMPL translation in metres, world frame: right-handed, Z up, feet on z = 0.
        betas: (10,) shape.
        gender: `neutral`, `male` or `female`, as the body that `betas` are numbers of.
        surface_model_type: that body: `open-body`, `smpl`, `smplh` or `smplx`; poses have SMPL's 24 joints in any case.
        mocap_framerate: frames a second, exact (30000/1001 for 29.97).
        timestamps: (T,) seconds into the footage, strictly increasing.
        cam_global_orient, cam_transl: (T, 3) the same root in the camera frame (x right, y down, z away).
        joints3d_cam, joints3d_world: (T, 24, 3) SMPL joints in metres.
        intrinsics: (3, 3) pixels of the full upright frame; of the pinhole camera that stands for the real one where
            that distorts or zooms.
        camera_to_world: (4, 4) rigid transform of camera coordinates into the world; of the footage's first frame
            where the camera moves.
        image_size: (2,) width, height.
        keypoints2d: (T, K, 3) final 2D targets, pixels of that camera and confidence.
        keypoints2d_origin: (T, K) ORIGIN_NONE, ORIGIN_DETECTED or ORIGIN_FILLED.
        keypoint_names: (K,).
        labels, label_similarity: (T,) action label ('' for none) and its motion-text similarity (0 where not measured).
        contacts: (T, 4) left heel, left toe, right heel, right toe: probability of touching the ground.
        initial_poses, initial_trans: `poses` and `trans` before adaptation.
        format_version: of this file.
        camera_path: (T, 4, 4) camera to world of each row where the camera moves; else None, and not in the file,
            as the next two.
        keypoints2d_footage: (T, K, 3) `keypoints2d` in pixels of the footage where the camera distorts or zooms.
        camera_intrinsics: (T, 3, 3) pixels of the real camera in each row where it zooms.
        shots: (S, 2) first and last row of each shot that the motion is in, where the footage is cut; else None.
        cuts_s: (C,) seconds into the footage at which another shot begins, where it is cut; else None.
        mirrored: () 1 where everything here is of the footage flipped back, as it was mirrored; else None.
    """

    poses: NDArray[np.float32]
    trans: NDArray[np.float32]
    betas: NDArray[np.float32]
    gender: str
    surface_model_type: str
    mocap_framerate: float
    timestamps: NDArray[np.float64]
    cam_global_orient: NDArray[np.float32]
    cam_transl: NDArray[np.float32]
    joints3d_cam: NDArray[np.float32]
    joints3d_world: NDArray[np.float32]
    intrinsics: NDArray[np.float64]
    camera_to_world: NDArray[np.float64]
    image_size: NDArray[np.int64]
    keypoints2d: NDArray[np.float32]
    keypoints2d_origin: NDArray[np.uint8]
    keypoint_names: NDArray[np.str_]
    labels: NDArray[np.str_]
    label_similarity: NDArray[np.float32]
    contacts: NDArray[np.float32]
    initial_poses: NDArray[np.float32]
    initial_trans: NDArray[np.float32]
    format_version: int = FORMAT_VERSION
    camera_path: NDArray[np.float64] | None = None
    keypoints2d_footage: NDArray[np.float32] | None = None
    camera_intrinsics: NDArray[np.float64] | None = None
    shots: NDArray[np.int64] | None = None
    cuts_s: NDArray[np.float64] | None = None
    mirrored: NDArray[np.uint8] | None = None

    def __post_init__(self) -> None:
        """Check shapes and values; raises ValueError that names the key, the shape got and the shape wanted."""
        rows, points = len(self.poses), len(self.keypoint_names)
        wanted = {key: (rows, *shape) for key, shape in _ROW_SHAPES.items()} | _FIXED_SHAPES
        wanted |= {"keypoints2d": (rows, points, 3), "keypoints2d_origin": (rows, points)}
        wanted |= self._optional_shapes()
        for key, shape in wanted.items():
            array = np.asarray(getattr(self, key))
            if array.shape != shape:
                raise ValueError(f"{key} is {array.shape}, not {shape}")
            if array.dtype.kind not in "fiuU":
                raise ValueError(f"{key} has type {array.dtype}, not numbers or text")
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise ValueError(f"{key} has values that are not finite")
        if not rows:
            raise ValueError("the motion has no frames")
        if rows > 1 and not (np.diff(self.timestamps) > 0).all():
            raise ValueError("timestamps do not increase")
        if not (np.isfinite(self.mocap_framerate) and self.mocap_framerate > 0):
            raise ValueError(f"mocap_framerate is {self.mocap_framerate}")
        if self.format_version > FORMAT_VERSION:
            raise ValueError(f"format {self.format_version} is newer than this version reads ({FORMAT_VERSION})")

    def _optional_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of those arrays that are there and need not be."""
        rows, points = len(self.poses), len(self.keypoint_names)
        shapes: dict[str, tuple[int, ...]] = {
            "camera_path": (rows, 4, 4),
            "keypoints2d_footage": (rows, points, 3),
            "camera_intrinsics": (rows, 3, 3),
        }
        if self.shots is not None:
            shapes["shots"] = (len(self.shots), 2)
        if self.cuts_s is not None:
            shapes["cuts_s"] = (len(self.cuts_s),)
        shapes["mirrored"] = ()
        return {key: shape for key, shape in shapes.items() if getattr(self, key) is not None}


def write_motion(motion: Motion, path: Path) -> None:
    """Write `motion` to `path` under a temporary name, then rename. Raises OutputError if that fails."""
    values = {item.name: getattr(motion, item.name) for item in fields(Motion)}
    write_arrays(path, {name: np.asarray(value) for name, value in values.items() if value is not None})


def read_motion(path: Path) -> Motion:
    """Read and validate a motion file. Raises UsageError that says what is wrong with it."""
    try:
        arrays: dict[str, Any] = read_arrays(path, MOTION, MOST_MOTION_BYTES)
    except OSError as error:
        raise UsageError(f"{path} cannot be read as a motion file: {error.strerror or error}.") from error
    except ArrayFileError as error:
        if error.unreadable:
            raise UsageError(f"{path} cannot be read as a motion file: {error}.") from error
        missing = error.missing
        if not missing:
            raise UsageError(f"{path} is no valid motion file: {error}.") from error
    else:
        missing = tuple(item.name for item in fields(Motion) if item.default is not None and item.name not in arrays)
    if missing:
        raise UsageError(f"{path} is no motion file: it lacks {', '.join(missing)}")
    for name in ("gender", "surface_model_type"):
        arrays[name] = str(arrays[name])
    arrays["mocap_framerate"] = float(arrays["mocap_framerate"])
    arrays["format_version"] = int(arrays["format_version"])
    try:
        return Motion(**arrays)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{path} is no valid motion file: {error}") from error
