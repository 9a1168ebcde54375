"""The path of a camera that moves through the scene, solved from the background by COLMAP.

Structure from motion (Schoenberger and Frahm, CVPR 2016) on some of the frames, with the people left out. The path has
neither scale nor up: `engine/world/solved_camera.py` finds both from the people. Frames between those that are solved
turn as the background does from frame to frame (`background.py`), and go from place to place on a smooth curve.
"""

from __future__ import annotations

import contextlib
import importlib.util
import tempfile
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.spatial.transform import Rotation, Slerp

from engine.camera.background import CameraTurns, small, without
from engine.footage.decoding import Frame

Array = NDArray[np.float64]

_SIDE_PX = 800
_PICTURES_PER_S, _MOST_PICTURES = 8.0, 160
_MOST_FEATURES = 1500
_OVERLAP = 8
"""Pictures before each that it is compared with; farther ones at steps of powers of two."""
_AGREES_PX = 1.0
"""Corners are found to about that. COLMAP's own 4 px hide the parallax of a camera in the hand."""
_LEAST_ANGLES = 2.0, 0.3
"""Between rays to a point, degrees, in the first two pictures and in any: such a camera does not go far."""
_LEAST_PICTURES = 5
_ENOUGH = 0.8
"""Share of the pictures that have to be solved for the path to be used."""
_MOST_S = 300.0
_MOST_MODELS = 6
"""Beginnings that are tried, until one brings enough pictures together."""
_BEAT_S = 0.2
_SEED = 0


@dataclass(frozen=True)
class SolvedShot:
    """One shot's camera.

    Attributes:
        indices: (F,) frames of the footage.
        poses: (F, 4, 4) camera to the shot's first camera, without scale; x right, y down, z away.
        depth: median distance of what is seen in the background, in the same unit; 0 where the camera does not move.
    """

    indices: NDArray[np.int64]
    poses: Array
    depth: float


@dataclass
class _Pictures:
    """What of one shot goes to COLMAP: pictures and masks in folders."""

    folder: Path
    scale: float = 1.0
    frames: list[int] = field(default_factory=list)
    last_s: float = -np.inf

    def add(self, frame: Frame, people: Array) -> None:
        """Write a frame's picture, and a mask that leaves the people out."""
        height, width = frame.rgb.shape[:2]
        self.scale = min(1.0, _SIDE_PX / max(height, width))
        picture, name = small(frame.rgb, self.scale), f"{frame.index:08d}.png"
        cv2.imwrite(str(self.folder / "pictures" / name), picture)
        cv2.imwrite(str(self.folder / "masks" / f"{name}.png"), without(people * self.scale, picture.shape))
        self.frames.append(frame.index)
        self.last_s = frame.time_s


def can_solve() -> bool:
    """Whether COLMAP is installed, which not every kind of machine has."""
    return importlib.util.find_spec("pycolmap") is not None


def solve_shots(
    frames: Iterable[Frame],
    people: Mapping[int, Array],
    shots: Sequence[CameraTurns],
    times: Mapping[int, float],
    intrinsics: Array,
    beat: Callable[[], None] = lambda: None,
) -> list[SolvedShot | None]:
    """The camera of each shot; None for a shot that moves and cannot be solved. Frames are streamed.

    Args:
        frames: of the footage, upright.
        people: (N, 4) boxes of everybody in a frame, by its index: left, top, right, bottom in pixels of the footage.
        shots: what the background shows; only those that move are solved, the others stay where they are.
        times: seconds of each frame of the footage, by its index.
        intrinsics: (3, 3) pixels of the footage.
        beat: called several times a second while COLMAP works; what it raises ends the work.
    """
    shot_of = {index: number for number, shot in enumerate(shots) for index in shot.indices.tolist()}
    solved: dict[int, tuple[list[int], Array, float] | None] = {}
    with tempfile.TemporaryDirectory(prefix="adapt-motion-", ignore_cleanup_errors=True) as scratch:
        pictures: dict[int, _Pictures] = {}
        steps = [_step_s(shot, times) if shot.kind == "moving" else np.inf for shot in shots]
        for frame in frames:
            number = shot_of.get(frame.index)
            if number is None or not np.isfinite(steps[number]):
                continue
            if number not in pictures:
                pictures[number] = _folders(Path(scratch) / str(number))
            last = frame.index == int(shots[number].indices[-1])
            if last or frame.time_s - pictures[number].last_s >= steps[number] - 1e-6:
                pictures[number].add(frame, people.get(frame.index, np.zeros((0, 4))))
        for number, those in pictures.items():
            solved[number] = _solve(those, intrinsics, beat)
    return [_whole(shot, solved.get(number), times) for number, shot in enumerate(shots)]


