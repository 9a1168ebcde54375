"""When feet touch the ground: four curves beside the pose, kept as custom properties of the armature object.

They come from the motion file as ranges with a key at each end (`contact_edits` changes them), and go wherever the keys
go. Motion without them is looked at instead.
"""

from __future__ import annotations

from fractions import Fraction

import bpy
import numpy as np

from ..blender import compat, pose_curves, timing
from . import feet

NAMES = ("Contact Left Heel", "Contact Left Toe", "Contact Right Heel", "Contact Right Toe")
"""Custom properties, 0 to 1, in the order of the motion file's columns."""

GROUP = "Contacts"

STANDS_M_S, LOW_M = 0.3, 0.06
"""Without curves a point touches the ground when it is slower and lower than this above the lowest it gets."""


def path_of(name: str) -> str:
    """RNA path of a custom property of an object."""
    return f'["{name}"]'


def key(armature, frames: np.ndarray, contacts: np.ndarray) -> None:
    """Key (T, 4) contacts on the armature's action, as ranges."""
    maker = compat.curve_maker(armature)
    for column, name in enumerate(NAMES):
        make_property(armature, name)
        write_ranges(maker.replace(path_of(name), 0, GROUP), frames, np.asarray(contacts)[:, column] > feet.TOUCHES)


def write_ranges(curve, frames: np.ndarray, on: np.ndarray) -> None:
    """Give an empty curve held keys for (T,) whether something touches: 1 at the first and the last frame of a range,
    which the Dope Sheet joins by a bar, and 0 at the first frame after it."""
    edges = np.flatnonzero(on[1:] != on[:-1]) + 1
    kept = np.zeros(len(on), dtype=bool)
    kept[0] = True
    kept[edges] = True
    kept[edges[on[edges - 1]] - 1] = True
    kept[-1] |= on[-1]
    set_held(curve, np.asarray(frames)[kept], on[kept].astype(np.float64))


def set_held(curve, frames: np.ndarray, values: np.ndarray) -> None:
    """Give an empty curve keys (K,) whose values hold until the next."""
    points = curve.keyframe_points
    points.add(len(frames))
    points.foreach_set("co", np.stack([frames, values], axis=1).astype(np.float32).ravel())
    held = bpy.types.Keyframe.bl_rna.properties["interpolation"].enum_items["CONSTANT"].value
    points.foreach_set("interpolation", np.full(len(frames), held, dtype=np.int32))
    curve.update()


def make_property(armature, name: str) -> None:
    """The custom property that a curve of contact is for."""
    if name not in armature:
        armature[name] = 0.0
        armature.id_properties_ui(name).update(
            min=0.0, max=1.0, description="Whether this part of the foot touches the ground"
        )


def read(armature, frames: np.ndarray) -> np.ndarray | None:
    """(T, 4) bool, what touches at `frames`; None if the armature's action has no curves of it.

    Curves that hold their values are ranges, and taken as they are. Probabilities lose their shortest gaps and touches.
    """
    curves = curves_of(armature)
    if not curves:
        return None
    held = all(is_held(curve) for curve in curves.values())
    columns = [_sample(curves[name], frames) if name in curves else np.zeros(len(frames)) for name in NAMES]
    contacts = np.stack(columns, axis=1)
    if held:
        return contacts > feet.TOUCHES
    rate = Fraction(armature.animation_data.action.get(timing.KEY_RATE, "30"))
    return feet.touching(contacts, float(rate))


def curves_of(armature) -> dict[str, object]:
    """The curves of contact that have keys, by name."""
    names = {path_of(name): name for name in NAMES}
    found = {names[curve.data_path]: curve for curve in compat.curves_of(armature) if curve.data_path in names}
    return {name: curve for name, curve in found.items() if len(curve.keyframe_points)}


def is_held(curve) -> bool:
    """Whether all keys of a curve hold their values."""
    return all(point.interpolation == "CONSTANT" for point in curve.keyframe_points)


def _sample(curve, frames: np.ndarray) -> np.ndarray:
    if not is_held(curve) or len(curve.modifiers):
        return pose_curves.sample(curve, frames)
    keys = pose_curves.key_frames(curve)
    values = np.array([point.co[1] for point in curve.keyframe_points])
    return values[np.clip(np.searchsorted(keys, np.asarray(frames) + 2e-3, side="right") - 1, 0, len(keys) - 1)]


def look(points: np.ndarray, fps: float) -> np.ndarray:
    """(T, 4) contacts of (T, 4, 3) points of the soles (world, metres) judged by their height and speed."""
    if len(points) < 2:
        return np.zeros(points.shape[:2])
    speed = np.linalg.norm(np.gradient(points, axis=0), axis=-1) * fps
    ground = np.percentile(points[..., 2], 5, axis=0)
    return ((speed < STANDS_M_S) & (points[..., 2] < ground + LOW_M)).astype(np.float64)
