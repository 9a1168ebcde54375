"""The solve at the end (not of the paper): all evidence and the adapted motion meet in one whole-clip optimisation.

It is the optimisation of the backbone `fit`, which has the evidence alone. Legend: T rows of the track.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from engine.adaptation.infill import mixed
from engine.adaptation.settings import AdaptationSettings
from engine.adaptation.track_inference import bridged_rows
from engine.backbones.fit import FitBackbone, Given
from engine.backbones.fit_settings import FitSettings
from engine.backbones.summary import CHILDREN
from engine.backbones.types import Camera, Prediction
from engine.body.model import BodyModel
from engine.keypoints.types import PersonTrack
from engine.runtime.progress import Progress

_MOST_SURER = 4.0
_FROM_FIT = 0.5
"""Share of the fit in what the solve starts from, where keypoints weigh in full: footage is better from the fit, drawn
observations from the network."""


def solved(
    prediction: Prediction,
    fitted: Prediction,
    hidden: Tensor | None,
    keypoint_weight: Tensor,
    expected: Tensor | None,
    track: PersonTrack,
    camera: Camera,
    body: BodyModel,
    settings: AdaptationSettings,
    progress: Progress,
    threads: int | None = None,
    shape: Tensor | None = None,
) -> Prediction:
    """The motion that fits keypoints, limb directions, standing feet and the adapted motion.

    The adapted motion is given back where that fails.

    Args:
        prediction: the adapted motion, hidden joints in-filled.
        fitted: the fit of the evidence alone; joints that are seen start half-way to it.
        hidden: (T, 24) how far each joint is hidden, on the CPU; None where nothing is in-filled.
        keypoint_weight: (T,) what keypoints weigh; the adapted motion is held the more, the less that is.
        expected: (T, 24) logarithm of the error that the pose network expects of each joint, metres; joints of which it
            is surer than of the others are held more. None where it does not say.
        track, camera, body: as in `engine.adaptation.loop.adapt`.
        settings: steps, and the weights of the adapted motion.
        progress: called often.
        threads: of `FitBackbone`.
        shape: (10,) to start from, where it is known from another clip.
    """
    target, start = (torch.from_numpy(part.rotations) for part in (prediction, fitted))
    share = torch.zeros(target.shape[:2]) if hidden is None else hidden
    seen = (settings.prior_seen / keypoint_weight)[:, None] * _surer(expected, share)
    weights = torch.lerp(seen, torch.full_like(seen, settings.prior_hidden), share)
    half = keypoint_weight[:, None] * _FROM_FIT
    start = mixed(target, start, half * (1 - share))
    one, other = ((torch.from_numpy(part.transl), torch.from_numpy(part.betas)) for part in (prediction, fitted))
    transl = torch.lerp(one[0], other[0], half)
    betas = torch.lerp(one[1], other[1], half.mean()) if shape is None else shape
    fit = FitBackbone(FitSettings(iterations=settings.solve_steps), threads)
    result = fit.solve(track, camera, body, Given(start, transl, betas, target, weights), progress)
    finite = all(np.isfinite(getattr(result, name)).all() for name in ("rotations", "transl", "residual_px"))
    if not finite:
        return prediction
    # without evidence feet that stand would carry the person off, and back in one step
    known, times = torch.from_numpy(track.detected), torch.from_numpy(track.timestamps)
    return replace(result, transl=bridged_rows(torch.from_numpy(result.transl), known, times).numpy())


def _surer(expected: Tensor | None, like: Tensor) -> Tensor:
    """(T, 24) how much more each rotation is held than the mean: by the square of the error that is expected."""
    if expected is None:
        return torch.ones_like(like)
    beyond = torch.stack(
        [expected[:, below].mean(1) if below else expected[:, joint] for joint, below in CHILDREN.items()], 1
    )
    return (2 * (beyond.mean(1, keepdim=True) - beyond)).exp().clamp(1 / _MOST_SURER, _MOST_SURER)
