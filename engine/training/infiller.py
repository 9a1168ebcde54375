"""Training of the motion in-filler that ships: rectified flow on stored windows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from engine.adaptation.infiller import Condition, MotionEvidence, MotionInfiller
from engine.backbones.landmark import LANDMARK_WEIGHTS, read_network
from engine.backbones.summary import rotation_confidence
from engine.body.model import BodyModel, load_body
from engine.body.rotations import axis_angle_to_matrix, matrix_to_six, six_to_matrix
from engine.errors import UsageError
from engine.keypoints.types import SEEN_CONFIDENCE
from engine.runtime.precision import fast_bfloat16
from engine.runtime.progress import Progress
from engine.training.corpus import CorpusClip, learnt_from, read_corpus
from engine.training.detector_model import DetectorModel
from engine.training.infiller_score import InfillerScore, check_infiller_scorable, joints_of, score_infiller
from engine.training.infiller_windows import WindowMaker, Windows
from engine.training.motion_noise import LOWER_BODY, Noise, spoiled
from engine.training.run import TrainingRun
from engine.training.sentences import LabelSentences, read_sentences
from engine.training.training_report import checkpoint_of

_WARM_UP_STEPS = 200
_PLACE_UNIT_M, _SPEED_UNIT_M = 0.1, 0.02
_PLACE_WEIGHT, _SPEED_WEIGHT, _TOUCH_WEIGHT = 0.5, 0.25, 0.05
_LEAST_SPREAD = 0.05
_LEVEL_ZERO = 0.2
"""Share of windows at level 0, where the answer is the expected motion."""
_PARTS = [LOWER_BODY, LOWER_BODY, LOWER_BODY, LOWER_BODY[:4], LOWER_BODY[4:], [16, 18, 20, 22], [17, 19, 21, 23]]


@dataclass(frozen=True)
class Spoils:
    """What is done to the pose network's answer, so that the in-filler suits better and worse networks. Shares of
    windows."""

    nearer: float = 0.5
    """The answer is brought nearer to the truth, by up to all of it: footage is easier than drawn observations."""
    noisy: float = 0.2
    """Noise as the denoiser's is added, up to full strength."""
    steady: float = 0.15
    """Every joint is turned by up to `steady_rad` (standard deviation), throughout."""
    steady_rad: float = 0.2
    part: float = 0.3
    """A limb, or the legs, counts as hidden although it is seen."""
    gap: float = 0.4
    """Share of those in which it is hidden for a part of the window alone."""
    no_sentence: float = 0.15
    partly: float = 0.1
    """The sentence stands at some of the frames alone."""
    paraphrase: float = 0.5
    """Share of the sentences that are one wording, not the mean over all of them."""
    velocity: float = 0.5
    """Share of windows in which the mean velocity of the pelvis is evidence."""
    in_place: float = 0.25
    """The pelvis has no mean velocity, as on a treadmill."""


NOT_SPOILED = Spoils(nearer=0, noisy=0, steady=0, part=0, no_sentence=0, partly=0, paraphrase=0, velocity=1, in_place=0)


@dataclass(frozen=True)
class InfillerTraining:
    """Settings of a run."""

    steps: int = 10_000
    """Optimiser steps."""
    batch: int = 48
    """Windows a step."""
    windows: int = 40_000
    """Windows of the store that steps choose from."""
    learning_rate: float = 8e-4
    """Largest rate; warmed up, then a cosine down to a hundredth."""
    checkpoint_every: int = 100
    """Steps between checkpoints, from which a run goes on."""
    mixed: bool = True
    """Multiply matrices in bfloat16 where the device has instructions for it."""
    scored_windows: int = 96
    """Windows of each kind and condition that it is scored on at the end."""
    share: float = 1.0
    """How much of the motion is trained on, of `learnt_from`."""

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch < 2 or self.windows < self.batch:
            raise UsageError("A training run needs at least 1 step and 2 windows a step.", "Leave out the options.")


