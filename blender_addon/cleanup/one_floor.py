"""Characters of a clip onto one floor, each moved as a whole: one camera tells little of each one's distance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from mathutils import Matrix, Vector

from ..blender import compat, timing
from ..errors import UserError
from . import edits

LEAST_VIEW_M = 0.3
"""A camera less than this over the feet sees the floor too flatly to tell where on it they are."""

LARGEST_STEP = 0.5
"""Share of the distance to the camera by which a character is moved away from it or towards it at most."""


@dataclass(frozen=True)
class Put:
    """What `put_on_floor` did: by how many metres each character that moved was off, and how far off others stay."""

    moved: dict[str, float]
    left: dict[str, float]


def put_on_floor(armatures, scene, camera=None, *, reach: float = 1.0, resize: bool = False) -> Put:
    """Bring the feet of characters onto z = 0 where they stand longest.

    Where there is a camera a character goes along the line of sight, so that its feet stay where the picture has them;
    else straight down or up.

    Args:
        armatures: characters, or rigs retargeted to.
        scene: gives the frame rate.
        camera: object that took the footage, or None.
        reach: metres; who stands farther from the floor stays.
        resize: also make each as much larger or smaller as keeps all of it where the picture has it.

    Raises:
        UserError: nobody's feet touch the ground.
    """
    feet = {one: _standing(one, scene) for one in armatures}
    standing = {one: place for one, place in feet.items() if place is not None}
    if not standing:
        raise UserError("No foot touches the ground in this motion.", "Add contacts under Clean Up, or skip this.")
    moved, left = {}, {}
    for one, place in standing.items():
        over = float(place.z)
        if abs(over) > reach:
            left[one.name] = over
            continue
        _place(one, _to_floor(place, camera, resize))
        moved[one.name] = over
    return Put(moved, left)


def _standing(armature, scene) -> Vector | None:
    """Where the feet of an armature are, in the middle of all frames in which they touch; None if they never do."""
    subject = edits.read(armature)
    points, touching = edits.soles(subject, float(timing.scene_rate(scene)))
    if not touching.any():
        return None
    return Vector([float(value) for value in np.median(points[touching], axis=0)])


def _to_floor(place: Vector, camera, resize: bool) -> Matrix:
    """The move that brings a point onto z = 0."""
    eye = camera.matrix_world.translation if camera is not None else None
    if eye is not None and min(eye.z, eye.z - place.z) > LEAST_VIEW_M:
        share = place.z / (eye.z - place.z)  # of the way from the camera, farther for feet over the floor
        if abs(share) <= LARGEST_STEP:
            if resize:
                return Matrix.Translation(eye) @ Matrix.Scale(1 + share, 4) @ Matrix.Translation(-eye)
            return Matrix.Translation(share * (place - eye))
    return Matrix.Translation((0.0, 0.0, -place.z))


def _place(armature, move: Matrix) -> None:
    """Move an object as a whole, keys of its own place included."""
    keyed = {curve.data_path for curve in compat.curves_of(armature)} & {"location", "scale"}
    if not keyed:
        armature.matrix_world = move @ armature.matrix_world
        return
    before = armature.matrix_world.copy()
    above = armature.parent.matrix_world @ armature.matrix_parent_inverse if armature.parent else Matrix()
    step = above.to_3x3().inverted() @ ((move @ before).translation - before.translation)
    armature.delta_location = Vector(armature.delta_location) + step
    armature.delta_scale = Vector(armature.delta_scale) * move.to_scale().x
