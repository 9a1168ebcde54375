"""When feet touch the ground: four curves beside the pose, kept as custom properties of the armature object.

They come from the motion file, go wherever the keys go, and can be edited. Motion without them is looked at instead.
"""

from __future__ import annotations

import numpy as np

from ..blender import compat, pose_curves

NAMES = ("Contact Left Heel", "Contact Left Toe", "Contact Right Heel", "Contact Right Toe")
"""Custom properties, 0 to 1, in the order of the motion file's columns."""

GROUP = "Contacts"

STANDS_M_S, LOW_M = 0.3, 0.06
"""Without curves a point touches the ground when it is slower and lower than this above the lowest it gets."""


def path_of(name: str) -> str:
    """RNA path of a custom property of an object."""
    return f'["{name}"]'


def key(armature, frames: np.ndarray, contacts: np.ndarray) -> None:
    """Key (T, 4) contacts on the armature's action."""
    maker = compat.curve_maker(armature)
    for column, name in enumerate(NAMES):
        make_property(armature, name)
        curve = maker.replace(path_of(name), 0, GROUP)
        pose_curves.set_keys(curve, frames, contacts[:, column])


def make_property(armature, name: str) -> None:
    """The custom property that a curve of contact is for."""
    if name not in armature:
        armature[name] = 0.0
        armature.id_properties_ui(name).update(
            min=0.0, max=1.0, description="Probability that this part of the foot touches the ground"
        )


def read(armature, frames: np.ndarray) -> np.ndarray | None:
    """(T, 4) contacts at `frames`; None if the armature's action has no curves of them."""
    curves = {curve.data_path: curve for curve in compat.curves_of(armature)}
    found = [curves.get(path_of(name)) for name in NAMES]
    if not all(curve is not None and len(curve.keyframe_points) for curve in found):
        return None
    contacts = np.stack([pose_curves.sample(curve, frames) for curve in found], axis=1)
    return contacts if contacts.max() > 0 else None


def look(points: np.ndarray, fps: float) -> np.ndarray:
    """(T, 4) contacts of (T, 4, 3) points of the soles (world, metres) judged by their height and speed."""
    if len(points) < 2:
        return np.zeros(points.shape[:2])
    speed = np.linalg.norm(np.gradient(points, axis=0), axis=-1) * fps
    ground = np.percentile(points[..., 2], 5, axis=0)
    return ((speed < STANDS_M_S) & (points[..., 2] < ground + LOW_M)).astype(np.float64)
