"""Training of the motion-text space: motions to the texts that tell of them, and back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from engine.body.rotations import six_to_matrix
from engine.errors import UsageError
from engine.files import replacing
from engine.progress import Progress
from engine.semantics.motion_text import SENTENCE, MotionTextSpace, facing_ahead, map_sentences
from engine.training.corpus import CorpusClip, read_corpus
from engine.training.figure import INDEX
from engine.training.motion_text_score import MotionTextScores, score_motion_text
from engine.training.motion_text_windows import LabelledBatch, LabelledWindows, LabelVariation
from engine.training.sentences import LabelSentences, read_sentences

_WARM_UP_STEPS = 200
_TEMPERATURE = 0.1
_CLASS_WEIGHT, _NEAR_WEIGHT, _TEXT_WEIGHT, _ORDER_WEIGHT = 1.0, 2.0, 0.3, 4.0
_REBUILD_WEIGHT, _EXEMPLAR_WEIGHT = 1.0, 1.0
_EXEMPLAR_LABELS, _EXEMPLAR_WINDOWS = 12, 8
_WHITENING = 0.3
"""Share of the mean variance that is added to every direction before texts are whitened."""
_MEANING = 0.6
"""How near texts of the same meaning are kept, 1: as near as their sentence embeddings."""
_SMALL = ("wrist", "hand", "foot", "collar")


@dataclass(frozen=True)
class MotionTextTraining:
    """Settings of a run."""

    steps: int = 5000
    """Optimiser steps."""
    batch: int = 64
    """Windows a step."""
    learning_rate: float = 6e-4
    """Largest rate; warmed up, then a cosine down to a hundredth."""
    weight_decay: float = 0.05
    """Of AdamW."""
    checkpoint_every: int = 100
    """Steps between checkpoints, from which a run goes on."""
    variation: LabelVariation = field(default_factory=LabelVariation)

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch < 2:
            raise UsageError("A training run needs at least 1 step and 2 windows a step.", "Leave out the options.")


def train_motion_text(
    corpus: Path, out: Path, settings: MotionTextTraining, seed: int, progress: Progress, device: str = "cpu"
) -> MotionTextScores:
    """Train the space, or go on from the checkpoint beside `out`, and score it.

    Args:
        corpus: file of `build_corpus`.
        out: safetensors file to write; `<out>.checkpoint` beside it is what a stopped run goes on from.
        settings: length and variation.
        seed: fixes weights and windows.
        progress: told after every step.
        device: of torch.

    Returns:
        Figures on the held-out performers.

    Raises:
        UsageError: no corpus, or one without held-out clips or without labels of the dictionary.
        ModelFileError: the table of sentence embeddings is damaged, or not of this dictionary.
        CancelledError: stopped; the checkpoint stays.
    """
    clips, sentences = read_corpus(corpus), read_sentences()
    space = fit_space([clip for clip in clips if not clip.held_out], sentences, out, settings, seed, progress, device)
    space.to_file(out)
    return score_motion_text(space, clips)


def fit_space(
    clips: Sequence[CorpusClip],
    sentences: LabelSentences,
    out: Path,
    settings: MotionTextTraining,
    seed: int,
    progress: Progress,
    device: str,
) -> MotionTextSpace:
    """The space of these clips, on the CPU and frozen. Arguments and errors as of `train_motion_text`."""
    torch.manual_seed(seed)
    space = MotionTextSpace(sentences.labels).to(device)
    texts = _Texts(sentences, torch.device(device))
    space.sentence_map.copy_(texts.first_map(space.label_points.shape[1]))
    learned_map = torch.nn.Parameter(space.sentence_map.clone())
    weights = [*space.parameters(), learned_map]
    optimiser = torch.optim.AdamW(weights, lr=settings.learning_rate, weight_decay=settings.weight_decay)
    checkpoint = out.with_name(out.name + ".checkpoint")
    windows = LabelledWindows(clips, sentences.labels, torch.device(device))
    space.train()
    for step in range(_resumed(checkpoint, space, learned_map, optimiser), settings.steps):
        for group in optimiser.param_groups:
            group["lr"] = settings.learning_rate * _rate(step, settings.steps)
        # a generator for each step: a run that was stopped goes on exactly as it would have
        generator = torch.Generator().manual_seed(seed * 1_000_003 + step)
        torch.manual_seed(seed * 1_000_003 + step)  # of dropout
        loss = _loss(space, texts, learned_map, windows, settings, generator)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimiser.step()
        if (step + 1) % settings.checkpoint_every == 0 or step + 1 == settings.steps:
            _save(checkpoint, space, learned_map, optimiser, step + 1)
        progress(step + 1, settings.steps)
    with torch.no_grad():
        space.sentence_map.copy_(learned_map)
        space.label_points.copy_(map_sentences(texts.of_labels, learned_map))
    return space.cpu().requires_grad_(False).eval()


class _Texts:
    """Sentence embeddings on the device."""

    def __init__(self, sentences: LabelSentences, device: torch.device) -> None:
        self.all = torch.from_numpy(sentences.embeddings).to(device)
        self.label = torch.from_numpy(sentences.rows).to(device)
        self.of_labels = torch.from_numpy(sentences.of_labels).to(device)
        centred = functional.normalize(self.of_labels - self.of_labels.mean(0), dim=-1)
        self.nearness = _MEANING * (centred @ centred.T)
        """(N, N) how near the labels' meanings are: what the order in the space is held to."""

    def first_map(self, size: int) -> Tensor:
        """(385, D) that whitens the labels' sentences, shrunk so that what is rare is not blown up."""
        mean = self.of_labels.mean(0)
        _, spread, axes = torch.linalg.svd(self.of_labels - mean, full_matrices=False)
        variance = spread.square() / len(self.of_labels)
        axes = axes[:size] / (variance[:size, None] + _WHITENING * variance.mean()).sqrt()
        axes = functional.pad(axes, (0, 0, 0, size - len(axes)))
        return torch.cat((axes.T, -(mean @ axes.T)[None])) / math.sqrt(SENTENCE)


