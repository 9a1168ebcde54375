"""A character's motion as an AMASS file, with what was edited in Blender: SMPL's poses for other SMPL tools."""

from __future__ import annotations

import contextlib
import os
import uuid
from pathlib import Path

import numpy as np

from ..blender import axes, pose_curves, rotations
from ..character import keying, motion_io, scene
from ..cleanup import edits
from ..cleanup.root_motion import object_path
from ..errors import UserError

BODY_JOINTS, JOINTS, SHAPES = 22, 52, 16
"""AMASS has SMPL-H's joints: the body's, then fifteen of each hand, at rest here; and sixteen shape numbers."""


_PELVIS = (0.0, -0.3514, 0.012)  # of the open body at rest, as in presets/armature.json


def write(armature, path: str | Path, default_rate) -> Path:
    """Write the armature's action at its clip's rate.

    Args:
        armature: a character of ours.
        path: file to write, `.npz`.
        default_rate: frames a second of an action that does not state it (Fraction).

    Raises:
        UserError: there is no such motion, or the file cannot be written.
    """
    path = Path(path).absolute()
    arrays = read(armature, default_rate)
    temporary = path.with_name(f".{path.name}-{uuid.uuid4().hex[:8]}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            np.savez(file, **arrays)
        os.replace(temporary, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise UserError(
            f"{path} could not be written: {error.strerror}.", "Check the folder and the free space."
        ) from error
    return path


def read(armature, default_rate) -> dict[str, np.ndarray]:
    """The arrays of an AMASS file, from an armature's action."""
    names = motion_io.read_skeleton().names
    if armature is None or not set(names) <= set(armature.data.bones.keys()):
        raise UserError("Only an adapted character can be written as AMASS.", "Select the armature of an adapted clip.")
    action = armature.animation_data.action if armature.animation_data else None
    if action is None:
        raise UserError(f"{armature.name} has no motion to export.", "Adapt a clip, or choose an action for it.")
    rate = keying.clip_rate(action, default_rate)
    subject = edits.read(armature, _clip_frames(armature, action, rate, default_rate))
    _, path = object_path(armature, subject, subject.poses.frames)
    orientation, heads = subject.poses.forward()
    poses = np.zeros((len(heads), JOINTS, 3))
    for joint, name in enumerate(names[:BODY_JOINTS]):
        bone = subject.poses.bones.index(name)
        to_bone = rotations.from_matrices(axes.SMPL_TO_BLENDER.T @ axes.bone_axes(name))
        back = rotations.inverse(to_bone)
        if joint:
            turned = rotations.multiply(rotations.multiply(to_bone, subject.poses.turns[:, bone]), back)
        else:
            turned = rotations.multiply(rotations.multiply(path.turn, orientation[:, bone]), back)
        poses[:, joint] = rotations.log(turned)
    root = subject.bone("pelvis")
    pelvis = rotations.turn(path.turn, heads[:, root] * subject.figure.placing.scale) + path.origin
    rest_pelvis, betas = _shape(armature)
    return {
        "poses": poses.reshape(len(poses), -1),
        "trans": pelvis - rest_pelvis,
        "betas": np.pad(betas, (0, SHAPES - len(betas))),
        "dmpls": np.zeros((len(poses), 8)),
        "gender": np.array("neutral"),
        "mocap_framerate": np.array(float(rate)),
    }


def _clip_frames(armature, action, rate, default_rate) -> np.ndarray:
    """(T,) frames of the scene at which the clip has its own."""
    keys = pose_curves.read(armature).frames
    step = float(keying.key_rate(action, default_rate) / rate)
    count = int(np.floor((keys[-1] - keys[0]) / step + 0.01)) + 1
    return keys[0] + np.arange(count) * step


def _shape(armature) -> tuple[np.ndarray, np.ndarray]:
    """(3,) pelvis of the body at rest in SMPL's axes, and shape numbers: of the motion file, else the open body."""
    try:
        motion = motion_io.read_some(armature.get(scene.PERSON, ""), "joints3d_world", "trans", "betas")
    except (UserError, IndexError):
        return np.array(_PELVIS), np.zeros(10)
    rest = motion["joints3d_world"][0, 0].astype(np.float64) - motion["trans"][0]
    return rest, motion["betas"].astype(np.float64)
