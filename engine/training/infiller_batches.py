"""What the in-filler learns from: labelled motion, what a pose network makes of it through the measured detector, and
sentences that tell of it, or do not.

Legend: B windows, S frames of each, J joints (24), K keypoints (MediaPipe's 33).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from engine.backbones.landmark_network import LandmarkNetwork, in_camera
from engine.backbones.summary import shown_by
from engine.body.landmarks import JOINT_NAMES
from engine.body.model import BodyModel
from engine.body.rotations import axis_angle_to_matrix, matrix_to_six, six_to_matrix
from engine.errors import UsageError
from engine.keypoints.joint_sets import MEDIAPIPE_33
from engine.keypoints.types import SEEN_CONFIDENCE
from engine.training.backbone_batches import Spoiling, batch_of
from engine.training.corpus import CorpusClip
from engine.training.detector_model import DetectorModel
from engine.training.figure import INDEX
from engine.training.motion_batches import MotionWindows, Variation
from engine.training.motion_noise import Noise, spoiled
from engine.training.observations import Conditions, synthesise
from engine.training.sentences import LabelSentences

FRAMES = 60
VARIATION = Variation(mixed=0.0, jitter_rad=0.06, reach_rad=0.1, tilt_rad=0.1, speed=0.15, sway_rad=0.03)
"""How motions are varied: so that the label stays true. Legs of other windows would belie it."""
CONDITIONS = Conditions(0.22, 0.16, 0.16, 0.12, 0.1)
"""Share of windows in which something hides the person: most."""
_CAPTURED = 1.5
"""How much more often captured motion is drawn than authored motion."""
_KEYPOINT_NUMBERS, _CONFIDENCE = 6, 2
_LIMBS = [
    [INDEX[f"{side}_{part}"] for part in parts]
    for side in ("left", "right")
    for parts in (("shoulder", "elbow", "wrist", "hand"), ("hip", "knee", "ankle", "foot"))
]
_PARTS = [*_LIMBS, _LIMBS[1] + _LIMBS[3], _LIMBS[1] + _LIMBS[3]]


@dataclass(frozen=True)
class Telling:
    """Share of windows in which something else than the right label is said."""

    nothing: float = 0.18
    """No sentence at all."""
    wrong: float = 0.12
    """The sentence of another label."""
    partly: float = 0.12
    """The sentence stands at some of the frames alone."""
    paraphrase: float = 0.5
    """Share of the sentences that are one wording, not the mean over all of them."""


RIGHT, EMPTY, WRONG = Telling(0, 0, 0, 0), Telling(1, 0, 0, 0), Telling(0, 1, 0, 0)


@dataclass(frozen=True)
class Spoils:
    """What is done to the pose network's answer, so that the in-filler suits better and worse networks. Shares of
    windows."""

    nearer: float = 0.4
    """The answer is brought nearer to the truth, by up to `nearest`."""
    nearest: float = 0.7
    noisy: float = 0.25
    """Noise as the denoiser's is added, up to full strength."""
    steady: float = 0.15
    """Every joint is turned by up to `steady_rad` (standard deviation), throughout."""
    steady_rad: float = 0.2
    unshown: float = 0.25
    """Joints that are not seen are not shown."""
    other: float = 0.1
    """Joints that are not seen move as those of another window."""
    part: float = 0.1
    """A limb, or the legs, is not shown although it is seen."""


NOT_SPOILED = Spoils(nearer=0, noisy=0, steady=0, unshown=0, other=0, part=0)


@dataclass(frozen=True)
class InfillerBatch:
    """Inputs and the truth, root in the camera frame.

    Attributes:
        rotations: (B, S, 24, 3, 3) as the pose network has it; shown, confidence: (B, S, 24); times_s: (B, S).
        sentence: (B, S, 384), 0 where nothing is said.
        fits: (B, S) 1 where the sentence is right, 0 where it is wrong, -1 where there is none.
        clean: (B, S, 24, 3, 3) the truth.
        betas: (B, 10).
        hidden: (B, S, 24) bool, joints before which something stands, or that are out of the picture.
    """

    rotations: Tensor
    shown: Tensor
    confidence: Tensor
    times_s: Tensor
    sentence: Tensor
    fits: Tensor
    clean: Tensor
    betas: Tensor
    hidden: Tensor