def _step_s(shot: CameraTurns, times: Mapping[int, float]) -> float:
    """Seconds from one picture to the next."""
    length = times[int(shot.indices[-1])] - times[int(shot.indices[0])]
    return max(1 / _PICTURES_PER_S, length / _MOST_PICTURES)


def _folders(folder: Path) -> _Pictures:
    for name in ("pictures", "masks", "models"):
        (folder / name).mkdir(parents=True)
    return _Pictures(folder)


def _solve(pictures: _Pictures, intrinsics: Array, beat: Callable[[], None]) -> tuple[list[int], Array, float] | None:
    """Frames, their poses (P, 4, 4), and the median depth of the scene; None where too few hang together."""
    if len(pictures.frames) < _LEAST_PICTURES:
        return None
    import pycolmap

    pycolmap.logging.minloglevel = 3  # its own lines are not for users
    focal, centre = intrinsics[(0, 1), (0, 1)] * pictures.scale, intrinsics[:2, 2] * pictures.scale
    models: dict[int, Any] = {}
    token = pycolmap.CancellationToken()

    def work() -> None:
        with contextlib.suppress(RuntimeError, ValueError, InterruptedError):
            models.update(_models(pycolmap, pictures.folder, (*focal, *centre), token))

    thread = threading.Thread(target=work, name="COLMAP", daemon=True)
    thread.start()
    try:
        while thread.is_alive():
            thread.join(_BEAT_S)
            beat()
    finally:
        token.cancel()
        thread.join()
    return _largest(list(models.values()), pictures.frames)


def _models(pycolmap: Any, folder: Path, camera: Sequence[float], token: Any) -> dict[int, Any]:
    """What COLMAP makes of the pictures in a folder; `camera` is fx, fy, cx, cy in their pixels."""
    pycolmap.set_random_seed(_SEED)
    reader = pycolmap.ImageReaderOptions(mask_path=str(folder / "masks"), camera_model="PINHOLE")
    reader.camera_params = ",".join(f"{value:.6f}" for value in camera)
    extraction = pycolmap.FeatureExtractionOptions()
    extraction.sift.max_num_features = _MOST_FEATURES
    verification = pycolmap.TwoViewGeometryOptions(detect_watermark=False)
    verification.ransac.max_error, verification.ransac.random_seed = _AGREES_PX, _SEED
    pairing = pycolmap.SequentialPairingOptions(overlap=_OVERLAP, quadratic_overlap=True)
    database, cpu = folder / "database.db", pycolmap.Device.cpu
    pycolmap.extract_features(
        database, folder / "pictures", camera_mode=pycolmap.CameraMode.SINGLE, reader_options=reader,
        extraction_options=extraction, device=cpu, cancellation_token=token,
    )  # fmt: skip
    pycolmap.match_sequential(
        database, pairing_options=pairing, verification_options=verification, device=cpu, cancellation_token=token
    )
    models: dict[int, Any] = pycolmap.incremental_mapping(
        database, folder / "pictures", folder / "models", options=_mapping(pycolmap), cancellation_token=token
    )
    return models