def _loss(
    space: MotionTextSpace,
    texts: _Texts,
    learned_map: Tensor,
    windows: LabelledWindows,
    settings: MotionTextTraining,
    generator: torch.Generator,
) -> Tensor:
    batch = windows.draw(settings.batch, generator, settings.variation)
    labels = map_sentences(texts.of_labels, learned_map)
    points = space.encode_motion(batch.six)
    wanted = functional.normalize(labels[batch.label] + labels[batch.other], dim=-1)
    near = (1 - (points * wanted).sum(-1)).mean()
    chosen = torch.randint(len(texts.all), (settings.batch,), generator=generator).to(labels.device)
    said = map_sentences(texts.all[chosen], learned_map)
    told = functional.cross_entropy(said @ labels.T / _TEMPERATURE, texts.label[chosen], label_smoothing=0.1)
    order = (labels @ labels.T - texts.nearness).square().mean()
    rebuilt = _difference(space.decoder(points), facing_ahead(batch.six)).mean()
    return (
        _CLASS_WEIGHT * _classes(points @ labels.T / _TEMPERATURE, batch)
        + _NEAR_WEIGHT * near
        + _TEXT_WEIGHT * told
        + _ORDER_WEIGHT * order
        + _REBUILD_WEIGHT * rebuilt
        + _EXEMPLAR_WEIGHT * _exemplars(space, labels.detach(), windows, generator)
    )


def _classes(scores: Tensor, batch: LabelledBatch) -> Tensor:
    both = (functional.cross_entropy(scores, rows, label_smoothing=0.05) for rows in (batch.label, batch.other))
    return sum(both, scores.new_zeros(())) / 2


def _exemplars(space: MotionTextSpace, labels: Tensor, windows: LabelledWindows, generator: torch.Generator) -> Tensor:
    """What the decoder makes of labels, against the nearest of some windows of each: it has to settle for one phase of
    a repeated motion, where the mean of all phases would stand still."""
    covered = windows.covered
    rows = covered[torch.randperm(len(covered), generator=generator)[:_EXEMPLAR_LABELS]]
    real = windows.of_labels(rows, _EXEMPLAR_WINDOWS, generator)
    real = facing_ahead(real.flatten(0, 1)).reshape(real.shape)
    made = space.decoder(labels[rows.to(labels.device)])
    differences = torch.stack([_difference(made, real[:, i]) for i in range(_EXEMPLAR_WINDOWS)], 1)
    return differences.amin(1).mean()


def _difference(made: Tensor, real: Tensor) -> Tensor:
    """(B,) of windows (B, 60, 24, 6), in place and in speed; the joints that move much of the body count more."""
    weight = made.new_full((24, 1), 1.0)
    weight[[row for name, row in INDEX.items() if name.endswith(_SMALL)]] = 0.3
    weight[0] = 3.0
    place = (weight * (made - real).abs()).flatten(1).mean(1)
    speed = (weight * (made - real).diff(dim=1).abs()).flatten(1).mean(1)
    return place + 5 * speed


def rebuilt_rotations(space: MotionTextSpace, six: Tensor) -> Tensor:
    """Windows (B, 60, 24, 6) through encoder and decoder: rotations (B, 60, 24, 3, 3), facing ahead."""
    return six_to_matrix(space.decode(space.encode_motion(six)))


def _rate(step: int, steps: int) -> float:
    warm = min(1.0, (step + 1) / min(_WARM_UP_STEPS, steps))
    return warm * (0.01 + 0.99 * (1 + math.cos(math.pi * step / steps)) / 2)


def _save(path: Path, space: MotionTextSpace, learned_map: Tensor, optimiser: torch.optim.Optimizer, step: int) -> None:
    state = {
        "space": space.state_dict(),
        "map": learned_map.detach(),
        "optimiser": optimiser.state_dict(),
        "step": step,
    }
    with replacing(path) as file:
        torch.save(state, file)


def _resumed(path: Path, space: MotionTextSpace, learned_map: Tensor, optimiser: torch.optim.Optimizer) -> int:
    """Steps already done."""
    if not path.is_file():
        return 0
    try:
        state: dict[str, Any] = torch.load(path, weights_only=True, map_location="cpu")
        space.load_state_dict(state["space"])
        with torch.no_grad():
            learned_map.copy_(state["map"])
        optimiser.load_state_dict(state["optimiser"])
        return int(state["step"])
    except (RuntimeError, KeyError, ValueError, EOFError, UnpicklingError) as error:
        raise UsageError(f"{path} is no checkpoint of this training.", "Delete it to start anew.") from error
