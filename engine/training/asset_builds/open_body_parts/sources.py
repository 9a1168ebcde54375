"""What the open body is made of: anny's mesh, bones and phenotypes, and the skeleton that mannequin-x describes.

Everything is handed on in SMPL's rest frame (metres, +X to the body's left, +Y up, +Z to its front) and made symmetric.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import anny
import numpy as np
import torch
from anny.face_segmentation import get_face_segmentation_mask
from mannequin import _io as mannequin_io
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from engine.body.landmarks import JOINT_NAMES

Float = NDArray[np.float64]
MIRROR = np.array([-1.0, 1.0, 1.0])
NEUTRAL = {"gender": 0.5, "age": 2 / 3, "muscle": 0.5, "weight": 0.5, "height": 0.5, "proportions": 0.5}
"""anny's phenotypes of a young adult, half way in everything else."""
_HIDDEN_PARTS = ("mouth_cavity", "tongue", "eye_back.L", "eye_back.R", "eye_cavity.L", "eye_cavity.R")


def swap_side(name: str) -> str:
    """The joint's or bone's counterpart: `left_` and `right_`, `.L` and `.R`."""
    for left, right in (("left_", "right_"), (".L", ".R")):
        if left in name:
            return name.replace(left, right)
        if right in name:
            return name.replace(right, left)
    return name


MIRRORED_JOINTS = [JOINT_NAMES.index(swap_side(name)) for name in JOINT_NAMES]


class Anny:
    """anny's full body without the inside of the mouth and the hidden part of the eyes.

    Attributes:
        faces: (F, 3) triangles.
        bones: names of anny's 104 bones.
        parents: parent of each bone, -1 for the root.
        weights: (V, 104) skinning weights.
        base_vertices: (V,) index of each vertex in MakeHuman's base mesh, which names vertices for good.
    """

    def __init__(self) -> None:
        self._model = anny.Anny(phenotype_blendshapes="original", extrapolate_phenotypes=True)
        model = self._model
        hidden = get_face_segmentation_mask(model, list(_HIDDEN_PARTS)).numpy()
        faces = np.asarray(model.faces)[~hidden]
        self._kept = np.unique(faces)
        renumber = np.full(len(model.template_vertices), -1)
        renumber[self._kept] = np.arange(len(self._kept))
        self.faces: NDArray[np.int64] = renumber[faces]
        self.bones: list[str] = list(model.bone_labels)
        self.parents: list[int] = list(model.bone_parents)
        self.base_vertices: NDArray[np.int64] = model.base_mesh_vertex_indices.numpy()[self._kept]
        raw = self._raw(NEUTRAL)[0]
        distance, self.mirrored = cKDTree(raw).query(raw * MIRROR)
        if distance.max() > 0.002:
            raise RuntimeError(f"anny's mesh is not symmetric: {distance.max():.4f} m")
        self._mirrored_bones = [self.bones.index(swap_side(name)) for name in self.bones]
        dense = np.zeros((len(model.template_vertices), len(self.bones)))
        rows = np.arange(len(dense))[:, None]
        np.add.at(dense, (rows, model.vertex_bone_indices.numpy()), model.vertex_bone_weights.numpy())
        weights = dense[self._kept]
        self.weights: Float = (weights + weights[self.mirrored][:, self._mirrored_bones]) / 2

    def _raw(self, phenotypes: dict[str, float]) -> tuple[Float, Float]:
        values = {name: torch.tensor([value], dtype=torch.float64) for name, value in phenotypes.items()}
        with torch.no_grad():
            output = self._model(phenotype_kwargs=values)
        turn = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])  # from Z up, facing -Y
        vertices = output["rest_vertices"][0].numpy().astype(np.float64)[self._kept] @ turn.T
        return vertices, output["rest_bone_heads"][0].numpy().astype(np.float64) @ turn.T

    def shape(self, phenotypes: dict[str, float]) -> tuple[Float, Float]:
        """Vertices (V, 3) and bone heads (104, 3) in anny's own rest pose, feet on y = 0."""
        vertices, heads = self._raw(phenotypes)
        vertices = (vertices + MIRROR * vertices[self.mirrored]) / 2
        heads = (heads + MIRROR * heads[self._mirrored_bones]) / 2
        ground = np.array([0.0, vertices[:, 1].min(), 0.0])
        return vertices - ground, heads - ground


@dataclass(frozen=True)
class Skeleton:
    """SMPL's skeleton as mannequin-x describes SMPL-X's, made symmetric, feet on y = 0 at every shape.

    SMPL's hand joints, which SMPL-X lacks, are put at the mean of the four knuckles.

    Attributes:
        joints, joint_directions: (24, 3) at shape zero and (24, 3, 10) per shape number.
        fingers: anny's name of each finger bone and wrist to its place (left side) at shape zero.
        stature, stature_directions: top of the head, a number and (10,).
        ground, ground_directions: (3,) and (3, 10) what to add to get into SMPL-X's own frame (origin in the chest).
        raw_joints, raw_directions: (22, 3), (22, 3, 10) as mannequin-x has them, not symmetric, for the checks.
    """

    joints: Float
    joint_directions: Float
    fingers: dict[str, Float]
    stature: float
    stature_directions: Float
    ground: Float
    ground_directions: Float
    raw_joints: Float
    raw_directions: Float


def _finger_names() -> dict[str, str]:
    fingers = ("Thumb", "Index", "Middle", "Ring", "Pinky")
    return {f"finger{i}-{k}.L": f"L_{name}{k}" for i, name in enumerate(fingers, 1) for k in (1, 2, 3)}


def load_skeleton() -> Skeleton:
    """Read the calibration that ships with mannequin-x."""
    table: Any = mannequin_io.load_calibration()
    names = mannequin_io.load(kind="wooden").joint_names
    rest, directions = table.joint_rest.copy(), table.joint_dirs.copy()
    for hand, side in ((22, "L"), (23, "R")):
        knuckles = [names.index(f"{side}_{finger}1") for finger in ("Index", "Middle", "Ring", "Pinky")]
        rest[hand], directions[hand] = rest[knuckles].mean(0), directions[knuckles].mean(0)
    lowest = table.sole_y_rest.argmin()
    ground = np.array([0.0, table.sole_y_rest[lowest], 0.0])
    ground_directions = np.zeros((3, 10))
    ground_directions[1] = table.sole_y_dirs[lowest]
    joints, moved = rest[:24] - ground, directions[:24] - ground_directions
    return Skeleton(
        joints=(joints + MIRROR * joints[MIRRORED_JOINTS]) / 2,
        joint_directions=(moved + MIRROR[:, None] * moved[MIRRORED_JOINTS]) / 2,
        fingers={bone: rest[names.index(name)] - ground for bone, name in _finger_names().items()},
        stature=float(table.head_max_rest[1] - ground[1]),
        stature_directions=table.head_max_dirs[1] - ground_directions[1],
        ground=ground,
        ground_directions=ground_directions,
        raw_joints=rest[:22],
        raw_directions=directions[:22],
    )
