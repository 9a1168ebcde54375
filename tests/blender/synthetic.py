"""Motion files made with NumPy alone: a body whose right arm is up, so that a mirror shows, walking and turning.

Forward kinematics is written out here once more, on purpose not with the add-on's code.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np

NAMES = [
    "pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2", "left_ankle", "right_ankle",
    "spine3", "left_foot", "right_foot", "neck", "left_collar", "right_collar", "head", "left_shoulder",
    "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hand", "right_hand",
]  # fmt: skip
PARENTS = [-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21]

KEYPOINTS = [
    f"{side}_{part}" for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle") for side in ("left", "right")
]

REST_JOINTS = np.array(
    [
        (0.0, -0.24, 0.02), (0.06, -0.33, 0.01), (-0.06, -0.335, 0.012), (0.004, -0.12, -0.005),
        (0.1, -0.71, 0.015), (-0.1, -0.715, 0.01), (0.008, 0.02, 0.0), (0.09, -1.11, -0.02),
        (-0.09, -1.115, -0.022), (0.0, 0.07, 0.02), (0.12, -1.17, 0.1), (-0.12, -1.172, 0.1),
        (0.0, 0.28, -0.02), (0.08, 0.19, -0.01), (-0.08, 0.195, -0.012), (0.005, 0.37, 0.03),
        (0.19, 0.23, -0.02), (-0.19, 0.232, -0.025), (0.45, 0.22, -0.04), (-0.45, 0.222, -0.05),
        (0.7, 0.225, -0.05), (-0.7, 0.228, -0.055), (0.79, 0.22, -0.06), (-0.79, 0.221, -0.065),
    ]
)  # fmt: skip


def rotation_matrices(axis_angle: np.ndarray) -> np.ndarray:
    """(..., 3) axis-angle to (..., 3, 3), by Rodrigues' formula."""
    angle = np.linalg.norm(axis_angle, axis=-1)[..., None, None]
    x, y, z = np.moveaxis(axis_angle / np.maximum(angle[..., 0], 1e-12), -1, 0)
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(*x.shape, 3, 3)
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def forward(poses: np.ndarray, pelvis: np.ndarray, rest: np.ndarray = REST_JOINTS) -> np.ndarray:
    """(T, 24, 3) joints of (T, 72) poses whose pelvis is at (T, 3)."""
    local = rotation_matrices(poses.reshape(-1, 24, 3))
    turned, joints = [local[:, 0]], [pelvis]
    for joint in range(1, 24):
        parent = PARENTS[joint]
        joints.append(joints[parent] + turned[parent] @ (rest[joint] - rest[parent]))
        turned.append(turned[parent] @ local[:, joint])
    return np.stack(joints, axis=1)


def heading_poses(turn: np.ndarray) -> np.ndarray:
    """(T, 3) root axis-angle of an upright body (z up) that looks along -y and is then turned by (T,) about z."""
    half_x, half_z = np.pi / 4, turn / 2
    w, v = np.cos(half_z) * np.cos(half_x), np.zeros((len(turn), 3))
    v[:, 0] = np.cos(half_z) * np.sin(half_x)
    v[:, 1] = np.sin(half_z) * np.sin(half_x)
    v[:, 2] = np.sin(half_z) * np.cos(half_x)
    length = np.linalg.norm(v, axis=1)
    return v / length[:, None] * (2 * np.arctan2(length, w))[:, None]


