"""The body: a layer of SMPL's format, with fast paths for joints and for the few points that detectors see.

Legend: T frames, V vertices, L landmarks, F faces. Rotations are relative to the parent joint, index 0 is the global
orientation, which turns the body about the pelvis joint. The rest frame has +X to the body's left, +Y up and +Z to its
front; metres.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from engine.body.landmarks import JOINT_NAMES, LANDMARKS, SMPL_VERTEX_COUNT, SMPL_VERTICES
from engine.body.smpl_file import JOINT_COUNT, PARENTS, POSE_COUNT, SHAPE_COUNT, BodyArrays, read_body_file

OPEN_BODY = Path(__file__).parents[1] / "assets" / "open_body.npz"


@dataclass(frozen=True)
class RestBody:
    """One person's body in SMPL's rest frame.

    Attributes:
        vertices: (V, 3) metres.
        joints: (24, 3) metres.
        weights: (V, 24) skinning weights, rows sum to 1.
        faces: (F, 3) vertex indices, counter-clockwise from outside.
    """

    vertices: NDArray[np.float32]
    joints: NDArray[np.float32]
    weights: NDArray[np.float32]
    faces: NDArray[np.int32]


class BodyModel(nn.Module):
    """A body in SMPL's format. Everything is differentiable by rotations, shape numbers and translation.

    Attributes:
        landmark_names: L names, from `engine.body.landmarks.LANDMARKS`, of the keypoints that this body has.
        faces: (F, 3) vertex indices, counter-clockwise from outside.
        surface_model_type: `smpl`, `smplh`, `smplx` or `open-body`.
        gender: `neutral`, `male` or `female`.
        template, shape_directions: vertices of the mean shape (V, 3), and how each shape number moves them (V, 3, 10).
        skin_weights: (V, 24), rows sum to 1.
    """

    template: Tensor
    shape_directions: Tensor
    pose_directions: Tensor
    skin_weights: Tensor
    joint_template: Tensor
    joint_directions: Tensor
    joint_mix: Tensor
    point_mix: Tensor
    point_template: Tensor
    point_directions: Tensor
    point_pose_directions: Tensor
    point_weights: Tensor

    def __init__(self, arrays: BodyArrays) -> None:
        super().__init__()
        self.surface_model_type, self.gender = arrays.surface_model_type, arrays.gender
        self.faces: NDArray[np.int64] = arrays.faces
        points = _Points.of(arrays)
        self.landmark_names = points.names
        posedirs = arrays.posedirs if np.any(arrays.posedirs) else np.zeros((0, 3, POSE_COUNT))
        at_points = arrays.posedirs[points.vertices]
        constants = {
            "template": arrays.v_template,
            "shape_directions": arrays.shapedirs,
            "pose_directions": posedirs.reshape(-1, POSE_COUNT).T,
            "skin_weights": arrays.weights,
            "joint_template": arrays.joint_regressor @ arrays.v_template,
            "joint_directions": np.einsum("jv,vcs->jcs", arrays.joint_regressor, arrays.shapedirs),
            "joint_mix": points.joint_mix,
            "point_mix": points.vertex_mix,
            "point_template": arrays.v_template[points.vertices],
            "point_directions": arrays.shapedirs[points.vertices],
            "point_pose_directions": (at_points if np.any(at_points) else posedirs[:0]).reshape(-1, POSE_COUNT).T,
            "point_weights": arrays.weights[points.vertices],
        }
        for name, value in constants.items():
            self.register_buffer(name, torch.as_tensor(value, dtype=torch.float32), persistent=False)

    @property
    def vertex_count(self) -> int:
        """V."""
        return len(self.template)

    def rest_joints(self, betas: Tensor) -> Tensor:
        """Joints (..., 24, 3) of the rest pose for shape numbers (..., 10)."""
        return self.joint_template + torch.einsum("jcs,...s->...jc", self.joint_directions, betas)

    def pose(self, rotations: Tensor, betas: Tensor, transl: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Turn of each joint's frame, and the joints, along the kinematic chain.

        Args:
            rotations: (T, 24, 3, 3) relative to the parent.
            betas: (10,) or (T, 10).
            transl: (3,) or (T, 3) metres, added to the joints.

        Returns:
            (T, 24, 3, 3) rotations from the rest frame into that of the root's parent, and joints (T, 24, 3).

        Raises:
            ValueError: an argument has another shape.
        """
        _check_shapes(rotations, betas)
        rest = self.rest_joints(betas)
        bones = rest - rest[..., _BONE_START, :]
        turns, positions = [rotations[:, :1]], [rest[..., :1, :].expand(len(rotations), 1, 3)]
        for joints, parents in _LEVELS:
            turn, start = turns[-1][:, parents], positions[-1][:, parents]
            positions.append(start + (turn @ bones[..., joints, :, None]).squeeze(-1))
            turns.append(turn @ rotations[:, joints])
        placed = torch.cat(positions, 1)[:, _TO_SMPL_ORDER]
        if transl is not None:
            placed = placed + transl.reshape(-1, 1, 3)
        return torch.cat(turns, 1)[:, _TO_SMPL_ORDER], placed

    def joints(self, rotations: Tensor, betas: Tensor, transl: Tensor | None = None) -> Tensor:
        """Joints (T, 24, 3) in metres; arguments as in `pose`."""
        return self.pose(rotations, betas, transl)[1]

    def landmarks(self, rotations: Tensor, betas: Tensor, transl: Tensor | None = None) -> Tensor:
        """Keypoints (T, L, 3) in metres, in the order of `landmark_names`; arguments as in `pose`."""
        return self.joints_and_landmarks(rotations, betas, transl)[1]

    def joints_and_landmarks(
        self, rotations: Tensor, betas: Tensor, transl: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Joints (T, 24, 3) and keypoints (T, L, 3) in one go; arguments as in `pose`."""
        turns, joints = self.pose(rotations, betas, transl)
        skinned = self._skinned(
            (self.point_template, self.point_directions, self.point_pose_directions, self.point_weights),
            (rotations, betas),
            (turns, joints),
        )
        return joints, torch.cat((self.joint_mix @ joints, self.point_mix @ skinned), 1)

    def vertices(self, rotations: Tensor, betas: Tensor, transl: Tensor | None = None) -> Tensor:
        """All vertices (T, V, 3) in metres; arguments as in `pose`. Takes about 100 V bytes a frame: go in batches."""
        placed = self.pose(rotations, betas, transl)
        surface = (self.template, self.shape_directions, self.pose_directions, self.skin_weights)
        return self._skinned(surface, (rotations, betas), placed)

    def _skinned(
        self, surface: tuple[Tensor, ...], pose: tuple[Tensor, Tensor], placed: tuple[Tensor, Tensor]
    ) -> Tensor:
        """Points (T, N, 3) of a surface: shaped, corrected for the pose, and carried by their joints.

        Args:
            surface: template (N, 3), shape directions (N, 3, 10), pose directions (207, 3 N or none), weights (N, 24).
            pose: rotations and shape numbers, as in `pose`.
            placed: what `pose` makes of them.
        """
        template, shape_directions, pose_directions, weights = surface
        (rotations, betas), (turns, joints) = pose, placed
        points = template + torch.einsum("ncs,...s->...nc", shape_directions, betas)
        if pose_directions.numel():
            eye = torch.eye(3, dtype=rotations.dtype, device=rotations.device)
            feature = (rotations[:, 1:] - eye).reshape(len(rotations), -1)
            points = points + (feature @ pose_directions).reshape(len(rotations), -1, 3)
        # a point is carried by its blend of the maps x -> turn (x - rest joint) + joint
        shifts = joints - (turns @ self.rest_joints(betas)[..., None]).squeeze(-1)
        blend = weights @ torch.cat((turns.flatten(2), shifts), -1)
        turn = blend[..., :9].reshape(*blend.shape[:2], 3, 3)
        return (turn @ points[..., None]).squeeze(-1) + blend[..., 9:]

    def rest(self, betas: Tensor | NDArray[np.float32]) -> RestBody:
        """The body with shape numbers (10,) in its rest pose, as plain arrays."""
        with torch.no_grad():
            shape = torch.as_tensor(betas, dtype=torch.float32, device=self.joint_template.device).reshape(SHAPE_COUNT)
            vertices = self.template + self.shape_directions @ shape
            joints = self.rest_joints(shape)
        return RestBody(
            vertices.cpu().numpy(),
            joints.cpu().numpy(),
            self.skin_weights.cpu().numpy(),
            self.faces.astype(np.int32),
        )


def load_body(path: Path | None = None, device: str | torch.device = "cpu") -> BodyModel:
    """The body in `path` (SMPL, SMPL-H, SMPL-X; `.npz` or `.pkl`), or the bundled open body. Raises ModelFileError."""
    return BodyModel(read_body_file(OPEN_BODY if path is None else path)).to(device).requires_grad_(False)


@dataclass(frozen=True)
class _Points:
    """The landmarks: first those that are means of joints, then those on the surface, a small mesh of their own."""

    names: tuple[str, ...]
    joint_mix: NDArray[np.float64]  # (landmarks from joints, 24)
    vertices: list[int]
    vertex_mix: NDArray[np.float64]  # (landmarks from the surface, vertices)

    @classmethod
    def of(cls, arrays: BodyArrays) -> _Points:
        table = arrays.landmark_vertices
        if table is None:
            known = SMPL_VERTICES if len(arrays.v_template) == SMPL_VERTEX_COUNT else {}
            table = {name: [vertex] for name, vertex in known.items()}
        at_joints = [name for name, landmark in LANDMARKS.items() if landmark.joints]
        on_surface = [name for name, landmark in LANDMARKS.items() if landmark.vertex in table]
        mix = np.zeros((len(at_joints), JOINT_COUNT))
        for row, name in zip(mix, at_joints, strict=True):
            for joint, weight in LANDMARKS[name].joints:
                row[JOINT_NAMES.index(joint)] += weight
        vertices = sorted({vertex for name in on_surface for vertex in table[LANDMARKS[name].vertex]})
        vertex_mix = np.zeros((len(on_surface), len(vertices)))
        for row, name in zip(vertex_mix, on_surface, strict=True):
            found = table[LANDMARKS[name].vertex]
            for vertex in found:
                row[vertices.index(vertex)] += 1 / len(found)
        return cls((*at_joints, *on_surface), mix, vertices, vertex_mix)


def _check_shapes(rotations: Tensor, betas: Tensor) -> None:
    if rotations.ndim != 4 or rotations.shape[1:] != (JOINT_COUNT, 3, 3):
        raise ValueError(f"rotations is {tuple(rotations.shape)}, not (T, 24, 3, 3)")
    if betas.shape[-1:] != (SHAPE_COUNT,) or betas.ndim > 2:
        raise ValueError(f"betas is {tuple(betas.shape)}, not (10,) or (T, 10)")


def _levels() -> tuple[list[tuple[list[int], list[int]]], list[int]]:
    """The tree by depth: joints of each level with their parents' places in the level before, and the way back to
    SMPL's order from the levels put one after another."""
    levels, order = [[0]], [0]
    while len(order) < JOINT_COUNT:
        levels.append([joint for joint in range(JOINT_COUNT) if PARENTS[joint] in levels[-1]])
        order += levels[-1]
    pairs = [(joints, [before.index(PARENTS[joint]) for joint in joints]) for before, joints in pairwise(levels)]
    return pairs, [order.index(joint) for joint in range(JOINT_COUNT)]


_LEVELS, _TO_SMPL_ORDER = _levels()
_BONE_START = [max(parent, 0) for parent in PARENTS]
