"""How tall a body stands, and bodies of a given height. Works for every body file: the rest pose's skin is measured."""

from __future__ import annotations

from torch import Tensor

from engine.body.model import BodyModel

_ROUNDS, _CLOSE_M = 20, 1e-6


def standing_height(body: BodyModel, betas: Tensor) -> Tensor:
    """Metres from the sole to the top of the head at rest, a scalar, for shape numbers (10,)."""
    heights = _heights(body, betas)
    standing: Tensor = heights.max() - heights.min()
    return standing


def height_slope(body: BodyModel, betas: Tensor) -> Tensor:
    """(10,) float64: metres that the standing height grows by for each shape number, near `betas` (10,)."""
    heights, directions = _heights(body, betas), body.shape_directions[:, 1].detach().cpu().double()
    slope: Tensor = directions[int(heights.argmax())] - directions[int(heights.argmin())]
    return slope


def with_height(body: BodyModel, betas: Tensor, height_m: float) -> Tensor:
    """The nearest shape numbers (10,), float64, with which the body stands `height_m` metres tall."""
    betas = betas.detach().double()
    for _ in range(_ROUNDS):  # the highest and the lowest vertex may change on the way
        missing = height_m - float(standing_height(body, betas))
        if abs(missing) < _CLOSE_M:
            break
        slope = height_slope(body, betas)
        betas = betas + missing * slope / slope.square().sum()
    return betas


def _heights(body: BodyModel, betas: Tensor) -> Tensor:
    """(V,) float64, on the CPU, as not every device has double precision."""
    template, directions = (part[:, 1].detach().cpu().double() for part in (body.template, body.shape_directions))
    heights: Tensor = template + directions @ betas.detach().cpu().double()
    return heights
