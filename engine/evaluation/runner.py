"""Runs the methods: one row on one case."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch

from engine.adaptation.baselines.compared import adapt
from engine.adaptation.baselines.source import Source
from engine.adaptation.outcome import AdaptationResult
from engine.adaptation.priors import Priors
from engine.adaptation.settings import AdaptationSettings
from engine.backbones.fit import FitBackbone
from engine.backbones.fit_settings import FitSettings
from engine.backbones.types import Prediction, TrainableBackbone
from engine.body.model import BodyModel
from engine.config import load_settings
from engine.evaluation import pinned
from engine.evaluation.data import Case
from engine.evaluation.methods import FOUND, RIGHT, WRONG, Row, wrong_label
from engine.evaluation.scores import Outcome
from engine.output.motion_file import ORIGIN_DETECTED, ORIGIN_FILLED
from engine.runtime.progress import Progress, Silent
from engine.semantics.segments import Segment, whole_clip

Labeler = Callable[[Case, Prediction], tuple[Segment, ...]]
"""Finds labels in a motion."""


@dataclass
class Tools:
    """What the methods need.

    Attributes:
        body: of the predictions, on `device`.
        backbone: a network with weights.
        priors: denoiser, motion-text space, dictionary.
        settings: of adaptation, what a row's own settings are put over.
        fit: settings of the fit.
        labeler: finds labels from motion; None where there is none.
        seed: of everything random.
        device: where networks and body are.
        source: gives the source set of DynaBOA; None: its row needs `adaptation.source`.
    """

    body: BodyModel
    backbone: TrainableBackbone
    priors: Priors = field(default_factory=Priors)
    settings: AdaptationSettings = field(default_factory=AdaptationSettings)
    fit: FitSettings = field(default_factory=FitSettings)
    labeler: Labeler | None = None
    seed: int = 0
    device: str = "cpu"
    source: Callable[[], Source] | None = None


class Runner:
    """Runs rows. What rows of one case share, the prediction before adaptation, is made once.

    Args:
        tools: networks and settings.
        progress: called while a row runs; may raise CancelledError.
    """

    def __init__(self, tools: Tools, progress: Progress | None = None) -> None:
        self.tools, self.progress = tools, progress or Silent()
        self._first: tuple[str, Prediction, float] | None = None
        self._last: tuple[tuple[str, str, AdaptationSettings], AdaptationResult, float] | None = None

    def settings_of(self, row: Row) -> AdaptationSettings:
        """Settings that a row runs with."""
        base = load_settings(row.preset).adaptation if row.preset else self.tools.settings
        return AdaptationSettings.model_validate({**base.model_dump(), **row.settings})

    def can(self, row: Row, case: Case) -> bool:
        """Whether there is what a row needs: labels where it uses them, a labeller where it asks one, a source set."""
        if self._takes_source(row) and self.tools.source is None and not self.settings_of(row).source:
            return False
        if row.kind == "adapted" and row.label in (RIGHT, WRONG):
            known = case.labelled if row.label == RIGHT else case.label
            return bool(known) and self.tools.priors.space is not None
        return row.label != FOUND or self.tools.labeler is not None

    def outcome(self, row: Row, case: Case) -> Outcome:
        """What a row gives for a case. Raises EngineError."""
        torch.manual_seed(self.tools.seed)
        if row.kind == "detector":
            return _detectors_own(case)
        if row.kind == "fit":
            with _clock() as took:
                prediction = FitBackbone(self.tools.fit).predict(
                    case.track, case.camera, self.tools.body, self.progress
                )
            return Outcome(prediction, seconds={"predict": took[0]})
        first, seconds = self._prediction(case)
        if row.kind == "backbone" or not self.settings_of(row).enabled:
            return Outcome(first, seconds={"predict": seconds})
        return self._adapted(row, case, first, seconds)

    def _prediction(self, case: Case) -> tuple[Prediction, float]:
        if self._first is None or self._first[0] != case.name:
            with _clock() as took:
                prediction = self.tools.backbone.predict(case.track, case.camera, self.tools.body, self.progress)
            self._first = case.name, prediction, took[0]
        return self._first[1], self._first[2]

    def _adapted(self, row: Row, case: Case, first: Prediction, predicting: float) -> Outcome:
        tools = self.tools
        seconds = {"predict": predicting}
        with _clock() as took:
            segments = self._segments(row, case, first)
        if row.label == FOUND:
            seconds["label"] = took[0]
        result, seconds["adapt"] = self._result(row, case, segments)
        labelled, on_cpu = result.similarity != 0, copy.deepcopy(tools.body).to("cpu")
        prediction = result.prediction
        if row.pins:
            with _clock() as took:
                prediction = pinned.corrected(case, prediction, row.pins, on_cpu, tools.seed, self.progress)
            seconds["correct"] = took[0]
        return Outcome(
            prediction=prediction,
            dragged=pinned.dragged_joint(case, result.prediction, on_cpu),
            targets=result.keypoints[..., :2].astype(np.float64),
            filled=result.origins == ORIGIN_FILLED,
            detected=result.origins == ORIGIN_DETECTED,
            similarity=float(result.similarity[labelled].mean()) if labelled.any() else math.nan,
            seconds=seconds,
        )

    def _takes_source(self, row: Row) -> bool:
        return row.kind == "adapted" and self.settings_of(row).strategy == "dynaboa"

    def source_of(self, row: Row) -> Source | None:
        """The source set that a row is given; None for one that needs none, or reads its own."""
        if not self._takes_source(row) or self.tools.source is None or self.settings_of(row).source:
            return None
        return self.tools.source()

    def _result(self, row: Row, case: Case, segments: tuple[Segment, ...]) -> tuple[AdaptationResult, float]:
        """Adaptation, and the seconds that it took; rows that differ in what is pinned afterwards share it."""
        tools, settings = self.tools, self.settings_of(row)
        key = (case.name, row.label, settings)
        if self._last is None or self._last[0] != key:
            with _clock() as took:
                network = tools.backbone.bind(case.track, case.camera, tools.body, torch.device(tools.device))
                result = adapt(
                    network, case.track, case.camera, tools.body, segments, tools.priors, settings, tools.seed,
                    self.progress, tools.device, source=self.source_of(row),
                )  # fmt: skip
            self._last = key, result, took[0]
        return self._last[1], self._last[2]

    def _segments(self, row: Row, case: Case, first: Prediction) -> tuple[Segment, ...]:
        dictionary = self.tools.priors.dictionary
        if row.label == RIGHT:
            return case.labelled
        if row.label == WRONG and dictionary is not None:
            known = {label: dictionary.category(label) for label in dictionary.labels}
            category = known.get(case.label, case.category)
            return whole_clip(wrong_label(case.clip, category, known, self.tools.seed))
        if row.label == FOUND and self.tools.labeler is not None:
            return self.tools.labeler(case, first)
        return ()


def _detectors_own(case: Case) -> Outcome:
    """The detector's 3D landmarks at the joints that are compared; none where it has others."""
    names = case.track.keypoint_names
    if not set(case.truth.joint_set.names) <= set(names):
        return Outcome()
    columns = [names.index(name) for name in case.truth.joint_set.names]
    return Outcome(marks=case.track.landmarks3d[:, columns].astype(np.float64))


@contextmanager
def _clock() -> Iterator[list[float]]:
    """A list that holds the seconds of the body once it has run."""
    took = [math.nan]
    begun = time.perf_counter()
    yield took
    took[0] = time.perf_counter() - begun
