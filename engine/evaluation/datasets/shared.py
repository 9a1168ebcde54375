"""What the readers share: bodies and regressors of the user's, poses moved from world to camera, files read as data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from engine.body.model import BodyModel, load_body
from engine.body.rotations import axis_angle_to_matrix
from engine.errors import UsageError
from engine.evaluation.joints import SMPL_SET, JointSet, Pose, joints_of, vertex_count
from engine.weights.safe_pickle import UnsafePickleError, read_pickle

Float = NDArray[np.float64]

H36M_17 = (
    "pelvis", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "spine", "neck", "nose",
    "head_top", "left_shoulder", "left_elbow", "left_wrist", "right_shoulder", "right_elbow", "right_wrist",
)  # fmt: skip
"""Joints of the vertex regressor for Human3.6M (17, 6890) that 3DPW and 3DHP are scored with."""
LSP_14 = tuple(name for name in H36M_17 if name not in ("pelvis", "spine", "nose"))
"""The 14 of them that 3DPW's protocol uses."""
_GENDERS = {"m": "male", "f": "female", "male": "male", "female": "female", "neutral": "neutral"}
_NO_REGRESSOR = "joints are SMPL's own, not Human3.6M's: no --regressor was given"
NO_GENDER = "the truth's own body (SMPL of its gender) was not given with --bodies"


@dataclass
class Licensed:
    """Files that the user has a licence for.

    Attributes:
        body: the body that predictions are of.
        bodies: folder with SMPL_MALE, SMPL_FEMALE and SMPL_NEUTRAL (.npz or .pkl), the bodies of the truth.
        regressor: `J_regressor_h36m.npy`, (17, 6890).
        keypoints: folder with OpenPose's JSON files, one folder a sequence, in place of the data set's own keypoints.
    """

    body: BodyModel
    bodies: Path | None = None
    regressor: Path | None = None
    keypoints: Path | None = None

    def __post_init__(self) -> None:
        self._loaded: dict[str, BodyModel | None] = {}

    def body_of(self, gender: str, family: str = "SMPL") -> BodyModel | None:
        """SMPL, or SMPLX, of a gender, None where the user has not given it."""
        name = f"{family}_{_GENDERS.get(gender.lower(), 'neutral').upper()}"
        if name not in self._loaded:
            paths = [self.bodies / f"{name}{end}" for end in (".npz", ".pkl")] if self.bodies else []
            found = next((path for path in paths if path.is_file()), None)
            self._loaded[name] = load_body(found) if found else None
        return self._loaded[name]

    def h36m(self) -> Float | None:
        """The regressor (17, 6890), rows in the order of `H36M_17`; None without one. Raises UsageError."""
        if self.regressor is None:
            return None
        try:
            matrix = np.asarray(np.load(self.regressor, allow_pickle=False), np.float64)
        except (OSError, ValueError, EOFError) as error:
            raise UsageError(
                f"The regressor {self.regressor} cannot be read: {error}.", "It is a plain .npy file."
            ) from error
        wanted = (len(H36M_17), vertex_count(self.body))
        if matrix.shape != wanted or not np.isfinite(matrix).all():
            raise UsageError(
                f"The regressor {self.regressor} does not fit the body: it is {matrix.shape}, not {wanted}.",
                "J_regressor_h36m.npy belongs to SMPL's mesh: give SMPL_NEUTRAL as --body beside it.",
            )
        return _sides_repaired(matrix, self.body)


def _sides_repaired(matrix: Float, body: BodyModel) -> Float:
    """Rows named as they lie: a well-known copy of the regressor has left and right legs exchanged."""
    rest = matrix @ body.rest(torch.zeros(10)).vertices
    repaired = matrix.copy()
    for part in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist"):
        left, right = H36M_17.index(f"left_{part}"), H36M_17.index(f"right_{part}")
        if rest[left, 0] < rest[right, 0]:  # x points to the body's left
            repaired[[left, right]] = matrix[[right, left]]
    return repaired


def joint_set(names: tuple[str, ...], roots: tuple[str, ...], licensed: Licensed) -> JointSet | None:
    """Those of Human3.6M's joints, None without a regressor."""
    matrix = licensed.h36m()
    return None if matrix is None else JointSet(names, roots, (), matrix[[H36M_17.index(name) for name in names]])