def labelled_pieces(clips: Sequence[CorpusClip], labels: Sequence[str]) -> list[CorpusClip]:
    """Every labelled stretch as a clip of one label, and mirrored where there is a label for that.

    Raises:
        UsageError: there is none.
    """
    pieces = [piece for clip in clips for piece in _cut(clip) if piece.labels[0].label in labels]
    pieces += [other for other in (piece.mirrored() for piece in pieces) if other.labels[0].label in labels]
    if not pieces:
        raise UsageError("No clip has a label of the dictionary.", "Build the corpus from all the clips.")
    return pieces


def _cut(clip: CorpusClip) -> Iterator[CorpusClip]:
    for row in clip.labels:
        rows = slice(row.start, min(row.end, len(clip.poses)))
        if rows.stop - rows.start > 1:
            whole = replace(row, start=0, end=rows.stop - rows.start)
            yield replace(
                clip, poses=clip.poses[rows], pelvis=clip.pelvis[rows], contacts=clip.contacts[rows], labels=(whole,)
            )


@dataclass(frozen=True)
class InfillerBatches:
    """Draws batches.

    Attributes:
        pieces: clips of one label each.
        network: the pose network whose answers are mended; body, detector: on its device.
        sentences: of the dictionary.
        variation, conditions, spoiling, spoils, telling: what is varied, hidden, spoilt and said.
    """

    pieces: Sequence[CorpusClip]
    network: LandmarkNetwork
    body: BodyModel
    detector: DetectorModel
    sentences: LabelSentences
    device: torch.device
    variation: Variation = VARIATION
    conditions: Conditions = CONDITIONS
    spoiling: Spoiling = field(
        default_factory=lambda: Spoiling(
            focal=0.3, no_3d=0.03, fewer_points=0.0, gap=0.1, confidence=0.15, sure=0.0, calm=0.2, limbs=0.0
        )
    )
    spoils: Spoils = field(default_factory=Spoils)
    telling: Telling = field(default_factory=Telling)

    def __post_init__(self) -> None:
        rows = torch.tensor([self.sentences.labels.index(piece.labels[0].label) for piece in self.pieces])
        windows = MotionWindows(self.pieces, FRAMES, self.device, _shares(self.pieces, rows))
        object.__setattr__(self, "_label", rows)
        object.__setattr__(self, "_windows", windows)

    _label: Tensor = field(init=False, repr=False)
    _windows: MotionWindows = field(init=False, repr=False)

    @torch.no_grad()
    def draw(self, count: int, frames: int, generator: torch.Generator) -> InfillerBatch:
        """`count` windows of `frames` neighbouring frames.

        Args:
            count: B.
            frames: S.
            generator: a CPU generator: a seed means the same on every device.
        """
        motion = self._windows.draw(count, generator, self.variation, torch.arange(frames).expand(count, -1))
        assert motion.clip is not None
        seen = synthesise(motion, self.body, self.detector, generator, self.conditions)
        batch = batch_of(seen, self.spoiling, generator)
        with torch.autocast(self.device.type, torch.bfloat16):
            output = self.network(batch.features, batch.times_s, self.body)
        predicted, _ = in_camera(output, batch.turn, batch.scale)
        shows = _shows().to(self.device)
        keypoints = batch.features[..., : len(MEDIAPIPE_33) * _KEYPOINT_NUMBERS]
        confidence = keypoints[..., _CONFIDENCE::_KEYPOINT_NUMBERS] @ shows.T
        hidden = (batch.hidden.float() @ shows.T) > 0.5
        rotations, shown = _spoil(predicted, batch.rotations, confidence, self.spoils, generator)
        sentence, fits = tell(self._label[motion.clip.cpu()], frames, self.sentences, self.telling, generator)
        return InfillerBatch(
            rotations,
            shown,
            confidence,
            batch.times_s,
            sentence.to(self.device),
            fits.to(self.device),
            batch.rotations,
            batch.betas,
            hidden,
        )


