"""A motion file of somebody who walks on feet that stand perfectly still: legs solved here, not by the add-on's code.

Everything is made in SMPL's axes (y up, facing +z) and turned into the world (z up, facing -y) at the end.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import synthetic
from synthetic import PARENTS, REST_JOINTS, rotation_matrices

STEP_S, STRIDE_M = 0.6, 0.42
"""Seconds from one foot's landing to the other's, and metres that the body goes in that time."""

INTO_WORLD = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
HIPS, KNEES, ANKLES = (1, 2), (4, 5), (7, 8)


def motion_arrays(frames: int = 120, rate: Fraction = Fraction(30), bob: float = 0.02, **options) -> dict:
    """Arrays of a motion file: walking straight on, arms swinging, trunk turning; contacts as they are."""
    seconds = np.arange(frames) / float(rate)
    arrays = synthetic.motion_arrays(frames, rate, **options)
    turned, joints, contacts = walk(seconds, bob)
    local = np.stack(
        [turned[:, 0], *(turned[:, parent].transpose(0, 2, 1) @ turned[:, joint]
                         for joint, parent in enumerate(PARENTS) if joint)], axis=1)  # fmt: skip
    poses = np.array([[axis_angle(matrix) for matrix in row] for row in local]).reshape(frames, 72)
    arrays["poses"] = arrays["initial_poses"] = poses.astype(np.float32)
    arrays["joints3d_world"] = joints.astype(np.float32)
    arrays["trans"] = arrays["initial_trans"] = (joints[:, 0] - REST_JOINTS[0]).astype(np.float32)
    to_world = arrays["camera_to_world"]
    arrays["joints3d_cam"] = ((joints - to_world[:3, 3]) @ to_world[:3, :3]).astype(np.float32)
    arrays["contacts"] = contacts.astype(np.float32)
    return arrays


def walk(seconds: np.ndarray, bob: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(T, 24, 3, 3) orientations of the joints in the world, (T, 24, 3) joints, (T, 4) contacts."""
    count = len(seconds)
    phase = seconds / STEP_S * np.pi  # a cycle is two steps
    turned = np.tile(np.eye(3), (count, 24, 1, 1))
    sway = np.sin(phase)
    turned[:, 0] = about("y", 0.12 * sway) @ about("z", 0.05 * np.cos(phase))
    turned[:, 3] = turned[:, 0] @ about("x", np.full(count, 0.06))
    turned[:, 6] = turned[:, 3] @ about("y", -0.12 * sway)
    turned[:, 9] = turned[:, 6] @ about("y", -0.12 * sway)
    turned[:, 12] = turned[:, 15] = turned[:, 9] @ about("y", 0.1 * sway)
    for side, sign, collar, shoulder, elbow, wrist, hand in (
        ("l", 1, 13, 16, 18, 20, 22),
        ("r", -1, 14, 17, 19, 21, 23),
    ):
        del side
        turned[:, collar] = turned[:, 9] @ about("z", sign * 0.05 * sway)
        turned[:, shoulder] = turned[:, 9] @ about("x", -sign * 0.5 * sway) @ about("z", np.full(count, -sign * 1.25))
        turned[:, elbow] = turned[:, shoulder] @ about("y", -sign * (0.4 + 0.2 * sway))
        turned[:, wrist] = turned[:, hand] = turned[:, elbow] @ about("x", 0.2 * sway)
    leg = np.linalg.norm(REST_JOINTS[4] - REST_JOINTS[1]) + np.linalg.norm(REST_JOINTS[7] - REST_JOINTS[4])
    soles = REST_JOINTS[:, 1].min() - 0.03  # lower side of the boxes that are the feet
    heights = [REST_JOINTS[ankle, 1] - soles for ankle in ANKLES]
    pelvis = np.zeros((count, 3))
    pelvis[:, 1] = 0.9 * leg + min(heights) + (REST_JOINTS[0] - REST_JOINTS[1])[1] + bob * np.cos(2 * phase)
    pelvis[:, 2] = seconds / STEP_S * STRIDE_M
    contacts = np.zeros((count, 4))
    for side in (0, 1):
        ankle, pitch, stands = step(seconds + side * STEP_S, heights[side], side)
        ankle[:, 2] -= side * STRIDE_M
        contacts[:, 2 * side : 2 * side + 2] = stands[:, None]
        hip = pelvis + turned[:, 0] @ (REST_JOINTS[HIPS[side]] - REST_JOINTS[0])
        solve_leg(turned, side, hip, ankle)
        turned[:, ANKLES[side]] = turned[:, ANKLES[side] + 3] = about("x", pitch)
    joints = np.empty((count, 24, 3))
    joints[:, 0] = pelvis
    for joint in range(1, 24):
        parent = PARENTS[joint]
        joints[:, joint] = joints[:, parent] + turned[:, parent] @ (REST_JOINTS[joint] - REST_JOINTS[parent])
    return INTO_WORLD @ turned, joints @ INTO_WORLD.T, contacts


