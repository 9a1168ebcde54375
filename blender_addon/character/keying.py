"""Motion onto the armature: quaternion keys without flips, and the pelvis' path, set in bulk.

Keys from what was seen and keys that were filled in are of different types, and each limb's confidence is a curve.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import bpy
import numpy as np

from ..blender import axes, compat, steps, timing
from ..blender.timing import CLIP_RATE, KEY_RATE, KEY_START
from . import contacts, evidence, feet
from .motion_io import Motion
from .rig import Rest

INTERPOLATION = "LINEAR"
"""Between the keys, which lie one frame apart: what a renderer's motion blur and a slower playback expect."""

SEEN, FILLED_IN = "KEYFRAME", "JITTER"
"""Types of keys: what a keypoint in the picture shows, and what was filled in."""

CONFIDENCE = "Confidence {limb}"
"""Name of an armature's custom properties with the confidence in each limb over time, 0 to 1."""


@dataclass(frozen=True)
class Keys:
    """Keys for one F-curve.

    Attributes:
        path, index, group: where they go.
        values: (T,).
        seen: (T,) bool, whether each comes from what was seen; None: all.
    """

    path: str
    index: int
    group: str
    values: np.ndarray
    seen: np.ndarray | None = None


@dataclass(frozen=True)
class Plan:
    """The keys of an action: `frames` (T,) and the curves. `motion` has name and rate."""

    name: str
    motion: Motion
    scene_rate: Fraction
    start: float
    frames: np.ndarray
    curves: list[Keys]


def apply(motion: Motion, rest: Rest, armature, scene_rate: Fraction, start: float) -> Any:
    """Key `motion` on `armature` in a new action.

    Args:
        motion: T frames.
        rest: rest pose of the armature.
        armature: object with the 24 bones.
        scene_rate: frames a second that the keys are laid out for.
        start: frame of the clip's time 0.

    Returns:
        The action.
    """
    action = steps.finish(key_steps(plan(motion, rest, scene_rate, start), armature))
    del action[steps.UNFINISHED]
    return action


def plan(motion: Motion, rest: Rest, scene_rate: Fraction, start: float) -> Plan:
    """What `apply` keys; touches no data of Blender's, so that a thread may do it.

    Keys whose limb was not seen are of another type, and the confidence in each limb becomes curves of its own.
    """
    names = rest.skeleton.names
    seen = evidence.seen_bones(motion, names)
    curves = _motion_curves(motion.poses, motion.pelvis_world, rest, seen)
    for limb, values in evidence.limb_confidence(motion).items():
        curves.append(Keys(f'["{CONFIDENCE.format(limb=limb.title())}"]', 0, "Confidence", values))
    if motion.contacts.any():
        touching = feet.touching(motion.contacts, float(motion.rate))
        columns = zip(contacts.NAMES, touching.T, strict=True)
        curves += [Keys(contacts.path_of(name), 0, contacts.GROUP, values) for name, values in columns]
    return Plan(motion.name, motion, scene_rate, start, _frames(motion, scene_rate, start), curves)


def plan_initial(motion: Motion, rest: Rest, scene_rate: Fraction, start: float) -> Plan:
    """The same for the motion before adaptation, which `motion` must have."""
    curves = _motion_curves(motion.initial_poses, motion.initial_pelvis_world, rest, None)
    name = f"{motion.name} before adaptation"
    return Plan(name, motion, scene_rate, start, _frames(motion, scene_rate, start), curves)


def key_steps(planned: Plan, armature) -> Generator[None, None, Any]:
    """Key a plan on `armature` in a new action, a curve a step; gives back the action."""
    for keys in planned.curves:
        if keys.group == "Confidence":
            _make_property(armature, keys.path[2:-2])
        elif keys.group == contacts.GROUP:
            contacts.make_property(armature, keys.path[2:-2])
    action, new_curve = compat.new_action(armature, planned.name)
    action[steps.UNFINISHED] = True  # whoever takes the steps takes it away
    motion = planned.motion
    action[CLIP_RATE], action[KEY_RATE] = str(motion.rate), str(planned.scene_rate)
    action[KEY_START] = float(planned.start)
    for keys in planned.curves:
        add_curve(new_curve, keys, planned.frames)
        yield
    return action


def _frames(motion: Motion, scene_rate: Fraction, start: float) -> np.ndarray:
    return timing.frames_at(motion.timestamps, motion.rate, scene_rate, start)


def _motion_curves(poses: np.ndarray, pelvis: np.ndarray, rest: Rest, seen: np.ndarray | None) -> list[Keys]:
    names = rest.skeleton.names
    rotations = continuous(axes.bone_rotations(poses, names))
    locations = axes.pelvis_locations(pelvis, rest.heads[0], names[0])
    of_bone = [None] * len(names) if seen is None else list(seen.T)
    curves = [
        Keys(f'pose.bones["{names[0]}"].location', index, names[0], locations[:, index], of_bone[0])
        for index in range(3)
    ]
    for joint, name in enumerate(names):
        path = f'pose.bones["{name}"].rotation_quaternion'
        curves += [Keys(path, index, name, rotations[:, joint, index], of_bone[joint]) for index in range(4)]
    return curves


