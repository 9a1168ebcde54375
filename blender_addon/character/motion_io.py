"""Read the engine's results: `person_<N>.npz` and the body beside it, `person_<N>_body.npz`. NumPy only, no `bpy`."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ...engine.files.array_file import MOST_BYTES, ArrayFileError, read_arrays
from ...engine.files.array_tables import BODY, FORMAT_VERSION, MOST_MOTION_BYTES, MOTION, REST_BODY, Table
from ...engine.files.json_file import read_json
from ..blender import timing
from ..errors import UserError
from .run_files import body_path, person_of

ROOT = Path(__file__).resolve().parents[2]
"""Folder of the add-on, or of the repository: beside `blender_addon` lie `engine` and `presets`."""

_MOST_CUTS = 10_000


@dataclass(frozen=True)
class Motion:
    """One person's motion, T rows; units and frames as in the motion file.

    Attributes:
        path: the file it came from.
        poses: (T, 72) axis-angle in radians, root first and in the world frame.
        pelvis_world: (T, 3) pelvis joint, metres, world frame (z up).
        joints3d_cam, joints3d_world: (T, 24, 3) metres.
        timestamps: (T,) seconds into the footage.
        rate: frames a second of the clip, exact.
        betas: (10,) shape.
        surface_model_type: `smpl` or `open-body`.
        intrinsics: (3, 3) pixels.
        image_size: width, height.
        camera_to_world: (4, 4).
        labels, label_similarity: (T,) action and how well the motion fits it.
        contacts: (T, 4) left heel, left toe, right heel, right toe: probability of standing on the ground.
        keypoints2d: (T, K, 3) 2D targets, pixels and confidence; K is 0 where the file has none.
        keypoints2d_origin: (T, K) 0 none, 1 detected, 2 filled in.
        keypoint_names: K names.
        initial_poses, initial_pelvis_world: (T, 72) and (T, 3) before adaptation; None where the file has none.
        camera_path: (T, 4, 4) camera to world of each frame where the camera moves, else None.
        keypoints2d_footage: (T, K, 3) `keypoints2d` in pixels of the footage if its lens distorts or zooms, else None.
        camera_intrinsics: (T, 3, 3) of the real camera in each frame where it zooms, else None.
        cuts_s: (C,) seconds into the footage at which another shot begins; None where it is not cut.
        mirrored: whether everything here is of the footage flipped back.
    """

    path: Path
    poses: np.ndarray
    joints3d_cam: np.ndarray
    joints3d_world: np.ndarray
    timestamps: np.ndarray
    rate: Fraction
    betas: np.ndarray
    surface_model_type: str
    intrinsics: np.ndarray
    image_size: tuple[int, int]
    camera_to_world: np.ndarray
    labels: np.ndarray
    label_similarity: np.ndarray
    contacts: np.ndarray
    keypoints2d: np.ndarray
    keypoints2d_origin: np.ndarray
    keypoint_names: tuple[str, ...] = ()
    initial_poses: np.ndarray | None = None
    initial_pelvis_world: np.ndarray | None = None
    camera_path: np.ndarray | None = None
    keypoints2d_footage: np.ndarray | None = None
    camera_intrinsics: np.ndarray | None = None
    cuts_s: np.ndarray | None = None
    mirrored: bool = False

    @property
    def was_adapted(self) -> bool:
        """Whether adaptation changed the motion, so that there is something to compare it with."""
        return self.initial_poses is not None and bool(
            np.abs(self.initial_poses - self.poses).max() > 1e-4
            or np.abs(self.initial_pelvis_world - self.pelvis_world).max() > 1e-4
        )

    @property
    def frame_count(self) -> int:
        """T."""
        return len(self.poses)

    @property
    def pelvis_world(self) -> np.ndarray:
        """(T, 3)."""
        return self.joints3d_world[:, 0]

    @property
    def name(self) -> str:
        """The clip and the person, as Blender's data-blocks are called."""
        return f"{self.clip_name} {person_of(self.path)}".strip()

    @cached_property
    def clip_name(self) -> str:
        """Name of the clip: the folder that the engine made for it, as far as Blender can write it."""
        return self.path.resolve().parent.name.encode("utf-8", "replace").decode()


