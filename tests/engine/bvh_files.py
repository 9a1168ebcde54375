"""BVH files of the training tests' own making: a T-posed skeleton with any motion, and ways to spoil it."""

import csv
import json

import numpy as np
from scipy.spatial.transform import Rotation

from engine.body.smpl_file import PARENTS
from engine.training.figure import INDEX, JOINTS
from engine.training.source_pose import JointMap

# Another skeleton than any of ours: straight limbs, wide hips far under the root, a long flat foot; centimetres
OFFSETS = {
    "pelvis": (0, 0, 0),
    "left_hip": (9, -6, 2),
    "left_knee": (0, -44, 0),
    "left_ankle": (0, -43, 0),
    "left_foot": (0, -4, 14),
    "spine1": (0, 9, 0),
    "spine2": (0, 13, 0),
    "spine3": (0, 12, 0),
    "neck": (0, 20, -1),
    "head": (0, 9, 2),
    "left_collar": (2, 16, 0),
    "left_shoulder": (16, 1, -2),
    "left_elbow": (29, 0, 0),
    "left_wrist": (26, 0, 0),
    "left_hand": (9, 0, 0),
}
NAMES = {name: f"s_{name}" for name in JOINTS}
JOINT_MAP = JointMap(NAMES)
STANDING_CM = 6 + 44 + 43 + 8


def offset(name):
    own = OFFSETS.get(name)
    return np.array(own or np.array(OFFSETS[name.replace("right", "left")]) * (-1, 1, 1), dtype=float)


def still(frames):
    """Euler angles (T, 24, 3) of the T-pose and root positions (T, 3), centimetres."""
    return np.zeros((frames, 24, 3)), np.tile([0.0, STANDING_CM, 0.0], (frames, 1))


def hanging(frames):
    """The same with the arms down."""
    angles, root = still(frames)
    angles[:, INDEX["left_shoulder"], 0], angles[:, INDEX["right_shoulder"], 0] = -75, 75
    return angles, root


def bvh_text(angles, root, scale=1.0, frame_time=1 / 30, leave_out=()):
    """The text of a BVH file.

    Args:
        angles: (T, 24, 3) degrees about z, y, x of each joint.
        root: (T, 3) centimetres.
        scale: what lengths are multiplied with.
        frame_time: seconds.
        leave_out: SMPL names of end joints that the file shall lack.
    """
    children = {j: [k for k in range(24) if PARENTS[k] == j and JOINTS[k] not in leave_out] for j in range(24)}
    lines, order = ["HIERARCHY"], []

    def write(j, depth):
        pad = "  " * depth
        order.append(j)
        place = " ".join(f"{v * scale:.6f}" for v in offset(JOINTS[j]))
        kind = "ROOT" if j == 0 else "JOINT"
        lines.extend([f"{pad}{kind} {NAMES[JOINTS[j]]}", f"{pad}{{", f"{pad}  OFFSET {place}"])
        positions = "Xposition Yposition Zposition " if j == 0 else ""
        lines.append(f"{pad}  CHANNELS {6 if j == 0 else 3} {positions}Zrotation Yrotation Xrotation")
        for child in children[j]:
            write(child, depth + 1)
        if not children[j]:
            lines.extend([f"{pad}  End Site", f"{pad}  {{", f"{pad}    OFFSET 0 0 1", f"{pad}  }}"])
        lines.append(f"{pad}}}")

    write(0, 0)
    lines.extend(["MOTION", f"Frames: {len(angles)}", f"Frame Time: {frame_time:.7f}"])
    for pose, place in zip(angles, root, strict=True):
        lines.append(" ".join(f"{v:.6f}" for v in (*(place * scale), *pose[order].ravel())))
    return "\n".join(lines) + "\n"


def write_bvh(path, *args, **kwargs):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(bvh_text(*args, **kwargs))
    return path


def matrices(angles):
    """(…, 3, 3) from Euler angles as the files hold them."""
    return Rotation.from_euler("ZYX", angles.reshape(-1, 3), degrees=True).as_matrix().reshape(*angles.shape[:-1], 3, 3)


def write_tables(folder, labels, performers):
    """The tables beside the BVH files of `folder`, whose source is called mine."""
    for name, rows in (("labels", labels), ("provenance", performers)):
        with (folder / f"{name}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
    (folder / "skeletons.json").write_text(json.dumps({"sources": {"mine": {"smpl_map": NAMES}}}))
