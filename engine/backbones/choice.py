"""Which backbone a run uses, by name."""

from __future__ import annotations

from typing import Any

from engine.backbones.crop_backbone import PictureInputs, crop_backbone, crop_backbone_key
from engine.backbones.crop_settings import PICTURE_BACKBONES, CropSettings
from engine.backbones.fit import FitBackbone
from engine.backbones.fit_settings import FitSettings
from engine.backbones.landmark import LandmarkBackbone, weights_key
from engine.backbones.types import Backbone
from engine.errors import UsageError
from engine.weights.model_settings import ModelSettings


def make_backbone(name: str, fit: FitSettings, device: str, pictures: PictureInputs | None = None) -> Backbone:
    """The backbone `landmark`, `fit`, `hmr` or `hmr2`.

    Args:
        name: as the user gave it; checked before.
        fit: settings of the backbone `fit`.
        device: of torch; `fit` runs on the CPU.
        pictures: what `hmr` and `hmr2` need; None where there is no footage.

    Raises:
        ModelFileError: the weights of the network are missing or damaged.
        UsageError: `hmr` or `hmr2` without footage.
    """
    if name in PICTURE_BACKBONES:
        if pictures is None:
            raise UsageError(f"The backbone {name} looks at pictures, and there are none.", "Choose landmark or fit.")
        return crop_backbone(name, pictures)
    return FitBackbone(fit) if name == "fit" else LandmarkBackbone.from_file(device=device)


def backbone_key(
    name: str, fit: FitSettings, models: ModelSettings | None = None, crops: CropSettings | None = None
) -> dict[str, Any]:
    """All that a backbone's prediction depends on beside the track, fit for `engine.runtime.cache.key_of`.

    Raises:
        ModelFileError: there are no weights.
    """
    if name in PICTURE_BACKBONES:
        return {"name": name, **crop_backbone_key(name, models or ModelSettings(), crops or CropSettings())}
    return {"name": name, **({"settings": fit.model_dump()} if name == "fit" else {"weights": weights_key()})}
