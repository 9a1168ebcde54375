"""Training of the motion-text space: motions to the texts that tell of them, and back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from engine.errors import UsageError
from engine.files.atomic import replacing
from engine.runtime.progress import Progress
from engine.semantics.motion_text import SENTENCE, MotionTextSpace, facing_ahead, map_sentences
from engine.training.corpus import CorpusClip, learnt_from, read_corpus
from engine.training.exemplars import write_exemplars
from engine.training.motion_text_decoder import fit_decoder, motion_difference
from engine.training.motion_text_score import MotionTextScores, check_scorable, score_motion_text
from engine.training.motion_text_windows import LabelledBatch, LabelledWindows, LabelVariation
from engine.training.run import cosine, warmed
from engine.training.sentences import LabelSentences, read_sentences

_WARM_UP_STEPS = 200
_REPLAYS, _MISLED_RATE = 3, 0.4
_TEMPERATURE = 0.1
_CLASS_WEIGHT, _NEAR_WEIGHT, _TEXT_WEIGHT, _ORDER_WEIGHT = 1.0, 2.0, 0.3, 4.0
_REBUILD_WEIGHT = 1.0
_WHITENING = 0.3
"""Share of the mean variance that is added to every direction before texts are whitened."""
_MEANING = 0.6
"""How near texts of the same meaning are kept, 1: as near as their sentence embeddings."""


@dataclass(frozen=True)
class MotionTextTraining:
    """Settings of a run."""

    steps: int = 1600
    """Optimiser steps, one on each batch of windows."""
    misled_steps: int = 240
    """Batches after these, with three optimiser steps on each: one with the windows as they are, two with windows that
    are moved the way that misleads the network most."""
    batch: int = 64
    """Windows a batch."""
    mislead: float = 0.1
    """How far windows are moved at most, root mean square in the six numbers; about 6 degrees a joint."""
    learning_rate: float = 6e-4
    """Largest rate; warmed up, then a cosine down to a hundredth."""
    weight_decay: float = 0.05
    """Of AdamW."""
    checkpoint_every: int = 100
    """Steps between checkpoints, from which a run goes on."""
    variation: LabelVariation = field(default_factory=LabelVariation)
    share: float = 1.0
    """How much of the motion is trained on, of `learnt_from`."""

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch < 2:
            raise UsageError("A training run needs at least 1 step and 2 windows a step.", "Leave out the options.")


def train_motion_text(
    corpus: Path, out: Path, settings: MotionTextTraining, seed: int, progress: Progress, device: str = "cpu"
) -> MotionTextScores:
    """Train the space, or go on from the checkpoint beside `out`, and score it.

    Args:
        corpus: file of `build_corpus`.
        out: safetensors file to write, with the dictionary's exemplars as `actions_exemplars.npz` beside it;
            `<out>.checkpoint` is what a stopped run goes on from.
        settings: length and variation.
        seed: fixes weights and windows.
        progress: called after every step.
        device: of torch.

    Returns:
        Figures on the held-out performers.

    Raises:
        UsageError: no corpus, or one without labelled clips on both sides.
        ModelFileError: the table of sentence embeddings is damaged, or not of this dictionary.
        CancelledError: stopped; the checkpoint stays.
    """
    clips, sentences = read_corpus(corpus), read_sentences()
    check_scorable(clips, sentences.labels)
    known = learnt_from(clips, settings.share, seed)
    if not any(row.label in sentences.labels for clip in known for row in clip.labels):
        raise UsageError(f"{corpus} has no labelled clip that is not held out.", "Build the corpus from all the clips.")
    space = fit_space(known, sentences, out, settings, seed, progress, device)
    space.to_file(out)
    write_exemplars(space, out.with_name("actions_exemplars.npz"))
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
    total = settings.steps + settings.misled_steps
    for step in range(_resumed(checkpoint, space, learned_map, optimiser), total):
        for group in optimiser.param_groups:
            group["lr"] = settings.learning_rate * _rate(step, settings)
        # a generator for each step: a run that was stopped goes on exactly as it would have
        generator = torch.Generator().manual_seed(seed * 1_000_003 + step)
        torch.manual_seed(seed * 1_000_003 + step)  # of dropout
        batch = windows.draw(settings.batch, generator, settings.variation)
        moved = torch.zeros_like(batch.six)
        for _ in range(1 if step < settings.steps else _REPLAYS):
            moved.requires_grad_()
            loss = _loss(space, texts, learned_map, replace(batch, six=batch.six + moved), generator)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(weights, 1.0)
            optimiser.step()
            moved = _misleading(moved, settings.mislead, generator)
        if (step + 1) % settings.checkpoint_every == 0 or step + 1 == total:
            _save(checkpoint, space, learned_map, optimiser, step + 1)
        progress(step + 1, total)
    with torch.no_grad():
        space.sentence_map.copy_(learned_map)
        space.label_points.copy_(map_sentences(texts.of_labels, learned_map))
    fit_decoder(space.eval(), windows, seed, progress)
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
    batch: LabelledBatch,
    generator: torch.Generator,
) -> Tensor:
    labels = map_sentences(texts.of_labels, learned_map)
    points = space.encode_motion(batch.six)
    wanted = functional.normalize(labels[batch.label] + labels[batch.other], dim=-1)
    near = (1 - (points * wanted).sum(-1)).mean()
    chosen = torch.randint(len(texts.all), (len(points),), generator=generator).to(labels.device)
    spoken = map_sentences(texts.all[chosen], learned_map)
    by_text = functional.cross_entropy(spoken @ labels.T / _TEMPERATURE, texts.label[chosen], label_smoothing=0.1)
    order = (labels @ labels.T - texts.nearness).square().mean()
    rebuilt = motion_difference(space.decoder(points), facing_ahead(batch.six.detach())).mean()
    return (
        _CLASS_WEIGHT * _classes(points @ labels.T / _TEMPERATURE, batch)
        + _NEAR_WEIGHT * near
        + _TEXT_WEIGHT * by_text
        + _ORDER_WEIGHT * order
        + _REBUILD_WEIGHT * rebuilt
    )


def _classes(scores: Tensor, batch: LabelledBatch) -> Tensor:
    both = (functional.cross_entropy(scores, rows, label_smoothing=0.05) for rows in (batch.label, batch.other))
    return sum(both, scores.new_zeros(())) / 2


def _misleading(moved: Tensor, most: float, generator: torch.Generator) -> Tensor:
    """The next move (B, 60, 24, 6) of windows: up the loss, by the gradient that the last step left.

    A network that stands its ground against it (Shafahi et al. 2019) has gradients that mean something: towards what a
    label looks like, not towards what fools the network. Alignment follows those gradients.
    """
    assert moved.grad is not None
    size = moved.grad.square().mean((1, 2, 3), keepdim=True).sqrt().clamp(min=1e-12)
    moved = moved.detach() + 0.6 * most * moved.grad / size
    limit = most * torch.rand(len(moved), 1, 1, 1, generator=generator).to(moved.device)
    size = moved.square().mean((1, 2, 3), keepdim=True).sqrt()
    return moved * (limit / size.clamp(min=1e-12)).clamp(max=1)


def _rate(step: int, settings: MotionTextTraining) -> float:
    """Share of the learning rate: warmed up and let down by a cosine, and again from a lower top for misled steps."""
    if step >= settings.steps:
        return _MISLED_RATE * cosine((step - settings.steps) / settings.misled_steps)
    return warmed(step, settings.steps, _WARM_UP_STEPS)


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
