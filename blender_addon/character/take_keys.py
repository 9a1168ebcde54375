"""Other motions for a hidden stretch: the in-filler's draws, laid into the NLA to choose from, and kept."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...engine.files.array_file import ArrayFileError, read_arrays
from ...engine.files.array_tables import MOST_MOTION_BYTES, TAKES
from ..blender import axes, compat
from ..errors import UserError
from . import clip_times, comparison, evidence, keying, layers, pin_keys, pins, run_files
from .proposed import MARK, MOST, STRETCH, choose, discard, tracks

if TYPE_CHECKING:
    from .motion_io import Motion

TRACK, BASE = "Take {number}: {what}, {scores}", "Takes: as it was"
SCORES = "{similarity:.2f} alike, slides {slide:.0f} mm, {off:.0f} px off"
"""Similarity with the label, how far standing feet slide in a tenth of a second, and how far the whole take lies from
the keypoints that are seen."""
KINDS = {"draw": "", "label": "", "phase": " out of step", "mirrored": " mirrored"}
_NAME_LETTERS = 63
"""Of what Blender calls tracks and actions."""
_BLEND_S = 0.2


def stretch_at(armature, time_s: float) -> tuple[float, float]:
    """First and last second of the hidden stretch at a time, or the nearest one. Raises UserError as `propose`."""
    _, takes = _of(armature)
    start, end = takes["stretches"][_number_at(takes, time_s)].tolist()
    return start, end


def propose(armature, time_s: float) -> int:
    """Lay the takes of the hidden stretch at a time, or the nearest one, into the NLA; gives back how many.

    Raises:
        UserError: nothing is hidden, or the file with the takes is gone or none of this motion.
    """
    if layers.is_split(armature):
        raise UserError(f"The motion of {armature.name} is split into layers.", "Press Join Layers first.")
    motion, takes = _of(armature)
    discard(armature)
    number = _number_at(takes, time_s)
    start, end = takes["stretches"][number].tolist()
    times = motion.timestamps[takes["rows"]]
    inside = np.flatnonzero((times >= start - 1e-6) & (times <= end + 1e-6))
    names = pins.skeleton(armature)
    bones = _hidden(motion, takes["rows"][inside], names)
    if len(inside) < 2 or not bones:
        raise UserError("Nothing is hidden there.", "Go to a frame in which keys have the type Jitter.")
    own = compat.own_action(armature)
    frames = pin_keys.frames_of(armature, motion)[takes["rows"][inside]]
    share = (np.minimum(times[inside] - start, end - times[inside]) / _BLEND_S).clip(0, 1)[:, None, None]
    now = pin_keys.turns_at(armature, frames, axes.bone_rotations(motion.poses[takes["rows"][inside]], names), names)
    actions = []
    for draw in range(min(MOST, len(takes["poses"]))):
        turns = axes.bone_rotations(takes["poses"][draw][inside].astype(np.float64), names)
        turns = np.where((turns * now).sum(-1, keepdims=True) < 0, -turns, turns)
        turns = now + share * (turns - now)
        turns /= np.linalg.norm(turns, axis=-1, keepdims=True)
        actions.append(_action(armature, _name(takes, number, draw), names, bones, frames, turns))
    compat.give_action(armature, own)
    _lay(armature, own[0], actions, bones)[STRETCH] = (start, end)
    choose(armature, 1)
    return len(actions)


def _of(armature) -> tuple[Motion, dict[str, np.ndarray]]:
    """An armature's motion, and the takes beside it."""
    from . import motion_io

    path = Path(armature.get(clip_times.PERSON, ""))
    motion = motion_io.read_motion(path)
    return motion, _read(path.with_name(f"{run_files.person_of(path)}_takes.npz"), motion)


def _number_at(takes: dict[str, np.ndarray], time_s: float) -> int:
    starts, ends = takes["stretches"].T
    return int(np.maximum(starts - time_s, time_s - ends).clip(min=0).argmin())


def _name(takes: dict[str, np.ndarray], number: int, draw: int) -> str:
    """What a take is called: its place, label and scores, as far as Blender's names are long."""
    label, kind = str(takes["labels"][number, draw]) or "no label", str(takes["kinds"][number, draw])
    values = {name: float(takes[key][number, draw]) for name, key in (
        ("similarity", "similarity"), ("slide", "slide_mm"), ("off", "reprojection_px"))}  # fmt: skip
    rest = {"number": draw + 1, "scores": SCORES.format(**values)}
    room = _NAME_LETTERS - len(TRACK.format(what=KINDS.get(kind, ""), **rest))
    return TRACK.format(what=label[: max(room, 0)] + KINDS.get(kind, ""), **rest)


def keep(armature) -> None:
    """Write the keys of the take that is shown into the armature's action. Raises UserError if none is proposed."""
    shown = [track for track in tracks(armature) if not track.mute]
    if not shown:
        raise UserError("No take is proposed.", "Press Propose Takes first.")
    new = {(curve.data_path, curve.array_index): curve for curve in compat.all_curves(shown[0].strips[0].action)}
    for curve in compat.curves_of(armature):
        other = new.get((curve.data_path, curve.array_index))
        if other is not None:
            points = np.array([point.co[:] for point in other.keyframe_points])
            pin_keys.put(curve, points[:, 0], points[:, 1])
    discard(armature)


def _read(path: Path, motion: Motion) -> dict[str, np.ndarray]:
    try:
        takes = read_arrays(path, TAKES, MOST_MOTION_BYTES)
    except FileNotFoundError as error:
        raise UserError("There are no takes: nothing of this person is hidden.") from error
    except (OSError, ArrayFileError) as error:
        raise UserError(f"{path} cannot be read as takes: {error}.", "Adapt the clip again.") from error
    if not len(takes["stretches"]) or not len(takes["rows"]) or takes["rows"].max() >= motion.frame_count:
        raise UserError(f"{path} is of another motion.", "Adapt the clip again.")
    return takes


def _hidden(motion: Motion, rows: np.ndarray, names: list[str]) -> list[str]:
    """Bones that are not seen in most of the rows; where the body faces always is."""
    seen = evidence.seen_bones(motion, names)[rows].mean(0) if len(rows) else np.ones(len(names))
    return [name for name, share in zip(names[1:], seen[1:], strict=True) if share < 0.5]


def _action(armature, name: str, names: list[str], bones: list[str], frames: np.ndarray, turns: np.ndarray) -> Any:
    action, new_curve = compat.new_action(armature, name)
    action[MARK] = 1
    for bone in bones:
        path = f'pose.bones["{bone}"].rotation_quaternion'
        for index in range(4):
            keying.add_curve(new_curve, keying.Keys(path, index, bone, turns[:, names.index(bone), index]), frames)
    return action


def _lay(armature, own, actions: list[Any], bones: list[str]) -> Any:
    """Copy and takes into the NLA, and own curves of these bones out of the way. Gives back the copy of the action."""
    base = own.copy()
    base.name, base[MARK] = BASE, 0
    animation = armature.animation_data
    track = animation.nla_tracks.new()
    track.name = BASE
    comparison.add_strip(track, base)
    for action in actions:
        track = animation.nla_tracks.new()
        track.name = action.name
        comparison.add_strip(track, action).extrapolation = "NOTHING"
    paths = {f'pose.bones["{bone}"].rotation_quaternion' for bone in bones}
    for curve in compat.curves_of(armature):
        if curve.data_path in paths:
            curve.mute = True
    return base
