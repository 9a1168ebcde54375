"""A prediction of somebody whose height is known, or another: body, depth and path get its scale."""

from __future__ import annotations

from dataclasses import replace

import torch

from engine.backbones.types import Prediction
from engine.body.model import BodyModel
from engine.body.stature import standing_height, with_height


def at_height(prediction: Prediction, body: BodyModel, height_m: float | None) -> Prediction:
    """The prediction with a body that stands `height_m` tall, as much farther away as it is larger, so that it looks
    the same; unchanged where the height is not known.

    Args:
        prediction: camera frame, T rows.
        body: its body, on any device.
        height_m: metres, or None.
    """
    if height_m is None:
        return prediction
    device = next(body.buffers()).device
    betas = torch.from_numpy(prediction.betas)
    shape = with_height(body, betas, height_m).float()
    before, after = (body.rest_joints(part.to(device))[0].cpu() for part in (betas, shape))
    scale = height_m / float(standing_height(body, betas))
    transl = scale * (torch.from_numpy(prediction.transl) + before) - after
    return replace(prediction, betas=shape.numpy(), transl=transl.float().numpy())


def times_as_tall(prediction: Prediction, body: BodyModel, scale: float) -> Prediction:
    """The prediction of somebody `scale` times as tall, who is as much farther away; the same object for 1."""
    if abs(scale - 1) < 1e-6:
        return prediction
    return at_height(prediction, body, scale * float(standing_height(body, torch.from_numpy(prediction.betas))))
