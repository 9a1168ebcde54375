"""The motion in-filler that ships: a masked motion model that reads the label and samples motion (not of the paper).

It reads what the pose network makes of the joints that are seen, how well they are seen, the path of the pelvis and a
sentence for each frame, and draws how the whole body most likely moves: rectified flow (Liu et al., "Flow Straight and
Fast", ICLR 2023) from noise to joint rotations. Draws differ in what the evidence leaves open, such as the phase of a
gait. Legend: B windows, T frames, J joints (24).
"""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn import functional

from engine.adaptation.denoiser import mean_rotation
from engine.backbones.transformer import Block, rotary
from engine.body.rotations import matrix_to_six, six_to_matrix
from engine.errors import ModelFileError
from engine.files.atomic import replacing
from engine.semantics.dictionary import MotionDictionary

INFILLER = Path(__file__).parents[1] / "assets" / "infiller.safetensors"
SENTENCE = 384
"""Numbers of a sentence embedding (all-MiniLM-L6-v2)."""
WINDOW = 64
"""Frames of a window in training, at 15 to 30 frames a second."""
_JOINTS, _NUMBERS = 24, 144
_PATH = 7
"""Pelvis less its straight path (3), mean velocity (3), and whether the velocity is given."""
_UPPER = 8
"""Head and shoulders less their straight path (3 each), and whether they are seen."""
_TIME_WAVES = 8
_INPUTS = 2 * _NUMBERS + 2 * _JOINTS + 9 + _PATH + _UPPER + 2 * _TIME_WAVES + 1
_WIDTH, _LAYERS, _HEADS = 256, 5, 4
_WORKING_RATE = 30.0
_PATH_UNIT_M, _UPPER_UNIT_M = 0.1, 0.03
UPPER = (("nose", "left_ear", "right_ear"), ("left_shoulder", "right_shoulder"))
"""Keypoints of head and shoulders."""
_HINT = "Install the engine again, or rebuild the file with: adapt-motion train infiller"


@dataclass(frozen=True)
class MotionEvidence:
    """What the in-filler reads of windows.

    Attributes:
        rotations: (B, T, 24, 3, 3) relative to the parent, root in the camera frame: the pose network's answer.
        shown: (B, T, 24) 1 where the rotation is evidence, 0 where the joint is hidden; the root's is always evidence.
        confidence: (B, T, 24) how well each joint is seen, 0..1.
        pelvis: (B, T, 3) camera frame, metres.
        upper: (B, T, 2, 3) head and shoulders in the picture: x and y, metres at the mean depth of the pelvis, and 1
            where they are seen. They rise, sink and sway with every step.
        velocity: (B,) 1 where the mean velocity of the pelvis is evidence, 0 where it is not (a treadmill).
        times_s: (B, T) seconds, increasing.
        sentence: (B, T, 384) embedding of the action in each frame, 0 where there is no label.
    """

    rotations: Tensor
    shown: Tensor
    confidence: Tensor
    pelvis: Tensor
    upper: Tensor
    velocity: Tensor
    times_s: Tensor
    sentence: Tensor


@dataclass(frozen=True)
class Condition:
    """Evidence as the network reads it: the same for all steps of the flow.

    Attributes:
        start: (B, T, 24, 6) the rotations that are shown, and a usual pose for the others; root against `reference`.
        fixed: (B, T, D) all inputs that do not change along the flow.
        sentence: (B, T, 384).
        reference: (B, 3, 3) mean of the root's rotation.
        turn: rotary positions.
    """

    start: Tensor
    fixed: Tensor
    sentence: Tensor
    reference: Tensor
    turn: tuple[Tensor, Tensor]

    def rows(self, chosen: Tensor) -> Condition:
        """The same for some of the windows."""
        turn = (self.turn[0][chosen], self.turn[1][chosen])
        return Condition(self.start[chosen], self.fixed[chosen], self.sentence[chosen], self.reference[chosen], turn)


