"""The action as an asset: found by its label in the asset browser, with a picture of its poses.

The picture is drawn here as a stick figure, since Blender renders none for actions without a window.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..blender import compat, rotations
from ..character import motion_io, scene
from ..cleanup import edits
from ..errors import UserError
from ..retarget import bone_maps

SIZE = 256
"""Pixels of the picture's sides."""

POSES = 4
_LINES = (
    ("pelvis", "spine3"), ("spine3", "neck"), ("neck", "head"),
    *((f"{side}_{one}", f"{side}_{two}") for side in ("left", "right")
      for one, two in (("hip", "knee"), ("knee", "ankle"), ("ankle", "foot"), ("collar", "shoulder"),
                       ("shoulder", "elbow"), ("elbow", "wrist"))),
    ("pelvis", "left_hip"), ("pelvis", "right_hip"), ("left_hip", "right_hip"), ("left_shoulder", "right_shoulder"),
)  # fmt: skip
_LEFT, _RIGHT, _MIDDLE = (0.35, 0.62, 0.95), (0.95, 0.55, 0.25), (0.9, 0.9, 0.9)


def mark(armature, labels: list[str] | None = None):
    """Make the armature's action an asset with its labels as tags and a picture; gives back the action.

    Args:
        armature: character or retargeted rig.
        labels: tags; without them those of the motion file.

    Raises:
        UserError: there is no motion, or the armature is linked.
    """
    subject = edits.read(armature)
    if armature.library is not None:
        raise UserError(f"{armature.name} is linked from another file.", "Make a library override of it first.")
    action = compat.local_action(armature)
    found = labels if labels is not None else labels_of(armature)
    action.asset_mark()
    data = action.asset_data
    for label in [label.strip() for label in found if label.strip()]:
        if label not in data.tags:
            data.tags.new(label)
    data.description = ", ".join(found) or action.name
    picture = draw(subject)
    preview = action.preview_ensure()
    preview.image_size = (SIZE, SIZE)
    preview.image_pixels_float.foreach_set(picture.ravel())
    return action


def labels_of(armature) -> list[str]:
    """Labels of the motion file that the action or its armature came from, most frequent first; none if it is gone."""
    path = Path(armature.animation_data.action.get(scene.PERSON) or armature.get(scene.PERSON, ""))
    try:
        names, counts = np.unique(motion_io.read_some(path, "labels")["labels"], return_counts=True)
    except UserError:
        return []
    return [str(names[index]) for index in np.argsort(-counts) if names[index]]


def draw(subject: edits.Subject) -> np.ndarray:
    """(SIZE, SIZE, 4) picture from the bottom up: a few poses side by side, seen half from the front."""
    motion = subject.motion()
    joints = [joint for joint in bone_maps.JOINTS if joint in subject.figure.joints]
    if not joints:
        raise UserError("The action moves no joints.", "Choose the action of the adapted motion.")
    rows = np.linspace(0, len(motion.heads) - 1, POSES).round().astype(int)
    heads = motion.heads[rows][:, [subject.figure.joints[joint] for joint in joints]]
    root = subject.bone("pelvis")
    first = rotations.multiply(motion.turns[rows[0], root], rotations.inverse(subject.figure.rest[root]))
    facing = rotations.about_z(np.array(np.pi / 5 - float(rotations.yaw(first))))
    seen = rotations.turn(facing, heads - heads[:, :1] * [1, 1, 0])[..., [0, 2]]
    height = np.ptp(seen[..., 1])
    scale = 0.86 * SIZE / max(float(height), 1e-6)
    picture = np.zeros((SIZE, SIZE, 4))
    picture[...] = (0.16, 0.17, 0.19, 1.0)
    for number, pose in enumerate(seen):
        place = (number + 0.5) / POSES * SIZE
        pixels = (pose - [0, seen[..., 1].min()]) * scale * [0.6, 1] + [place, 0.07 * SIZE]
        points = dict(zip(joints, pixels, strict=True))
        for start, end in _LINES:
            if start in points and end in points:
                side = start.partition("_")[0]
                colour = {"left": _LEFT, "right": _RIGHT}.get(side, _MIDDLE)
                _line(picture, points[start], points[end], colour if side == end.partition("_")[0] else _MIDDLE)
    return picture.astype(np.float32)


def _line(picture: np.ndarray, start: np.ndarray, end: np.ndarray, colour: tuple, width: float = 3.0) -> None:
    """Draw a line with soft edges: every pixel by its distance."""
    y, x = np.mgrid[0:SIZE, 0:SIZE] + 0.5
    along = end - start
    share = np.clip(((x - start[0]) * along[0] + (y - start[1]) * along[1]) / max(float(along @ along), 1e-9), 0, 1)
    distance = np.hypot(x - start[0] - share * along[0], y - start[1] - share * along[1])
    cover = np.clip(width / 2 + 0.5 - distance, 0, 1)[..., None]
    picture[..., :3] = picture[..., :3] * (1 - cover) + np.array(colour) * cover
