"""The picture side of CLIP ViT-B/32 (Radford et al. 2021), to ask whether frames look like a label."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from engine.runtime.progress import Progress
from engine.semantics.clip_text import ClipLayers, openai_layout
from engine.weights.checkpoint_reader import StoredTensor
from engine.weights.checkpoints import CLIP, CLIP_TRANSFORMERS, build, open_checkpoint

SIZE = 224
_WIDTH, _HEADS, _LAYERS, _PATCH, _FEATURE = 768, 12, 12, 32, 512
_MEAN, _DEVIATION = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
_PREFIX = "visual."


class ClipImage(nn.Module):
    """CLIP's picture network."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, _WIDTH, _PATCH, stride=_PATCH, bias=False)
        self.class_embedding = nn.Parameter(torch.zeros(_WIDTH))
        self.positional_embedding = nn.Parameter(torch.zeros((SIZE // _PATCH) ** 2 + 1, _WIDTH))
        self.ln_pre = nn.LayerNorm(_WIDTH)
        self.transformer = ClipLayers(_LAYERS, _WIDTH, _HEADS)
        self.ln_post = nn.LayerNorm(_WIDTH)
        self.proj = nn.Parameter(torch.zeros(_WIDTH, _FEATURE))

    def forward(self, pictures: Tensor) -> Tensor:
        """(B, 3, 224, 224) from `clip_picture` to features (B, 512), not of unit length."""
        patches = self.conv1(pictures).flatten(2).transpose(1, 2)
        whole = self.class_embedding.expand(len(patches), 1, -1)
        tokens = self.ln_pre(torch.cat((whole, patches), 1) + self.positional_embedding)
        features: Tensor = self.ln_post(self.transformer(tokens)[:, 0])
        return features @ self.proj

    @classmethod
    def from_checkpoint(cls, path: Path, progress: Progress | None = None) -> ClipImage:
        """OpenAI's `ViT-B-32.pt` or transformers' `model.safetensors`, whose text tensors `ClipText` uses.

        Raises ModelFileError.
        """
        with open_checkpoint(path, CLIP, CLIP_TRANSFORMERS) as checkpoint:
            return build(checkpoint, cls, progress, rename=_picture_part).requires_grad_(False)


def _picture_part(tensors: dict[str, StoredTensor]) -> Mapping[str, StoredTensor]:
    named = openai_layout(tensors)
    return {name.removeprefix(_PREFIX): part for name, part in named.items() if name.startswith(_PREFIX)}


def clip_picture(rgb: NDArray[np.uint8]) -> Tensor:
    """(H, W, 3) to (3, 224, 224): the middle square, its shorter side brought to 224 pixels, normalised."""
    height, width = rgb.shape[:2]
    scale = SIZE / min(height, width)
    size = max(SIZE, int(height * scale)), max(SIZE, int(width * scale))
    picture = torch.from_numpy(rgb).permute(2, 0, 1)[None].float()
    resized = functional.interpolate(picture, size, mode="bicubic", antialias=True)[0].round().clamp(0, 255)
    top, left = round((size[0] - SIZE) / 2), round((size[1] - SIZE) / 2)
    middle = resized[:, top : top + SIZE, left : left + SIZE] / 255
    mean, deviation = torch.tensor(_MEAN)[:, None, None], torch.tensor(_DEVIATION)[:, None, None]
    return (middle - mean) / deviation
