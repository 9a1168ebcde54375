"""HMR2.0 (Goel et al. 2023): a ViT-H and a transformer decoder that asks it with a single query."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint as recompute

from engine.backbones.crop_network import CropNetwork, CropPrediction
from engine.backbones.crops import HMR2_CROPS
from engine.body.rotations import six_to_matrix
from engine.runtime.progress import Progress
from engine.weights.checkpoints import HMR2, build, open_checkpoint

_WIDTH, _HEADS, _MLP = 1280, 16, 5120
_PATCH, _ROWS, _COLUMNS = 16, 16, 12
_CUT_COLUMNS = 32  # of the crop, on either side
_QUERY, _QUERY_HEADS, _QUERY_HEAD_WIDTH, _QUERY_LAYERS = 1024, 8, 64, 6


def _attend(query: Tensor, key: Tensor, value: Tensor, heads: int) -> Tensor:
    """Attention of (B, N, heads · d) with keys and values (B, M, heads · d)."""
    q, k, v = (part.reshape(*part.shape[:2], heads, -1).transpose(1, 2) for part in (query, key, value))
    return functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)


# --- the picture transformer ----------------------------------------------------------------------------------------


class _PictureAttention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(_WIDTH, 3 * _WIDTH)
        self.proj = nn.Linear(_WIDTH, _WIDTH)

    def forward(self, tokens: Tensor) -> Tensor:
        query, key, value = self.qkv(tokens).chunk(3, -1)
        projected: Tensor = self.proj(_attend(query, key, value, _HEADS))
        return projected


class _Mlp(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(_WIDTH, _MLP)
        self.fc2 = nn.Linear(_MLP, _WIDTH)

    def forward(self, tokens: Tensor) -> Tensor:
        mixed: Tensor = self.fc2(functional.gelu(self.fc1(tokens)))
        return mixed


class _Block(nn.Module):
    """A pre-norm transformer layer. Its training dropped whole layers at random; adaptation does not."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(_WIDTH, eps=1e-6)
        self.attn = _PictureAttention()
        self.norm2 = nn.LayerNorm(_WIDTH, eps=1e-6)
        self.mlp = _Mlp()

    def forward(self, tokens: Tensor) -> Tensor:
        tokens = tokens + self.attn(self.norm1(tokens))
        mixed: Tensor = tokens + self.mlp(self.norm2(tokens))
        return mixed


class _PatchEmbedding(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, _WIDTH, _PATCH, stride=_PATCH, padding=2)


class PictureTransformer(nn.Module):
    """The ViT of HMR2.0.

    Attributes:
        recomputing: keep only the layers' inputs for the backward pass and compute the rest anew, which takes far less
            memory and a third more time.
        half_dtype: type of the layers' products, such as `torch.bfloat16`; None for float32. Weights, sums and norms
            stay float32.
    """

    def __init__(self, depth: int, recomputing: bool, half_dtype: torch.dtype | None) -> None:
        super().__init__()
        self.recomputing, self.half_dtype = recomputing, half_dtype
        self.pos_embed = nn.Parameter(torch.zeros(1, _ROWS * _COLUMNS + 1, _WIDTH))
        self.patch_embed = _PatchEmbedding()
        self.blocks = nn.ModuleList(_Block() for _ in range(depth))
        self.last_norm = nn.LayerNorm(_WIDTH, eps=1e-6)

    def forward(self, crops: Tensor) -> Tensor:
        """(B, 3, 256, 256) to tokens (B, 192, 1280): 16 rows of 12 patches over the middle 192 columns."""
        middle = crops[..., _CUT_COLUMNS:-_CUT_COLUMNS]
        tokens = self.patch_embed.proj(middle).flatten(2).transpose(1, 2)
        # the place of a class token, which this network has not, is added to every patch
        tokens = tokens + self.pos_embed[:, 1:] + self.pos_embed[:, :1]
        with torch.autocast(tokens.device.type, self.half_dtype) if self.half_dtype else nullcontext():
            for block in self.blocks:
                if self.recomputing and torch.is_grad_enabled():
                    tokens = recompute(block, tokens, use_reentrant=False)
                else:
                    tokens = block(tokens)
        normed: Tensor = self.last_norm(tokens.float())
        return normed


# --- the decoder ----------------------------------------------------------------------------------------------------


class _Normed(nn.Module):
    """A part of the decoder after its norm, added to what it is given."""

    def __init__(self, part: nn.Module) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(_QUERY)
        self.fn = part

    def forward(self, query: Tensor, *context: Tensor) -> Tensor:
        added: Tensor = query + self.fn(self.norm(query), *context)
        return added


class _SelfAttention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        inner = _QUERY_HEADS * _QUERY_HEAD_WIDTH
        self.to_qkv = nn.Linear(_QUERY, 3 * inner, bias=False)
        self.to_out = nn.Sequential(nn.Linear(inner, _QUERY))

    def forward(self, query: Tensor) -> Tensor:
        queries, key, value = self.to_qkv(query).chunk(3, -1)
        mixed: Tensor = self.to_out(_attend(queries, key, value, _QUERY_HEADS))
        return mixed


