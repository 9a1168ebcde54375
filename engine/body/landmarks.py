"""How the keypoints that detectors see are got from the body.

Every keypoint is a point of the skin (nose tip, heel, …), or a weighted mean of joints. Names are those of
`engine.keypoints.joint_sets`, and left is the person's left.
"""

from __future__ import annotations

from dataclasses import dataclass

JOINT_NAMES = (
    "pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2", "left_ankle", "right_ankle",
    "spine3", "left_foot", "right_foot", "neck", "left_collar", "right_collar", "head", "left_shoulder",
    "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hand", "right_hand",
)  # fmt: skip
"""The 24 SMPL joints in SMPL's order."""

SMPL_VERTICES: dict[str, int] = {
    "nose": 332, "right_eye": 6260, "left_eye": 2800, "right_ear": 4071, "left_ear": 583,
    "left_big_toe": 3216, "left_small_toe": 3226, "left_heel": 3387,
    "right_big_toe": 6617, "right_small_toe": 6624, "right_heel": 6787,
}  # fmt: skip
"""Vertices of the official SMPL mesh (6890 vertices) that lie at keypoints, as in smplx."""
SMPL_VERTEX_COUNT = 6890


@dataclass(frozen=True)
class Landmark:
    """A keypoint on the body.

    Attributes:
        vertex: name of the surface point in the body's table of vertices; empty if the landmark is a mean of joints.
        joints: SMPL joints with weights that sum to 1, where there is no vertex.
    """

    vertex: str = ""
    joints: tuple[tuple[str, float], ...] = ()


def _vertex(name: str) -> dict[str, Landmark]:
    return {f"{side}_{name}": Landmark(vertex=f"{side}_{name}") for side in ("left", "right")}


def _joint(name: str) -> dict[str, Landmark]:
    return {f"{side}_{name}": Landmark(joints=((f"{side}_{name}", 1.0),)) for side in ("left", "right")}


def _mix(**weights: float) -> Landmark:
    return Landmark(joints=tuple(weights.items()))


LANDMARKS: dict[str, Landmark] = {
    "nose": Landmark("nose"),
    **_vertex("eye_inner"),
    **_vertex("eye"),
    **_vertex("eye_outer"),
    **_vertex("ear"),
    **{f"mouth_{side}": Landmark(f"mouth_{side}") for side in ("left", "right")},
    **_joint("shoulder"),
    **_joint("elbow"),
    **_joint("wrist"),
    **_vertex("pinky"),
    **_vertex("index"),
    **_vertex("thumb"),
    "left_hip": _mix(pelvis=0.34, left_hip=1.08, right_hip=-0.42),
    "right_hip": _mix(pelvis=0.34, left_hip=-0.42, right_hip=1.08),
    **_joint("knee"),
    **_joint("ankle"),
    **_vertex("heel"),
    **{f"{side}_foot_index": Landmark(f"{side}_big_toe") for side in ("left", "right")},
    **_vertex("big_toe"),
    **_vertex("small_toe"),
    "neck": _mix(left_shoulder=0.5, right_shoulder=0.5),
    "mid_hip": _mix(pelvis=0.34, left_hip=0.33, right_hip=0.33),
}
"""Keypoint name to where it lies on the body: MediaPipe's 33, OpenPose's 25 and COCO's.

Detectors put the hips wider apart and higher than SMPL's hip joints, which are fitted to how the skin moves (12 cm
apart). Two measurements differ: in 391 pictures drawn of the open body the default detector's hips lie 17 cm apart and
5 cm higher than SMPL's; in triangulated footage of one man 19 cm apart and hardly higher. This is the middle of the
two. Both hips are fixed to the pelvis, so one follows from the other."""
