"""The last step, not of the paper: smooth curves from the adapted motion to the keypoints, as networks leave jitter."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from engine.adaptation.settings import AdaptationSettings
from engine.backbones.fit import FitBackbone
from engine.backbones.fit_settings import FitSettings
from engine.backbones.types import Camera, Prediction
from engine.body.model import BodyModel
from engine.keypoints.types import PersonTrack
from engine.progress import Progress


def refined(
    prediction: Prediction,
    track: PersonTrack,
    camera: Camera,
    body: BodyModel,
    settings: AdaptationSettings,
    doubt: Tensor,
    progress: Progress,
) -> Prediction:
    """The motion as smooth curves drawn to the detected keypoints; as it was where that fails.

    Args:
        prediction: of the track; the other arguments are those of `engine.adaptation.loop.adapt`.
        doubt: (T,) how far keypoints are doubted, 0 to 1.
        progress: told after every step.
    """
    smooth = settings.refine_smooth
    stay, steps = settings.refine_stay, settings.refine_steps
    fit = FitBackbone(FitSettings(iterations=steps, stay=stay, smooth_path=smooth, smooth_turns=smooth))
    result = fit.refine(track, camera, body, prediction, doubt, progress)
    finite = all(np.isfinite(getattr(result, name)).all() for name in ("rotations", "transl", "residual_px"))
    return result if finite else prediction