def _make_property(armature, name: str) -> None:
    if name not in armature:
        armature[name] = 0.0
        armature.id_properties_ui(name).update(
            min=0.0, max=1.0, description="How sure the keypoints of this limb are; filled in where it is hidden"
        )


def continuous(rotations: np.ndarray) -> np.ndarray:
    """(T, J, 4) quaternions with the sign of each chosen so that neighbours in time are close; the first has w >= 0."""
    rotations = np.array(rotations, dtype=np.float64)
    along = (rotations[1:] * rotations[:-1]).sum(-1)
    first = np.where(rotations[:1, :, 0] < 0, -1.0, 1.0)
    signs = np.cumprod(np.concatenate([first, np.where(along < 0, -1.0, 1.0)]), axis=0)
    return rotations * signs[..., None]


def add_curve(new_curve, keys: Keys, frames: np.ndarray) -> None:
    """An F-curve with keys at `frames` (T,)."""
    points = np.empty((len(frames), 2), dtype=np.float32)
    points[:, 0], points[:, 1] = frames, keys.values
    curve = new_curve(keys.path, keys.index, keys.group)
    if keys.group == contacts.GROUP:
        contacts.write_ranges(curve, frames, keys.values)
        return
    curve.keyframe_points.add(len(frames))
    curve.keyframe_points.foreach_set("co", points.ravel())
    curve.keyframe_points.foreach_set("interpolation", np.full(len(frames), _number("interpolation", INTERPOLATION)))
    if keys.seen is not None and not keys.seen.all():
        kinds = np.where(keys.seen, _number("type", SEEN), _number("type", FILLED_IN))
        curve.keyframe_points.foreach_set("type", kinds.astype(np.int32))
    curve.update()


def _number(property_name: str, item: str) -> int:
    """The number that stands for an item of one of a key's enums, as `foreach_set` takes it."""
    return bpy.types.Keyframe.bl_rna.properties[property_name].enum_items[item].value


def retime(armature, rate: Fraction, first_frame: float | None = None) -> tuple[float, float]:
    """Lay the keys of the armature's action for another frame rate, so that the motion lasts as long as before.

    Args:
        armature: object with an action that `apply` made (edited since or not).
        rate: frames a second.
        first_frame: where the first key comes to lie; without it, time 0 of the clip stays at its frame.

    Returns:
        Frames of the first and the last key.
    """
    return retime_curves(armature.animation_data.action, compat.curves_of(armature), rate, first_frame)


def retime_curves(
    action, curves: Iterable[Any], rate: Fraction, first_frame: float | None = None, start: float | None = None
) -> tuple[float, float]:
    """`retime` for the curves of any action of ours, whoever uses it; with `start`, time 0 of the clip comes there."""
    ratio = float(rate / key_rate(action, rate))
    curves = [curve for curve in curves if len(curve.keyframe_points)]
    if not curves:
        return 0.0, 0.0
    first = min(curve.keyframe_points[0].co[0] for curve in curves)
    zero = action.get(KEY_START, 1.0)
    old, new = (zero, zero if start is None else start) if first_frame is None else (first, first_frame)
    ends = []
    for curve in curves:
        for part in ("co", "handle_left", "handle_right"):
            points = np.empty((len(curve.keyframe_points), 2), dtype=np.float32)
            curve.keyframe_points.foreach_get(part, points.ravel())
            frames = new + (points[:, 0].astype(np.float64) - old) * ratio
            whole = np.round(frames)
            # single precision of the old frames must not move a key off its frame
            near = np.maximum(1e-3, 16 * np.spacing(np.abs(points[:, 0]) * np.float32(max(ratio, 1.0))))
            points[:, 0] = np.where(np.abs(frames - whole) < near, whole, frames)
            curve.keyframe_points.foreach_set(part, points.ravel())
            if part == "co":
                ends += [float(points[0, 0]), float(points[-1, 0])]
        curve.update()
    action[KEY_RATE], action[KEY_START] = str(rate), float(new + (action.get(KEY_START, old) - old) * ratio)
    return min(ends), max(ends)


def add_rest_keys(armature, frame: float) -> None:
    """Key the rest pose at `frame`, which lies before all other keys, on every curve of a pose bone."""
    rest = {
        "rotation_quaternion": (1.0, 0.0, 0.0, 0.0),
        "rotation_axis_angle": (0.0, 0.0, 1.0, 0.0),
        "rotation_euler": (0.0, 0.0, 0.0),
        "location": (0.0, 0.0, 0.0),
        "scale": (1.0, 1.0, 1.0),
    }
    for curve in compat.curves_of(armature):
        values = rest.get(curve.data_path.rpartition(".")[2])
        if values and curve.data_path.startswith("pose.bones"):
            curve.keyframe_points.insert(frame, values[curve.array_index], options={"FAST"})
            curve.update()


def key_rate(action, default: Fraction) -> Fraction:
    """Frames a second that the action's keys were laid out for."""
    return Fraction(action.get(KEY_RATE, str(default)))


def clip_rate(action, default: Fraction) -> Fraction:
    """Frames a second of the clip that the action came from."""
    return Fraction(action.get(CLIP_RATE, str(default)))
