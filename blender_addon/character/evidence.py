"""What of a motion was seen, and what was filled in: from 2D keypoints to bones and limbs. NumPy only, no `bpy`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # numpy is imported where it is used: some builds of Blender lack it
    import numpy as np

    from .motion_io import Motion

DETECTED, FILLED = 1, 2
"""`keypoints2d_origin` of the motion file; 0 is none."""

_FACE = ("nose", "left_eye", "right_eye", "left_ear", "right_ear")
_TRUNK = ("left_shoulder", "right_shoulder", "left_hip", "right_hip")

BONE_POINTS: dict[str, tuple[str, ...]] = {
    "pelvis": ("left_hip", "right_hip"),
    **dict.fromkeys(("spine1", "spine2", "spine3"), _TRUNK),
    "neck": ("left_shoulder", "right_shoulder", "nose", "left_ear", "right_ear"),
    "head": _FACE,
}
"""Bone to the keypoints that show how it is turned: those of its far end."""
for _side in ("left", "right"):
    _hand = tuple(f"{_side}_{part}" for part in ("index", "pinky", "thumb"))
    _foot = tuple(f"{_side}_{part}" for part in ("heel", "foot_index", "big_toe"))
    BONE_POINTS |= {
        f"{_side}_collar": (f"{_side}_shoulder",),
        f"{_side}_shoulder": (f"{_side}_elbow",),
        f"{_side}_elbow": (f"{_side}_wrist",),
        f"{_side}_wrist": _hand,
        f"{_side}_hand": _hand,
        f"{_side}_hip": (f"{_side}_knee",),
        f"{_side}_knee": (f"{_side}_ankle",),
        f"{_side}_ankle": _foot,
        f"{_side}_foot": _foot,
    }

LIMBS: dict[str, tuple[str, ...]] = {
    "head": _FACE,
    "trunk": _TRUNK,
    "left arm": ("left_elbow", "left_wrist"),
    "right arm": ("right_elbow", "right_wrist"),
    "left leg": ("left_knee", "left_ankle"),
    "right leg": ("right_knee", "right_ankle"),
}
"""Limb to its keypoints."""


def seen_bones(motion: Motion, bones: list[str]) -> np.ndarray:
    """(T, N) whether each of N bones was seen: at least half of the keypoints that show its turn were detected.

    A bone whose keypoints the detector does not know goes with the bone before it in the limb: a hand with its wrist.
    Without keypoints in the motion file everything counts as seen.
    """
    import numpy as np

    seen = np.ones((motion.frame_count, len(bones)), dtype=bool)
    names = list(motion.keypoint_names)
    if not names:
        return seen
    stand_in = {"wrist": "elbow", "hand": "elbow", "ankle": "knee", "foot": "knee"}
    for column, bone in enumerate(bones):
        points = [names.index(name) for name in BONE_POINTS.get(bone, ()) if name in names]
        side, _, part = bone.partition("_")
        if not points and part in stand_in:
            points = [names.index(name) for name in BONE_POINTS[f"{side}_{stand_in[part]}"] if name in names]
        if points:
            seen[:, column] = (motion.keypoints2d_origin[:, points] == DETECTED).mean(1) >= 0.5
    return seen


def limb_confidence(motion: Motion) -> dict[str, np.ndarray]:
    """Limb to (T,) mean confidence (0..1) of its keypoints, missing ones counting 0; {} without keypoints."""
    import numpy as np

    names = list(motion.keypoint_names)
    confidence = np.where(motion.keypoints2d_origin > 0, motion.keypoints2d[..., 2], 0.0) if names else None
    found = {}
    for limb, wanted in LIMBS.items():
        points = [names.index(name) for name in wanted if name in names]
        if points:
            found[limb] = np.clip(confidence[:, points].mean(1), 0.0, 1.0)
    return found
