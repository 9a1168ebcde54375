"""The same seed on the same device gives the same bytes."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import torch

_LARGE = 15_000_000
"""Weights from which a network is worth several threads."""


@contextlib.contextmanager
def repeatable(device: torch.device, weights: int = 0) -> Iterator[None]:
    """On a CUDA device, sums run in a fixed order; on a CPU, a small network runs on one thread.

    Sharing small tensors among threads gains little on an idle machine and takes many times as long on a busy one, and
    sums would depend on the number of cores.

    Args:
        device: of the pose network.
        weights: how many numbers it has.
    """
    threads = torch.get_num_threads()
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    try:
        if device.type == "cuda":
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
            torch.use_deterministic_algorithms(True, warn_only=True)
        elif weights < _LARGE:
            torch.set_num_threads(1)
        yield
    finally:
        if device.type == "cuda":  # setting it loads PyTorch's compiler, which takes a second
            torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        torch.set_num_threads(threads)
