"""Body files: SMPL's arrays from a plain `.npz`, or from the official `.pkl` without executing anything in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.body.smpl_family import as_smpl, gender_of
from engine.errors import ModelFileError
from engine.files.array_file import ArrayFileError, check_arrays, read_arrays
from engine.files.array_tables import BODY
from engine.files.plain_file import open_plain
from engine.weights.safe_pickle import UnsafePickleError, read_pickle

Array = NDArray[Any]

_MOST_PICKLE_BYTES = 2**30
JOINT_COUNT, SHAPE_COUNT, POSE_COUNT = 24, 10, 207
PARENTS = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21)
_SHORTEST_M, _LONGEST_M = 1e-3, 10.0
"""Of a bone, from a joint to its parent. No body has such ones; one in centimetres or of zeros has."""

_KINDS, _GENDERS = ("smpl", "smplh", "smplx", "open-body"), ("neutral", "male", "female")
_HINT = (
    "Give SMPL_NEUTRAL.npz, the official SMPL .pkl of version 1.0.0 or 1.1.0, or a SMPL-H or SMPL-X file, "
    "or leave the body out to use the open body."
)


@dataclass(frozen=True)
class BodyArrays:
    """A body in SMPL's format; rest frame: metres, T-pose, +X to its left, +Y up, +Z to its front.

    Attributes:
        v_template: (V, 3) vertices at shape zero.
        shapedirs: (V, 3, 10) displacement per shape number.
        posedirs: (V, 3, 207) displacement per entry of the 23 body rotations minus identity.
        joint_regressor: (24, V) joints from shaped vertices.
        weights: (V, 24) skinning weights, rows sum to 1.
        faces: (F, 3) vertex indices, counter-clockwise from outside.
        landmark_vertices: name to the vertices whose mean is a point that detectors see; None if not stated.
        surface_model_type: whose shape numbers these are: `smpl`, `smplh`, `smplx` or `open-body`.
        gender: `neutral`, `male` or `female`.
    """

    v_template: NDArray[np.float64]
    shapedirs: NDArray[np.float64]
    posedirs: NDArray[np.float64]
    joint_regressor: NDArray[np.float64]
    weights: NDArray[np.float64]
    faces: NDArray[np.int64]
    landmark_vertices: dict[str, list[int]] | None
    surface_model_type: str
    gender: str = "neutral"


def read_body_file(path: Path) -> BodyArrays:
    """Read and check a body file: SMPL, SMPL-H or SMPL-X, `.npz` or `.pkl`, of any gender.

    Raises ModelFileError that says what is wrong with it.
    """
    return body_of(read_body_arrays(path), path)


def body_of(arrays: dict[str, Array], path: Path) -> BodyArrays:
    """The body that the arrays of the file `path` make. Raises ModelFileError."""
    try:
        return _checked(as_smpl(arrays), str(arrays["gender"]))
    except ValueError as error:
        raise ModelFileError(f"{path} is not an SMPL body file: {error}.", _HINT) from error


def read_body_arrays(path: Path) -> dict[str, Array]:
    """What a body file holds of `array_tables.BODY`, as it is there, and its gender. Raises ModelFileError."""
    if not path.is_file():
        raise ModelFileError(f"The body file {path} does not exist.", _HINT)
    arrays = _read_pkl(path) if path.suffix.lower() == ".pkl" else _read_npz(path)
    stated = str(arrays.get("gender", ""))
    return {**arrays, "gender": np.array(stated if stated in _GENDERS else gender_of(path))}


def _read_npz(path: Path) -> dict[str, Array]:
    try:
        return read_arrays(path, BODY)
    except ArrayFileError as error:
        if error.objects:
            raise ModelFileError(
                f"{path} was refused: it holds Python objects, which could run code when opened.",
                "Save it again with plain arrays only (J_regressor dense, not sparse), or give the official .pkl.",
            ) from error
        if error.unreadable:
            raise ModelFileError(f"{path} cannot be read as an .npz body file: {error}.", _HINT) from error
        raise ModelFileError(f"{path} is not an SMPL body file: {error}.", _HINT) from error
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read: {error.strerror or error}.", _HINT) from error


def _read_pkl(path: Path) -> dict[str, Array]:
    try:
        with open_plain(path) as file:
            raw = file.read(_MOST_PICKLE_BYTES + 1)
        if len(raw) > _MOST_PICKLE_BYTES:
            raise UnsafePickleError("it is larger than any body file")
        content = read_pickle(raw)
    except UnsafePickleError as error:
        raise ModelFileError(f"{path} was refused: {error}. Nothing in it was run.", _HINT) from error
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read: {error.strerror or error}.", _HINT) from error
    arrays = {name: value for name, value in content.items() if name in BODY and isinstance(value, np.ndarray)}
    try:
        check_arrays(arrays, BODY)
    except ArrayFileError as error:
        raise ModelFileError(f"{path} is not an SMPL body file: {error}.", _HINT) from error
    return arrays


def _checked(arrays: dict[str, Array], gender: str) -> BodyArrays:
    """`arrays` with the shapes and types of `BodyArrays`. Raises ValueError."""
    vertices = len(arrays["v_template"])
    shapes = {
        "v_template": (vertices, 3),
        "posedirs": (vertices, 3, POSE_COUNT),
        "J_regressor": (JOINT_COUNT, vertices),
        "weights": (vertices, JOINT_COUNT),
        "kintree_table": (2, JOINT_COUNT),
    }
    for name, shape in shapes.items():
        if arrays[name].shape != shape:
            raise ValueError(f"{name} is {arrays[name].shape}, not {shape}")
    shapedirs = arrays["shapedirs"]
    if shapedirs.shape[2] < SHAPE_COUNT:
        raise ValueError(f"shapedirs is {shapedirs.shape}, not {(vertices, 3, SHAPE_COUNT)} or more")
    _check_tree(arrays["kintree_table"])
    _check_bones(_doubles(arrays["J_regressor"]) @ _doubles(arrays["v_template"]))
    kind = str(arrays.get("surface_model_type", "smpl"))
    if kind not in _KINDS:
        raise ValueError(f"its surface_model_type is {kind}, not one of {', '.join(_KINDS)}")
    return BodyArrays(
        v_template=_doubles(arrays["v_template"]),
        shapedirs=_doubles(shapedirs[:, :, :SHAPE_COUNT]),
        posedirs=_doubles(arrays["posedirs"]),
        joint_regressor=_doubles(arrays["J_regressor"]),
        weights=_doubles(arrays["weights"]),
        faces=_faces(arrays["f"], vertices),
        landmark_vertices=_landmarks(arrays, vertices),
        surface_model_type=kind,
        gender=gender,
    )


def _doubles(array: Array) -> NDArray[np.float64]:
    return np.ascontiguousarray(array, dtype=np.float64)


def _check_tree(table: Array) -> None:
    parents = np.asarray(table[0], dtype=np.int64)
    parents = np.where((parents < 0) | (parents >= JOINT_COUNT), -1, parents)  # the root's is 4294967295 in the file
    if tuple(parents.tolist()) != PARENTS:
        raise ValueError("its joints are not connected as SMPL's are")


def _check_bones(joints: NDArray[np.float64]) -> None:
    lengths = np.linalg.norm(joints[1:] - joints[list(PARENTS[1:])], axis=1)
    wrong = lengths[(lengths < _SHORTEST_M) | (lengths > _LONGEST_M)]
    if wrong.size:
        raise ValueError(f"a bone of it is {wrong[0]:.3g} m long; its joints are no person's, or not in metres")


def _faces(array: Array, vertices: int) -> NDArray[np.int64]:
    faces = array.astype(np.int64)
    if faces.size and (faces.min() < 0 or faces.max() >= vertices):
        raise ValueError("f names vertices that are not there")
    return faces


def _landmarks(arrays: dict[str, Array], vertices: int) -> dict[str, list[int]] | None:
    if "landmark_names" not in arrays or "landmark_vertices" not in arrays:
        return None
    names, indices = arrays["landmark_names"], arrays["landmark_vertices"]
    if len(indices) and (not indices.size or indices.min() < 0 or indices.max() >= vertices):
        raise ValueError("landmark_vertices names vertices that are not there")
    return {str(name): [int(index) for index in row] for name, row in zip(names, indices, strict=True)}
