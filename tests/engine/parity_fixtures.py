"""What the official code computed, and networks with the weights it had: `../shared/parity` beside the checkout."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.backbones.crops import DEVIATION, MEAN
from engine.evaluation.named_weights import fill

FOLDER = Path(__file__).parents[3] / "shared" / "parity"

needs_fixtures = pytest.mark.skipif(not FOLDER.is_dir(), reason="the parity fixtures are not beside this checkout")


def arrays(model: str, file: str = "fixture.npz") -> dict[str, torch.Tensor]:
    """Inputs and outputs of the official code."""
    with np.load(FOLDER / model / file) as archive:
        return {name: torch.from_numpy(archive[name]) for name in archive.files}


def shapes(model: str, keep: Callable[[str], bool] = lambda name: True, file: str = "manifest.json"):
    """Names and shapes of the official checkpoint's tensors."""
    entries = json.loads((FOLDER / model / file).read_text())
    return {name: tuple(shape) for name, shape, _ in entries if keep(name)}


def shapes_of(network: torch.nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}


def filled(make):
    """A network with the weights of the official run, in evaluation mode, for a look at its output."""
    with torch.device("meta"):
        network = make()
    network.to_empty(device="cpu")
    fill(network)
    return network.eval().requires_grad_(False)


def normalised(pictures: torch.Tensor) -> torch.Tensor:
    """(N, H, W, 3) uint8 to a network's input."""
    return ((pictures.float() / 255 - torch.tensor(MEAN)) / torch.tensor(DEVIATION)).permute(0, 3, 1, 2)


def agree(ours: torch.Tensor, official: torch.Tensor, absolute: float = 1e-5, relative: float = 1e-5) -> None:
    """Ten times tighter than the fixtures ask for, which the choice of an epsilon would not pass."""
    torch.testing.assert_close(ours, official.to(ours.dtype), atol=absolute, rtol=relative)