class _CrossAttention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        inner = _QUERY_HEADS * _QUERY_HEAD_WIDTH
        self.to_kv = nn.Linear(_WIDTH, 2 * inner, bias=False)
        self.to_q = nn.Linear(_QUERY, inner, bias=False)
        self.to_out = nn.Sequential(nn.Linear(inner, _QUERY))

    def forward(self, query: Tensor, context: Tensor) -> Tensor:
        key, value = self.to_kv(context).chunk(2, -1)
        mixed: Tensor = self.to_out(_attend(self.to_q(query), key, value, _QUERY_HEADS))
        return mixed


class _FeedForward(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        # the published names count two dropouts of rate 0, so the second layer is number 3
        self.net = nn.Sequential(nn.Linear(_QUERY, _QUERY), nn.GELU(), nn.Identity(), nn.Linear(_QUERY, _QUERY))

    def forward(self, query: Tensor) -> Tensor:
        mixed: Tensor = self.net(query)
        return mixed


class _Layer(nn.ModuleList):
    """Self-attention, cross-attention and feed-forward, numbered 0, 1 and 2."""

    def __init__(self) -> None:
        super().__init__((_Normed(_SelfAttention()), _Normed(_CrossAttention()), _Normed(_FeedForward())))

    def forward(self, query: Tensor, context: Tensor) -> Tensor:
        attend, cross, mix = self
        answer: Tensor = mix(cross(attend(query), context))
        return answer


class _Layers(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(_Layer() for _ in range(_QUERY_LAYERS))


class _Decoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.pos_embedding = nn.Parameter(torch.zeros(1, 1, _QUERY))
        self.to_token_embedding = nn.Linear(1, _QUERY)
        self.transformer = _Layers()

    def forward(self, context: Tensor) -> Tensor:
        """(B, N, 1280) to the answered query (B, 1024)."""
        query = self.to_token_embedding(context.new_zeros(len(context), 1, 1)) + self.pos_embedding
        for layer in self.transformer.layers:
            query = layer(query, context)
        answer: Tensor = query[:, 0]
        return answer


class Head(nn.Module):
    """From tokens to SMPL parameters, in one round."""

    init_body_pose: Tensor
    init_betas: Tensor
    init_cam: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.transformer = _Decoder()
        self.decpose, self.decshape, self.deccam = nn.Linear(_QUERY, 144), nn.Linear(_QUERY, 10), nn.Linear(_QUERY, 3)
        self.register_buffer("init_body_pose", torch.zeros(1, 144))
        self.register_buffer("init_betas", torch.zeros(1, 10))
        self.register_buffer("init_cam", torch.tensor([[0.9, 0.0, 0.0]]))

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """(B, N, 1280) to pose (B, 144) in sixes of columns, shape (B, 10), camera (B, 3) and the answer (B, 1024)."""
        answer = self.transformer(tokens)
        return (
            self.decpose(answer) + self.init_body_pose,
            self.decshape(answer) + self.init_betas,
            self.deccam(answer) + self.init_cam,
            answer,
        )


class Hmr2(CropNetwork):
    """HMR2.0.

    To adapt a part of it, give `adapt_only` names such as `smpl_head` and `backbone.blocks.31`: what lies before the
    first of them then needs no memory for the backward pass.

    Args:
        depth: layers of the picture transformer; 32 as published.
        recomputing: see `PictureTransformer`.
        half_dtype: see `PictureTransformer`.
    """

    crop_style = HMR2_CROPS

    def __init__(self, depth: int = 32, recomputing: bool = True, half_dtype: torch.dtype | None = None) -> None:
        super().__init__()
        self.backbone = PictureTransformer(depth, recomputing, half_dtype)
        self.smpl_head = Head()

    def forward(self, crops: Tensor) -> CropPrediction:
        """(B, 3, 256, 256) normalised crops to SMPL parameters."""
        pose, shape, camera, answer = self.smpl_head(self.backbone(crops))
        return CropPrediction(six_to_matrix(pose.reshape(-1, 24, 6), "columns"), shape, camera, answer)

    def compile_large_part(self) -> None:
        """Compile the picture transformer, in place."""
        self.backbone.compile()

    @classmethod
    def from_checkpoint(
        cls,
        path: Path,
        progress: Progress | None = None,
        recomputing: bool = True,
        half_dtype: torch.dtype | None = None,
    ) -> Hmr2:
        """The published checkpoint, 2.0a or 2.0b. Raises ModelFileError."""
        with open_checkpoint(path, HMR2) as checkpoint:
            depth = checkpoint.count("backbone.blocks.{}.norm1.weight")
            return build(checkpoint, lambda: cls(depth, recomputing, half_dtype), progress)
