"""A BVH file of anybody's skeleton as SMPL motion, its joints found by the names that rigs commonly give them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from engine.body.model import load_body
from engine.errors import UsageError
from engine.training.bvh import read_bvh
from engine.training.figure import Floats, figure_of, vectors
from engine.training.retarget import FPS, retarget
from engine.training.source_pose import JointMap, read_joint_maps

_TO_Z_UP = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
_MIDDLE = {
    "pelvis": ("pelvis", "hips", "hip", "root"),
    "spine1": ("spine1", "lowerback", "spine", "abdomen"),
    "spine2": ("spine2", "upperback", "chest"),
    "spine3": ("spine3", "thorax", "upperchest", "chest2"),
    "neck": ("neck", "lowerneck", "neck1"),
    "head": ("head",),
}
_SIDED = {
    "hip": ("hip", "upleg", "upperleg", "thigh", "femur"),
    "knee": ("knee", "leg", "lowerleg", "shin", "calf", "tibia"),
    "ankle": ("ankle", "foot"),
    "foot": ("toe", "toes", "toebase", "ball", "foot"),
    "collar": ("collar", "clavicle", "shoulder"),
    "shoulder": ("arm", "upperarm", "uparm", "humerus", "shoulder", "shldr"),
    "elbow": ("elbow", "forearm", "lowerarm", "lowarm", "radius"),
    "wrist": ("wrist", "hand"),
    "hand": ("fingers", "hand", "fingerbase"),
}


def read_bvh_motion(path: Path, skeletons: Path | None = None) -> tuple[Floats, float]:
    """Read a BVH file as SMPL motion.

    Args:
        path: the file; its joint frames are axis-aligned in its T-pose, as rigs mostly have it.
        skeletons: table of joint maps; the first whose joints the file has is taken. By common names if left out.

    Returns:
        (T, 24, 3) axis-angle, the root's in a world with z up, and frames per second.

    Raises:
        UsageError: the file is damaged (by line), or its joints are not recognised.
    """
    clip = read_bvh(path, FPS)
    maps = list(read_joint_maps(skeletons).values()) if skeletons else [joint_map_by_names(clip.names, path)]
    needed = ({n for n in (*m.rotations.values(), *m.positions.values()) if n} for m in maps)
    fitting = [m for m, names in zip(maps, needed, strict=True) if names <= set(clip.names)]
    if not fitting:
        raise UsageError(f"{path.name}: no joint map of {skeletons} fits its joints.", "Add one for this skeleton.")
    motion, _ = retarget(clip, fitting[0], figure_of(load_body(None)))
    rotations = motion.rotations.copy()
    rotations[:, 0] = _TO_Z_UP @ rotations[:, 0]
    return vectors(rotations), motion.fps


def joint_map_by_names(names: Sequence[str], path: Path) -> JointMap:
    """Which joint is which, by common names (SMPL, Mixamo, Blender's Rigify, Acclaim, MotionBuilder).

    Raises:
        UsageError: a limb's joint is not found.
    """
    plain = {_plain(name): name for name in reversed(names)}
    found: dict[str, str | None] = {}
    for joint, words in _MIDDLE.items():
        found[joint] = next((plain[word] for word in words if word in plain), None)
    for side in ("left", "right"):
        taken: set[str] = set()
        for joint, words in _SIDED.items():
            name = next(
                (plain[k] for word in words for k in _sided(side, word) if plain.get(k, "") not in ("", *taken)), None
            )
            if name:
                taken.add(name)
            found[f"{side}_{joint}"] = name
    try:
        return JointMap(found)
    except UsageError as error:
        raise UsageError(f"{path.name}: {error.message}", "Give a table of joint maps with --skeletons.") from error


def _plain(name: str) -> str:
    """A joint's name without its rig's prefix, marks and case."""
    return re.sub(r"[^a-z0-9]", "", name.split(":")[-1].lower().removeprefix("mixamorig").removeprefix("bip01"))


def _sided(side: str, word: str) -> tuple[str, ...]:
    letter = side[0]
    return f"{side}{word}", f"{letter}{word}", f"{word}{letter}", f"{word}{side}"
