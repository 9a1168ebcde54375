"""Adaptation as a stage of a run: what it is given, what is kept of it on disk, and what it falls back to."""

from __future__ import annotations

import copy
import itertools
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar, cast

import numpy as np
import torch
from numpy.typing import NDArray

from engine.adaptation.baselines.compared import adapt
from engine.adaptation.baselines.source import source_key
from engine.adaptation.evidence import Seen
from engine.adaptation.outcome import AdaptationResult
from engine.adaptation.performers import Performer, begin_from
from engine.adaptation.priors import Priors, load_priors, priors_key
from engine.adaptation.proposals import Known, propose
from engine.adaptation.state import StateFile
from engine.adaptation.track_inference import Estimate
from engine.backbones.types import PREDICTION, Backbone, Camera, Prediction, TrainableBackbone
from engine.body.model import BodyModel
from engine.errors import OutOfMemoryError
from engine.keypoints.types import SEEN_CONFIDENCE, PersonTrack
from engine.output.motion_file import ORIGIN_DETECTED, ORIGIN_NONE
from engine.run_options import RunOptions
from engine.runtime.cache import Arrays, Cache, Recorder, key_of, load_entry, text_array
from engine.runtime.progress import Progress
from engine.semantics.segments import Segment

T = TypeVar("T")
STAGE = "adapt"
_RESULT = ("keypoints", "origins", "similarity")


@dataclass(frozen=True)
class Adapted:
    """One person's motion and targets, adapted or as they were.

    Attributes:
        prediction: camera frame.
        keypoints: (T, K, 3) final 2D targets, pixels and confidence.
        origins: (T, K) of `engine.output.motion_file`.
        similarity: (T,) of motion and label.
        about: for the report: epochs, what labels were taken for, seconds. None where nothing was adapted.
        takes: other motions for hidden joints, as `engine.adaptation.proposals.propose` has them; empty for none.
    """

    prediction: Prediction
    keypoints: NDArray[np.float32]
    origins: NDArray[np.uint8]
    similarity: NDArray[np.float32]
    about: dict[str, Any] | None
    takes: dict[str, NDArray[Any]] = field(default_factory=dict)


def wanted(options: RunOptions) -> bool:
    """Whether a run has this stage: `fit` has no weights that could be adapted."""
    return options.settings.adaptation.enabled and options.backbone != "fit"


def as_it_was(track: PersonTrack, prediction: Prediction) -> Adapted:
    """A person of a run without this stage."""
    keypoints = np.nan_to_num(track.keypoints).astype(np.float32)
    origins = np.where(keypoints[..., 2] >= SEEN_CONFIDENCE, ORIGIN_DETECTED, ORIGIN_NONE).astype(np.uint8)
    return Adapted(prediction, keypoints, origins, np.zeros(len(keypoints), np.float32), None)


def key_of_person(
    track: PersonTrack, labels: NDArray[np.str_], options: RunOptions, predicted: str, learned: str | None = None
) -> str:
    """What `adapt_person` keeps its result under, in the stage `STAGE` of the cache; arguments as it has them.

    `learned` is the key of what is known of the performer, '' for nothing yet, None without one.
    """
    segments, settings = stretches(labels, track.timestamps), options.settings
    return key_of(
        predicted=predicted,
        segments=[(one.start_s, one.end_s, one.label) for one in segments],
        settings=settings.adaptation.model_dump(),
        source=source_key(settings.adaptation.source),
        priors=priors_key(settings.models, bool(segments)),
        seed=options.seed,
        device=options.device,
        **({} if learned is None else {"performer": learned}),
    )


