"""Whether pictures look like their labels, by CLIP (Lin et al. 2025, appendix B)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import torch
from torch.nn import functional

from engine.runtime.progress import Progress
from engine.semantics.clip_image import ClipImage, clip_picture
from engine.semantics.clip_text import clip_file, load_clip_text
from engine.semantics.vlm_pictures import Pictures


class ClipCheck:
    """Mean cosine between pictures and labels.

    Args:
        path: CLIP, see `engine.semantics.clip_text.load_clip_text`.
        progress: is warned of tensors that are not used.
        device: where to compute.

    Raises:
        ModelFileError: a file is missing or of another model.
    """

    def __init__(self, path: Path, progress: Progress, device: str | torch.device = "cpu") -> None:
        text, self._tokens = load_clip_text(path, progress)
        self._text = text.to(device)
        self._image = ClipImage.from_checkpoint(clip_file(path), progress).to(device)
        self._device = device

    def __call__(self, pictures: Pictures, labels: Sequence[str]) -> float:
        """Mean over the pictures that have a label; NaN if none has."""
        chosen = [index for index, label in enumerate(labels) if label]
        if not chosen:
            return math.nan
        with torch.no_grad():
            tiles = pictures.tiles()
            crops = torch.stack([clip_picture(tiles[index]) for index in chosen]).to(self._device)
            seen = functional.normalize(self._image(crops), dim=1)
            names = [labels[index] for index in chosen]
            text = functional.normalize(self._text(self._tokens(names).to(self._device)), dim=1)
            return float((seen * text).sum(1).mean())
