"""Motion at the rate that the motion-text space wants, from footage of any rate. Differentiable."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.semantics.types import RATE, WINDOW


def resample(six: Tensor, times_s: Tensor, at_s: Tensor) -> Tensor:
    """Motion at other times: linear in six numbers between frames, held before the first and after the last.

    Args:
        six: (T, 24, 6) rotations in six numbers; what comes out between frames is made a rotation by `six_to_matrix`
            and is near enough one for `encode_motion` as it is.
        times_s: (T,) seconds of the frames, increasing.
        at_s: (...,) seconds that are wanted.

    Returns:
        (..., 24, 6). Gradients reach `six`.
    """
    times, wanted = times_s.contiguous(), at_s.to(times_s.dtype).contiguous()
    if len(times) == 1:
        return six[torch.zeros_like(wanted, dtype=torch.long)]
    after = torch.searchsorted(times, wanted).clamp(1, len(times) - 1)
    low, high = times[after - 1], times[after]
    share = ((wanted - low) / (high - low)).clamp(0, 1).to(six.dtype)[..., None, None]
    return six[after - 1] * (1 - share) + six[after] * share


def window_at(start_s: Tensor) -> Tensor:
    """Seconds (..., 60) of the frames of windows that begin at `start_s` (...,)."""
    return start_s[..., None] + torch.arange(WINDOW, device=start_s.device, dtype=start_s.dtype) / RATE


def centred_window(first_s: float, last_s: float, dtype: torch.dtype = torch.float64) -> Tensor:
    """Seconds (60,) of a window about the middle of a stretch, for one that is shorter than a window: with `resample`
    its ends are held."""
    middle = (first_s + last_s) / 2 - (WINDOW - 1) / RATE / 2
    return window_at(torch.tensor(middle, dtype=dtype))
