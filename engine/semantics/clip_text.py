"""The text side of CLIP ViT-B/32 (Radford et al. 2021), from OpenAI's file or a folder as `transformers` saves it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from engine.errors import ModelFileError
from engine.runtime.progress import Progress
from engine.semantics.clip_tokens import CONTEXT, ClipTokens
from engine.weights.checkpoint_reader import StoredTensor
from engine.weights.checkpoints import CLIP, CLIP_TRANSFORMERS, build, open_checkpoint

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


class ClipLayers(nn.Module):
    """A transformer of CLIP."""

    def __init__(self, layers: int, width: int, heads: int) -> None:
        super().__init__()
        self.resblocks = nn.ModuleList(ClipBlock(width, heads) for _ in range(layers))

    def forward(self, tokens: Tensor, hidden: Tensor | None = None) -> Tensor:
        """Through every layer; arguments as in `ClipBlock`."""
        for block in self.resblocks:
            tokens = block(tokens, hidden)
        return tokens


class ClipText(nn.Module):
    """CLIP's text network."""

    def __init__(self) -> None:
        super().__init__()
        self.token_embedding = nn.Embedding(_VOCABULARY, _WIDTH)
        self.positional_embedding = nn.Parameter(torch.zeros(CONTEXT, _WIDTH))
        self.transformer = ClipLayers(_LAYERS, _WIDTH, _HEADS)
        self.ln_final = nn.LayerNorm(_WIDTH)
        self.text_projection = nn.Parameter(torch.zeros(_WIDTH, _WIDTH))

    def forward(self, tokens: Tensor) -> Tensor:
        """Features of texts, not of unit length.

        Args:
            tokens: (B, 77) int64 from `ClipTokens`, or cut after the longest text, which changes nothing and is faster.

        Returns:
            (B, 512).
        """
        length = tokens.shape[1]
        places = self.token_embedding(tokens) + self.positional_embedding[:length]
        later = torch.ones(length, length, dtype=torch.bool, device=tokens.device).triu(1)
        places = self.transformer(places, later)
        end = tokens.argmax(1)  # the end of the text is the largest number of all
        features: Tensor = self.ln_final(places[torch.arange(len(tokens), device=tokens.device), end])
        return features @ self.text_projection

    @classmethod
    def from_checkpoint(cls, path: Path, progress: Progress | None = None) -> ClipText:
        """OpenAI's `ViT-B-32.pt`, a state dict of it, or transformers' `model.safetensors`. Raises ModelFileError."""
        with open_checkpoint(path, CLIP, CLIP_TRANSFORMERS) as checkpoint:
            return build(checkpoint, cls, progress, rename=openai_layout).requires_grad_(False)


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
    file = clip_file(path)
    tokens = ClipTokens.from_folder(folder)
    return ClipText.from_checkpoint(file, progress), tokens


def clip_file(path: Path) -> Path:
    """The checkpoint that `path` names: itself, or the one in the folder. Raises ModelFileError."""
    if not path.is_dir():
        return path
    names = ("model.safetensors", "pytorch_model.bin", CLIP.file)
    found = [path / name for name in names if (path / name).is_file()]
    if not found:
        raise ModelFileError(f"There is no CLIP model in the folder {path}.", f"It needs one of {', '.join(names)}.")
    return found[0]


def openai_layout(tensors: dict[str, StoredTensor]) -> Mapping[str, StoredTensor]:
    """Transformers' names and layout to OpenAI's; what has OpenAI's already stays as it is."""
    renamed: dict[str, StoredTensor] = {}
    for name, stored in tensors.items():
        if name in _TRANSPOSED:
            renamed[_TRANSPOSED[name]] = StoredTensor(stored.shape[::-1], stored.dtype, _transposed(stored))
        elif ".self_attn.q_proj." in name:
            parts = [
                tensors[part] for letter in "qkv" if (part := name.replace(".q_proj.", f".{letter}_proj.")) in tensors
            ]
            renamed[_openai_name(name)] = _stacked(parts)
        elif ".self_attn.k_proj." not in name and ".self_attn.v_proj." not in name:
            renamed[_openai_name(name)] = stored
    return renamed


_TRANSPOSED = {"text_projection.weight": "text_projection", "visual_projection.weight": "visual.proj"}
_NAMES = (
    ("text_model.embeddings.token_embedding.", "token_embedding."),
    ("text_model.embeddings.position_embedding.weight", "positional_embedding"),
    ("text_model.final_layer_norm.", "ln_final."),
    ("text_model.encoder.layers.", "transformer.resblocks."),
    ("vision_model.embeddings.class_embedding", "visual.class_embedding"),
    ("vision_model.embeddings.patch_embedding.", "visual.conv1."),
    ("vision_model.embeddings.position_embedding.weight", "visual.positional_embedding"),
    ("vision_model.pre_layrnorm.", "visual.ln_pre."),
    ("vision_model.post_layernorm.", "visual.ln_post."),
    ("vision_model.encoder.layers.", "visual.transformer.resblocks."),
    (".self_attn.q_proj.", ".attn.in_proj_"),
    (".self_attn.", ".attn."),
    (".layer_norm", ".ln_"),
    (".mlp.fc1.", ".mlp.c_fc."),
    (".mlp.fc2.", ".mlp.c_proj."),
)


def _openai_name(name: str) -> str:
    for theirs, ours in _NAMES:
        name = name.replace(theirs, ours)
    return name


def _transposed(stored: StoredTensor) -> Callable[[], Tensor]:
    return lambda: stored.read().T.contiguous()


def _stacked(parts: Sequence[StoredTensor]) -> StoredTensor:
    rows = sum(part.shape[0] for part in parts)
    return StoredTensor((rows, *parts[0].shape[1:]), parts[0].dtype, lambda: torch.cat([part.read() for part in parts]))
