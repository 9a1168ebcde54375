"""What the compared methods are given: one person, a network that sees them, and what is known beside the footage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.adaptation.evidence import Seen
from engine.adaptation.settings import AdaptationSettings
from engine.adaptation.state import History
from engine.adaptation.track_inference import Estimate
from engine.backbones.types import Camera, PoseNetwork
from engine.body.model import BodyModel


@dataclass(frozen=True)
class Person:
    """One person of one clip. T rows.

    Attributes:
        network: bound to the track, with pre-trained weights; its weights are changed.
        seen: the evidence.
        times: (T,) seconds, on the CPU.
        camera, body: of the track.
        settings: see there.
        seed: of everything random.
        device: where network and body are.
        tick: called often with steps done and steps in all; may raise.
    """

    network: PoseNetwork
    seen: Seen
    times: Tensor
    camera: Camera
    body: BodyModel
    settings: AdaptationSettings
    seed: int
    device: torch.device
    tick: Callable[[int, int], None]

    @property
    def frame_s(self) -> float:
        """Seconds from one row to the next."""
        return float(self.times.diff().median()) if len(self.times) > 1 else 1 / 30


Adapted = tuple[Estimate, History]
"""The motion of every row, and what happened on the way."""
