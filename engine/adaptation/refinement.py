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

_POWER = 4
"""Of the miss in the doubt: footage misses by half as much as drawn noise, and is to be doubted far less than half."""


def refined(
    prediction: Prediction,
    track: PersonTrack,
    camera: Camera,
    body: BodyModel,
    settings: AdaptationSettings,
    doubt: float,
    beat: Callable[[int, int], None],
) -> Prediction:
    """The motion as smooth curves drawn to the detected keypoints; as it was where that fails.

    Args:
        prediction: of the track; the other arguments are those of `engine.adaptation.loop.adapt`.
        doubt: of the keypoints, by `doubt_of`.
        beat: told steps done and all steps.
    """
    smooth = settings.refine_smooth
    stay = settings.refine_stay * doubt
    fit = FitBackbone(FitSettings(iterations=settings.refine_steps, stay=stay, smooth_path=smooth, smooth_turns=smooth))
    result = fit.refine(track, camera, body, prediction, _Beats(beat))
    finite = all(np.isfinite(getattr(result, name)).all() for name in ("rotations", "transl", "residual_px"))
    return result if finite else prediction


def miss(prediction: Prediction, track: PersonTrack) -> float:
    """How far seen keypoints lie from the motion, on average, as a share of the box's longer side; NaN for none."""
    seen = track.detected & (prediction.residual_px > 0)
    sides = (track.boxes[:, 2:] - track.boxes[:, :2]).max(1)[seen]
    return float(prediction.residual_px[seen].mean() / max(np.median(sides), 1.0)) if seen.any() else float("nan")


def doubt_of(prediction: Prediction, track: PersonTrack, usual: float) -> float:
    """How far a track's keypoints are doubted, by how far they miss the adapted motion: 1 from `usual` on, soon little
    below it.

    One body that moves smoothly explains keypoints only if they are right; noise, and joints that are guessed behind
    objects, cannot be explained like that. The power was chosen, see docs/adaptation.md.
    """
    share = miss(prediction, track)
    return min(1.0, (share / usual) ** _POWER) if usual and np.isfinite(share) else 1.0


class _Beats:
    """Progress of this part, as progress of the whole."""

    def __init__(self, beat: Callable[[int, int], None]) -> None:
        self._beat = beat

    def __call__(self, done: int, total: int) -> None:
        self._beat(done, total)

    def warn(self, code: str, message: str) -> None:
        """There is nothing to warn of."""