def adapt_person(
    track: PersonTrack,
    labels: NDArray[np.str_],
    camera: Camera,
    body: BodyModel,
    backbone: Callable[[], Backbone],
    options: RunOptions,
    predicted: str,
    cache: Cache,
    progress: Progress,
    performer: Performer | None = None,
) -> Adapted:
    """One person adapted, or what an earlier run has kept of it.

    Args:
        track: the person.
        labels: (T,) action of each row, '' for none.
        camera: of the footage.
        body: on the device of the run.
        backbone: gives a backbone with weights; called only where there is work to do.
        options: of the run.
        predicted: key of the prediction before.
        cache: of the clip; an unfinished adaptation is kept there, too.
        progress: called after every step.
        performer: whose weights and shape it begins from, and which are kept for their next clip.

    Raises:
        ModelFileError: a network is missing or damaged.
        OutOfMemoryError: memory ran out on the CPU as well.
        CancelledError: stopped; a later run goes on from the last epoch.
    """
    segments, settings = stretches(labels, track.timestamps), options.settings
    start = performer.start(progress) if performer else None
    learned = None if performer is None else start.key if start else ""
    key = key_of_person(track, labels, options, predicted, learned)
    entry = load_entry(cache, STAGE, key, progress)
    if entry is not None:
        return _unpacked(entry)
    recorder, begun = Recorder(progress), time.monotonic()
    state = StateFile(cache.path(STAGE, key).with_suffix(".safetensors"), key)
    if not options.resume:
        state.remove()

    def work(device: str, model: BodyModel) -> tuple[AdaptationResult, dict[str, NDArray[Any]]]:
        priors = load_priors(settings.models, device, bool(segments), recorder)
        network = cast(TrainableBackbone, backbone()).bind(track, camera, model, torch.device(device))
        shape = begin_from(start, network, performer.name, model.surface_model_type, recorder) if performer else None
        how = (settings.adaptation, options.seed, recorder, device, state)
        result = adapt(network, track, camera, model, segments, priors, *how, shape=shape)
        seen = Seen.of(track, camera, model, torch.device(device))
        return result, _proposed(result, labels, seen, model, priors, options.seed)

    result, takes = _with_fallback(work, options.device, body, recorder)
    about = {
        "seconds": round(time.monotonic() - begun, 3),
        "keypoint_weight": round(result.keypoint_weight, 3),
        "hidden_stretches": [asdict(stretch) for stretch in result.infilled.stretches] if result.infilled else [],
        "labels": result.labels,
        "epochs": result.history,
        **({"performer": {"name": performer.name, "began_from": start.clip if start else ""}} if performer else {}),
    }
    adapted = Adapted(result.prediction, result.keypoints, result.origins, result.similarity, about, takes)
    cache.store(STAGE, key, {**_packed(adapted), "warnings": text_array(recorder.warnings)})
    _keep(performer, state, adapted.prediction, body.surface_model_type, progress)
    state.remove()
    return adapted


def _keep(
    performer: Performer | None, state: StateFile, prediction: Prediction, surface_model_type: str, progress: Progress
) -> None:
    """Have the performer's next clip begin from here: the weights are those after the last epoch."""
    learned = state.read(progress) if performer else None
    if performer and learned is None:
        progress.warn("performer", f"Nothing was learned of the performer '{performer.name}': no epoch was done.")
    elif performer and learned is not None:
        performer.keep(learned.network, prediction.betas, surface_model_type, len(prediction.rotations))


def _proposed(
    result: AdaptationResult, labels: NDArray[np.str_], seen: Seen, body: BodyModel, priors: Priors, seed: int
) -> dict[str, NDArray[Any]]:
    """Takes to choose from, of what was in-filled."""
    infilled, device = result.infilled, seen.points.device
    if infilled is None:
        return {}
    named = [result.labels.get(label, "") for label in labels.tolist()]
    motion = estimate_of(result.prediction, device)
    return propose(Known(motion, seen, infilled.hidden, named, body, priors, infilled.draws), seed)


def estimate_of(prediction: Prediction, device: torch.device) -> Estimate:
    """A prediction as an estimate, on a device."""
    rotations, betas, transl = (
        torch.from_numpy(np.asarray(part)).to(device)
        for part in (prediction.rotations, prediction.betas, prediction.transl)
    )
    return Estimate(rotations, betas.expand(len(rotations), -1), transl)


def _with_fallback(work: Callable[[str, BodyModel], T], device: str, body: BodyModel, progress: Progress) -> T:
    """Work on the device, and where its memory does not do, on the CPU, from the last epoch on."""
    try:
        return work(device, body)
    except OutOfMemoryError:
        if device == "cpu":
            raise
    progress.warn("memory", f"The memory of {device} ran out, so adaptation goes on with the CPU, more slowly.")
    return work("cpu", copy.deepcopy(body).to("cpu"))


def stretches(labels: NDArray[np.str_], timestamps: NDArray[np.float64]) -> list[Segment]:
    """Labels of rows (T,) as segments in time, those without a label left out."""
    edges = [0, *(np.flatnonzero(labels[1:] != labels[:-1]) + 1).tolist(), len(labels)]
    ends = [*timestamps.tolist(), float("inf")]
    return [
        Segment(float(timestamps[first]), ends[last], str(labels[first]))
        for first, last in itertools.pairwise(edges)
        if labels[first]
    ]


def _packed(adapted: Adapted) -> Arrays:
    arrays = {name: getattr(adapted.prediction, name) for name in PREDICTION}
    return {
        **arrays,
        **{name: getattr(adapted, name) for name in _RESULT},
        "about": np.array(json.dumps(adapted.about)),
        **{f"takes_{name}": array for name, array in adapted.takes.items()},
    }


def _unpacked(entry: Arrays) -> Adapted:
    prediction = Prediction(**{name: entry[name] for name in PREDICTION})
    keypoints, origins, similarity = (entry[name] for name in _RESULT)
    takes = {name.removeprefix("takes_"): array for name, array in entry.items() if name.startswith("takes_")}
    return Adapted(prediction, keypoints, origins, similarity, json.loads(str(entry["about"])), takes)
