"""Training of the pose backbone `landmark`."""

from __future__ import annotations

import json
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors.torch import save as safetensors_bytes
from torch import Tensor

from engine.backbones.landmark import read_network
from engine.backbones.landmark_network import LandmarkNetwork, NetworkShape
from engine.body.model import BodyModel, load_body
from engine.errors import CancelledError, UsageError
from engine.files.atomic import replacing
from engine.runtime.precision import fast_bfloat16
from engine.runtime.progress import Progress
from engine.training.backbone_batches import BatchMaker
from engine.training.backbone_losses import Weights, backbone_losses, total
from engine.training.backbone_score import WINDOW, BackboneScores, held_out, score_all
from engine.training.corpus import learnt_from, read_corpus
from engine.training.detector_model import DETECTOR_MODEL, DetectorModel
from engine.training.motion_batches import MotionWindows, clip_weights
from engine.training.run import warmed

_AVERAGE_MEMORY = 0.998
"""Share of the averaged weights that lasts to the next step."""


@dataclass(frozen=True)
class BackboneTraining:
    """Settings of a run."""

    steps: int = 20000
    """Optimiser steps."""
    batch: int = 64
    """Windows a step while frames are left out."""
    frames: int = 20
    """Frames of each window then: neighbouring frames tell little new and cost as much."""
    dense_share: float = 0.15
    """Share of the steps, the last ones, with all frames of fewer windows."""
    learning_rate: float = 8e-4
    """Largest rate; warmed up, then a cosine down to a hundredth."""
    warm_up: int = 300
    weight_decay: float = 0.02
    checkpoint_every: int = 100
    """Steps between checkpoints, from which a run goes on."""
    log_every: int = 100
    """Steps between lines of the log."""
    score_every: int = 1000
    """Steps between quick scores on held-out performers, which go into the log."""
    score_windows: int = 192
    """Windows of each figure at the end; a quarter of them along the way."""
    network: NetworkShape = field(default_factory=NetworkShape)
    weights: Weights = field(default_factory=Weights)
    legs_guessed: float = 0.2
    """Share of the windows in which the legs are never seen and move as they were captured."""
    synthetic: float = 0.25
    """Share of the windows that come from authored actions."""
    share: float = 1.0
    """How much of the motion is trained on, of `learnt_from`."""
    half: bool = True
    """Multiply matrices in bfloat16 where the device has instructions for it."""

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch < 3 or not 2 <= self.frames <= WINDOW:
            raise UsageError(
                "A training run of the backbone needs at least 1 step, 3 windows a step and 2 to 60 frames of each.",
                "Leave out the options.",
            )