@dataclass(frozen=True)
class RestBody:
    """A person's body in SMPL's rest pose and axes (y up, facing +z), metres.

    Attributes:
        vertices: (V, 3).
        joints: (24, 3).
        weights: (V, 24) skinning weights; rows sum to 1.
        faces: (F, 3) vertex numbers.
    """

    vertices: np.ndarray
    joints: np.ndarray
    weights: np.ndarray
    faces: np.ndarray


@dataclass(frozen=True)
class Skeleton:
    """Names and tree of the 24 SMPL joints.

    Attributes:
        names: in SMPL's order.
        parents: number of the parent joint, -1 for the pelvis.
    """

    names: list[str]
    parents: list[int]


def read_motion(path: str | Path) -> Motion:
    """Read and check a motion file. Raises UserError that says what is wrong with it."""
    path = Path(path)
    arrays = _load(path, "motion file", MOTION, MOST_MOTION_BYTES)
    if int(arrays.get("format_version", FORMAT_VERSION)) > FORMAT_VERSION:
        raise UserError(f"{path} was written by a newer version.", "Update the add-on.")
    _check(path, arrays)
    width, height = (int(size) for size in arrays["image_size"])
    kept = ("poses", "joints3d_cam", "joints3d_world", "betas", "intrinsics", "camera_to_world", "timestamps")
    return Motion(
        path=path,
        rate=timing.exact_rate(float(arrays["mocap_framerate"])),
        surface_model_type=str(arrays.get("surface_model_type", "open-body")),
        image_size=(width, height),
        labels=arrays["labels"].astype(str),
        mirrored=bool(arrays.get("mirrored", 0)),
        label_similarity=arrays["label_similarity"].astype(np.float64),
        **{key: arrays[key].astype(np.float64) for key in kept},
        **_evidence(arrays, len(arrays["poses"])),
    )