def motion_arrays(
    frames: int = 40,
    rate: Fraction = Fraction(30),
    *,
    seed: int = 0,
    timestamps: np.ndarray | None = None,
    offset: tuple[float, float] = (0.0, 0.0),
    image_size: tuple[int, int] = (1280, 720),
    camera_yaw: float = 0.0,
    turns: float = 1.5,
    labelled: tuple[tuple[str, float], ...] = (("walk", 0.0),),
    hidden: tuple[int, int] = (0, 0),
    adapted: bool = False,
) -> dict[str, np.ndarray]:
    """Arrays of a motion file: walking on a curve with the right arm up, all joints moving.

    `labelled` are actions with their similarity, one after the other for equally long. In the rows `hidden` (first,
    last + 1) the left wrist and elbow are filled in. If `adapted`, the motion before adaptation had its arms down.
    """
    noise = np.random.default_rng(seed)
    seconds = np.arange(frames) * rate.denominator / rate.numerator if timestamps is None else timestamps
    phase = np.linspace(0, turns * 2 * np.pi, frames)
    swing = noise.normal(size=(24, 3)) * 0.25
    poses = np.sin(phase[:, None] * 2 + noise.uniform(0, 6, 24))[..., None] * swing
    poses[:, 0] = heading_poses(phase)  # more than a whole turn, so that quaternions must be kept from flipping
    poses[:, NAMES.index("right_shoulder")] += (0, 0, -1.2)
    poses[:, NAMES.index("left_knee")] += (0.5, 0, 0)
    path = (offset[0] + 0.4 * np.sin(phase), offset[1] + 0.05 * phase, 0.95 + 0.02 * np.sin(phase * 4))
    pelvis = np.stack(path, axis=1)
    joints = forward(poses.reshape(frames, 72), pelvis)
    to_world = camera_to_world(camera_yaw)
    in_camera = (joints - to_world[:3, 3]) @ to_world[:3, :3]
    width, height = image_size
    focal = 1.1 * max(width, height)
    intrinsics = np.array([[focal, 0, width / 2 + 37.0], [0, focal, height / 2 - 21.0], [0, 0, 1]])
    values = {
        "poses": poses.reshape(frames, 72),
        "trans": pelvis - REST_JOINTS[0],
        "betas": np.zeros(10),
        "cam_global_orient": np.zeros((frames, 3)),
        "cam_transl": in_camera[:, 0] - REST_JOINTS[0],
        "joints3d_cam": in_camera,
        "joints3d_world": joints,
        "contacts": np.zeros((frames, 4)),
        "initial_poses": poses.reshape(frames, 72),
        "initial_trans": pelvis - REST_JOINTS[0],
        "keypoints2d": keypoints(in_camera, intrinsics),
    }
    origin = np.ones((frames, len(KEYPOINTS)), dtype=np.uint8)
    origin[hidden[0] : hidden[1], [KEYPOINTS.index("left_elbow"), KEYPOINTS.index("left_wrist")]] = 2
    if adapted:
        values["initial_poses"] = values["poses"].copy()
        values["initial_poses"][:, 3 * NAMES.index("right_shoulder") + 2] += 1.2
        values["initial_trans"] = values["trans"] + (0.1, 0.0, 0.0)
    parts = np.arange(frames) * len(labelled) // frames
    values["label_similarity"] = np.array([labelled[part][1] for part in parts])
    return {key: value.astype(np.float32) for key, value in values.items()} | {
        "gender": np.array("neutral"),
        "surface_model_type": np.array("open-body"),
        "mocap_framerate": np.array(float(rate)),
        "timestamps": np.asarray(seconds, dtype=np.float64),
        "intrinsics": intrinsics,
        "camera_to_world": to_world,
        "image_size": np.array([width, height]),
        "keypoints2d_origin": origin,
        "keypoint_names": np.array(KEYPOINTS),
        "labels": np.array([labelled[part][0] for part in parts]),
        "format_version": np.array(1),
    }


def keypoints(in_camera: np.ndarray, intrinsics: np.ndarray) -> np.ndarray:
    """(T, 12, 3) pixels and confidence of the joints that keypoints are named after."""
    seen = in_camera[:, [NAMES.index(name) for name in KEYPOINTS]] @ intrinsics.T
    return np.concatenate([seen[..., :2] / seen[..., 2:], np.full((*seen.shape[:2], 1), 0.9)], axis=-1)


