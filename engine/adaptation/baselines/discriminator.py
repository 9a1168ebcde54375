"""A motion discriminator as a way to use the label: the network's motion is to pass for one made from it.

The discriminator and its losses are those of Kocabas et al., "VIBE" (CVPR 2020, section 3.2): a recurrent network over
the pose sequence, its states pooled by self-attention, and least squares, (D(fake) - 1)² for the pose network and
(D(real) - 1)² + D(fake)² for the discriminator. The motions that count as real are decoded from the label (the paper's
Table 4). Decided, where the paper is silent:

- One text decodes to one motion, so the point of the text is moved a little, and the motion's start is anywhere in it.
- The discriminator sees 23 local rotations; the heading of a decoded motion is not that of the clip.
- It is trained on the clip alone, from random weights, with one step for each step of the pose network. There are few
  real motions, so it has 128 numbers a state and not 1024. Its loss weighs as alignment does. An adaptation that goes
  on after an interruption begins it anew.

Legend: B segments, 60 frames, D numbers of the motion-text space.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.backbones.adam import Adam
from engine.semantics.types import MotionTextSpace

_STATE, _LOCAL = 128, 23 * 6
_RATE, _TEXT_NOISE = 1e-4, 0.1


class MotionDiscriminator(nn.Module):
    """Tells motions apart: (B, 60, 24, 6) to (B,), 1 for what passes for real."""

    def __init__(self) -> None:
        super().__init__()
        self.read = nn.GRU(_LOCAL, _STATE, num_layers=2, batch_first=True)
        self.attend = nn.Sequential(nn.Linear(_STATE, _STATE), nn.Tanh(), nn.Linear(_STATE, 1))
        self.judge = nn.Linear(_STATE, 1)

    def forward(self, motion: Tensor) -> Tensor:
        """See the class; the root's rotation is not looked at."""
        states, _ = self.read(motion[:, :, 1:].flatten(2))
        pooled = (self.attend(states).softmax(1) * states).sum(1)
        passes: Tensor = self.judge(pooled)[:, 0]
        return passes


class Adversary:
    """The discriminator and its own training.

    Args:
        space: decodes texts; frozen.
        device: of the pose network.
        seed: of weights and draws.
    """

    def __init__(self, space: MotionTextSpace, device: torch.device, seed: int = 0) -> None:
        self._space, self._device = space, device
        self._generator = torch.Generator().manual_seed(seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.network = MotionDiscriminator().to(device)
        self._optimiser = Adam(self.network.parameters(), betas=(0.9, 0.999))
        self._optimiser.rate = _RATE

    def loss(self, motion: Tensor, text: Tensor, share: Tensor) -> Tensor:
        """The pose network's loss, after a step of the discriminator.

        Args:
            motion: (B, 60, 24, 6) predicted; gradients reach it.
            text: (B, D) of each segment's label.
            share: (B,) what each segment counts, as in `engine.adaptation.losses.alignment_loss`; 0 without a label.
        """
        labelled = share > 0
        if not bool(labelled.any()):
            return (motion.sum() * 0.0).float()
        self._learn(motion.detach()[labelled], self._real(text[labelled]))
        for weight in self.network.parameters():
            weight.requires_grad_(False)
        loss: Tensor = ((self.network(motion) - 1).square() * share).sum()
        for weight in self.network.parameters():
            weight.requires_grad_(True)
        return loss

    def _real(self, text: Tensor) -> Tensor:
        """(B, 60, 24, 6) motions of the labels."""
        noise = torch.randn(text.shape, generator=self._generator).to(text)
        near = functional.normalize(text + _TEXT_NOISE * noise / text.shape[-1] ** 0.5, dim=-1)
        with torch.no_grad():
            motion = self._space.decode(near).to(self._device)
        shift = int(torch.randint(motion.shape[1], (1,), generator=self._generator))
        return torch.roll(motion, shift, 1)

    def _learn(self, fake: Tensor, real: Tensor) -> None:
        real_passes, fake_passes = self.network(real), self.network(fake)
        self._optimiser.zero_grad()
        loss = (real_passes - 1).square().mean() + fake_passes.square().mean()
        loss.backward()
        self._optimiser.step()
