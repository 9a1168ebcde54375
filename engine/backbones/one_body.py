"""One shape for all of a person's stretches, however each of them alone would have had it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from engine.backbones.known_height import at_height
from engine.backbones.types import Prediction
from engine.body.model import BodyModel
from engine.body.stature import standing_height
from engine.keypoints.types import PersonTrack


def shared_betas(predictions: Sequence[Prediction]) -> NDArray[np.float32]:
    """(10,) mean shape, each stretch's counted by how many frames it has."""
    rows = [len(one.transl) for one in predictions]
    return np.average([one.betas for one in predictions], axis=0, weights=rows).astype(np.float32)


def in_one_body(
    tracks: Sequence[PersonTrack], first: Sequence[Prediction], last: Sequence[Prediction], body: BodyModel
) -> tuple[list[Prediction], list[Prediction]]:
    """All stretches of each person with the shape that they have on average in the end.

    Args:
        tracks: stretches of people.
        first, last: what each stretch was predicted to be, before and after adaptation.
        body: of the predictions.
    """
    stretches: dict[int, list[Prediction]] = {}
    for track, one in zip(tracks, last, strict=True):
        stretches.setdefault(track.person, []).append(one)
    shapes = {person: shared_betas(its) for person, its in stretches.items() if len(its) > 1}
    before, after = [], []
    for track, initial, one in zip(tracks, first, last, strict=True):
        betas = shapes.get(track.person)
        shaped = one if betas is None else with_betas(one, betas, body, track.height_m)
        after.append(shaped)
        if initial is one:
            before.append(shaped)
        else:
            before.append(initial if betas is None else with_betas(initial, betas, body, track.height_m))
    return before, after


def with_betas(
    prediction: Prediction, betas: NDArray[np.float32], body: BodyModel, height_m: float | None = None
) -> Prediction:
    """The prediction with another shape, as much farther away as that is larger, so that it looks the same.

    Args:
        prediction: camera frame, T rows.
        betas: (10,).
        body: its body, on any device.
        height_m: how tall it is to stand then, None to leave that to `betas`.
    """
    if np.array_equal(prediction.betas, betas):
        return prediction
    device = next(body.buffers()).device
    shapes = [torch.from_numpy(part) for part in (prediction.betas, betas)]
    before, after = (body.rest_joints(part.to(device))[0].cpu() for part in shapes)
    scale = float(standing_height(body, shapes[1])) / float(standing_height(body, shapes[0]))
    transl = scale * (torch.from_numpy(prediction.transl) + before) - after
    return at_height(replace(prediction, betas=betas, transl=transl.float().numpy()), body, height_m)
