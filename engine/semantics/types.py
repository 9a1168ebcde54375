"""What compares motion with text, as adaptation and labellers see it.

Motion goes in as windows of 60 frames at 30 frames a second: rotations relative to the parent in six numbers (layout
`columns`), the root's in a world with z up and the person's rest frame as in SMPL (y up, facing z, left to x). Any
heading will do: each space turns the window to its own. No translation goes in. Adaptation puts the exemplar's root in
place of the predicted one (eq. 4), so it needs no gravity; a labeller has to bring the root from the camera to z up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

WINDOW = 60
"""Frames of a window."""
RATE = 30.0
"""Frames a second of a window."""
ALIGNED = 0.75
"""Similarity from which motion counts as that of its label (eq. 6)."""


class MotionTextSpace(Protocol):
    """A space in which motions lie near the texts that describe them. Frozen: gradients reach the motion alone."""

    def encode_motion(self, six: Tensor) -> Tensor:
        """Where windows of motion (B, 60, 24, 6) lie: unit vectors (B, D). Differentiable."""

    def decode(self, latent: Tensor) -> Tensor:
        """Motion of points (B, D): (B, 60, 24, 6), true rotations, the root's facing -y with z up."""

    def encode_labels(self, labels: Sequence[str]) -> Tensor:
        """Where labels of the dictionary lie: unit vectors (N, D). Raises KeyError for one that is not in it."""


@dataclass(frozen=True)
class Match:
    """What free text means.

    Attributes:
        label: the nearest label of the dictionary, None if none is near enough.
        score: how near it is, 1 for the label itself.
        suggestions: nearest labels, best first, whether or not they are near enough.
    """

    label: str | None
    score: float
    suggestions: tuple[str, ...]


class MotionDictionary(Protocol):
    """The actions that are known."""

    @property
    def labels(self) -> tuple[str, ...]:
        """All labels, in the order of the file."""

    def category(self, label: str) -> str:
        """The kind of action. Raises KeyError for a label that is not in the dictionary, as do the next two."""

    def paraphrases(self, label: str) -> tuple[str, ...]:
        """Other words for it."""

    def exemplar(self, label: str) -> NDArray[np.float32]:
        """A motion of the label (60, 24, 6) in the frame named above, its global rotation for eq. 4 included."""

    def match(self, text: str) -> Match:
        """The label that free text means."""
