"""What adaptation knows before its first round: labels, the fit of the evidence alone, and motion for hidden joints."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from engine.adaptation.alignment import match_labels
from engine.adaptation.draws import Flow
from engine.adaptation.evidence import Seen
from engine.adaptation.infill import GUIDANCE, Infilled, infill
from engine.adaptation.infiller import MotionInfiller
from engine.adaptation.priors import Priors
from engine.adaptation.settings import AdaptationSettings
from engine.adaptation.track_inference import Estimate
from engine.backbones.fit import FitBackbone
from engine.backbones.fit_settings import FitSettings
from engine.backbones.threads import Step, side_by_side
from engine.backbones.types import Camera, Prediction
from engine.body.model import BodyModel
from engine.runtime.progress import Part, Progress


def fitted_and_infilled(
    motion: Estimate,
    seen: Seen,
    camera: Camera,
    body: BodyModel,
    infiller: MotionInfiller | None,
    hidden: Tensor | None,
    labels: Sequence[str],
    settings: AdaptationSettings,
    seed: int,
    put: Callable[[int], None],
    threads: int,
) -> tuple[Prediction | None, Infilled | None]:
    """Both side by side, as neither needs the other; None for what is not wanted, or has nothing to go by.

    Args:
        motion, seen, camera, body: of the track.
        infiller, hidden, labels: as `engine.adaptation.infill.infill` has them.
        settings: the fit takes twice the steps of the solve, since it starts from afar.
        seed: of the draws.
        put: called often with the number of steps of the fit that are done; may raise.
        threads: how many work at a time. The result does not depend on it.
    """
    steps = fit_steps(settings)

    def fitted(step: Step) -> Prediction | None:
        if not steps or not bool(seen.valid.any()):
            return None
        fit = FitBackbone(FitSettings(iterations=steps), threads)
        return fit.predict(seen.track, camera, body, Part(step, 0, steps))

    def infilled(step: Step) -> Infilled | None:
        if infiller is None or hidden is None:
            return None
        flow = Flow(settings.takes, guidance=GUIDANCE)
        return infill(infiller, body, motion, seen, hidden, labels, flow, seed, lambda: step(0))

    jobs: list[Callable[[Step], Any]] = [fitted, infilled]
    fit, filled = side_by_side(jobs, min(threads, len(jobs)), put)
    return fit, filled


def fit_steps(settings: AdaptationSettings) -> int:
    """Steps of the fit."""
    return 2 * settings.solve_steps


def row_labels(typed: NDArray[np.str_], priors: Priors, progress: Progress) -> tuple[NDArray[np.str_], dict[str, str]]:
    """(T,) label of each row in the dictionary's words, '' where it says nothing; and what each label was taken for."""
    if priors.space is None or priors.dictionary is None:
        return np.zeros(len(typed), "<U1"), {}
    meaning = match_labels(typed, priors.dictionary, progress)
    return np.array([meaning[label] for label in typed.tolist()]), meaning