def _shares(pieces: Sequence[CorpusClip], label: Tensor) -> Tensor:
    """How often each piece is drawn. Long pieces repeat themselves, and so do those of one label: roots of both."""
    length = torch.tensor([float(len(piece.poses)) for piece in pieces]).sqrt()
    authored = torch.tensor([piece.synthetic for piece in pieces])
    together = torch.zeros(int(label.max()) + 1).index_add_(0, label, length)
    return length / together[label].sqrt() * torch.where(authored, 1.0, _CAPTURED)


def _shows() -> Tensor:
    """(24, 33) shares of keypoints whose mean shows each joint, as in `engine.backbones.summary.joint_confidence`."""
    table = torch.zeros(len(JOINT_NAMES), len(MEDIAPIPE_33))
    for row, joint in enumerate(JOINT_NAMES):
        table[row, [MEDIAPIPE_33.index(name) for name in shown_by(joint) if name in MEDIAPIPE_33]] = 1
    return table / table.sum(1, keepdim=True).clamp(min=1)


def _spoil(
    predicted: Tensor, clean: Tensor, confidence: Tensor, spoils: Spoils, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """The pose network's rotations, spoilt further or made better, and (B, S, 24) 1 where they are shown."""
    count, device = len(predicted), predicted.device

    def chosen(share: float) -> Tensor:
        """(B, 1, 1) windows."""
        return (torch.rand(count, 1, 1, generator=generator) < share).to(device)

    def amount() -> Tensor:
        return torch.rand(count, 1, 1, generator=generator).to(device)

    near = chosen(spoils.nearer) * spoils.nearest * amount()
    rotations = six_to_matrix(torch.lerp(matrix_to_six(predicted), matrix_to_six(clean), near[..., None]))
    level = (chosen(spoils.noisy) * amount()).flatten()
    rotations = spoiled(rotations, Noise(), generator, level)
    turn = torch.randn(count, 1, 24, 3, generator=generator).to(device)
    turn = turn * (spoils.steady_rad * chosen(spoils.steady) * amount())[..., None]
    turn[:, :, 0] = 0
    rotations = rotations @ axis_angle_to_matrix(turn)
    unseen = confidence < SEEN_CONFIDENCE
    unseen[..., 0] = False
    other = (unseen & chosen(spoils.other))[..., None, None]
    rotations = torch.where(other, rotations.roll(1, 0), rotations)
    covered = torch.zeros(len(_PARTS), 24, dtype=torch.bool)
    for row, part in enumerate(_PARTS):
        covered[row, part] = True
    hidden = covered[torch.randint(len(_PARTS), (count,), generator=generator)].to(device)[:, None]
    unshown = (unseen & chosen(spoils.unshown)) | (hidden & chosen(spoils.part))
    return rotations, (~unshown).float()


def tell(
    label: Tensor, frames: int, sentences: LabelSentences, telling: Telling, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Sentences (B, S, 384) for windows of labels (B,), and (B, S) whether they fit: 1, 0, or -1 where none is said."""
    count = len(label)

    def rand(*shape: int) -> Tensor:
        return torch.rand(count, *shape, generator=generator)

    wrong = rand() < telling.wrong
    shift = 1 + (rand() * (len(sentences.labels) - 1)).long()
    said = torch.where(wrong, (label + shift) % len(sentences.labels), label)
    means = torch.from_numpy(sentences.of_labels)[said]
    # one of the wordings of each label: the first after a random place among all of them, run round
    texts, owners = torch.from_numpy(sentences.embeddings), torch.from_numpy(sentences.rows)
    order = (torch.arange(len(texts))[None] - (rand(1) * len(texts)).long()) % len(texts)
    one = texts[order.masked_fill(owners[None] != said[:, None], len(texts)).argmin(1)]
    sentence = torch.where(rand(1) < telling.paraphrase, one, means)[:, None].expand(-1, frames, -1)
    there = (rand(1) >= telling.nothing).expand(-1, frames).clone()
    length = rand(1).clamp(min=0.2) * frames
    start = rand(1) * (frames - length)
    at = torch.arange(frames)[None]
    there &= ~(rand(1) < telling.partly) | ((at >= start) & (at < start + length))
    fits = torch.where(there, (~wrong).float()[:, None].expand(-1, frames), torch.full((count, frames), -1.0))
    return sentence * there[..., None], fits
