"""Seen motion on one NLA track and filled-in motion on others, one for each limb, whose influence can be set.

Keys of the type Jitter were filled in. The curves of limbs that have some are muted in the armature's action; below it
lie a copy without those keys, and for each limb a track with a strip for every stretch that was filled in. With all
influences at 1 the motion is what it was. A strip may be muted, or given another action.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bpy
from bpy.props import CollectionProperty, FloatProperty, StringProperty

from ..blender import compat
from ..errors import UserError
from . import comparison, proposed

if TYPE_CHECKING:  # numpy is imported where it is used: some builds of Blender lack it
    import numpy as np

MARK = "adapt_motion_layer"
"""Custom property of the actions of layers: the limb, '' for what was seen."""
SEEN, FILLED = "Seen", "Filled In: {limb}"
LIMBS: dict[str, tuple[str, ...]] = {
    "trunk": ("spine1", "spine2", "spine3", "left_collar", "right_collar"),
    "head": ("neck", "head"),
    **{
        f"{side} {limb}": tuple(f"{side}_{part}" for part in parts)
        for side in ("left", "right")
        for limb, parts in (("arm", ("shoulder", "elbow", "wrist", "hand")), ("leg", ("hip", "knee", "ankle", "foot")))
    },
}
"""Limb to its joints."""
_APART = 2.0
"""Frames that strips of a track are apart at least."""
_MARGIN = 2
"""Keys that a strip of filled-in motion shares with what was seen on both sides, so that neither jumps."""


def _influence_changed(item, _context) -> None:
    for track in _tracks(item.id_data):
        for strip in track.strips if track.name == FILLED.format(limb=item.limb) else ():
            _key_influence(strip, item.influence)


class ADAPT_MOTION_PG_layer(bpy.types.PropertyGroup):
    """A limb with filled-in motion on a track of its own."""

    limb: StringProperty(name="Limb", description="Which limb")
    influence: FloatProperty(
        name="Influence",
        description="How far the filled-in motion of this limb counts; 0: it goes on between what was seen",
        default=1.0,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
        update=_influence_changed,
    )


def is_split(armature) -> bool:
    """Whether an armature's motion lies in layers."""
    return bool(_tracks(armature))


def split(armature, bones_of: dict[str, str]) -> list[str]:
    """Put what was seen and what was filled in on tracks of their own; gives back the limbs that have some.

    Args:
        armature: with an action, ours or retargeted from ours.
        bones_of: SMPL joint to the armature's bone.

    Raises:
        UserError: nothing was filled in, or takes are proposed.
    """
    if proposed.proposed(armature):
        raise UserError("Takes are proposed for this character.", "Keep one of them or discard them first.")
    join(armature, keep=False)
    found = {limb: _filled(armature, _bones(limb, bones_of)) for limb in LIMBS}
    found = {limb: stretches for limb, stretches in found.items() if stretches}
    if not found:
        raise UserError("Nothing of this motion was filled in.", "Keys of hidden joints have the type Jitter.")
    own = compat.own_action(armature)
    seen = own[0].copy()
    seen.name, seen[MARK] = SEEN, ""
    made = []
    for limb, stretches in found.items():
        paths = {_path(bone) for bone in _bones(limb, bones_of)}
        curves = [curve for curve in compat.curves_of(armature) if _of(curve, paths)]
        for first, last in stretches:
            made.append((limb, _part(armature, FILLED.format(limb=limb), curves, first, last)))
            made[-1][1][MARK] = limb
        compat.give_action(armature, own)
        _take_out([curve for curve in compat.all_curves(seen) if _of(curve, paths)], stretches)
        for curve in compat.curves_of(armature):
            curve.mute = curve.mute or _of(curve, paths)
    _lay(armature, seen, made)
    armature.adapt_motion_layers.clear()
    for limb in found:
        item = armature.adapt_motion_layers.add()
        item.limb = limb
    return list(found)


def join(armature, scene=None, keep: bool = True) -> None:
    """Take the layers away; if `keep`, what they show becomes the action's keys, else it is as it was before."""
    from . import pin_keys

    tracks = _tracks(armature)
    if not tracks:
        return
    actions = {strip.action for track in tracks for strip in track.strips if strip.action and MARK in strip.action}
    muted = [curve for curve in compat.curves_of(armature) if curve.mute]
    values = _shown(scene, armature, muted) if keep else {}
    for track in tracks:
        armature.animation_data.nla_tracks.remove(track)
    for number, curve in enumerate(muted):
        curve.mute = False
        if number in values:
            pin_keys.put(curve, *values[number])
    bpy.data.batch_remove(ids=list(actions))
    armature.adapt_motion_layers.clear()


def _bones(limb: str, bones_of: dict[str, str]) -> list[str]:
    return [bones_of[joint] for joint in LIMBS[limb] if bones_of.get(joint)]


def _path(bone: str) -> str:
    return f'pose.bones["{bpy.utils.escape_identifier(bone)}"]'


def _of(curve, paths: set[str]) -> bool:
    """Whether a curve turns one of the bones."""
    bone, _, what = curve.data_path.rpartition(".")
    return bone in paths and what.startswith("rotation")


