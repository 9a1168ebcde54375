"""Puts together what the benchmark runs: the networks and settings that `adapt-motion run` would use."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from engine.adaptation.priors import load_priors
from engine.adaptation.stage import stretches
from engine.backbones.choice import make_backbone
from engine.backbones.types import Prediction, TrainableBackbone
from engine.body.model import BodyModel, load_body
from engine.config import load_settings
from engine.errors import UsageError
from engine.evaluation.data import Case
from engine.evaluation.runner import Labeler, Tools
from engine.run_options import choose_device
from engine.runtime.progress import Silent
from engine.semantics.motion_text import MotionTextSpace
from engine.semantics.retrieval_labeler import retrieve_labels
from engine.semantics.segments import Segment
from engine.world.still_camera import to_world

BACKBONES = ("landmark",)


def assemble(preset: str, overrides: Sequence[str], backbone: str, body: Path | None, device: str, seed: int) -> Tools:
    """Tools for the runner; arguments as on the command line.

    Raises:
        EngineError: an option makes no sense, or a network is missing or damaged.
    """
    if backbone not in BACKBONES:
        raise UsageError(
            f"The benchmark adapts the backbone {', '.join(BACKBONES)}, not '{backbone}'.",
            "Backbones that look at pictures need footage, which the corpus has not.",
        )
    settings, chosen = load_settings(preset, overrides), choose_device(device)
    model, priors = load_body(body, chosen), load_priors(settings.models, chosen, True, Silent())
    return Tools(
        body=model,
        backbone=cast(TrainableBackbone, make_backbone(backbone, settings.fit, chosen)),
        priors=priors,
        settings=settings.adaptation,
        fit=settings.fit,
        labeler=retrieval(priors.space, model) if isinstance(priors.space, MotionTextSpace) else None,
        seed=seed,
        device=chosen,
    )


def retrieval(space: MotionTextSpace, body: BodyModel) -> Labeler:
    """The labeller of `--labeler retrieval`: it sees the first prediction, brought to a world with z up."""
    seen, on_cpu = copy.deepcopy(space).to("cpu"), copy.deepcopy(body).to("cpu")

    def label(case: Case, prediction: Prediction) -> tuple[Segment, ...]:
        times = case.track.timestamps
        world = to_world(prediction, times, on_cpu, case.camera)
        return tuple(stretches(retrieve_labels(world.poses, times, seen, Silent()), times))

    return label
