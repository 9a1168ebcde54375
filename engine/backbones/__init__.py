"""Pose backbones: from one person's track to SMPL in the camera frame."""

from __future__ import annotations

from collections.abc import Callable

from engine.backbones.fit import FitBackbone
from engine.backbones.types import Backbone
from engine.errors import ModelFileError

BACKBONES: dict[str, Callable[[], Backbone]] = {"fit": FitBackbone}
"""Backbones by name, each with its default settings. Those that are networks have weights and come with them."""


def backbone(name: str) -> Backbone:
    """The backbone `name` with its default settings. Raises ModelFileError if this version has none of that name."""
    if name not in BACKBONES:
        raise ModelFileError(
            f"The network of the backbone '{name}' is not part of this version.",
            f"Choose one of these backbones: {', '.join(BACKBONES)}.",
        )
    return BACKBONES[name]()
