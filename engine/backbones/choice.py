"""Which backbone a run uses, by name."""

from __future__ import annotations

from typing import Any

from engine.backbones.fit import FitBackbone
from engine.backbones.fit_settings import FitSettings
from engine.backbones.landmark import LandmarkBackbone, weights_key
from engine.backbones.types import Backbone


def make_backbone(name: str, fit: FitSettings, device: str) -> Backbone:
    """The backbone `landmark` or `fit`.

    Args:
        name: as the user gave it; checked before.
        fit: settings of the backbone `fit`.
        device: of torch; `fit` runs on the CPU.

    Raises:
        ModelFileError: the weights of the network are missing or damaged.
    """
    return FitBackbone(fit) if name == "fit" else LandmarkBackbone.from_file(device=device)


def backbone_key(name: str, fit: FitSettings) -> dict[str, Any]:
    """All that a backbone's prediction depends on beside the track, fit for `engine.cache.key_of`.

    Raises:
        ModelFileError: there are no weights.
    """
    return {"name": name, **({"settings": fit.model_dump()} if name == "fit" else {"weights": weights_key()})}
