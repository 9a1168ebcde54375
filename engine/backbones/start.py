"""Where the fit starts: limb directions to joint rotations, and the place in the room from the reprojection.

Legend: S rows. Positions are in camera axes (x right, y down, z away); names are keypoint names.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from engine.backbones.evidence import PERSON_HEIGHT_M, SIDES, Evidence
from engine.body.landmarks import JOINT_NAMES
from engine.body.rotations import axis_angle_to_matrix, matrix_to_axis_angle

Points = Mapping[str, Tensor]

_HINGE_BIAS = 0.2  # how far a nearly straight limb keeps the hinge axis of the rest pose
_LARGEST_HEAD_TURN = 1.2


def rotations_from_points(points: Points, rest: Points) -> Tensor:
    """Joint rotations (S, 24, 3, 3) that turn the rest pose's limbs into the directions seen.

    Args:
        points: (S, 3) a name; needs hips and shoulders; limbs that are NaN keep their rest direction.
        rest: (3,) a name, of the body at rest (+Y up, +Z front).
    """
    hips, chest = _trunk(points, "hip"), _trunk(points, "shoulder")
    rotations = torch.eye(3).repeat(len(hips), len(JOINT_NAMES), 1, 1)
    pelvis = hips @ _trunk(rest, "hip").mT
    bend = axis_angle_to_matrix(matrix_to_axis_angle(pelvis.mT @ chest @ _trunk(rest, "shoulder").mT) / 3)
    rotations[:, 0] = pelvis
    for joint in ("spine1", "spine2", "spine3"):
        rotations[:, JOINT_NAMES.index(joint)] = bend
    chest = pelvis @ bend @ bend @ bend
    _turn_head(rotations, chest, points, rest)
    for side, sign in zip(SIDES, (1.0, -1.0), strict=True):
        _bend_limb(
            rotations, chest, points, rest, [f"{side}_{part}" for part in ("shoulder", "elbow", "wrist")], (0, -sign, 0)
        )
        shin = _bend_limb(
            rotations, pelvis, points, rest, [f"{side}_{part}" for part in ("hip", "knee", "ankle")], (1, 0, 0)
        )
        _turn_foot(rotations, shin, points, rest, side)
    return rotations


def _middle(points: Points, part: str) -> Tensor:
    return (points[f"left_{part}"] + points[f"right_{part}"]) / 2


def _frame(side: Tensor, along: Tensor) -> Tensor:
    """Frame (…, 3, 3) whose second column is `along` and whose first is as near to `side` as can be."""
    second = functional.normalize(along, dim=-1)
    first = functional.normalize(side - (side * second).sum(-1, keepdim=True) * second, dim=-1)
    return torch.stack((first, second, torch.linalg.cross(first, second)), -1)


def _trunk(points: Points, part: str) -> Tensor:
    return _frame(
        points[f"left_{part}"] - points[f"right_{part}"], _middle(points, "shoulder") - _middle(points, "hip")
    )


def swing(source: Tensor, target: Tensor) -> Tensor:
    """The smallest rotation (…, 3, 3) that takes unit vectors (…, 3) to others."""
    axis = torch.linalg.cross(source, target)
    zero = torch.zeros_like(axis[..., 0])
    x, y, z = axis.unbind(-1)
    skew = torch.stack((zero, -z, y, z, zero, -x, -y, x, zero), -1).reshape(*axis.shape, 3)
    cosine = (source * target).sum(-1)[..., None, None].clamp(min=-0.999)  # half turns have no smallest rotation
    return torch.eye(3) + skew + skew @ skew / (1 + cosine)


def _known(vector: Tensor, instead: Tensor) -> Tensor:
    """Unit vectors, `instead` where they are unknown or have no length."""
    unit = functional.normalize(torch.nan_to_num(vector), dim=-1)
    return torch.where(unit.norm(dim=-1, keepdim=True) > 0.5, unit, instead)


def _bend_limb(
    rotations: Tensor, parent: Tensor, points: Points, rest: Points, names: list[str], hinge: tuple[float, float, float]
) -> Tensor:
    """Set the limb's upper joint so that its hinge is where the lower limb bends, and bend it. Returns the lower limb's
    turn in the camera (S, 3, 3)."""
    start, middle, end = names
    upper_rest = functional.normalize(rest[middle] - rest[start], dim=-1)
    lower_rest = functional.normalize(rest[end] - rest[middle], dim=-1)
    upper = _known((parent.mT @ (points[middle] - points[start])[..., None])[..., 0], upper_rest)
    axis = torch.tensor(hinge, dtype=torch.float32)
    plain = swing(upper_rest.expand_as(upper), upper)
    lower = _known((parent.mT @ (points[end] - points[middle])[..., None])[..., 0], (plain @ lower_rest))
    bent_axis = torch.linalg.cross(upper, lower) + _HINGE_BIAS * (plain @ axis)
    turn = _frame(bent_axis, upper) @ _frame(axis, upper_rest).mT
    lower = (turn.mT @ lower[..., None])[..., 0]
    bend = swing(lower_rest.expand_as(lower), lower)
    rotations[:, JOINT_NAMES.index(start)], rotations[:, JOINT_NAMES.index(middle)] = turn, bend
    return parent @ turn @ bend


def _turn_foot(rotations: Tensor, shin: Tensor, points: Points, rest: Points, side: str) -> None:
    heel, toe = f"{side}_heel", next((name for name in (f"{side}_foot_index", f"{side}_big_toe") if name in points), "")
    if heel not in points or not toe:
        return
    forward = functional.normalize(rest[toe] - rest[heel], dim=-1)
    seen = _known((shin.mT @ (points[toe] - points[heel])[..., None])[..., 0], forward)
    rotations[:, JOINT_NAMES.index(f"{side}_ankle")] = swing(forward.expand_as(seen), seen)


def _turn_head(rotations: Tensor, chest: Tensor, points: Points, rest: Points) -> None:
    if not {"nose", "left_ear", "right_ear"} <= set(points):
        return

    def head(from_points: Points) -> Tensor:
        across = from_points["left_ear"] - from_points["right_ear"]
        return _frame(across, torch.linalg.cross(from_points["nose"] - _middle(from_points, "ear"), across))

    turn = matrix_to_axis_angle(torch.nan_to_num(chest.mT @ head(points) @ head(rest).mT))
    angle = turn.norm(dim=-1, keepdim=True)
    turn = torch.nan_to_num(turn * (angle.clamp(max=_LARGEST_HEAD_TURN) / angle.clamp(min=1e-6)))
    for joint in ("neck", "head"):
        rotations[:, JOINT_NAMES.index(joint)] = axis_angle_to_matrix(turn / 2)


def place(body_points: Tensor, evidence: Evidence) -> tuple[Tensor, Tensor]:
    """Translation that brings posed body points under the keypoints, by least squares, far-off keypoints left out.

    Args:
        body_points: (S, K, 3) body posed at the origin, camera axes.
        evidence: the keypoints.

    Returns:
        (S, 3) metres, and (S,) bool: whether the row has enough keypoints for it.
    """
    focal = evidence.camera.diagonal()[:2]
    rays = (evidence.points - evidence.camera[:2, 2]) / focal
    weights = evidence.weights
    enough = (weights > 0).sum(1) >= 3
    fallback = _from_box(evidence)
    translation = fallback
    for _ in range(3):
        system = torch.zeros(*rays.shape, 3)
        system[..., 0, 0] = system[..., 1, 1] = 1
        system[..., 2] = -rays
        right = rays * body_points[..., 2:] - body_points[..., :2]
        weighted = system * weights[..., None, None]
        # the slight pull to what the box says keeps the system solvable however the points lie
        normal = torch.einsum("skia,skib->sab", weighted, system) + 1e-4 * torch.eye(3)
        answer = torch.einsum("skia,ski->sa", weighted, right) + 1e-4 * fallback
        translation = torch.linalg.solve(normal, answer[..., None])[..., 0]
        miss = (torch.einsum("skia,sa->ski", system, translation) - right).norm(dim=-1)
        weights = evidence.weights / (1 + (miss / 0.15).square())
    good = enough & (translation[:, 2] > 0.3) & (translation[:, 2] < 20 * fallback[:, 2])
    return torch.where(good[:, None], translation, fallback), good


def _from_box(evidence: Evidence) -> Tensor:
    """Translation (S, 3) at which a standing person would fill the box."""
    focal = float(evidence.camera[1, 1])
    size = (evidence.boxes[:, 2:] - evidence.boxes[:, :2]).amax(1)
    depth = focal * PERSON_HEIGHT_M / size.clamp(min=focal * PERSON_HEIGHT_M / 50)
    depth = torch.where(size > 0, depth, 4.0)
    middle = (evidence.boxes[:, 2:] + evidence.boxes[:, :2]) / 2
    middle = torch.where(size[:, None] > 0, middle, evidence.camera[:2, 2])
    ray = (middle - evidence.camera[:2, 2]) / focal
    return torch.cat((ray * depth[:, None], depth[:, None]), 1)


def standing(rows: int) -> Tensor:
    """Rotations (rows, 24, 3, 3) of somebody upright who faces the camera, arms down: where nothing is known."""
    rotations = torch.eye(3).repeat(rows, len(JOINT_NAMES), 1, 1)
    rotations[:, 0] = torch.diag(torch.tensor([1.0, -1.0, -1.0]))
    for side, sign in zip(SIDES, (-1.0, 1.0), strict=True):
        drop = axis_angle_to_matrix(torch.tensor([0.0, 0.0, sign * math.radians(60)]))
        rotations[:, JOINT_NAMES.index(f"{side}_shoulder")] = drop
    return rotations