def _check(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Raise UserError for what no type and no range tells: times, cameras and cuts that are none."""
    rows = len(arrays["poses"])
    if not rows:
        raise _bad(path, "it has no frames")
    if rows > 1 and not (np.diff(arrays["timestamps"]) > 0).all():
        raise _bad(path, "its timestamps do not increase")
    if arrays["intrinsics"][0, 0] <= 0 or arrays["intrinsics"][1, 1] <= 0:
        raise _bad(path, "its camera has no focal length")
    for places in (arrays["camera_to_world"], arrays.get("camera_path")):
        if places is not None and not _rigid(places.astype(np.float64)):
            raise _bad(path, "its camera has places that are none")
    if len(arrays.get("cuts_s", ())) > _MOST_CUTS:
        raise _bad(path, f"it has more than {_MOST_CUTS} cuts")


def _rigid(places: np.ndarray) -> bool:
    """Whether (..., 4, 4) turn and move, and do nothing else."""
    turns = places[..., :3, :3]
    off = np.abs(turns @ np.swapaxes(turns, -1, -2) - np.eye(3)).max()
    return bool(off < 1e-3 and (np.linalg.det(turns) > 0).all() and (places[..., 3, :] == (0, 0, 0, 1)).all())


def read_some(path: str | Path, *names: str) -> dict[str, np.ndarray]:
    """Only these arrays of a motion file. Raises UserError."""
    return _load(Path(path), "motion file", {name: MOTION[name] for name in names}, MOST_MOTION_BYTES)


def _evidence(arrays: dict[str, np.ndarray], rows: int) -> dict[str, Any]:
    """What the motion is made from, as far as the file has it: other programs' files may not."""
    names = tuple(arrays["keypoint_names"].tolist()) if "keypoint_names" in arrays else ()
    found: dict[str, Any] = {
        "contacts": np.zeros((rows, 4)),
        "keypoints2d": np.zeros((rows, len(names), 3)),
        "keypoints2d_origin": np.zeros((rows, len(names))),
    }
    known = ("initial_poses", "initial_trans", "camera_path", "keypoints2d_footage", "camera_intrinsics", "cuts_s")
    for key in (*found, *known):
        if key in arrays and (names or not key.startswith("keypoints2d")):
            found[key] = arrays[key].astype(np.float64)
    initial_trans = found.pop("initial_trans", None)
    if initial_trans is None or "initial_poses" not in found:
        found.pop("initial_poses", None)
    else:  # SMPL turns about its pelvis, which lies at the same place from `trans` whatever the pose
        found["initial_pelvis_world"] = initial_trans + (arrays["joints3d_world"][:1, 0] - arrays["trans"][:1])
    return {"keypoint_names": names, **found}


def read_body(motion: Motion) -> tuple[RestBody, str]:
    """The rest body of `motion`, and a warning for the user ('' if there is none).

    Without the file beside the motion, the body that the add-on brings along takes the person's shape.
    Raises UserError if the file is damaged, or if there is none of both.
    """
    path = body_path(motion.path)
    if path.is_file():
        return _read_rest_body(path), ""
    bundled = ROOT / "engine" / "assets" / "open_body.npz"
    if not bundled.is_file():
        raise UserError(f"{path} is missing.", "Adapt the clip again, or keep the folder's files together.")
    warning = ""
    if motion.surface_model_type != "open-body":
        warning = f"{path.name} is missing: the bundled body stands in, so bone lengths differ from the motion's."
    return _bundled_body(bundled, motion.betas), warning


def stored_rotation(motion: Motion) -> int:
    """Degrees clockwise by which the stored footage is turned to be upright; 0 if the report does not state it."""
    try:
        report = read_json(motion.path.with_name("report.json"))
        degrees = report["footage"]["rotation_degrees"]
        return int(degrees) if degrees in (90, 180, 270) else 0
    except (OSError, ValueError, KeyError, TypeError):
        return 0


def read_skeleton() -> Skeleton:
    """Names and tree of the joints from `presets/armature.json`."""
    path = ROOT / "presets" / "armature.json"
    try:
        joints = read_json(path)["joints"]
        names = [joint["name"] for joint in joints]
        parents = [names.index(joint["parent"]) if joint["parent"] else -1 for joint in joints]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} cannot be read: {error}.", "Install the add-on again.") from error
    return Skeleton(names, parents)


def _read_rest_body(path: Path) -> RestBody:
    arrays = _load(path, "body file", REST_BODY)
    if arrays["faces"].size and arrays["faces"].max() >= len(arrays["vertices"]):
        raise _bad(path, "a face names a vertex that is not there")
    return RestBody(
        vertices=arrays["vertices"].astype(np.float64),
        joints=arrays["joints"].astype(np.float64),
        weights=arrays["weights"].astype(np.float64),
        faces=arrays["faces"].astype(np.int32),
    )


def _bundled_body(path: Path, betas: np.ndarray) -> RestBody:
    arrays = _load(path, "body file", BODY)
    vertices = arrays["v_template"] + arrays["shapedirs"][..., : len(betas)] @ betas
    return RestBody(vertices, arrays["J_regressor"] @ vertices, arrays["weights"], arrays["f"].astype(np.int32))


def _load(path: Path, kind: str, table: Table, most_bytes: int = MOST_BYTES) -> dict[str, np.ndarray]:
    try:
        return read_arrays(path, table, most_bytes)
    except FileNotFoundError as error:
        raise UserError(f"{path} is not there.", "Adapt the clip, or choose another file.") from error
    except OSError as error:
        raise UserError(f"{path} cannot be read as a {kind}: {error.strerror}.", "Adapt the clip again.") from error
    except ArrayFileError as error:
        if not error.unreadable:
            raise _bad(path, str(error)) from error
        raise UserError(f"{path} cannot be read as a {kind}: {error}.", "Adapt the clip again.") from error


def _bad(path: Path, reason: str) -> UserError:
    return UserError(f"{path} is no valid motion or body file: {reason}.", "Adapt the clip again.")