def step(seconds: np.ndarray, height: float, side: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(T, 3) path of an ankle, (T,) pitch of its foot, (T,) whether it stands: 60 % of two steps."""
    cycle, place = np.divmod(seconds / (2 * STEP_S), 1.0)
    stand = 0.6
    swing = np.clip((place - stand) / (1 - stand), 0, 1)
    eased = swing**3 * (10 - 15 * swing + 6 * swing**2)
    ankle = np.zeros((len(seconds), 3))
    ankle[:, 0] = (-1) ** side * 0.09
    ankle[:, 1] = height + 0.12 * np.sin(np.pi * swing) ** 2
    ankle[:, 2] = (cycle + eased) * 2 * STRIDE_M + 0.3 * STRIDE_M * 2
    return ankle, 0.5 * np.sin(np.pi * swing) ** 2 * np.cos(np.pi * swing), place < stand


def solve_leg(turned: np.ndarray, side: int, hip: np.ndarray, ankle: np.ndarray) -> None:
    """Turn thigh and shin so that the ankle is where it shall be, knee to the front."""
    thigh, shin = (
        REST_JOINTS[low] - REST_JOINTS[high] for low, high in ((KNEES[side], HIPS[side]), (ANKLES[side], KNEES[side]))
    )
    upper, lower = np.linalg.norm(thigh), np.linalg.norm(shin)
    line = ankle - hip
    reach = np.linalg.norm(line, axis=1)
    assert reach.max() < upper + lower, "the pelvis is too high for these legs"
    corner = np.arccos((upper**2 + reach**2 - lower**2) / (2 * upper * reach))
    hinge = np.array([1.0, 0, 0])
    for index in range(len(hip)):
        across = unit(hinge - (hinge @ line[index]) * line[index] / reach[index] ** 2)
        knee = rotation_matrices(-across * corner[index]) @ (line[index] / reach[index] * upper)
        turned[index, HIPS[side]] = frame(knee, across) @ frame(thigh, hinge).T
        turned[index, KNEES[side]] = frame(line[index] - knee, across) @ frame(shin, hinge).T


def frame(along: np.ndarray, across: np.ndarray) -> np.ndarray:
    """(3, 3) axes: along y, x as near to `across` as it goes."""
    y = unit(along)
    x = unit(across - (across @ y) * y)
    return np.stack([x, y, np.cross(x, y)], axis=1)


def unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def about(axis: str, angles: np.ndarray) -> np.ndarray:
    """(T, 3, 3) turns about an axis."""
    vectors = np.zeros((len(angles), 3))
    vectors[:, "xyz".index(axis)] = angles
    return rotation_matrices(vectors)


def axis_angle(matrix: np.ndarray) -> np.ndarray:
    """(3,) of a (3, 3) rotation of less than half a turn."""
    vector = np.array([matrix[2, 1] - matrix[1, 2], matrix[0, 2] - matrix[2, 0], matrix[1, 0] - matrix[0, 1]])
    sine = np.linalg.norm(vector)
    return vector / max(sine, 1e-12) * np.arctan2(sine, np.trace(matrix) - 1)


def write_walker(folder: Path, number: int = 1, **options) -> Path:
    """A motion file and its body in `folder`; gives back the motion file's path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"person_{number}.npz"
    np.savez(path, **motion_arrays(**options))
    np.savez(folder / f"person_{number}_body.npz", **synthetic.body_arrays())
    return path
