"""What the transformers of the `landmark` network are built of: attention over time with rotary positions."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Block(nn.Module):
    """Attention over time, then a feed-forward layer, both with the norm before."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm = nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.attention_out = nn.Linear(width, width)
        self.feed_norm = nn.LayerNorm(width)
        self.feed = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, hidden: Tensor, turn: tuple[Tensor, Tensor], mask: Tensor | None) -> Tensor:
        """Hidden states (B, T, width) after the block; `turn` of `rotary`, `mask` (B, 1, 1, T) False for padding."""
        batch, frames, width = hidden.shape
        split = self.query_key_value(self.attention_norm(hidden)).view(batch, frames, 3, self.heads, -1)
        query, key, value = split.permute(2, 0, 3, 1, 4)
        # written out: torch's fused attention takes ten times as long backward on a CPU for windows as short as these
        near = _turned(query, turn) @ _turned(key, turn).transpose(-1, -2) * query.shape[-1] ** -0.5
        if mask is not None:
            near = near.masked_fill(~mask, float("-inf"))
        seen = near.softmax(-1) @ value
        hidden = hidden + self.attention_out(seen.transpose(1, 2).reshape(batch, frames, width))
        result: Tensor = hidden + self.feed(self.feed_norm(hidden))
        return result


def rotary(times: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Cosine and sine (B, 1, T, size / 2) of rotary positions (Su et al. 2021) for times (B, T) and heads of `size`."""
    rates = 100.0 ** (-torch.arange(0, size, 2, device=times.device, dtype=torch.float32) / size)
    angles = (times - times[:, :1]).float()[:, None, :, None] * rates
    return angles.cos(), angles.sin()


def _turned(vectors: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
    cosine, sine = (part.to(vectors.dtype) for part in turn)
    first, second = vectors.chunk(2, -1)
    return torch.cat((first * cosine - second * sine, first * sine + second * cosine), -1)