def _mapping(pycolmap: Any) -> Any:
    options = pycolmap.IncrementalPipelineOptions(
        max_num_models=_MOST_MODELS,
        ba_refine_focal_length=False,
        ba_refine_extra_params=False,
        random_seed=_SEED,
        max_runtime_seconds=int(_MOST_S),
        extract_colors=False,
    )
    mapper = options.mapper
    mapper.init_min_tri_angle, mapper.filter_min_tri_angle = _LEAST_ANGLES
    mapper.init_max_error = mapper.filter_max_reproj_error = 2 * _AGREES_PX
    mapper.abs_pose_max_error = 4 * _AGREES_PX
    mapper.abs_pose_refine_focal_length = mapper.abs_pose_refine_extra_params = False
    return options


def _largest(models: list[Any], frames: list[int]) -> tuple[list[int], Array, float] | None:
    if not models:
        return None
    model = max(models, key=lambda one: one.num_reg_images())
    if model.num_reg_images() < max(_ENOUGH * len(frames), _LEAST_PICTURES):
        return None
    poses, found, depths = [], [], []
    points = np.array([point.xyz for point in model.points3D.values()])
    for image in sorted(model.images.values(), key=lambda one: str(one.name)):
        if not image.has_pose:
            continue
        to_camera = image.cam_from_world().matrix()
        pose = np.eye(4)
        pose[:3, :3], pose[:3, 3] = to_camera[:, :3].T, -to_camera[:, :3].T @ to_camera[:, 3]
        poses.append(pose)
        found.append(int(str(image.name).split(".")[0]))
        ahead = points @ to_camera[2, :3] + to_camera[2, 3]
        depths.append(float(np.median(ahead[ahead > 0])))
    return found, np.stack(poses), float(np.median(depths))


def _whole(
    shot: CameraTurns, solved: tuple[list[int], Array, float] | None, times: Mapping[int, float]
) -> SolvedShot | None:
    """Poses of all frames of a shot, from those of some."""
    poses = np.repeat(np.eye(4)[None], len(shot.indices), 0)
    poses[:, :3, :3] = shot.turns
    if shot.kind != "moving":
        return SolvedShot(shot.indices, poses, 0.0)
    if solved is None:
        return None
    frames, some, depth = solved
    when = np.array([times[index] for index in shot.indices.tolist()])
    rows = np.searchsorted(shot.indices, frames)
    within = when.clip(when[rows[0]], when[rows[-1]])
    # what the background shows of each turn, put right where the solve knows better
    wrong = Rotation.from_matrix(some[:, :3, :3] @ poses[rows, :3, :3].transpose(0, 2, 1))
    poses[:, :3, :3] = Slerp(when[rows], wrong)(within).as_matrix() @ poses[:, :3, :3]
    poses[:, :3, 3] = CubicSpline(when[rows], some[:, :3, 3])(within)
    return SolvedShot(shot.indices, np.linalg.inv(poses[0]) @ poses, depth)


def pack_solved(shots: list[SolvedShot | None]) -> dict[str, NDArray[Any]]:
    """Arrays for the cache; empty ones where a shot could not be solved."""
    whole = [one for one in shots if one is not None]
    if len(whole) < len(shots):
        whole = []
    return {
        "frames": np.array([len(one.indices) for one in whole], np.int64),
        "indices": np.concatenate([np.zeros(0, np.int64), *(one.indices for one in whole)]),
        "poses": np.concatenate([np.zeros((0, 4, 4)), *(one.poses for one in whole)]),
        "depths": np.array([one.depth for one in whole], np.float64),
    }


def unpack_solved(entry: dict[str, NDArray[Any]]) -> list[SolvedShot]:
    """The other way round."""
    indices, poses = (np.split(entry[name], np.cumsum(entry["frames"]))[:-1] for name in ("indices", "poses"))
    return [SolvedShot(*one) for one in zip(indices, poses, entry["depths"].tolist(), strict=True)]