def train_infiller(
    corpus: Path,
    out: Path,
    settings: InfillerTraining,
    seed: int,
    progress: Progress,
    device: str = "cpu",
    backbone: Path = LANDMARK_WEIGHTS,
) -> InfillerScore:
    """Train the in-filler, or go on from the checkpoint beside `out`, and score it.

    Args:
        corpus: file of `build_corpus`.
        out: safetensors file to write; `<out>.checkpoint` beside it is what a stopped run goes on from, and
            `<out>.windows.npz` the windows that it learns from.
        settings: length and rate.
        seed: fixes weights, windows, observations and noise.
        progress: called after every step.
        device: of torch.
        backbone: weights of the pose network whose answers are in-filled.

    Returns:
        Figures on the clips of held-out performers, with the right label and without.

    Raises:
        UsageError: no corpus, or one without labelled clips to train on or to score on.
        ModelFileError: no weights of the pose network, the detector or the sentences.
        CancelledError: stopped; the checkpoint has every step that was done.
    """
    clips, sentences = read_corpus(corpus), read_sentences()
    held_out = [clip for clip in clips if clip.held_out]
    check_infiller_scorable(held_out, sentences.labels)
    body = load_body(None, device)
    windows = _windows(clips, sentences, body, out, settings, seed, progress, device, backbone)
    torch.manual_seed(seed)
    infiller = MotionInfiller(sentences.labels)
    infiller.sentences.copy_(torch.from_numpy(sentences.of_labels))
    infiller.spread.copy_(_spread(windows))
    infiller.to(device).mixed = settings.mixed and fast_bfloat16(device)

    def loss(generator: torch.Generator) -> Tensor:
        chosen = windows.rows(torch.randint(len(windows), (settings.batch,), generator=generator))
        evidence = evidence_of(chosen, sentences, Spoils(), generator)
        return _loss(infiller, evidence, chosen, body, generator)

    run = TrainingRun(
        infiller, settings.learning_rate, _WARM_UP_STEPS, settings.steps, checkpoint_of(out), settings.checkpoint_every
    )
    run.finish(loss, seed, progress)
    infiller.cpu().eval().to_file(out)
    return score_infiller(MotionInfiller.from_file(out), held_out, backbone, sentences, settings.scored_windows)


def _windows(
    clips: list[CorpusClip],
    sentences: LabelSentences,
    body: BodyModel,
    out: Path,
    settings: InfillerTraining,
    seed: int,
    progress: Progress,
    device: str,
    backbone: Path,
) -> Windows:
    """The store beside `out`, drawn if it is not there."""
    path = out.with_name(out.name + ".windows.npz")
    if not path.is_file():
        network, detector = read_network(backbone).to(device), DetectorModel.from_file().to(device)
        known = learnt_from(clips, settings.share, seed)
        maker = WindowMaker(known, sentences.labels, network, body, detector)
        maker.store(settings.windows, seed, progress).write(path)
    return Windows.read(path)


