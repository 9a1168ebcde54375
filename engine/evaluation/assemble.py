"""Puts together what the benchmark runs: the networks and settings that `adapt-motion run` would use."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

from engine.adaptation.priors import load_priors
from engine.backbones.choice import make_backbone
from engine.backbones.types import TrainableBackbone
from engine.body.model import load_body
from engine.config import load_settings
from engine.errors import UsageError
from engine.evaluation.runner import Tools
from engine.progress import Silent
from engine.run_options import choose_device

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
    return Tools(
        body=load_body(body, chosen),
        backbone=cast(TrainableBackbone, make_backbone(backbone, settings.fit, chosen)),
        priors=load_priors(settings.models, chosen, True, Silent()),
        settings=settings.adaptation,
        fit=settings.fit,
        seed=seed,
        device=chosen,
    )