def _filled(armature, bones: list[str]) -> list[tuple[float, float]]:
    """First and last frame of each stretch in which keys of a limb were filled in."""
    import numpy as np

    from . import keying

    paths = {_path(bone) for bone in bones}
    kinds: dict[float, bool] = {}
    for curve in compat.curves_of(armature):
        if _of(curve, paths):
            for point in curve.keyframe_points:
                frame = round(point.co[0], 3)
                kinds[frame] = kinds.get(frame, False) or point.type == keying.FILLED_IN
    frames = sorted(kinds)
    filled = np.array([kinds[frame] for frame in frames], dtype=int)
    edges = np.flatnonzero(np.diff(np.concatenate(([0], filled, [0])))).reshape(-1, 2)
    found: list[list[int]] = []
    for first, last in edges.tolist():
        if found and frames[max(0, first - _MARGIN)] - frames[min(found[-1][1] + _MARGIN, len(frames)) - 1] < _APART:
            found[-1][1] = last  # their strips would lie over each other
        else:
            found.append([first, last])
    return [(frames[first], frames[last - 1]) for first, last in found]


def _part(armature, name: str, curves: list[Any], first: float, last: float) -> Any:
    """A new action with the keys of curves in a stretch, and a few on both sides."""
    import numpy as np

    from . import keying

    action, new_curve = compat.new_action(armature, name)
    for curve in curves:
        keys = np.empty((len(curve.keyframe_points), 2), dtype=np.float32)
        curve.keyframe_points.foreach_get("co", keys.ravel())
        inside = np.flatnonzero((keys[:, 0] >= first - 0.01) & (keys[:, 0] <= last + 0.01))
        if len(inside):
            chosen = slice(max(0, inside[0] - _MARGIN), inside[-1] + 1 + _MARGIN)
            group = curve.data_path.partition('"')[2].rpartition('"')[0]
            part = keying.Keys(curve.data_path, curve.array_index, group, keys[chosen, 1])
            keying.add_curve(new_curve, part, keys[chosen, 0])
    return action


def _take_out(curves: list[Any], stretches: list[tuple[float, float]]) -> None:
    """Remove the keys of stretches; a curve that has no other keeps its first."""
    for curve in curves:
        points = curve.keyframe_points
        gone = [n for n, point in enumerate(points) if any(a - 0.01 <= point.co[0] <= b + 0.01 for a, b in stretches)]
        for number in reversed(gone[1:] if len(gone) == len(points) else gone):
            points.remove(points[number], fast=True)
        curve.update()


def _lay(armature, seen, made: list[tuple[str, Any]]) -> None:
    tracks = armature.animation_data.nla_tracks
    track = tracks.new()
    track.name = SEEN
    comparison.add_strip(track, seen)
    by_limb: dict[str, Any] = {}
    for limb, action in made:
        if limb not in by_limb:
            by_limb[limb] = tracks.new()
            by_limb[limb].name = FILLED.format(limb=limb)
        strip = comparison.add_strip(by_limb[limb], action)
        strip.extrapolation = "NOTHING"
        strip.use_animated_influence = True
        _key_influence(strip, 1.0)


def _key_influence(strip, influence: float) -> None:
    """Give a strip an influence by its one key: without one it may count as 0."""
    points = strip.fcurves.find("influence").keyframe_points
    if len(points):
        points[0].co[1] = influence
    else:
        points.insert(strip.frame_start, influence)
    strip.fcurves.find("influence").update()


def _tracks(armature) -> list[Any]:
    animation = armature.animation_data
    there = animation.nla_tracks if animation else ()
    names = {SEEN, *(FILLED.format(limb=limb) for limb in LIMBS)}
    return [track for track in there if track.name.partition(".")[0] in names]


def _shown(scene, armature, curves: list[Any]) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """Number of each curve to the frames of its keys, and the values that the layers show there."""
    import numpy as np

    frames = [np.array([point.co[0] for point in curve.keyframe_points], np.float64) for curve in curves]
    values = [np.empty(len(one)) for one in frames]
    now = scene.frame_current, scene.frame_subframe
    for frame in sorted({float(one) for part in frames for one in part}):
        scene.frame_set(int(np.floor(frame)), subframe=float(frame - np.floor(frame)))
        for number, curve in enumerate(curves):
            place = np.searchsorted(frames[number], frame - 1e-4)
            if place < len(frames[number]) and abs(frames[number][place] - frame) < 1e-3:
                values[number][place] = armature.path_resolve(curve.data_path)[curve.array_index]
    scene.frame_set(now[0], subframe=now[1])
    return dict(enumerate(zip(frames, values, strict=True)))


def register() -> None:
    """Give objects their layers."""
    bpy.utils.register_class(ADAPT_MOTION_PG_layer)
    bpy.types.Object.adapt_motion_layers = CollectionProperty(type=ADAPT_MOTION_PG_layer)


def unregister() -> None:
    """Undo `register`."""
    del bpy.types.Object.adapt_motion_layers
    bpy.utils.unregister_class(ADAPT_MOTION_PG_layer)