def _spread(windows: Windows) -> Tensor:
    """(24, 6) standard deviation of rotations; that of the root against its mean in each window."""
    some = windows.rows(torch.arange(0, len(windows), max(1, len(windows) // 4000)))
    six = some.clean.clone()
    six[:, :, 0] -= six[:, :, :1].mean(1, keepdim=True)[:, :, 0]
    return six.flatten(0, 1).std(0).clamp(min=_LEAST_SPREAD)


def evidence_of(
    windows: Windows, sentences: LabelSentences, spoils: Spoils, generator: torch.Generator
) -> MotionEvidence:
    """What the in-filler reads of windows, spoilt for training.

    Args:
        windows: B of them, in single precision.
        sentences: of the dictionary.
        spoils: how far; `NOT_SPOILED` leaves them as the pose network and the detector have them.
        generator: on the CPU.
    """
    count, frames = windows.label.shape

    def rand(*shape: int) -> Tensor:
        return torch.rand(count, *shape, generator=generator)

    near = (rand(1, 1, 1) < spoils.nearer) * rand(1, 1, 1)
    rotations = six_to_matrix(torch.lerp(windows.predicted, windows.clean, near))
    if spoils.noisy:
        rotations = spoiled(rotations, Noise(), generator, ((rand() < spoils.noisy) * rand()))
    turn = torch.randn(count, 1, 24, 3, generator=generator)
    turn = turn * (spoils.steady_rad * (rand(1, 1, 1) < spoils.steady) * rand(1, 1, 1))
    turn[:, :, 0] = 0
    rotations = rotations @ axis_angle_to_matrix(turn)
    confidence = windows.confidence * ~_covered(count, frames, spoils, generator)
    shown = (rotation_confidence(confidence) >= SEEN_CONFIDENCE).float()
    velocity = (rand() < spoils.velocity).float()
    pelvis = _in_place(windows.pelvis, windows.times_s, rand() < spoils.in_place)
    sentence = _sentences(windows.label.long(), sentences, spoils, generator)
    return MotionEvidence(rotations, shown, confidence, pelvis, windows.upper, velocity, windows.times_s, sentence)


def _covered(count: int, frames: int, spoils: Spoils, generator: torch.Generator) -> Tensor:
    """(B, T, 24) bool: joints of a part that counts as hidden."""
    parts = torch.tensor([[joint in part for joint in range(24)] for part in _PARTS])
    chosen = parts[torch.randint(len(_PARTS), (count,), generator=generator)]
    chance = torch.rand(count, 4, generator=generator)
    length = torch.where(chance[:, 0] < spoils.gap, 0.1 + 0.6 * chance[:, 1], 3.0) * frames
    start = (chance[:, 2] * (frames + length) - length) * (length < frames)
    at = torch.arange(frames)
    there = (at >= start[:, None]) & (at < (start + length)[:, None]) & (chance[:, 3:] < spoils.part)
    return there[..., None] & chosen[:, None]


def _in_place(pelvis: Tensor, times_s: Tensor, chosen: Tensor) -> Tensor:
    """Paths (B, T, 3) without their straight part in the chosen (B,) windows."""
    times = (times_s - times_s.mean(1, keepdim=True))[..., None]
    centred = pelvis - pelvis.mean(1, keepdim=True)
    velocity = (times * centred).sum(1, keepdim=True) / times.square().sum(1, keepdim=True).clamp(min=1e-6)
    return torch.where(chosen[:, None, None], pelvis - times * velocity, pelvis)


def _sentences(label: Tensor, sentences: LabelSentences, spoils: Spoils, generator: torch.Generator) -> Tensor:
    """(B, T, 384) sentences of labels (B, T), 0 where there is none."""
    count, frames = label.shape

    def rand(*shape: int) -> Tensor:
        return torch.rand(count, *shape, generator=generator)

    row = label.clamp(min=0)
    means = torch.from_numpy(sentences.of_labels)[row]
    first = row.gather(1, (rand(1) * frames).long().clamp(max=frames - 1))  # one wording of the label of one frame
    texts, owners = torch.from_numpy(sentences.embeddings), torch.from_numpy(sentences.rows)
    order = (torch.arange(len(texts))[None] - (rand(1) * len(texts)).long()) % len(texts)
    one = texts[order.masked_fill(owners[None] != first, len(texts)).argmin(1)][:, None]
    use = (rand(1) < spoils.paraphrase) & (row == first)
    length = rand(1).clamp(min=0.2) * frames
    start = rand(1) * (frames - length)
    at = torch.arange(frames)[None]
    there = (label >= 0) & (rand(1) >= spoils.no_sentence)
    there = there & (~(rand(1) < spoils.partly) | ((at >= start) & (at < start + length)))
    return torch.where(use[..., None], one, means) * there[..., None]


def aligned_clean(windows: Windows, condition: Condition) -> Tensor:
    """(B, T, 24, 6) the truth with the root against the reference."""
    root = condition.reference.mT[:, None] @ six_to_matrix(windows.clean[:, :, 0])
    return torch.cat((matrix_to_six(root)[:, :, None], windows.clean[:, :, 1:]), 2)


def _loss(
    infiller: MotionInfiller,
    evidence: MotionEvidence,
    windows: Windows,
    body: BodyModel,
    generator: torch.Generator,
) -> Tensor:
    """Mean squared errors of numbers, places and speeds of joints, and of contacts, at random levels."""
    condition = infiller.condition(evidence)
    clean = aligned_clean(windows, condition)
    chance = torch.rand(2, len(clean), generator=generator)
    level = torch.where(chance[0] < _LEVEL_ZERO, torch.zeros_like(chance[1]), chance[1])
    noise = infiller.noise(clean.shape[:2], generator)
    state = torch.lerp(noise, clean, level[:, None, None, None])
    made, touch = infiller(condition, state, level)
    six = ((made - clean) / infiller.spread).square().mean()
    joints, true = (joints_of(six_to_matrix(part), windows.betas, body) for part in (made, clean))
    place = ((joints - true) / _PLACE_UNIT_M).square().sum(-1).mean()
    speed = ((joints.diff(dim=1) - true.diff(dim=1)) / _SPEED_UNIT_M).square().sum(-1).mean()
    known = windows.contacts >= 0
    miss = functional.binary_cross_entropy_with_logits(touch, windows.contacts.clamp(min=0).float(), reduction="none")
    contact = (miss * known).sum() / known.sum().clamp(min=1)
    total: Tensor = six + _PLACE_WEIGHT * place + _SPEED_WEIGHT * speed + _TOUCH_WEIGHT * contact
    return total
