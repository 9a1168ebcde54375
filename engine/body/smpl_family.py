"""SMPL-H and SMPL-X files as bodies with SMPL's 24 joints: fingers move with the hand, jaw and eyes with the head.

Legend: V vertices, J joints of the file. Shape numbers stay those of the file's own shape space.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

SMPL_JOINTS = 24
_SHARED = 22  # pelvis to right wrist: the same in all three
_HEAD = 15
_PARTS_A_FINGER, _FINGERS = 3, 5
_KNUCKLES = 4  # of the fingers in the files' order (index, middle, little, ring, thumb): all but the thumb


@dataclass(frozen=True)
class _Relative:
    """A body of the family: where its joints differ from SMPL's.

    Attributes:
        kind: name for the motion file.
        face: joints that move with the head.
        hands: first joint of the left and of the right hand, each with 15.
    """

    kind: str
    face: tuple[int, ...]
    hands: tuple[int, int]

    def members(self, hand: int) -> list[int]:
        """The joints of one hand."""
        return list(range(self.hands[hand], self.hands[hand] + _PARTS_A_FINGER * _FINGERS))


_RELATIVES = {52: _Relative("smplh", (), (22, 37)), 55: _Relative("smplx", (22, 23, 24), (25, 40))}
"""By the number of joints."""

SMPLX_VERTICES: dict[str, int] = {
    "nose": 9120, "right_eye": 9929, "left_eye": 9448, "right_ear": 616, "left_ear": 6,
    "left_big_toe": 5770, "left_small_toe": 5780, "left_heel": 8846,
    "right_big_toe": 8463, "right_small_toe": 8474, "right_heel": 8635,
}  # fmt: skip
"""Vertices of the SMPL-X mesh (10475 vertices) that lie at keypoints, as in smplx."""
_SMPLX_VERTEX_COUNT = 10475


def as_smpl(arrays: Mapping[str, Array]) -> dict[str, Array]:
    """`arrays` of a SMPL-H or SMPL-X file as SMPL's would be; those of a body with other joints unchanged.

    SMPL's hand joint stands at the mean of the knuckles and turns all fingers, whose own corrective shapes act as if
    every finger turned with it. Expressions and the corrective shapes of jaw and eyes are left out.

    Raises:
        ValueError: the arrays do not fit together.
    """
    tree = arrays.get("kintree_table")
    relative = _RELATIVES.get(tree.shape[1]) if tree is not None and tree.ndim == 2 else None
    if tree is None or relative is None:
        return dict(arrays)
    count, vertices = tree.shape[1], len(arrays["v_template"])
    wanted = {
        "weights": (vertices, count),
        "J_regressor": (count, vertices),
        "posedirs": (vertices, 3, 9 * (count - 1)),
    }
    for name, shape in wanted.items():
        if name not in arrays or arrays[name].shape != shape:
            found = arrays[name].shape if name in arrays else "missing"
            raise ValueError(f"{name} is {found}, not {shape}")
    converted = dict(arrays)
    converted["weights"] = _weights(arrays["weights"], relative)
    converted["J_regressor"] = _regressor(arrays["J_regressor"], relative)
    converted["posedirs"] = _pose_directions(arrays["posedirs"], relative)
    converted["kintree_table"] = _tree(tree)
    converted["surface_model_type"] = np.array(relative.kind)
    if vertices == _SMPLX_VERTEX_COUNT and "landmark_names" not in arrays:
        converted["landmark_names"] = np.array(list(SMPLX_VERTICES))
        converted["landmark_vertices"] = np.array(list(SMPLX_VERTICES.values()))[:, None]
    return converted


def _weights(weights: Array, relative: _Relative) -> Array:
    shared = weights[:, :_SHARED].copy()
    shared[:, _HEAD] += weights[:, list(relative.face)].sum(1)
    hands = [weights[:, relative.members(hand)].sum(1) for hand in range(2)]
    return np.column_stack((shared, *hands))


def _regressor(regressor: Array, relative: _Relative) -> Array:
    knuckles = [relative.members(hand)[::_PARTS_A_FINGER][:_KNUCKLES] for hand in range(2)]
    return np.vstack((regressor[:_SHARED], *(regressor[joints].mean(0) for joints in knuckles)))


def _pose_directions(directions: Array, relative: _Relative) -> Array:
    by_joint = directions.reshape(*directions.shape[:2], -1, 9)  # joint 1 first: the root has none
    roots = [[joint - 1 for joint in relative.members(hand)[::_PARTS_A_FINGER]] for hand in range(2)]
    hands = [by_joint[:, :, joints].sum(2, keepdims=True) for joints in roots]
    joined = np.concatenate((by_joint[:, :, : _SHARED - 1], *hands), 2)
    return joined.reshape(*directions.shape[:2], -1)


def _tree(tree: Array) -> Array:
    """The shared part with a hand at each wrist."""
    parents = [*tree[0, :_SHARED].astype(np.int64), 20, 21]
    return np.array([parents, range(SMPL_JOINTS)], np.int64)


def gender_of(path: Path) -> str:
    """`male`, `female` or `neutral`, from the file's name, else from that of its folder (AMASS: `male/model.npz`)."""
    for name in (path.stem.lower(), path.parent.name.lower()):
        words = re.split(r"[^a-z]+", name)
        for gender, marks in _GENDERS.items():
            if any(mark in words for mark in marks):
                return gender
    return "neutral"


_GENDERS = {
    "neutral": ("neutral", "n"),
    "female": ("female", "f"),
    "male": ("male", "m"),
}
