"""The way into all methods: the paper's, and those that it is compared with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from engine.adaptation import loop
from engine.adaptation.baselines.dapa import dapa
from engine.adaptation.baselines.online import BOA, DYNABOA, STILL_OVER_TIME, Online
from engine.adaptation.baselines.person import Adapted, Person
from engine.adaptation.baselines.source import Source, read_source, source_file
from engine.adaptation.evidence import Seen
from engine.adaptation.outcome import AdaptationResult, as_prediction, outcome
from engine.adaptation.priors import Priors
from engine.adaptation.repeatable import repeatable
from engine.adaptation.settings import AdaptationSettings
from engine.adaptation.state import StateFile
from engine.adaptation.track_inference import estimate
from engine.backbones.types import Camera, PoseNetwork
from engine.body.model import BodyModel
from engine.errors import UsageError
from engine.keypoints.types import PersonTrack
from engine.runtime.progress import Progress
from engine.semantics.segments import Segment


def adapt(
    network: PoseNetwork,
    track: PersonTrack,
    camera: Camera,
    body: BodyModel,
    segments: Sequence[Segment],
    priors: Priors,
    settings: AdaptationSettings,
    seed: int,
    progress: Progress,
    device: str | torch.device = "cpu",
    state: StateFile | None = None,
    source: Source | None = None,
    shape: Tensor | None = None,
) -> AdaptationResult:
    """Adapt by `settings.strategy`. Arguments, result and errors as of `engine.adaptation.loop.adapt`.

    Args:
        source: of DynaBOA; None: it is read from `settings.source`.

    Raises:
        UsageError: DynaBOA has no source set, or the network cannot see it.
    """
    if settings.strategy == "semantics":
        how = (settings, seed, progress, device, state, shape)
        return loop.adapt(network, track, camera, body, segments, priors, *how)
    place = torch.device(device)
    pretrained = network.state()
    times = torch.from_numpy(np.asarray(track.timestamps, np.float64))
    seen = Seen.of(track, camera, body, place)
    person = Person(network, seen, times, camera, body, settings, seed, place, progress)
    try:
        with repeatable(place, sum(weight.numel() for weight in network.parameters())):
            before = estimate(network, times, seen.found, place).to(place)
            if not before.finite():
                raise loop.damaged_network()
            motion, history = _strategy(person, source)
            motion = motion.to(place)
            if not motion.finite():
                text = "Round 1 of adaptation gave values that are not finite; the motion before it is used."
                progress.warn("adaptation_stopped", text)
                motion, history = before, []
    finally:
        network.restore(pretrained)
    rows = torch.zeros(len(times))
    return outcome(seen, body, as_prediction(before, seen, body), motion, seen.targets(), rows, history)


def _strategy(person: Person, source: Source | None) -> Adapted:
    name = person.settings.strategy
    if name == "dapa":
        return dapa(person)
    if name == "boa":
        return Online(person, BOA).run()
    if source is None:
        path = source_file(person.settings.source)
        if path is None:
            raise UsageError("DynaBOA needs a source set.", "Add --set adaptation.source=FILE.")
        source = read_source(path)
    how = DYNABOA if person.network.frame_by_frame else replace(DYNABOA, still=STILL_OVER_TIME)
    return Online(person, how, source.exemplars(person.network)).run()
