"""The last step, not of the paper: smooth curves from the adapted motion to the keypoints, as networks leave jitter."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from engine.adaptation.settings import AdaptationSettings
from engine.backbones.fit import FitBackbone
from engine.backbones.fit_settings import FitSettings
from engine.backbones.types import Camera, Prediction
from engine.body.model import BodyModel
from engine.keypoints.types import PersonTrack


def refined(
    prediction: Prediction,
    track: PersonTrack,
    camera: Camera,
    body: BodyModel,
    settings: AdaptationSettings,
    beat: Callable[[int, int], None],
) -> Prediction:
    """The motion as smooth curves drawn to the detected keypoints; as it was where that fails.

    Args:
        prediction: of the track; the other arguments are those of `engine.adaptation.loop.adapt`.
        beat: told steps done and all steps.
    """
    smooth = settings.refine_smooth
    fit = FitBackbone(
        FitSettings(
            iterations=settings.refine_steps, stay=settings.refine_stay, smooth_path=smooth, smooth_turns=smooth
        )
    )
    result = fit.refine(track, camera, body, prediction, _Beats(beat))
    finite = all(np.isfinite(getattr(result, name)).all() for name in ("rotations", "transl", "residual_px"))
    return result if finite else prediction


class _Beats:
    """Progress of this part, as progress of the whole."""

    def __init__(self, beat: Callable[[int, int], None]) -> None:
        self._beat = beat

    def __call__(self, done: int, total: int) -> None:
        self._beat(done, total)

    def warn(self, code: str, message: str) -> None:
        """There is nothing to warn of."""