def seen_from(pose: Pose, rest_pelvis: Float, world_to_camera: Float) -> Pose:
    """A pose (axis-angle turned to matrices) moved by rigid transforms (T, 4, 4) or (4, 4) into the camera's frame.

    SMPL turns about the pelvis joint, which at rest lies at `rest_pelvis` (3,): the translation follows from that.
    """
    turn, shift = world_to_camera[..., :3, :3], world_to_camera[..., :3, 3]
    rotations = np.array(pose.rotations, np.float64)
    rotations[:, 0] = turn @ rotations[:, 0]
    pelvis = np.einsum("...ij,...j->...i", turn, pose.transl + rest_pelvis) + shift
    return Pose(rotations, pose.betas, pelvis - rest_pelvis)


def pose_from_axis_angle(poses: Float, betas: Float, transl: Float) -> Pose:
    """From SMPL parameters as data sets keep them: poses (T, 72), betas (10+,), transl (T, 3)."""
    turned = axis_angle_to_matrix(torch.as_tensor(np.asarray(poses, np.float64)).reshape(-1, 24, 3)).numpy()
    return Pose(turned, np.asarray(betas, np.float64).ravel()[:10], np.asarray(transl, np.float64))


def rest_pelvis(body: BodyModel, betas: Float) -> Float:
    """(3,) where the pelvis joint lies at rest."""
    return body.rest_joints(torch.as_tensor(np.asarray(betas, np.float32)))[0].double().numpy()


def truth_joints(
    licensed: Licensed, true_body: BodyModel | None, pose: Pose | None, wanted: JointSet | None, plain: Float | None
) -> tuple[Float, JointSet, list[str]]:
    """The joints that are compared, from the best that there is, and the notes on them.

    Args:
        licensed: what the user has.
        true_body: SMPL of the person's gender.
        pose: the true pose in the camera frame.
        wanted: the data set's own joints, if there is a regressor.
        plain: (T, 24, 3) SMPL's joints as the data set gives them.

    Returns:
        Joints (T, J, 3), which they are, and notes.
    """
    notes = [] if true_body is not None or plain is not None else [NO_GENDER]
    body = true_body or licensed.body
    if wanted is not None and pose is not None and vertex_count(body) == vertex_count(licensed.body):
        return wanted.of(body, pose), wanted, notes if true_body is not None else [NO_GENDER]
    if plain is not None:
        return plain, SMPL_SET, [*notes, _NO_REGRESSOR]
    assert pose is not None, "a truth without joints and without a pose"
    return joints_of(body, pose), SMPL_SET, [*notes, _NO_REGRESSOR]


def read_pickle_file(path: Path) -> dict[str, Any]:
    """A pickle of plain arrays as data: nothing in it is run. Raises UsageError."""
    try:
        return read_pickle(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}.", "Is the data set complete?") from error
    except UnsafePickleError as error:
        raise UsageError(
            f"{path} was refused: {error}. Nothing in it was run.", "Get it from its makers again."
        ) from error


def wanted_entries(values: dict[str, Any], names: tuple[str, ...], path: Path) -> None:
    """Raise UsageError unless all entries are there."""
    missing = [name for name in names if name not in values]
    if missing:
        raise UsageError(f"{path} lacks {', '.join(missing)}.", "Is it a file of this data set?")


def shaped(value: Any, shape: tuple[int, ...], name: str, path: Path) -> Float:
    """`value` as float64 of a shape, in which -1 is any length. Raises UsageError."""
    try:
        array = np.asarray(value, np.float64)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{path}: {name} is no array of numbers.", "Is it a file of this data set?") from error
    fits = array.ndim == len(shape) and all(want in (-1, got) for want, got in zip(shape, array.shape, strict=True))
    if not fits:
        raise UsageError(f"{path}: {name} is {array.shape}, not {shape}.", "Is it a file of this data set?")
    return array


def sequences(root: Path, places: tuple[str, ...], what: str) -> list[Path]:
    """Files that match the first of the patterns that any does. Raises UsageError."""
    for pattern in places:
        if found := sorted(root.glob(pattern)):
            return found
    raise UsageError(f"{root} has no {what}.", f"It needs {places[0]}.")
