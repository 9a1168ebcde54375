"""Weights drawn from the names of tensors, for running a network whose published weights cannot be had.

The same names and shapes give the same numbers on every machine, which is how our networks are compared with the
official code, and how their speed and memory are measured. Such a network predicts nothing of use.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

_START_VALUES = ("init_pose", "init_body_pose", "init_shape", "init_betas")
_KEPT = ("pe", "logit_scale")


def drawn(name: str, shape: Sequence[int]) -> NDArray[np.float32]:
    """Standard normal float32 numbers that depend on the name alone."""
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")
    numbers = np.random.Generator(np.random.PCG64(seed)).standard_normal(tuple(shape))
    return np.asarray(numbers, np.float32)


def named_weight(name: str, shape: Sequence[int]) -> NDArray[np.float32]:
    """The weight of one tensor: scaled so that activations keep a healthy spread through the network."""
    numbers, last = drawn(name, shape), name.split(".")[-1]
    small = np.float32(0.02)
    if last in _START_VALUES:
        return np.float32(0.5) * numbers
    if last == "init_cam":
        return np.array([0.9, 0, 0], np.float32) + small * numbers
    if last == "alpha" or (last == "weight" and len(shape) == 1):
        return np.float32(1) + small * numbers
    if last == "beta" or last.endswith("bias") or len(shape) < 2:
        return np.asarray(small * numbers)
    fan_in = math.prod(shape[1:]) if last.endswith("weight") else shape[-1]
    numbers *= np.float32(_gain(name) / math.sqrt(fan_in))
    return numbers


def _gain(name: str) -> float:
    parts = name.split(".")
    if "decpose" in parts or "decshape" in parts:
        return 0.5
    return 0.1 if "deccam" in parts else 1.0


def is_drawn(name: str, tensor: Tensor) -> bool:
    """Whether the rule makes this tensor: floats, except tables that a network computes and CLIP's temperature."""
    return tensor.is_floating_point() and name.split(".")[-1] not in _KEPT


def named_weights(shapes: Mapping[str, Sequence[int]]) -> dict[str, Tensor]:
    """Weights for every name."""
    return {name: torch.from_numpy(named_weight(name, shape)) for name, shape in shapes.items()}


def fill(network: nn.Module) -> None:
    """Replace the weights of a network by drawn ones, in place."""
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if is_drawn(name, tensor):
                tensor.copy_(torch.from_numpy(named_weight(name, tensor.shape)))
