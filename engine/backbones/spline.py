"""Uniform cubic B-splines over time: the motion's curves.

A curve is a table of control points, one a knot. Its smoothness does not depend on the frame rate, footage with a
variable rate needs no resampling, and gaps are bridged.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Spline:
    """Where curves can be evaluated.

    Attributes:
        basis: (T, M) values of the M basis functions at T times; rows sum to 1.
        spacing_s: seconds between knots.
    """

    basis: Tensor
    spacing_s: float

    @classmethod
    def over(cls, times: Tensor, spacing_s: float) -> Spline:
        """The spline whose knots cover `times` (T,), increasing seconds."""
        position = (times - times[0]).double() / spacing_s
        pieces = max(1, math.ceil(float(position[-1]) - 1e-9))
        piece = position.floor().clamp(max=pieces - 1).long()
        u = position - piece
        weights = torch.stack(((1 - u) ** 3, 3 * u**3 - 6 * u**2 + 4, 1 + 3 * u + 3 * u**2 - 3 * u**3, u**3), -1) / 6
        basis = torch.zeros(len(times), pieces + 3, dtype=torch.float64)
        basis.scatter_(1, piece[:, None] + torch.arange(4), weights)
        return cls(basis.float(), spacing_s)

    def acceleration(self, control: Tensor) -> Tensor:
        """Second derivative per s² at the knots, (M - 2, C), of the curves with `control` points (M, C)."""
        return (control[2:] - 2 * control[1:-1] + control[:-2]) / self.spacing_s**2

    def approximate(self, values: Tensor, weights: Tensor, stiffness: float) -> Tensor:
        """Control points (M, C) of the smooth curves through `values` (T, C), rows with `weights` (T,) 0 left out.

        Args:
            values: (T, C), finite where the weight is not 0.
            weights: (T,) at least 0.
            stiffness: weight of squared second differences of control points, relative to the mean row.
        """
        basis = self.basis.double()
        count = basis.shape[1]
        weights = weights.double() * (len(weights) / weights.sum().clamp(min=1e-9))
        values = torch.where(weights[:, None] > 0, values.double(), 0.0)
        bend = torch.eye(count, dtype=torch.float64).diff(n=2, dim=0)
        slope = torch.eye(count, dtype=torch.float64).diff(n=1, dim=0)
        # the slope's tiny weight keeps ends without data level instead of running away
        normal = basis.T @ (weights[:, None] * basis) + stiffness * bend.T @ bend + 1e-3 * stiffness * slope.T @ slope
        normal = normal + 1e-9 * torch.eye(count, dtype=torch.float64)
        control: Tensor = torch.linalg.solve(normal, basis.T @ (weights[:, None] * values))
        return control.float()
