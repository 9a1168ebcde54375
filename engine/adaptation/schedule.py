"""How fast the networks learn: Adam, and a rate that warms up and falls along a cosine."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import nn


@dataclass(frozen=True)
class WarmupCosine:
    """Learning rates per cycle; the defaults are CycleAdapt's.

    Attributes:
        cycles: number of the last cycle, counted from 0, so one more of them are run.
        warmup: cycles that lead up to the highest rate in equal steps.
        highest: rate after the warm-up.
        lowest: rate of the last cycle.
    """

    cycles: int = 12
    warmup: int = 3
    highest: float = 5e-5
    lowest: float = 1e-6

    def rate(self, cycle: int) -> float:
        """The learning rate of a cycle, counted from 0."""
        if cycle < self.warmup:
            return self.highest * (cycle + 1) / self.warmup
        part = min((cycle - self.warmup) / max(self.cycles - self.warmup, 1), 1.0)
        return self.lowest + (self.highest - self.lowest) * (1 + math.cos(math.pi * part)) / 2


def make_optimiser(parameters: Iterable[nn.Parameter]) -> torch.optim.Adam:
    """Adam as CycleAdapt and the paper set it; give it its rate with `set_rate` before every cycle."""
    return torch.optim.Adam(parameters, lr=0.0, betas=(0.5, 0.9), eps=1e-8)


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate; PyTorch's own schedulers change from release to release at the end of a warm-up."""
    for group in optimiser.param_groups:
        group["lr"] = rate
