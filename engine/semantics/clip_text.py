"""The text side of CLIP ViT-B/32 (Radford et al. 2021), from OpenAI's file or a folder as `transformers` saves it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from engine.checkpoint_reader import StoredTensor
from engine.checkpoints import CLIP, CLIP_TRANSFORMERS, build, open_checkpoint
from engine.errors import ModelFileError
from engine.progress import Progress
from engine.semantics.clip_tokens import CONTEXT, ClipTokens

_VOCABULARY, _WIDTH, _HEADS, _LAYERS = 49408, 512, 8, 12


class _Mlp(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.c_fc = nn.Linear(width, 4 * width)
        self.c_proj = nn.Linear(4 * width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        inner = self.c_fc(tokens)
        mixed: Tensor = self.c_proj(inner * torch.sigmoid(1.702 * inner))
        return mixed


class ClipBlock(nn.Module):
    """A pre-norm transformer layer of CLIP."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attn = nn.MultiheadAttention(width, heads, batch_first=True)
        self.ln_1 = nn.LayerNorm(width)
        self.mlp = _Mlp(width)
        self.ln_2 = nn.LayerNorm(width)

    def forward(self, tokens: Tensor, hidden: Tensor | None = None) -> Tensor:
        """(B, N, width) to the same; `hidden` (N, N) is true where a place (row) must not look."""
        normed = self.ln_1(tokens)
        tokens = tokens + self.attn(normed, normed, normed, need_weights=False, attn_mask=hidden)[0]
        mixed: Tensor = tokens + self.mlp(self.ln_2(tokens))
        return mixed


class _Layers(nn.Module):
    def __init__(self, layers: int, width: int, heads: int) -> None:
        super().__init__()
        self.resblocks = nn.ModuleList(ClipBlock(width, heads) for _ in range(layers))


class ClipText(nn.Module):
    """CLIP's text network."""

    def __init__(self) -> None:
        super().__init__()
        self.token_embedding = nn.Embedding(_VOCABULARY, _WIDTH)
        self.positional_embedding = nn.Parameter(torch.zeros(CONTEXT, _WIDTH))
        self.transformer = _Layers(_LAYERS, _WIDTH, _HEADS)
        self.ln_final = nn.LayerNorm(_WIDTH)
        self.text_projection = nn.Parameter(torch.zeros(_WIDTH, _WIDTH))

    def forward(self, tokens: Tensor) -> Tensor:
        """Features of texts, not of unit length.

        Args:
            tokens: (B, 77) int64 from `ClipTokens`.

        Returns:
            (B, 512).
        """
        places = self.token_embedding(tokens) + self.positional_embedding
        later = torch.ones(CONTEXT, CONTEXT, dtype=torch.bool, device=tokens.device).triu(1)
        for block in self.transformer.resblocks:
            places = block(places, later)
        end = tokens.argmax(1)  # the end of the text is the largest number of all
        features: Tensor = self.ln_final(places[torch.arange(len(tokens), device=tokens.device), end])
        return features @ self.text_projection

    @classmethod
    def from_checkpoint(cls, path: Path, progress: Progress | None = None) -> ClipText:
        """OpenAI's `ViT-B-32.pt`, a state dict of it, or transformers' `model.safetensors`. Raises ModelFileError."""
        with open_checkpoint(path, CLIP, CLIP_TRANSFORMERS) as checkpoint:
            rename = _from_transformers if checkpoint.model is CLIP_TRANSFORMERS else None
            return build(checkpoint, cls, progress, rename=rename).requires_grad_(False)


def load_clip_text(path: Path, progress: Progress | None = None) -> tuple[ClipText, ClipTokens]:
    """The text network and its tokenizer.

    Args:
        path: OpenAI's `.pt` with `bpe_simple_vocab_16e6.txt.gz` beside it, or a folder as transformers saves it
            (`model.safetensors` or `pytorch_model.bin`, and `merges.txt`).
        progress: is warned of tensors that are not used.

    Raises:
        ModelFileError: a file is missing, or is none of CLIP ViT-B/32.
    """
    folder = path if path.is_dir() else path.parent
    if path.is_dir():
        names = ("model.safetensors", "pytorch_model.bin", CLIP.file)
        found = [path / name for name in names if (path / name).is_file()]
        if not found:
            raise ModelFileError(
                f"There is no CLIP model in the folder {path}.", f"It needs one of {', '.join(names)}."
            )
        path = found[0]
    tokens = ClipTokens.from_folder(folder)
    return ClipText.from_checkpoint(path, progress), tokens


def _from_transformers(tensors: dict[str, StoredTensor]) -> Mapping[str, StoredTensor]:
    """Transformers' names and layout to OpenAI's."""
    renamed: dict[str, StoredTensor] = {}
    for name, stored in tensors.items():
        if name == "text_projection.weight":
            renamed["text_projection"] = StoredTensor(stored.shape[::-1], stored.dtype, _transposed(stored))
        elif ".self_attn." not in name or ".out_proj." in name or not name.startswith("text_model."):
            renamed[_openai_name(name)] = stored
        elif ".q_proj." in name:
            parts = [tensors[name.replace(".q_proj.", f".{part}_proj.")] for part in "qkv" if _has(tensors, name, part)]
            renamed[_openai_name(name)] = _stacked(parts)
    return renamed


_NAMES = (
    ("text_model.embeddings.token_embedding.", "token_embedding."),
    ("text_model.embeddings.position_embedding.weight", "positional_embedding"),
    ("text_model.final_layer_norm.", "ln_final."),
    ("text_model.encoder.layers.", "transformer.resblocks."),
    (".self_attn.q_proj.", ".attn.in_proj_"),
    (".self_attn.", ".attn."),
    (".layer_norm", ".ln_"),
    (".mlp.fc1.", ".mlp.c_fc."),
    (".mlp.fc2.", ".mlp.c_proj."),
)


def _openai_name(name: str) -> str:
    if name.startswith("text_model."):
        for theirs, ours in _NAMES:
            name = name.replace(theirs, ours)
    return name


def _has(tensors: Mapping[str, StoredTensor], name: str, part: str) -> bool:
    return name.replace(".q_proj.", f".{part}_proj.") in tensors


def _transposed(stored: StoredTensor) -> Callable[[], Tensor]:
    return lambda: stored.read().T.contiguous()


def _stacked(parts: Sequence[StoredTensor]) -> StoredTensor:
    rows = sum(part.shape[0] for part in parts)
    return StoredTensor((rows, *parts[0].shape[1:]), parts[0].dtype, lambda: torch.cat([part.read() for part in parts]))