def train_backbone(
    corpus: Path,
    out: Path,
    settings: BackboneTraining,
    seed: int,
    progress: Progress,
    device: str = "cpu",
    detector: Path = DETECTOR_MODEL,
    start: Path | None = None,
) -> BackboneScores:
    """Train the backbone, or go on from the checkpoint beside `out`, and score it.

    Args:
        corpus: file of `build_corpus`.
        out: safetensors file to write; `<out>.checkpoint` beside it is what a stopped run goes on from, `<out>.log`
            holds a line of JSON for every hundred steps.
        settings: length and size.
        seed: fixes weights and everything that is drawn.
        progress: called after every step.
        device: of torch.
        detector: the measured detector.
        start: weights of an earlier network of the same size to start from; None: from nothing.

    Returns:
        Figures on held-out performers.

    Raises:
        UsageError: no corpus, one without held-out clips, or a checkpoint of another training.
        ModelFileError: the detector's file is damaged.
        CancelledError: stopped; the checkpoint has every step that was done.
    """
    clips = read_corpus(corpus)
    known = learnt_from(clips, settings.share, seed)
    if not known:
        raise UsageError(f"{corpus} has no clip that is not held out.", "Build the corpus from all the clips.")
    for synthetic in (False, True):
        held_out(clips, synthetic)  # that there are any is better known before the training than after
    body = load_body(None, device)
    measured = DetectorModel.from_file(detector).to(device)
    run = _Run(settings, seed, out, device)
    if start is not None:
        run.start_from(read_network(start))
    weights = clip_weights(known, settings.synthetic)
    windows = MotionWindows(known, WINDOW, torch.device(device), weights)
    maker = BatchMaker(windows, body, measured, legs_guessed=settings.legs_guessed)
    for step in range(run.resumed(), settings.steps):
        run.step(step, maker, body)
        if (step + 1) % settings.score_every == 0:
            scores = score_all(run.averaged(), clips, body, measured, settings.score_windows // 4)
            run.log({"step": step + 1, **scores.rounded()})
        try:
            progress(step + 1, settings.steps)
        except CancelledError:
            run.save(step + 1)
            raise
        if (step + 1) % settings.checkpoint_every == 0 or step + 1 == settings.steps:
            run.save(step + 1)
    with replacing(out) as file:
        file.write(safetensors_bytes({name: value.half().cpu() for name, value in run.average.items()}))
    return score_all(read_network(out).to(device), clips, body, measured, settings.score_windows)


class _Run:
    """Network, optimiser and averaged weights of a run, and where they are kept."""

    def __init__(self, settings: BackboneTraining, seed: int, out: Path, device: str) -> None:
        torch.manual_seed(seed)
        self.settings, self.seed, self.device = settings, seed, torch.device(device)
        self.network = LandmarkNetwork(settings.network).to(device)
        self.average = {name: value.clone() for name, value in self.network.state_dict().items()}
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=settings.learning_rate, betas=(0.9, 0.98), weight_decay=settings.weight_decay
        )
        self._checkpoint, self._log = (out.with_name(out.name + end) for end in (".checkpoint", ".log"))
        self._sums: dict[str, float] = {}

    def start_from(self, network: LandmarkNetwork) -> None:
        """Take over an earlier network's weights. Raises UsageError if it is of another size."""
        if network.shape != self.settings.network:
            raise UsageError("The network to start from is of another size.", "Leave it out to start from nothing.")
        self.network.load_state_dict(network.state_dict())
        self.average = {name: value.clone() for name, value in self.network.state_dict().items()}

    def step(self, step: int, maker: BatchMaker, body: BodyModel) -> None:
        """One step of the optimiser."""
        settings = self.settings
        for group in self.optimiser.param_groups:
            group["lr"] = settings.learning_rate * rate(step, settings)
        # a generator for each step: a run that was stopped goes on exactly as it would have
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + step)
        dense = step >= settings.steps * (1 - settings.dense_share)
        frames = WINDOW if dense else settings.frames
        batch = maker.draw(max(3, round(settings.batch * settings.frames / frames)), frames, generator)
        with self._mixed():
            output = self.network(batch.features, batch.times_s, body)
        losses = backbone_losses(output, batch, body)
        loss = total(losses, settings.weights)
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
        memory = min(_AVERAGE_MEMORY, (1 + step) / (10 + step))
        with torch.no_grad():
            torch._foreach_lerp_(list(self.average.values()), list(self.network.state_dict().values()), 1 - memory)
        self._note(step, {"loss": loss, **losses})

    def _mixed(self) -> AbstractContextManager[Any]:
        # autocast alone: rotations, joints and losses are in float32
        half = self.settings.half and fast_bfloat16(self.device)
        return torch.autocast(self.device.type, torch.bfloat16, enabled=half)

    def _note(self, step: int, values: dict[str, Tensor]) -> None:
        for name, value in values.items():
            self._sums[name] = self._sums.get(name, 0.0) + float(value.detach())
        every = self.settings.log_every
        if (step + 1) % every == 0:
            self.log({"step": step + 1, **{name: round(value / every, 5) for name, value in self._sums.items()}})
            self._sums.clear()

    def log(self, line: dict[str, Any]) -> None:
        """Append a line of JSON to the log."""
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"time": time.strftime("%H:%M:%S"), **line}) + "\n")

    def averaged(self) -> LandmarkNetwork:
        """A network with the averaged weights."""
        network = LandmarkNetwork(self.settings.network).to(self.device)
        network.load_state_dict(self.average)
        return network.eval()

    def save(self, step: int) -> None:
        """Write the checkpoint after `step` steps."""
        state = {
            "step": step,
            "network": self.network.state_dict(),
            "average": self.average,
            "optimiser": self.optimiser.state_dict(),
        }
        with replacing(self._checkpoint) as file:
            torch.save(state, file)

    def resumed(self) -> int:
        """Steps already done, of the checkpoint if there is one."""
        path = self._checkpoint
        if not path.is_file():
            return 0
        try:
            state: dict[str, Any] = torch.load(path, weights_only=True, map_location=self.device)
            self.network.load_state_dict(state["network"])
            self.optimiser.load_state_dict(state["optimiser"])
            for name, value in self.average.items():
                value.copy_(state["average"][name])
            return int(state["step"])
        except (RuntimeError, KeyError, ValueError, EOFError, UnpicklingError) as error:
            raise UsageError(f"{path} is no checkpoint of this training.", "Delete it to start anew.") from error


def rate(step: int, settings: BackboneTraining) -> float:
    """Share of the largest learning rate at a step."""
    return warmed(step, settings.steps, settings.warm_up)