def camera_to_world(yaw: float = 0.0) -> np.ndarray:
    """(4, 4): a camera 4 m from the person and 1.4 m up, tilted a little down, gone round the person by `yaw`."""
    right, away = np.array([np.cos(yaw), np.sin(yaw), 0]), np.array([-np.sin(yaw), np.cos(yaw), -0.1])
    away /= np.linalg.norm(away)
    matrix = np.eye(4)
    matrix[:3, :3] = np.stack([right, np.cross(away, right), away], axis=1)
    matrix[:3, 3] = np.array([0, 0, 1.4]) - 4.0 * np.array([-np.sin(yaw), np.cos(yaw), 0])
    return matrix


def body_arrays() -> dict[str, np.ndarray]:
    """A body of boxes: eight corners about each joint, which follow it alone."""
    corners = np.array([(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) * 0.03
    cube = np.array([(0, 1, 3), (0, 3, 2), (4, 6, 7), (4, 7, 5), (0, 4, 5), (0, 5, 1), (2, 3, 7), (2, 7, 6), (0, 2, 6),
                     (0, 6, 4), (1, 5, 7), (1, 7, 3)])  # fmt: skip
    return {
        "vertices": (REST_JOINTS[:, None] + corners).reshape(-1, 3).astype(np.float32),
        "joints": REST_JOINTS.astype(np.float32),
        "weights": np.repeat(np.eye(24), 8, axis=0).astype(np.float32),
        "faces": np.concatenate([cube + 8 * joint for joint in range(24)]).astype(np.int32),
    }


def write_person(folder: Path, number: int = 1, **options) -> Path:
    """A motion file and its body in `folder`; gives back the motion file's path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"person_{number}.npz"
    np.savez(path, **motion_arrays(**options))
    np.savez(folder / f"person_{number}_body.npz", **body_arrays())
    return path


def write_shots(folder: Path, starts: tuple[int, ...], frames: int, number: int = 1, **options) -> list[Path]:
    """A motion file for each shot of footage that is cut at frames `starts` of `frames` in all; every shot has its own
    camera, and the person is in all of it."""
    rate = options.get("rate", Fraction(30))
    seconds = np.arange(frames) * rate.denominator / rate.numerator
    paths = []
    for shot, (start, end) in enumerate(zip((0, *starts), (*starts, frames), strict=True), 1):
        yaw = {"camera_yaw": 0.7 * (shot - 1), "seed": shot}
        path = write_person(folder, number, frames=end - start, timestamps=seconds[start:end], **yaw | options)
        with np.load(path) as archive:
            arrays = dict(archive)
        np.savez(path, **arrays, cuts_s=seconds[list(starts)], shots=np.array([[0, end - start - 1]]))
        stem = f"person_{number}_shot_{shot}"
        paths.append(path.rename(path.with_name(f"{stem}.npz")))
        path.with_name(f"person_{number}_body.npz").rename(path.with_name(f"{stem}_body.npz"))
    return paths


def join(paths: list[Path]) -> Path:
    """The motion files of a person's shots as the one that `--shots join` writes."""
    parts = [dict(np.load(path)) for path in paths]
    rows = [len(part["poses"]) for part in parts]
    ends = np.cumsum(rows)
    joined = dict(parts[0])
    for key, value in parts[0].items():
        if value.ndim and len(value) == rows[0] and key not in ("betas", "cuts_s", "shots", "keypoint_names"):
            joined[key] = np.concatenate([part[key] for part in parts])
    joined["shots"] = np.stack([ends - rows, ends - 1], 1)
    joined["camera_path"] = np.concatenate(
        [np.repeat(part["camera_to_world"][None], count, 0) for part, count in zip(parts, rows, strict=True)]
    )
    path = paths[0].with_name("person_1.npz")
    np.savez(path, **joined)
    np.savez(path.with_name("person_1_body.npz"), **body_arrays())
    return path
