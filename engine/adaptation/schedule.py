"""How fast the networks learn: Adam, and a rate that warms up and falls along a cosine."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from torch import nn

from engine.backbones.adam import Adam


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


def make_optimiser(parameters: Iterable[nn.Parameter]) -> Adam:
    """Adam as CycleAdapt and the paper set it; set its rate before every cycle."""
    return Adam(parameters, betas=(0.5, 0.9))
