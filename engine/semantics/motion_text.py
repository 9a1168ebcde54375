"""The motion-text space that ships: a small network of its own, in the part that MotionCLIP has in the method.

Texts come in through sentence embeddings (all-MiniLM-L6-v2, Apache-2.0) and a linear map that training learns with the
motions; the map's results for the labels of the dictionary ship in the file, so that no sentence encoder is needed.
Legend: B windows, D numbers of the space, N labels.
"""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn import functional

from engine.body.rotations import matrix_to_six, six_to_matrix
from engine.errors import ModelFileError
from engine.files.atomic import replacing
from engine.semantics.types import WINDOW, MotionDictionary

MOTION_TEXT = Path(__file__).resolve().parents[1] / "assets" / "motion_text.safetensors"
SENTENCE = 384
"""Numbers of a sentence embedding."""
_NUMBERS = 144
_SIZE, _WIDTH, _HEADS, _LAYERS = 128, 192, 6, 3
_PATCH, _STRIDE = 6, 3
_WAVES, _INNER = 20, 384
_SPEED_SCALE = 6.0  # brings changes from frame to frame to about the size of the rotations themselves
_HINT = "Install the add-on's engine again, or rebuild the file with: adapt-motion train motion-text"


class _Encoder(nn.Module):
    """Motion to a point: overlapping patches of 0.2 s, a transformer over them, their mean."""

    def __init__(self, width: int, layers: int, size: int) -> None:
        super().__init__()
        self.patches = nn.Conv1d(2 * _NUMBERS, width, _PATCH, stride=_STRIDE)
        places = (WINDOW - _PATCH) // _STRIDE + 1  # they cover every frame
        self.places = nn.Parameter(0.02 * torch.randn(places, width))
        layer = nn.TransformerEncoderLayer(
            width, _HEADS, 2 * width, dropout=0.1, activation="gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.leave = nn.Sequential(nn.LayerNorm(2 * width), nn.Linear(2 * width, size))

    def forward(self, six: Tensor) -> Tensor:
        """(B, 60, 144) to (B, D)."""
        speed = functional.pad(six.diff(dim=1), (0, 0, 1, 0)) * _SPEED_SCALE
        tokens = self.patches(torch.cat((six, speed), -1).transpose(1, 2)).transpose(1, 2) + self.places
        tokens = self.layers(tokens)
        point: Tensor = self.leave(torch.cat((tokens.mean(1), tokens.amax(1)), -1))
        return point


class _Decoder(nn.Module):
    """A point to motion, as cosine waves over the window: up to 5 Hz, so nothing jitters."""

    waves: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(size, _INNER),
            nn.GELU(),
            nn.Linear(_INNER, _INNER),
            nn.GELU(),
            nn.Linear(_INNER, _WAVES * _NUMBERS),
        )
        at = (torch.arange(WINDOW) + 0.5) * math.pi / WINDOW
        self.register_buffer("waves", torch.cos(at[:, None] * torch.arange(_WAVES)), persistent=False)

    def forward(self, point: Tensor) -> Tensor:
        """(B, D) to (B, 60, 24, 6), not yet rotations."""
        strengths = self.layers(point).reshape(len(point), _WAVES, _NUMBERS)
        motion: Tensor = (self.waves @ strengths).reshape(len(point), WINDOW, 24, 6)
        return motion


