"""Scores a motion file against true 3D joints of the same footage, measured with several cameras."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from engine.errors import UsageError
from engine.evaluation import metrics
from engine.output.motion_file import read_motion

JOINTS = tuple(
    f"{side}_{part}" for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle") for side in ("left", "right")
)
"""The joints that are compared."""

SMPL_PLACES = [16, 17, 18, 19, 20, 21, 1, 2, 4, 5, 7, 8]
_HIPS = (JOINTS.index("left_hip"), JOINTS.index("right_hip"))
_LIMBS = np.array([not name.endswith(("shoulder", "hip")) for name in JOINTS])
_LEAST_JOINTS, _LEAST_FRAMES = 8, 4
_NEAR_MM = 100.0
_TRUTH = "_gt.npz"


@dataclass(frozen=True)
class Scores:
    """Figures of one motion file; errors in millimetres unless noted otherwise.

    Attributes:
        frames: frames compared.
        mpjpe, pa_mpjpe: mean joint error with the mid-hips put together; after a similarity alignment of each frame.
        mpjpe8, pa_mpjpe8: the same at elbows, wrists, knees and ankles.
        pck: percent of the joints within 100 mm.
        accel: error of the joints' acceleration, m/s².
        jitter, jitter_true: third derivative of the joints, m/s³, and of the truth's.
        root, root_path: error of the mid-hip in the camera frame: as it is, and less its mean.
    """

    frames: int
    mpjpe: float
    pa_mpjpe: float
    mpjpe8: float
    pa_mpjpe8: float
    pck: float
    accel: float
    jitter: float
    jitter_true: float
    root: float
    root_path: float

    def rounded(self) -> dict[str, float | None]:
        """Two decimals each, None for what could not be measured: fit for JSON."""
        return {name: round(value, 2) if np.isfinite(value) else None for name, value in asdict(self).items()}

    def without_place(self) -> Scores:
        """The same for joints whose place in the room is not known."""
        return replace(self, root=float("nan"), root_path=float("nan"))


@dataclass(frozen=True)
class Truth:
    """True joints: (T, 12, 3) millimetres in the camera frame, (T, 12) valid, (T,) seconds, frames a second."""

    joints: metrics.Float
    valid: NDArray[np.bool_]
    times: metrics.Float
    fps: float


def truth_file(folder: Path, motion: Path) -> Path:
    """The file of true joints for a motion file: `<clip>_gt.npz`, or the folder's only one. Raises UsageError."""
    files = sorted(folder.glob(f"*{_TRUTH}"))
    named = [file for file in files if file.name == motion.resolve().parent.name + _TRUTH]
    if not named and len(files) != 1:
        raise UsageError(
            f"{folder} has no true joints for {motion}.", f"It needs a file {motion.resolve().parent.name}{_TRUTH}."
        )
    return (named or files)[0]


def read_truth(path: Path) -> Truth:
    """True joints of a `_gt.npz` file. Raises UsageError if it is none."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            names = archive["joint_names"].tolist()
            order = [names.index(name) for name in JOINTS]
            return Truth(
                archive["gt3d_cam"][:, order].astype(np.float64),
                archive["valid"][:, order].astype(bool),
                archive["timestamps"].astype(np.float64),
                float(archive["fps"]),
            )
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise UsageError(f"{path} cannot be read as true joints: {error}.", "See the README beside it.") from error


def score_motion(path: Path, truth: Truth) -> Scores:
    """Scores of a motion file. Raises UsageError if it is none or shares too few frames with the truth."""
    motion = read_motion(path)
    try:
        return score(motion.timestamps, motion.joints3d_cam[:, SMPL_PLACES].astype(np.float64) * 1000, truth)
    except ValueError as error:
        raise UsageError(f"{path} cannot be scored: {error}.", "Is it a motion of the same footage?") from error


def score(times: metrics.Float, joints: metrics.Float, truth: Truth) -> Scores:
    """Scores of joints (T, 12, 3) in millimetres, camera frame, at `times` (T,) seconds into the footage.

    Every frame is compared with the true frame at its time; those without a true frame within half a frame, or whose
    truth lacks a hip or more than four joints, do not count. Raises ValueError if fewer than four frames are left.
    """
    nearest = np.abs(times[:, None] - truth.times).argmin(axis=1)
    known = truth.valid[nearest]
    keep = np.abs(times - truth.times[nearest]) <= 0.51 / truth.fps
    keep &= known[:, _HIPS].all(axis=1) & (known.sum(axis=1) >= _LEAST_JOINTS)
    keep[1:] &= np.diff(nearest) > 0
    if keep.sum() < _LEAST_FRAMES:
        raise ValueError(f"it shares {keep.sum()} frames with the true joints, and {_LEAST_FRAMES} are needed")
    times, joints, valid = times[keep], joints[keep], known[keep]
    true = np.where(valid[..., None], truth.joints[nearest[keep]], 0.0)
    return _figures(times, joints, true, valid)


def _figures(times: metrics.Float, joints: metrics.Float, true: metrics.Float, valid: NDArray[np.bool_]) -> Scores:
    plain = metrics.joint_errors(joints, true, _HIPS)
    aligned = metrics.aligned_errors(joints, true, valid)
    pose, true_pose = metrics.relative(joints, _HIPS) / 1000, metrics.relative(true, _HIPS) / 1000
    three, four = (metrics.evenly_spaced(times, steps)[:, None] for steps in (2, 3))
    jerk_of = valid[1:-2] & four
    path = (joints - true)[:, list(_HIPS)].mean(axis=1)
    return Scores(
        frames=len(times),
        mpjpe=metrics.mean_over(plain, valid),
        pa_mpjpe=metrics.mean_over(aligned, valid),
        mpjpe8=metrics.mean_over(plain, valid & _LIMBS),
        pa_mpjpe8=metrics.mean_over(aligned, valid & _LIMBS),
        pck=100 * metrics.mean_over((plain < _NEAR_MM).astype(np.float64), valid),
        accel=metrics.mean_over(metrics.derivative_norms(pose - true_pose, times, 2), valid[1:-1] & three),
        jitter=metrics.mean_over(metrics.derivative_norms(pose, times, 3), jerk_of),
        jitter_true=metrics.mean_over(metrics.derivative_norms(true_pose, times, 3), jerk_of),
        root=float(np.linalg.norm(path, axis=1).mean()),
        root_path=float(np.linalg.norm(path - path.mean(axis=0), axis=1).mean()),
    )
