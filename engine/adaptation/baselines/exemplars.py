"""Poses with known truth that the network sees beside the clip: of a source set (DynaBOA), or drawn (DAPA).

Legend: N windows, S rows each, R rows in all, F numbers of a feature.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from engine.adaptation.baselines.terms import Posed, beside
from engine.backbones.types import PoseNetwork
from engine.body.model import BodyModel

_AT_ONCE = 32


@dataclass(frozen=True)
class Exemplars:
    """Windows of poses.

    Attributes:
        network: sees them; it has the weights of the network that is adapted, whatever these are by now.
        rows: (N, S) int64 rows of each window.
        rotations: (R, 24, 3, 3); betas: (R, 10); transl: (R, 3): the truth, camera frame.
    """

    network: PoseNetwork
    rows: Tensor
    rotations: Tensor
    betas: Tensor
    transl: Tensor

    def guidance(self, chosen: Tensor, body: BodyModel, places: Tensor) -> Tensor:
        """How far the network is from the truth of the windows `chosen` (B,), over all of their rows.

        2D is compared without a camera, in directions, so that exemplars of different cameras go together.
        """
        rows = self.rows[chosen]
        straight = torch.eye(3, device=rows.device)
        predicted = Posed.of_batch(self.network(rows), body, places, straight)
        flat = rows.flatten()
        with torch.no_grad():
            true = Posed.of(self.rotations[flat], self.betas[flat], self.transl[flat], body, places, straight)
            side = (true.points.amax(1) - true.points.amin(1)).amax(-1).clamp(min=1e-3)
        return beside(predicted, true, side)

    def features(self) -> Tensor:
        """(N, F) of the last row of each window, of length 1, by the weights as they are."""
        found = []
        with torch.no_grad():
            for rows in torch.split(self.rows, _AT_ONCE):
                features = self.network(rows).features
                assert features is not None, "a network without features"
                found.append(functional.normalize(features[:, -1].float(), dim=-1))
        return torch.cat(found)
