"""MotionCLIP (Tevet et al. 2022): motion into CLIP's space of texts, and back from a text to motion."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.body.rotations import matrix_to_six, six_to_matrix
from engine.runtime.progress import Progress
from engine.weights.checkpoints import MOTIONCLIP, build, open_checkpoint

FPS = 30
FRAMES = 60
TOKENS, NUMBERS = 25, 6
RIGHT_ANKLE = 8
_WIDTH, _HEADS, _LAYERS, _INNER = 512, 4, 8, 1024
_TABLE_LENGTH, _TABLE_BASE = 5000, 10000.0
_TABLES = ("encoder.sequence_pos_encoder.pe", "decoder.sequence_pos_encoder.pe")


def position_table() -> Tensor:
    """(5000, 1, 512) sines in even channels and cosines in odd ones."""
    place = torch.arange(_TABLE_LENGTH, dtype=torch.float32)[:, None]
    pace = torch.exp(torch.arange(0, _WIDTH, 2, dtype=torch.float32) * (-math.log(_TABLE_BASE) / _WIDTH))
    return torch.stack(((place * pace).sin(), (place * pace).cos()), -1).reshape(_TABLE_LENGTH, 1, _WIDTH)


class _Positions(nn.Module):
    pe: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("pe", torch.zeros(_TABLE_LENGTH, 1, _WIDTH))

    def forward(self, tokens: Tensor) -> Tensor:
        """Add the places to tokens (B, N, 512)."""
        return tokens + self.pe[: tokens.shape[1], 0]


class Encoder(nn.Module):
    """Motion to its feature."""

    def __init__(self) -> None:
        super().__init__()
        self.muQuery = nn.Parameter(torch.zeros(1, _WIDTH))
        self.sigmaQuery = nn.Parameter(torch.zeros(1, _WIDTH))
        self.skelEmbedding = nn.Linear(TOKENS * NUMBERS, _WIDTH)
        self.sequence_pos_encoder = _Positions()
        layer = nn.TransformerEncoderLayer(_WIDTH, _HEADS, _INNER, activation="gelu", batch_first=True)
        self.seqTransEncoder = nn.TransformerEncoder(layer, _LAYERS, enable_nested_tensor=False)

    def forward(self, motion: Tensor, real: Tensor) -> Tensor:
        """(B, 25, 6, T) and its mask (B, T), true where a frame is real, to features (B, 512)."""
        frames = self.skelEmbedding(motion.permute(0, 3, 1, 2).flatten(2))
        queries = torch.stack((self.muQuery, self.sigmaQuery), 1).expand(len(frames), -1, -1)
        tokens = self.sequence_pos_encoder(torch.cat((queries, frames), 1))
        padding = functional.pad(~real, (2, 0), value=False)
        features: Tensor = self.seqTransEncoder(tokens, src_key_padding_mask=padding)
        return features[:, 0]


class Decoder(nn.Module):
    """A feature to motion."""

    def __init__(self) -> None:
        super().__init__()
        self.actionBiases = nn.Parameter(torch.zeros(1, _WIDTH))  # of a variant with classes; never read
        self.sequence_pos_encoder = _Positions()
        layer = nn.TransformerDecoderLayer(_WIDTH, _HEADS, _INNER, activation="gelu", batch_first=True)
        self.seqTransDecoder = nn.TransformerDecoder(layer, _LAYERS)
        self.finallayer = nn.Linear(_WIDTH, TOKENS * NUMBERS)

    def forward(self, feature: Tensor, real: Tensor) -> Tensor:
        """(B, 512) and the mask (B, T) of frames that are wanted to motion (B, 25, 6, T), 0 where none is wanted."""
        queries = self.sequence_pos_encoder(feature.new_zeros(*real.shape, _WIDTH))
        answers = self.seqTransDecoder(queries, feature[:, None], tgt_key_padding_mask=~real)
        motion: Tensor = self.finallayer(answers) * real[..., None]
        return motion.reshape(*real.shape, TOKENS, NUMBERS).permute(0, 2, 3, 1)


class MotionClip(nn.Module):
    """Encoder and decoder. Compare `encode` with CLIP's text feature by the cosine between them."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = Encoder()
        self.decoder = Decoder()

    def encode(self, motion: Tensor, real: Tensor | None = None) -> Tensor:
        """Features of motion, not of unit length.

        Args:
            motion: (B, 25, 6, T) from `motion_tokens`, 30 frames a second, 60 frames in its training.
            real: (B, T) bool, false in padding; None where there is none.

        Returns:
            (B, 512).
        """
        mask = motion.new_ones(len(motion), motion.shape[-1], dtype=torch.bool) if real is None else real
        features: Tensor = self.encoder(motion, mask)
        return features

    def decode(self, feature: Tensor, frames: int = FRAMES) -> Tensor:
        """Motion of a feature (B, 512), such as CLIP's of a text with its own length: (B, 25, 6, frames)."""
        motion: Tensor = self.decoder(feature, feature.new_ones(len(feature), frames, dtype=torch.bool))
        return motion

    @classmethod
    def from_checkpoint(cls, path: Path, progress: Progress | None = None) -> MotionClip:
        """The published `paper-model` or `classes-model`. Raises ModelFileError."""
        with open_checkpoint(path, MOTIONCLIP) as checkpoint:
            defaults = dict.fromkeys(_TABLES, position_table())
            network = build(checkpoint, cls, progress, defaults=defaults)
        return network.requires_grad_(False)  # it judges motion; it never learns


def motion_tokens(rotations: Tensor, ankle_path: Tensor) -> Tensor:
    """The network's input.

    Args:
        rotations: (B, T, 24, 3, 3) SMPL joints, the global orientation in a world with Z up; any heading.
        ankle_path: (B, T, 3) metres, from `right_ankle_path`; only how it differs from the first frame counts.

    Returns:
        (B, 25, 6, T).
    """
    sixes = matrix_to_six(rotations, "rows")
    path = functional.pad(ankle_path - ankle_path[:, :1], (0, 3))[:, :, None]
    return torch.cat((sixes, path), 2).permute(0, 2, 3, 1)


def token_rotations(motion: Tensor) -> Tensor:
    """Rotations (B, T, 24, 3, 3) in decoded motion (B, 25, 6, T); its global orientation is of no use."""
    return six_to_matrix(motion[:, :24].permute(0, 3, 1, 2), "rows")


def right_ankle_path(joints: Tensor) -> Tensor:
    """What the network was given as translation: where the right ankle is about the pelvis.

    (..., 24, 3) posed joints in a world with Z up to (..., 3).
    """
    return joints[..., RIGHT_ANKLE, :] - joints[..., 0, :]


def camera_to_z_up(rotations: Tensor) -> Tensor:
    """Turn the global orientation (index 0 of (..., 24, 3, 3)) from a level camera (y down, z away) to Z up."""
    turn = rotations.new_tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
    return torch.cat((turn @ rotations[..., :1, :, :], rotations[..., 1:, :, :]), -3)
