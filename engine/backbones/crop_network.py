"""What the picture networks share: crops in, SMPL parameters out, and the choice of what adaptation changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor, nn

from engine.backbones.crops import CropStyle
from engine.errors import UsageError


class CropPrediction(NamedTuple):
    """SMPL parameters of B crops.

    Attributes:
        rotations: (B, 24, 3, 3) relative to the parent; index 0 in the crop's camera (x right, y down, z away).
        betas: (B, 10).
        camera: (B, 3) s, tx, ty (`engine.backbones.crops`).
        features: (B, F) what all of it is read from.
    """

    rotations: Tensor
    betas: Tensor
    camera: Tensor
    features: Tensor


class CropNetwork(nn.Module):
    """A pose network that looks at crops.

    Attributes:
        crop_style: how its crops are cut.
    """

    crop_style: CropStyle

    def forward(self, crops: Tensor) -> CropPrediction:
        """(B, 3, size, size) normalised crops to SMPL parameters."""
        raise NotImplementedError

    def compile_large_part(self) -> None:
        """Compile what takes the most time, in place."""
        raise NotImplementedError

    def adapt_only(self, layers: Sequence[str]) -> list[nn.Parameter]:
        """Let adaptation change only the weights whose names begin with one of `layers`; all of them where it is empty.

        Returns the parameters that may change. Raises UsageError for a name that fits no weight.
        """
        parameters = dict(self.named_parameters())
        for layer in layers:
            if not any(_begins(name, layer) for name in parameters):
                known = sorted({name.split(".")[0] for name in parameters})
                raise UsageError(f"The network has no layer '{layer}'.", f"Its parts are {', '.join(known)}.")
        for name, parameter in parameters.items():
            parameter.requires_grad_(not layers or any(_begins(name, layer) for layer in layers))
        return [parameter for parameter in parameters.values() if parameter.requires_grad]


def _begins(name: str, layer: str) -> bool:
    return name == layer or name.startswith(f"{layer}.")
