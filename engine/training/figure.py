"""The figure that training motions are put on: joint offsets and a few points of the skin, in numpy.

Frame: SMPL's rest frame, a T-pose with x to the person's left, y up, z to the front; metres; 24 SMPL joints. World
frames here are y up with the floor at y = 0; `corpus.py` turns them to z up.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from engine.body.landmarks import JOINT_NAMES
from engine.body.model import BodyModel
from engine.body.smpl_file import PARENTS
from engine.keypoints.joint_sets import mirror_order

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

JOINTS = JOINT_NAMES
INDEX = {name: i for i, name in enumerate(JOINTS)}
MIRROR = np.array(mirror_order(JOINTS))
"""Joint that each joint becomes when left and right change places."""
CONTACTS = ("left_heel", "left_toe", "right_heel", "right_toe")

# Joint centres of an adult of about 1.7 m in the T-pose, left side and middle, from the parent, to half a centimetre
_PLAIN_OFFSETS: dict[str, tuple[float, float, float]] = {
    "pelvis": (0, 0, 0),
    "left_hip": (0.07, -0.09, -0.01),
    "left_knee": (0.03, -0.375, 0),
    "left_ankle": (-0.01, -0.4, -0.04),
    "left_foot": (0.025, -0.055, 0.12),
    "spine1": (0, 0.11, -0.03),
    "spine2": (0, 0.135, 0),
    "spine3": (0, 0.055, 0.025),
    "neck": (0, 0.215, -0.045),
    "head": (0, 0.065, 0.05),
    "left_collar": (0.08, 0.12, -0.035),
    "left_shoulder": (0.09, 0.03, -0.01),
    "left_elbow": (0.26, -0.01, -0.025),
    "left_wrist": (0.25, 0.01, 0),
    "left_hand": (0.085, -0.01, -0.015),
}
# Points of the skin from the joint that carries them
_PLAIN_SKIN: dict[str, list[tuple[float, float, float]]] = {
    "left_ankle": [(0.01, -0.075, -0.055), (0.03, -0.075, 0.02)],
    "left_foot": [(0, -0.02, 0.075), (-0.03, -0.02, 0.01), (0.04, -0.02, 0.01)],
    "left_knee": [(0, 0, 0.06), (0, -0.2, 0.05), (0, -0.2, -0.07)],
    "left_hip": [(0.06, -0.1, -0.1), (0.08, -0.1, 0.07), (0.09, 0, 0)],
    "pelvis": [(0, 0, 0.11), (0, 0, -0.12)],
    "spine2": [(0, 0, 0.11), (0, 0, -0.1)],
    "spine3": [(0, 0.05, 0.12), (0.1, 0.1, -0.1), (-0.1, 0.1, -0.1)],
    "head": [(0, 0.19, 0), (0, 0.08, -0.11), (0, 0.03, 0.12), (0.08, 0.06, 0), (-0.08, 0.06, 0)],
    "left_shoulder": [(0.03, 0.05, 0), (0.03, 0, -0.06), (0.13, 0, -0.04), (0.13, 0, 0.04)],
    "left_elbow": [(0, 0, -0.04), (0, 0, 0.04), (0.13, 0, -0.04)],
    "left_wrist": [(0, -0.02, 0), (0, 0.02, 0)],
    "left_hand": [(0, -0.02, 0), (0, 0.015, 0), (0.1, 0, 0)],
}


@dataclass(frozen=True)
class Figure:
    """A body at rest, as far as motion needs it."""

    joints: Floats
    """(24, 3) rest joints."""
    skin: Floats
    """(S, 3) points of the skin at rest."""
    carriers: Ints
    """(S,) joint that carries each point of the skin."""
    soles: Ints
    """(4,) rows of `skin`: left heel, left toe, right heel, right toe."""
    betas: Floats
    """(10,) shape numbers of the body."""

    @property
    def offsets(self) -> Floats:
        """(24, 3) rest offset of each joint from its parent; 0 for the root."""
        offsets: Floats = self.joints - self.joints[np.maximum(PARENTS, 0)]
        return offsets

    def length(self, *names: str) -> float:
        """Length of the chain of joints in metres, at rest."""
        points = self.joints[[INDEX[name] for name in names]]
        return float(np.linalg.norm(np.diff(points, axis=0), axis=1).sum())

    @property
    def standing_height(self) -> float:
        """Height of the pelvis over the soles at rest, metres."""
        return float(self.joints[0, 1] - self.skin[self.soles, 1].min())

    def pose(self, rotations: Floats, pelvis: Floats) -> tuple[Floats, Floats]:
        """Forward kinematics.

        Args:
            rotations: (T, 24, 3, 3) relative to the parent, root first.
            pelvis: (T, 3) position of the pelvis joint.

        Returns:
            joints (T, 24, 3) and global rotations (T, 24, 3, 3).
        """
        joints, turned = np.empty((len(rotations), 24, 3)), np.empty_like(rotations)
        joints[:, 0], turned[:, 0] = pelvis, rotations[:, 0]
        for j in range(1, 24):
            parent, offset = PARENTS[j], self.offsets[j]
            turned[:, j] = turned[:, parent] @ rotations[:, j]
            joints[:, j] = joints[:, parent] + turned[:, parent] @ offset
        return joints, turned

    def skin_points(self, joints: Floats, turned: Floats) -> Floats:
        """(T, S, 3) points of the skin of a posed figure (arguments as `pose` returns them)."""
        arms = self.skin - self.joints[self.carriers]
        points: Floats = joints[:, self.carriers] + np.einsum("tsij,sj->tsi", turned[:, self.carriers], arms)
        return points


@dataclass(frozen=True)
class MotionClip:
    """Motion of one person on the SMPL skeleton; y up, floor at y = 0, metres, radians."""

    name: str
    rotations: Floats
    """(T, 24, 3, 3) relative to the parent."""
    pelvis: Floats
    """(T, 3) position of the pelvis joint."""
    contacts: Floats
    """(T, 4) left heel, left toe, right heel, right toe: 1 on the ground, 0 in the air, NaN where nobody can say."""
    fps: float = 30.0

    def mirrored(self) -> MotionClip:
        """The same motion with left and right changed."""
        flip = np.diag([-1.0, 1.0, 1.0])
        rotations = flip @ self.rotations[:, MIRROR] @ flip
        return MotionClip(
            self.name, rotations, self.pelvis * (-1, 1, 1), self.contacts[:, [2, 3, 0, 1]].copy(), self.fps
        )


def local_rotations(turned: Floats) -> Floats:
    """Rotations relative to the parent from global ones, (T, 24, 3, 3) both."""
    relative = turned.copy()
    for j in range(1, 24):
        relative[:, j] = np.swapaxes(turned[:, PARENTS[j]], 1, 2) @ turned[:, j]
    return relative


def turn_between(a: Floats, b: Floats) -> Floats:
    """Smallest rotations that turn directions a to directions b, (…, 3) each, to (…, 3, 3)."""
    a, b = np.broadcast_arrays(a, b)
    axis = np.cross(a, b)
    sine, cosine = np.linalg.norm(axis, axis=-1, keepdims=True), (a * b).sum(-1, keepdims=True)
    vector = np.where(sine > 1e-12, axis / np.maximum(sine, 1e-12) * np.arctan2(sine, cosine), 0.0)
    return matrices(vector)


def matrices(rotation_vectors: Floats) -> Floats:
    """Rotation matrices (…, 3, 3) from rotation vectors (…, 3) in radians."""
    flat: Floats = Rotation.from_rotvec(rotation_vectors.reshape(-1, 3)).as_matrix()
    return flat.reshape(*rotation_vectors.shape[:-1], 3, 3)


def vectors(rotations: Floats) -> Floats:
    """Rotation vectors (…, 3) in radians from rotation matrices (…, 3, 3)."""
    flat: Floats = Rotation.from_matrix(rotations.reshape(-1, 3, 3)).as_rotvec()
    return flat.reshape(*rotations.shape[:-2], 3)


def twist_about(rotations: Floats, axis: Floats) -> Floats:
    """Angles (T,) in radians, -pi to pi, by which rotations (T, 3, 3) turn about a unit axis (3,) of their own."""
    quaternion = Rotation.from_matrix(rotations).as_quat()
    angle: Floats = 2 * np.arctan2(quaternion[:, :3] @ axis, quaternion[:, 3])
    return (angle + np.pi) % (2 * np.pi) - np.pi


def plain_figure(scale: float = 1.0) -> Figure:
    """A figure of plain proportions that needs no body file.

    Args:
        scale: 1 gives an adult of about 1.7 m.

    Returns:
        The figure, the same left and right.
    """
    offsets, skin = np.zeros((24, 3)), []
    for name, offset in _PLAIN_OFFSETS.items():
        offsets[INDEX[name]] = offset
        if name.startswith("left"):
            offsets[INDEX[name.replace("left", "right")]] = np.array(offset) * (-1, 1, 1)
    for name, points in _PLAIN_SKIN.items():
        for point in points:
            skin.append((INDEX[name], point))
            if name.startswith("left"):
                skin.append((INDEX[name.replace("left", "right")], (-point[0], point[1], point[2])))
    joints = np.zeros((24, 3))
    for j in range(1, 24):
        joints[j] = joints[PARENTS[j]] + offsets[j]
    carriers = np.array([j for j, _ in skin])
    points = joints[carriers] + np.array([p for _, p in skin])
    return Figure(joints * scale, points * scale, carriers, _soles(points, carriers), np.zeros(10))


def figure_from_rest(joints: Floats, vertices: Floats, weights: Floats, betas: Floats) -> Figure:
    """The figure of a body model.

    Args:
        joints: (24, 3) rest joints, metres.
        vertices: (V, 3) rest vertices.
        weights: (V, 24) skinning weights; the points of the skin follow their heaviest joint.
        betas: (10,) shape numbers of this body.

    Returns:
        The figure with the vertices that stick out farthest around each joint.
    """
    carriers = weights.argmax(1)
    directions = np.array([d for d in np.ndindex(3, 3, 3) if d != (1, 1, 1)], dtype=float) - 1
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    chosen = []
    for j in range(24):
        own = np.flatnonzero(carriers == j)
        if len(own):
            chosen.extend(own[np.unique((vertices[own] @ directions.T).argmax(0))])
    rows = np.array(chosen)
    skin, owners = vertices[rows], carriers[rows].astype(np.int64)
    return Figure(joints, skin, owners, _soles(skin, owners), betas)


def _soles(skin: Floats, carriers: Ints) -> Ints:
    """Rows of the skin for heel and toe of both feet: low and far back, low and far ahead."""
    rows = []
    for side in ("left", "right"):
        for joint, ahead in (("ankle", -1.0), ("foot", 1.0)):
            own = np.flatnonzero(carriers == INDEX[f"{side}_{joint}"])
            rows.append(own[(ahead * skin[own, 2] - 2 * skin[own, 1]).argmax()])
    return np.array(rows)


def figure_of(body: BodyModel, betas: Floats | None = None) -> Figure:
    """The figure of a body model with the given shape.

    Args:
        body: the bundled open body or the user's own.
        betas: (10,) shape numbers; the mean shape if none are given.
    """
    shape = np.zeros(10) if betas is None else betas
    rest = body.rest(torch.as_tensor(shape, dtype=torch.float32))
    joints, vertices, weights = (array.astype(np.float64) for array in (rest.joints, rest.vertices, rest.weights))
    return figure_from_rest(joints, vertices, weights, shape)
