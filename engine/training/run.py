"""What training runs share: the rate, the optimiser's steps, and the checkpoint that a stopped run goes on from."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor, nn

from engine.errors import CancelledError, UsageError
from engine.files.atomic import replacing
from engine.runtime.progress import Progress


def warmed(step: int, steps: int, warm_up: int) -> float:
    """Share of the largest learning rate at a step: up over `warm_up` steps, then down by `cosine`."""
    return min(1.0, (step + 1) / min(warm_up, steps)) * cosine(step / steps)


def cosine(share: float) -> float:
    """From 1 at the start, share 0, down to a hundredth at the end, share 1."""
    return 0.01 + 0.99 * (1 + math.cos(math.pi * share)) / 2


class TrainingRun:
    """What training changes, and what a stopped run goes on from.

    Args:
        network: on its device.
        learning_rate: the largest; `warm_up` steps lead there.
        steps: of the whole run.
        checkpoint: file that a stopped run goes on from; it is read here if it is there.
        checkpoint_every: steps between writing it.

    Raises:
        UsageError: the file is no checkpoint of this training.
    """

    def __init__(
        self,
        network: nn.Module,
        learning_rate: float,
        warm_up: int,
        steps: int,
        checkpoint: Path,
        checkpoint_every: int,
    ) -> None:
        self._network, self._done = network, 0
        self._learning_rate, self._warm_up, self._steps = learning_rate, warm_up, steps
        self._checkpoint, self._every = checkpoint, checkpoint_every
        self._optimiser = torch.optim.AdamW(network.parameters(), lr=learning_rate, weight_decay=0.01)
        self._resume()

    def finish(self, loss: Callable[[torch.Generator], Tensor], seed: int, progress: Progress) -> None:
        """Do the steps that are left.

        Args:
            loss: of one step; it draws from a generator on the CPU.
            seed: of those generators.
            progress: called after every step.

        Raises:
            CancelledError: stopped; the checkpoint has every step that was done.
        """
        for step in range(self._done, self._steps):
            # a generator for each step: a run that was stopped goes on exactly as it would have
            self._step(loss, torch.Generator().manual_seed(seed * 1_000_003 + step))
            try:
                progress(self._done, self._steps)
            except CancelledError:
                self._save()
                raise
            if self._done % self._every == 0 or self._done == self._steps:
                self._save()

    def _step(self, loss: Callable[[torch.Generator], Tensor], generator: torch.Generator) -> None:
        for group in self._optimiser.param_groups:
            group["lr"] = self._learning_rate * warmed(self._done, self._steps, self._warm_up)
        value = loss(generator)
        self._optimiser.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self._network.parameters(), 1.0)
        self._optimiser.step()
        self._done += 1

    def _save(self) -> None:
        weights, optimiser = self._network.state_dict(), self._optimiser.state_dict()
        with replacing(self._checkpoint) as file:
            torch.save({"network": weights, "optimiser": optimiser, "step": self._done}, file)

    def _resume(self) -> None:
        if not self._checkpoint.is_file():
            return
        try:
            state: dict[str, Any] = torch.load(self._checkpoint, weights_only=True, map_location="cpu")
            self._network.load_state_dict(state["network"])
            self._optimiser.load_state_dict(state["optimiser"])
            self._done = int(state["step"])
        except (RuntimeError, KeyError, ValueError, EOFError, UnpicklingError) as error:
            raise UsageError(
                f"{self._checkpoint} is no checkpoint of this training.", "Delete it to start anew."
            ) from error
