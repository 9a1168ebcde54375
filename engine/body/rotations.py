"""Rotations as matrices, axis-angle, quaternions and six numbers, on torch tensors of any leading shape.

Convention: a matrix R acts on column vectors; quaternions are (w, x, y, z); angles are radians. Nothing here adds an
epsilon to an angle, so matrices are orthogonal to rounding, and every gradient is finite at angle 0 and at half turns.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

SixLayout = Literal["columns", "interleaved", "rows"]
"""How six numbers hold a rotation: `columns` first column then second (ours and HMR2.0's); `interleaved` the same two
columns row by row (SPIN, CycleAdapt); `rows` first row then second (PyTorch3D, MotionCLIP)."""

_SMALL_ANGLE_SQUARED = 1e-4  # below it the Taylor series used here are exact to float64 rounding


def axis_angle_to_matrix(axis_angle: Tensor) -> Tensor:
    """Rodrigues' formula: (..., 3) radians to (..., 3, 3)."""
    sine_ratio, cosine_ratio = _rodrigues_ratios(axis_angle.square().sum(-1)[..., None, None])
    x, y, z = axis_angle.unbind(-1)
    zero = torch.zeros_like(x)
    skew = torch.stack((zero, -z, y, z, zero, -x, -y, x, zero), -1).reshape(*axis_angle.shape, 3)
    eye = torch.eye(3, dtype=axis_angle.dtype, device=axis_angle.device)
    return eye + sine_ratio * skew + cosine_ratio * (skew @ skew)


def _rodrigues_ratios(squared: Tensor) -> tuple[Tensor, Tensor]:
    """sin(a) / a and (1 - cos(a)) / a² of the squared angle a²."""
    small = squared < _SMALL_ANGLE_SQUARED
    safe = torch.where(small, torch.ones_like(squared), squared)
    angle = safe.sqrt()
    sine = torch.where(small, 1 - squared / 6 + squared.square() / 120, angle.sin() / angle)
    # 2 sin²(a/2) is 1 - cos(a) without the loss of digits
    cosine = torch.where(small, 0.5 - squared / 24 + squared.square() / 720, 2 * (angle / 2).sin().square() / safe)
    return sine, cosine


def axis_angle_to_quaternion(axis_angle: Tensor) -> Tensor:
    """(..., 3) radians to unit quaternions (..., 4)."""
    squared = axis_angle.square().sum(-1, keepdim=True)
    small = squared < _SMALL_ANGLE_SQUARED
    angle = torch.where(small, torch.ones_like(squared), squared).sqrt()
    ratio = torch.where(small, 0.5 - squared / 48 + squared.square() / 3840, (angle / 2).sin() / angle)
    cosine = torch.where(small, 1 - squared / 8 + squared.square() / 384, (angle / 2).cos())
    return torch.cat((cosine, ratio * axis_angle), -1)


def quaternion_to_axis_angle(quaternion: Tensor) -> Tensor:
    """Quaternions (..., 4) of any length but 0 to axis-angle (..., 3), the short way round: angles in 0..π."""
    unit = functional.normalize(quaternion, dim=-1)
    unit = torch.where(unit[..., :1] < 0, -unit, unit)
    w, vector = unit[..., :1], unit[..., 1:]
    squared = vector.square().sum(-1, keepdim=True)
    small = squared < _SMALL_ANGLE_SQUARED
    sine = torch.where(small, torch.ones_like(squared), squared).sqrt()
    series = 2 + squared / 3 + squared.square() * (3 / 20) + squared**3 * (5 / 56)  # 2 asin(s) / s
    return vector * torch.where(small, series, 2 * torch.atan2(sine, w) / sine)


def quaternion_to_matrix(quaternion: Tensor) -> Tensor:
    """Quaternions (..., 4) of any length but 0 to (..., 3, 3)."""
    w, x, y, z = functional.normalize(quaternion, dim=-1).unbind(-1)
    entries = (
        1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
        2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
        2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y),
    )  # fmt: skip
    return torch.stack(entries, -1).reshape(*quaternion.shape[:-1], 3, 3)


def matrix_to_quaternion(matrix: Tensor) -> Tensor:
    """Rotation matrices (..., 3, 3) to unit quaternions (..., 4) with w >= 0.

    Takes the row of 4 q qᵀ whose diagonal entry is largest (at least 1), so nothing small is divided by or rooted.
    """
    m = matrix
    xx, yy, zz = m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]
    wx, wy, wz = m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]
    xy, xz, yz = m[..., 0, 1] + m[..., 1, 0], m[..., 0, 2] + m[..., 2, 0], m[..., 1, 2] + m[..., 2, 1]
    outer = (
        1 + xx + yy + zz, wx, wy, wz,
        wx, 1 + xx - yy - zz, xy, xz,
        wy, xy, 1 - xx + yy - zz, yz,
        wz, xz, yz, 1 - xx - yy + zz,
    )  # fmt: skip
    rows = torch.stack(outer, -1).reshape(*matrix.shape[:-2], 4, 4)
    largest = rows.diagonal(dim1=-2, dim2=-1).argmax(-1)
    index = largest[..., None, None].expand(*largest.shape, 1, 4)
    quaternion = functional.normalize(rows.gather(-2, index).squeeze(-2), dim=-1)
    return torch.where(quaternion[..., :1] < 0, -quaternion, quaternion)


def matrix_to_axis_angle(matrix: Tensor) -> Tensor:
    """Rotation matrices (..., 3, 3) to axis-angle (..., 3), angles in 0..π; at half turns the axis has either sign."""
    return quaternion_to_axis_angle(matrix_to_quaternion(matrix))


def six_to_matrix(six: Tensor, layout: SixLayout = "columns") -> Tensor:
    """Six numbers (..., 6), any but degenerate ones, to (..., 3, 3) by Gram-Schmidt (Zhou et al. 2019).

    Raises:
        ValueError: unknown layout.
    """
    first, second = _split_six(six, layout)
    b1 = functional.normalize(first, dim=-1)
    b2 = functional.normalize(second - (b1 * second).sum(-1, keepdim=True) * b1, dim=-1)
    b3 = torch.linalg.cross(b1, b2)
    return torch.stack((b1, b2, b3), -2 if layout == "rows" else -1)


def matrix_to_six(matrix: Tensor, layout: SixLayout = "columns") -> Tensor:
    """Rotation matrices (..., 3, 3) to six numbers (..., 6). Raises ValueError for an unknown layout."""
    leading = matrix.shape[:-2]
    if layout == "columns":
        return matrix[..., :, :2].transpose(-1, -2).reshape(*leading, 6)
    if layout == "interleaved":
        return matrix[..., :, :2].reshape(*leading, 6)
    if layout == "rows":
        return matrix[..., :2, :].reshape(*leading, 6)
    raise ValueError(f"layout is '{layout}', not columns, interleaved or rows")


def _split_six(six: Tensor, layout: SixLayout) -> tuple[Tensor, Tensor]:
    if layout in ("columns", "rows"):
        return six[..., :3], six[..., 3:]
    if layout == "interleaved":
        return six[..., 0::2], six[..., 1::2]
    raise ValueError(f"layout is '{layout}', not columns, interleaved or rows")
