"""The in-filler that ships: a masked motion model that reads the label (not of the paper, which has eq. 4 alone).

It sees the pose network's motion, how well each joint was seen, and a sentence for each frame, and says how the person
most likely moved. What a label means for a joint that nobody saw is learnt directly, where eq. 4 has a gradient towards
a whole window's likeness. It also says how far motion and label fit each other, so that a wrong one can be left out.
Legend: B windows, T frames, J joints (24), N labels.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor, nn

from engine.adaptation.denoiser import mean_rotation
from engine.backbones.transformer import Block, rotary
from engine.backbones.windows import blend
from engine.body.rotations import matrix_to_six, six_to_matrix
from engine.errors import ModelFileError
from engine.files import replacing

INFILLER = Path(__file__).parents[1] / "assets" / "infiller.safetensors"
SENTENCE = 384
"""Numbers of a sentence embedding (all-MiniLM-L6-v2)."""
MOST_FRAMES = 60
"""Of a window in training, at up to 60 frames a second."""
_JOINTS, _NUMBERS = 24, 144
_INPUTS = _NUMBERS + 2 * _JOINTS + 9
_WIDTH, _LAYERS, _HEADS = 184, 4, 4
_WORKING_RATE = 30.0
_AT_ONCE = 32
_HINT = "Install the engine again, or rebuild the file with: adapt-motion train infiller"


@dataclass(frozen=True)
class Infilled:
    """What the in-filler says.

    Attributes:
        rotations: (B, T, 24, 3, 3) relative to the parent, root in the frame of the input's.
        fits: (B, T) logit that the sentence tells of this motion.
    """

    rotations: Tensor
    fits: Tensor


class MotionInfiller(nn.Module):
    """The network.

    Args:
        labels: those that it knows by name, in the order of their sentences.
        width, layers: of the transformer.

    Attributes:
        mixed: multiply matrices in bfloat16, for training; exact enough and faster.
    """

    sentences: Tensor

    def __init__(self, labels: Sequence[str], width: int = _WIDTH, layers: int = _LAYERS) -> None:
        super().__init__()
        self.labels, self.mixed = tuple(labels), False
        self._rows = {label: row for row, label in enumerate(self.labels)}
        self.enter = nn.Sequential(nn.Linear(_INPUTS, width), nn.GELU(), nn.Linear(width, width))
        self.read = nn.Linear(SENTENCE, width, bias=False)  # no sentence is all zeros, and says nothing
        self.blocks = nn.ModuleList(Block(width, _HEADS) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.leave = nn.Linear(width, _NUMBERS)
        self.judge = nn.Linear(width, 1)
        self.usual = nn.Parameter(torch.tensor([1.0, 0, 0, 0, 1, 0]).repeat(_JOINTS, 1))
        self.register_buffer("sentences", torch.zeros(len(self.labels), SENTENCE))
        nn.init.zeros_(self.leave.weight)  # untrained, what is shown passes
        nn.init.zeros_(self.leave.bias)

    def forward(
        self, rotations: Tensor, shown: Tensor, confidence: Tensor, times_s: Tensor, sentence: Tensor
    ) -> Infilled:
        """In-fill windows.

        Args:
            rotations: (B, T, 24, 3, 3) relative to the parent, root in the camera frame.
            shown: (B, T, 24) 1 where the rotation is shown to the network, 0 where it is not; the root's always is.
            confidence: (B, T, 24) how well each joint was seen, 0..1.
            times_s: (B, T) seconds, increasing.
            sentence: (B, T, 384) embedding of what is done in each frame, 0 where nobody knows.
        """
        reference = mean_rotation(rotations[:, :, 0], torch.ones_like(times_s))
        aligned = torch.cat((reference.mT[:, None, None] @ rotations[:, :, :1], rotations[:, :, 1:]), 2)
        shown = torch.cat((torch.ones_like(shown[..., :1]), shown[..., 1:]), -1)
        start = torch.lerp(self.usual.expand(*shown.shape, 6), matrix_to_six(aligned), shown[..., None])
        view = reference.flatten(1)[:, None].expand(-1, rotations.shape[1], -1)
        inputs = torch.cat(((start * shown[..., None]).flatten(2), shown, confidence, view), -1)
        turn = rotary(times_s * _WORKING_RATE, len(self.norm.weight) // _HEADS)
        with torch.autocast(inputs.device.type, torch.bfloat16, self.mixed):  # rotations stay in full precision
            hidden = self.enter(inputs) + self.read(sentence)
            for block in self.blocks:
                hidden = block(hidden, turn, None)
            hidden = self.norm(hidden)
            change, fits = self.leave(hidden).float(), self.judge(hidden)[..., 0].float()
        clean = six_to_matrix(start + change.reshape(start.shape))
        return Infilled(torch.cat((reference[:, None, None] @ clean[:, :, :1], clean[:, :, 1:]), 2), fits)

    def sentence_of(self, label: str) -> Tensor:
        """(384,) what stands for a label: 0 for '' and for one that it does not know."""
        row = self._rows.get(label)
        return torch.zeros_like(self.sentences[0]) if row is None else self.sentences[row]

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


def infill_track(
    network: MotionInfiller,
    rotations: Tensor,
    shown: Tensor,
    confidence: Tensor,
    times_s: Tensor,
    sentences: Tensor,
    said: Tensor,
) -> tuple[Tensor, Tensor]:
    """A whole track in windows that overlap by half and are blended. T rows, any number.

    Args:
        network: the in-filler.
        rotations: (T, 24, 3, 3); shown, confidence: (T, 24); times_s: (T,): as in `forward`.
        sentences: (N, 384) different ones; said: (T,) which of them is said of each row.

    Returns:
        (T, 24, 3, 3) rotations, and (T,) chance that the sentence tells of the motion.
    """
    count = len(times_s)
    size = min(MOST_FRAMES, count)
    starts = sorted({*range(0, count - size, max(1, size // 2)), count - size})
    pieces = []
    for first in range(0, len(starts), _AT_ONCE):
        rows = torch.tensor(starts[first : first + _AT_ONCE])[:, None] + torch.arange(size)
        at = rows.to(rotations.device)
        with torch.no_grad():
            filled = network(rotations[at], shown[at], confidence[at], times_s[at], sentences[said[at]])
        flat = torch.cat((matrix_to_six(filled.rotations).flatten(2), filled.fits.sigmoid()[..., None]), -1).cpu()
        pieces += [(slice(int(some[0]), int(some[-1]) + 1), values) for some, values in zip(rows, flat, strict=True)]
    whole = blend(pieces, count).to(rotations.device)
    return six_to_matrix(whole[:, :_NUMBERS].reshape(count, _JOINTS, 6)), whole[:, _NUMBERS]
