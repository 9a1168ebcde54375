"""How the in-filler mends a track's motion by its labels, and how far the labels are believed (not of the paper).

Alignment (eq. 4) moves a whole window towards what is like its label, and says nothing of one joint in one frame. The
in-filler says that, from what the rest of the body does. Legend: T rows of the track.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from engine.adaptation.alignment import believed
from engine.adaptation.infiller import MotionInfiller, infill_track
from engine.adaptation.sampler import stride_of
from engine.adaptation.smoothing import spread_rows
from engine.adaptation.whole_track import Estimate
from engine.body.rotations import matrix_to_six, six_to_matrix

_BELIEVED, _NOT_AT_ALL = 0.5, 0.5
"""Chance, by the in-filler, from which a label counts in full, and the share of it from which down not at all."""
_SEEN_FROM, _SEEN_TO = 0.3, 0.8
"""Confidence up to which a joint counts as not seen, and from which it counts as seen."""


class Guide:
    """The in-filler for one track.

    Args:
        network: frozen.
        first: the prediction before adaptation, by which labels are judged; on the network's device.
        confidence: (T, 24) how well each joint was seen.
        times: (T,) seconds.
        labels: T labels in the dictionary's words, '' for none.
        unseen, seen: share that the in-filled motion gets, for joints of either kind.

    Attributes:
        trust: how far each label is believed, 0 to 1; only those that the in-filler knows.
    """

    def __init__(
        self,
        network: MotionInfiller,
        first: Estimate,
        confidence: Tensor,
        times: Tensor,
        labels: Sequence[str],
        unseen: float,
        seen: float,
    ) -> None:
        self._network, self._stride = network, stride_of(times.double().cpu().numpy())
        self._rows = slice(None, None, self._stride)
        self._labels = list(labels[self._rows])
        self._confidence, self._times = confidence[self._rows], times[self._rows].float()
        different = sorted(set(self._labels))
        self._sentences = torch.stack([network.sentence_of(label) for label in different])
        self._said = torch.tensor([different.index(label) for label in self._labels], device=confidence.device)
        _, chance = self._asked(first.rotations, self._sentences)
        known = [label if network.sentence_of(label).any() else "" for label in self._labels]
        # an in-filler that is out of order does not judge
        judged = chance if bool(chance.isfinite().all()) else torch.full_like(chance, _BELIEVED)
        self.trust = believed(judged, known, _BELIEVED, _NOT_AT_ALL)
        clear = ((confidence - _SEEN_FROM) / (_SEEN_TO - _SEEN_FROM)).clamp(0, 1)
        self._clear, self._shares = clear, (unseen, seen)

    def mended(self, motion: Estimate, doubt: Tensor) -> Estimate:
        """Motion of the track, more as it most likely was: most where joints were not seen; where they were, as far as
        keypoints are doubted: (T,) 0 to 1."""
        unseen, seen = self._shares
        share = unseen + (doubt[:, None] * seen - unseen) * self._clear
        filled, _ = self._asked(motion.rotations, self._sentences)
        if any(trust < 1 for trust in self.trust.values()):
            silent, _ = self._asked(motion.rotations, torch.zeros_like(self._sentences))
            trust = torch.tensor([self.trust.get(label, 0.0) for label in self._labels], device=filled.device)
            filled = mixed(silent, filled, trust[:, None])
        filled = spread_rows(filled, len(motion.rotations), self._stride)
        return replace(motion, rotations=mixed(motion.rotations, filled, share))

    def _asked(self, rotations: Tensor, sentences: Tensor) -> tuple[Tensor, Tensor]:
        shown, view = torch.ones_like(self._confidence), (self._confidence, self._times)
        return infill_track(self._network, rotations[self._rows], shown, *view, sentences, self._said)


def mixed(one: Tensor, other: Tensor, share: Tensor) -> Tensor:
    """Rotations (T, 24, 3, 3) between two motions, straight in six numbers: `share` (T, 24 or 1) of the other's."""
    return six_to_matrix(torch.lerp(matrix_to_six(one), matrix_to_six(other), share[..., None]))
