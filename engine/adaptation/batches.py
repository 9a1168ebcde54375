"""Batches that get smaller when memory runs out. The gradient stays what it was, summed over the parts."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from engine.errors import OutOfMemoryError
from engine.runtime.progress import Progress

_SIGNS = ("out of memory", "can't allocate memory", "not enough memory", "failed to allocate")


def ran_out_of_memory(error: BaseException) -> bool:
    """Whether an error of PyTorch, whichever the device, says that there is no memory left."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error).lower() for sign in _SIGNS)


class Batches:
    """Calls a function on a batch, or on parts of it from the moment on when memory runs out.

    Args:
        size: segments at once to begin with.
        progress: is warned when parts get smaller.
    """

    def __init__(self, size: int, progress: Progress) -> None:
        self.size = size
        self._progress = progress

    def run(self, chosen: Tensor, clear: Callable[[], None], work: Callable[[Tensor], Tensor]) -> Tensor:
        """Sum of what `work` returns for the parts of `chosen` (B,).

        Args:
            chosen: segments.
            clear: takes back what was done to the batch so far.
            work: takes gradients of a part and returns numbers to be summed.

        Raises:
            OutOfMemoryError: a single segment is too much for the device.
        """
        while True:
            clear()
            try:
                return torch.stack([work(part) for part in torch.split(chosen, self.size)]).sum(0)
            except (RuntimeError, MemoryError) as error:
                if not ran_out_of_memory(error):
                    raise
                if self.size == 1:
                    raise OutOfMemoryError(
                        "The memory ran out during adaptation.", "Use --device cpu, or close other programs."
                    ) from error
            self.size = max(self.size // 2, 1)  # outside of the except clause, where the error holds on to tensors
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            self._progress.warn(
                "memory", f"Memory ran out, so adaptation goes on with {self.size} segments at a time, more slowly."
            )
