"""Names and order of the keypoints that detectors give. Left and right are the person's; mirrored names are pairs."""

from __future__ import annotations

from collections.abc import Sequence

_LIMBS = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")

MEDIAPIPE_33 = (
    "nose", "left_eye_inner", "left_eye", "left_eye_outer", "right_eye_inner", "right_eye", "right_eye_outer",
    "left_ear", "right_ear", "mouth_left", "mouth_right", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_pinky", "right_pinky", "left_index", "right_index", "left_thumb",
    "right_thumb", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle", "left_heel",
    "right_heel", "left_foot_index", "right_foot_index",
)  # fmt: skip

BODY_25 = (
    "nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist",
    "mid_hip", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "right_eye", "left_eye",
    "right_ear", "left_ear", "left_big_toe", "left_small_toe", "left_heel", "right_big_toe", "right_small_toe",
    "right_heel",
)  # fmt: skip
"""OpenPose's BODY_25."""

COCO_18 = (
    "nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist",
    "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "right_eye", "left_eye",
    "right_ear", "left_ear",
)  # fmt: skip
"""OpenPose's COCO model: COCO's 17 and the neck, in OpenPose's order."""

COCO_17 = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear",
    *(f"{side}_{part}" for part in _LIMBS for side in ("left", "right")),
)  # fmt: skip
"""The order of the COCO data set and of most detectors trained on it."""

JOINT_SETS: dict[str, tuple[str, ...]] = {
    "mediapipe_33": MEDIAPIPE_33,
    "body_25": BODY_25,
    "coco_18": COCO_18,
    "coco_17": COCO_17,
}

LIMBS = tuple(f"{side}_{part}" for side in ("left", "right") for part in _LIMBS)
"""The twelve keypoints that all sets share and that carry the pose."""

ARM_PARTS = ("elbow", "wrist", "pinky", "index", "thumb")
LEG_PARTS = ("knee", "ankle", "heel", "foot_index", "big_toe", "small_toe")
"""Parts beyond shoulders and hips, which a detector may exchange while the trunk is right."""

BONES = (
    ("left_shoulder", "right_shoulder"), ("left_hip", "right_hip"), ("left_shoulder", "left_hip"),
    ("right_shoulder", "right_hip"), ("left_shoulder", "left_elbow"), ("left_elbow", "left_wrist"),
    ("right_shoulder", "right_elbow"), ("right_elbow", "right_wrist"), ("left_hip", "left_knee"),
    ("left_knee", "left_ankle"), ("right_hip", "right_knee"), ("right_knee", "right_ankle"),
    ("left_ankle", "left_heel"), ("right_ankle", "right_heel"), ("left_heel", "left_foot_index"),
    ("right_heel", "right_foot_index"), ("left_ankle", "left_big_toe"), ("right_ankle", "right_big_toe"),
    ("left_ear", "left_eye"), ("right_ear", "right_eye"), ("left_eye", "nose"), ("right_eye", "nose"),
)  # fmt: skip
"""Pairs to draw lines between; of each set, those whose both ends it has."""


def mirrored_name(name: str) -> str:
    """The name on the other side of the body: `left_knee` of `right_knee`, `nose` of `nose`."""
    swapped = {"left": "right", "right": "left"}
    return "_".join(swapped.get(word, word) for word in name.split("_"))


def mirror_order(names: Sequence[str]) -> list[int]:
    """Order in which keypoints `names` must be taken to exchange left and right. Its own inverse."""
    return [names.index(mirrored_name(name)) for name in names]


def pairs(names: Sequence[str], parts: Sequence[str] | None = None) -> list[tuple[int, int]]:
    """Indices (left, right) of the mirrored keypoints of a set, all or those of some `parts` such as `knee`."""
    return [
        (index, names.index(mirrored_name(name)))
        for index, name in enumerate(names)
        if "left" in name.split("_") and (parts is None or name.removeprefix("left_") in parts)
    ]