class MotionInfiller(nn.Module):
    """The network.

    Args:
        labels: those that it knows by name, in the order of their sentences.
        width, layers: of the transformer.

    Attributes:
        mixed: multiply matrices in bfloat16, for training; exact enough and faster.
        spread: (24, 6) standard deviation of each number of a rotation, which is that of the noise.
    """

    sentences: Tensor
    usual: Tensor
    spread: Tensor

    def __init__(self, labels: Sequence[str], width: int = _WIDTH, layers: int = _LAYERS) -> None:
        super().__init__()
        self.labels, self.mixed = tuple(labels), False
        self._rows = {label: row for row, label in enumerate(self.labels)}
        self.enter = nn.Sequential(nn.Linear(_INPUTS, width), nn.GELU(), nn.Linear(width, width))
        self.read = nn.Linear(SENTENCE, width, bias=False)  # no sentence is all zeros, and says nothing
        self.blocks = nn.ModuleList(Block(width, _HEADS) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.leave = nn.Linear(width, _NUMBERS)
        self.touch = nn.Linear(width, 4)
        self.register_buffer("usual", torch.tensor([1.0, 0, 0, 0, 1, 0]).repeat(_JOINTS, 1))
        self.register_buffer("spread", torch.full((_JOINTS, 6), 0.3))
        self.register_buffer("sentences", torch.zeros(len(self.labels), SENTENCE))
        nn.init.zeros_(self.leave.weight)  # untrained, what is shown passes
        nn.init.zeros_(self.leave.bias)

    def condition(self, evidence: MotionEvidence) -> Condition:
        """What stays the same along the flow."""
        rotations = evidence.rotations
        reference = mean_rotation(rotations[:, :, 0], torch.ones_like(evidence.times_s))
        aligned = torch.cat((reference.mT[:, None, None] @ rotations[:, :, :1], rotations[:, :, 1:]), 2)
        shown = torch.cat((torch.ones_like(evidence.shown[..., :1]), evidence.shown[..., 1:]), -1)
        start = torch.lerp(self.usual.expand(*shown.shape, 6), matrix_to_six(aligned), shown[..., None])
        view = reference.flatten(1)[:, None].expand(-1, rotations.shape[1], -1)
        path = pelvis_path(evidence, reference)
        given = ((start - self.usual) / self.spread * shown[..., None]).flatten(2)
        fixed = torch.cat((given, shown, evidence.confidence, view, path, upper_path(evidence, reference)), -1)
        turn = rotary(evidence.times_s * _WORKING_RATE, len(self.norm.weight) // _HEADS)
        return Condition(start, fixed, evidence.sentence, reference, turn)

    def forward(self, condition: Condition, state: Tensor, level: Tensor) -> tuple[Tensor, Tensor]:
        """Clean motion expected of a state of the flow.

        Args:
            condition: of the windows.
            state: (B, T, 24, 6) `level` of clean motion and the rest noise; root against the reference.
            level: (B,) 0 for pure noise to 1 for clean motion.

        Returns:
            (B, T, 24, 6) numbers of the clean rotations, and (B, T, 4) logits of foot contact: left heel, left toe,
            right heel, right toe.
        """
        frames = state.shape[1]
        waves = level[:, None] * (torch.pi * 2.0 ** torch.arange(_TIME_WAVES, device=level.device) / 2)
        clock = torch.cat((level[:, None], waves.sin(), waves.cos()), -1)[:, None].expand(-1, frames, -1)
        noisy = ((state - self.usual) / self.spread).flatten(2)
        inputs = torch.cat((noisy, condition.fixed, clock), -1)
        with torch.autocast(inputs.device.type, torch.bfloat16, self.mixed):  # rotations stay in full precision
            hidden = self.enter(inputs) + self.read(condition.sentence)
            for block in self.blocks:
                hidden = block(hidden, condition.turn, None)
            hidden = self.norm(hidden)
            change, touch = self.leave(hidden).float(), self.touch(hidden).float()
        base = torch.lerp(condition.start, state, level[:, None, None, None])
        return base + change.reshape(base.shape) * self.spread, touch

    def noise(self, shape: Sequence[int], generator: torch.Generator, strength: Tensor | float = 1.0) -> Tensor:
        """States (B, T, 24, 6) at level 0: what is usual, and noise."""
        drawn = torch.randn(*shape, _JOINTS, 6, generator=generator).to(self.spread.device)
        return self.usual + self.spread * drawn * strength

    def sentence_of(self, label: str) -> Tensor:
        """(384,) embedding of a label: 0 for '' and for one that the network does not know."""
        row = self._rows.get(label)
        return torch.zeros_like(self.sentences[0]) if row is None else self.sentences[row]

    def knowing(self, dictionary: MotionDictionary) -> MotionInfiller:
        """The same network with labels that a studio added: they read as the labels that they are most like.

        Weights are shared with this one; without such labels it is this one.
        """
        added = [label for label in dictionary.labels if label not in self._rows]
        if not added:
            return self
        like = [[self.sentence_of(name) for name in dictionary.nearest(label)] for label in added]
        rows = [torch.stack(some).mean(0) if some else torch.zeros_like(self.sentences[0]) for some in like]
        other = copy.copy(self)
        other._buffers = {**self._buffers, "sentences": torch.cat((self.sentences, torch.stack(rows)))}
        other.labels = (*self.labels, *added)
        other._rows = {label: row for row, label in enumerate(other.labels)}
        return other

    @classmethod
    def from_file(cls, path: Path = INFILLER) -> MotionInfiller:
        """The network of a safetensors file, frozen. Raises ModelFileError if it holds anything else."""
        try:
            with safe_open(path, "pt") as file:
                labels = json.loads((file.metadata() or {})["labels"])
                weights = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118 (it is no dict)
        except Exception as error:
            raise ModelFileError(f"{path} cannot be read as weights of the motion in-filler.", _HINT) from error
        try:
            layers = {name.split(".")[1] for name in weights if name.startswith("blocks.")}
            network = cls(labels, len(weights["norm.weight"]), len(layers))
            network.load_state_dict(weights)
        except (KeyError, RuntimeError, TypeError) as error:
            raise ModelFileError(f"{path} holds the weights of another network.", _HINT) from error
        if not all(bool(weight.isfinite().all()) for weight in weights.values()):
            raise ModelFileError(f"{path} holds weights that are no numbers.", _HINT)
        return network.requires_grad_(False).eval()

    def to_file(self, path: Path) -> None:
        """Write weights, in half precision, and labels. Raises OutputError if the disk refuses."""
        weights = {name: value.cpu().half().contiguous() for name, value in self.state_dict().items()}
        with replacing(path) as file:
            file.write(save(weights, {"labels": json.dumps(self.labels)}))


def pelvis_path(evidence: MotionEvidence, reference: Tensor) -> Tensor:
    """(B, T, 7) the pelvis about its straight path, in units of 0.1 m, its mean velocity in m/s, and whether that is
    given; all in the axes of `reference` (B, 3, 3).

    The path about the straight one is that at the mean depth: the picture shows how the body bobs and sways, while its
    depth in a frame is off by ten times as much.
    """
    times = evidence.times_s - evidence.times_s.mean(1, keepdim=True)
    square = times.square().sum(1, keepdim=True).clamp(min=1e-6)
    depth = evidence.pelvis[..., 2:].clamp(min=0.1)
    flat = evidence.pelvis / depth * depth.mean(1, keepdim=True)
    given, velocity = evidence.velocity[:, None], []
    for path in (evidence.pelvis, flat):
        centred = path - path.mean(1, keepdim=True)
        velocity.append((times[..., None] * centred).sum(1) / square)
    about = (flat - flat.mean(1, keepdim=True) - times[..., None] * velocity[1][:, None]) @ reference
    mean = (velocity[0][:, None] @ reference)[:, 0].clamp(-8, 8) * given
    steady = torch.cat((mean, given), -1)[:, None].expand(-1, times.shape[1], -1)
    return torch.cat(((about / _PATH_UNIT_M).clamp(-10, 10), steady), -1)


def upper_of(points: Tensor, confidence: Tensor, names: Sequence[str], camera: Tensor, depth: Tensor) -> Tensor:
    """`MotionEvidence.upper` (B, T, 2, 3), about its mean over the window.

    Args:
        points: (B, T, K, 2) pixels.
        confidence: (B, T, K), 0 where a keypoint is not seen.
        names: of the K keypoints.
        camera: (B, 3, 3) or (3, 3) intrinsics.
        depth: (B, T) of the pelvis, metres.
    """
    parts = []
    focal = torch.stack((camera[..., 0, 0], camera[..., 1, 1]), -1).reshape(-1, 1, 2)
    scale = depth.clamp(min=0.1).mean(1)[:, None, None] / focal
    for group in UPPER:
        columns = [names.index(name) for name in group if name in names]
        weight = confidence[..., columns, None]
        total = weight.sum(2)
        place = (points[..., columns, :].nan_to_num() * weight).sum(2) / total.clamp(min=1e-6) * scale
        known = (total > 0).to(place.dtype)
        mean = (place * known).sum(1, keepdim=True) / known.sum(1, keepdim=True).clamp(min=1)
        parts.append(torch.cat(((place - mean) * known, known), -1))
    return torch.stack(parts, 2)


def upper_path(evidence: MotionEvidence, reference: Tensor) -> Tensor:
    """(B, T, 8) head and shoulders about their straight path, in units of 0.03 m in the axes of `reference`
    (B, 3, 3), each with whether it is seen."""
    place, known = evidence.upper[..., :2], evidence.upper[..., 2:]
    times = evidence.times_s[:, :, None, None]
    count = known.sum(1, keepdim=True).clamp(min=1)
    late = times - (times * known).sum(1, keepdim=True) / count
    about = place - (place * known).sum(1, keepdim=True) / count
    slope = (late * about * known).sum(1, keepdim=True) / (late.square() * known).sum(1, keepdim=True).clamp(min=1e-6)
    about = (about - late * slope) * known
    turned = functional.pad(about, (0, 1)) @ reference[:, None]
    return torch.cat(((turned / _UPPER_UNIT_M).clamp(-10, 10), known), -1).flatten(2)


def in_camera(six: Tensor, reference: Tensor) -> Tensor:
    """Rotations (B, T, 24, 3, 3), root in the camera frame, of numbers (B, T, 24, 6) against `reference` (B, 3, 3)."""
    rotations = six_to_matrix(six)
    return torch.cat((reference[:, None, None] @ rotations[:, :, :1], rotations[:, :, 1:]), 2)