class MotionTextSpace(nn.Module):
    """The network with its labels. Meets `types.MotionTextSpace`; in use its weights never learn.

    Args:
        labels: those of the dictionary, in its order.
        width, layers, size: of the network; `size` is D.
    """

    label_points: Tensor
    sentence_map: Tensor

    def __init__(self, labels: Sequence[str], width: int = _WIDTH, layers: int = _LAYERS, size: int = _SIZE) -> None:
        super().__init__()
        self.labels = tuple(labels)
        self._rows = {label: row for row, label in enumerate(self.labels)}
        self.encoder = _Encoder(width, layers, size)
        self.decoder = _Decoder(size)
        self.register_buffer("label_points", torch.zeros(len(self.labels), size))
        self.register_buffer("sentence_map", torch.zeros(SENTENCE + 1, size))

    def encode_motion(self, six: Tensor) -> Tensor:
        """Where windows of motion lie.

        Args:
            six: (B, 60, 24, 6) in the frame of `engine.semantics.types`, any heading.

        Returns:
            (B, D) unit vectors. Gradients reach `six`.

        Raises:
            ValueError: the windows have another shape.
        """
        if six.shape[1:] != (WINDOW, 24, 6):
            raise ValueError(f"six is {tuple(six.shape)}, not (B, {WINDOW}, 24, 6)")
        points: Tensor = functional.normalize(self.encoder(facing_ahead(six).flatten(2)), dim=-1)
        return points

    def decode(self, latent: Tensor) -> Tensor:
        """Motion of points (B, D): (B, 60, 24, 6), true rotations, facing -y with z up."""
        return matrix_to_six(six_to_matrix(self.decoder(functional.normalize(latent, dim=-1))))

    def encode_labels(self, labels: Sequence[str]) -> Tensor:
        """Where labels lie: unit vectors (N, D). Raises KeyError for a label that is not in the dictionary."""
        return self.label_points[[self._rows[label] for label in labels]]

    def knowing(self, dictionary: MotionDictionary) -> MotionTextSpace:
        """The same space with labels of a dictionary that it was not trained with: they lie where their exemplar lies.

        Networks and weights are shared with this one; without such labels it is this one.
        """
        added = [label for label in dictionary.labels if label not in self._rows]
        if not added:
            return self
        exemplars = np.stack([dictionary.exemplar(label) for label in added])
        other = copy.copy(self)
        other._buffers = dict(self._buffers)
        with torch.no_grad():
            points = self.encode_motion(torch.from_numpy(exemplars).to(self.label_points))
        other.label_points = torch.cat((self.label_points, points))
        other.labels = (*self.labels, *added)
        other._rows = {label: row for row, label in enumerate(other.labels)}
        return other

    def encode_sentences(self, embeddings: Tensor) -> Tensor:
        """Where any texts lie, from their sentence embeddings (N, 384) by all-MiniLM-L6-v2: unit vectors (N, D)."""
        return map_sentences(embeddings, self.sentence_map)

    @classmethod
    def from_file(cls, path: Path = MOTION_TEXT) -> MotionTextSpace:
        """The space of a safetensors file, frozen. Raises ModelFileError if it holds anything else."""
        try:
            with safe_open(path, "pt") as file:
                labels = json.loads((file.metadata() or {})["labels"])
                weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no dict)
        except Exception as error:
            raise ModelFileError(f"{path} cannot be read as a motion-text space.", _HINT) from error
        try:
            size, width = weights["encoder.leave.1.weight"].shape
            layers = {name.split(".")[3] for name in weights if name.startswith("encoder.layers.layers.")}
            space = cls(labels, width // 2, len(layers), size)
            space.load_state_dict(weights)
        except (KeyError, RuntimeError, TypeError, ValueError) as error:
            raise ModelFileError(f"{path} holds the weights of another network.", _HINT) from error
        if not all(bool(torch.isfinite(tensor).all()) for tensor in weights.values()):
            raise ModelFileError(f"{path} holds values that are no numbers.", _HINT)
        return space.requires_grad_(False).eval()

    def to_file(self, path: Path) -> None:
        """Write weights, in half precision, and labels. Raises OutputError if the disk refuses."""
        tensors = {name: value.cpu().half().contiguous() for name, value in self.state_dict().items()}
        with replacing(path) as file:
            file.write(save(tensors, {"labels": json.dumps(self.labels)}))


def map_sentences(embeddings: Tensor, sentence_map: Tensor) -> Tensor:
    """Sentence embeddings (N, 384) through the map (385, D), whose last row is the offset: unit vectors (N, D)."""
    return functional.normalize(embeddings @ sentence_map[:-1] + sentence_map[-1], dim=-1)


def facing_ahead(six: Tensor) -> Tensor:
    """Windows (B, T, 24, 6) turned about the vertical so that the person's left points to +x on the mean.

    The left-right axis gives the heading of people who lie or turn over, too. The turn counts as given: gradients pass
    through the motion alone.
    """
    with torch.no_grad():
        left = six[:, :, 0, :2].mean(1)  # horizontal part of the first column: the body's x, to the left
        cosine, sine = functional.normalize(left + left.new_tensor([1e-6, 0.0]), dim=-1).unbind(-1)
        zero, one = torch.zeros_like(cosine), torch.ones_like(cosine)
        turn = torch.stack((cosine, sine, zero, -sine, cosine, zero, zero, zero, one), -1).reshape(-1, 1, 3, 3)
    columns = six[:, :, 0].reshape(*six.shape[:2], 2, 3) @ turn.transpose(-1, -2)
    return torch.cat((columns.reshape(*six.shape[:2], 1, 6), six[:, :, 1:]), 2)
