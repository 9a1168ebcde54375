"""What a pose network says of a whole track: in windows that overlap and are blended, so that no seam shows.

Legend: T rows of the track, S rows of a window.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.backbones.types import PoseNetwork
from engine.backbones.windows import blend, spans
from engine.body.model import BodyModel
from engine.body.rotations import matrix_to_six, six_to_matrix
from engine.camera.pinhole import project

_WINDOW_S, _WINDOW_ROWS, _OVERLAP_S = 2.0, 60, 0.5
_ROWS_AT_ONCE = 512
LONG_GAP_S = 0.6
"""Of a gap over which a network over time knows nothing of where the person is and which way they face."""


@dataclass(frozen=True)
class Estimate:
    """Motion of a track in the camera frame, metres.

    Attributes:
        rotations: (T, 24, 3, 3).
        betas: (T, 10) shape as estimated for each row.
        transl: (T, 3).
        log_error: (T, 24) of `PoseBatch`; None from a network that does not say.
    """

    rotations: Tensor
    betas: Tensor
    transl: Tensor
    log_error: Tensor | None = None

    def finite(self) -> bool:
        """Whether all numbers are finite."""
        return all(bool(part.isfinite().all()) for part in (self.rotations, self.betas, self.transl))

    def to(self, device: torch.device) -> Estimate:
        """The same on another device."""
        error = None if self.log_error is None else self.log_error.to(device)
        return Estimate(self.rotations.to(device), self.betas.to(device), self.transl.to(device), error)


def estimate(
    network: PoseNetwork,
    times: Tensor,
    detected: Tensor,
    device: torch.device,
    tick: Callable[[], None] = lambda: None,
) -> Estimate:
    """The network's motion of every row.

    Args:
        network: bound to the track.
        times: (T,) seconds, on the CPU.
        detected: (T,) bool, on the CPU: rows in which the person was found. A network that sees frame by frame has
            nothing to say of the others, and one over time nothing of long gaps; they are bridged.
        device: where the network is.
        tick: called after every window.

    Returns:
        An estimate on the CPU.
    """
    pieces = []
    for span in _windows(times, network.frame_by_frame):
        with torch.no_grad():
            batch = network(torch.arange(span.start, span.stop, device=device)[None])
        parts = [matrix_to_six(batch.rotations[0]).flatten(1), batch.betas[0], batch.transl[0]]
        flat = torch.cat(parts if batch.log_error is None else [*parts, batch.log_error[0]], 1)
        pieces.append((span, flat.float().cpu()))
        tick()
    whole = blend(pieces, len(times))
    whole = bridged_rows(whole, detected, times, 0.0 if network.frame_by_frame else LONG_GAP_S)
    error = whole[:, 157:] if whole.shape[1] > 157 else None
    return Estimate(six_to_matrix(whole[:, :144].reshape(-1, 24, 6)), whole[:, 144:154], whole[:, 154:157], error)


def _windows(times: Tensor, frame_by_frame: bool) -> list[slice]:
    """Rows of each window, of no more than networks over time are trained on."""
    if frame_by_frame:
        return [slice(first, min(first + _WINDOW_ROWS, len(times))) for first in range(0, len(times), _WINDOW_ROWS)]
    step = float(times.diff().median()) if len(times) > 1 else 1.0
    window_s = min(_WINDOW_S, _WINDOW_ROWS * step)
    return spans(times, window_s, min(_OVERLAP_S, window_s / 2))


def bridged_rows(values: Tensor, known: Tensor, times: Tensor, longest_s: float = LONG_GAP_S) -> Tensor:
    """(T, C) with straight lines over rows that are not known for longer than `longest_s`; ends are held."""
    if bool(known.all()) or not bool(known.any()):
        return values
    there = torch.nonzero(known)[:, 0]
    after = torch.searchsorted(there, torch.arange(len(values))).clamp(max=len(there) - 1)
    before = torch.where(there[after] > torch.arange(len(values)), (after - 1).clamp(min=0), after)
    start, end = there[before], there[after]
    gap = (times[end] - times[start]).clamp(min=1e-9)
    share = ((times - times[start]) / gap).clamp(0, 1)[:, None].to(values.dtype)
    return torch.where((gap > longest_s)[:, None], torch.lerp(values[start], values[end], share), values)


def projected(estimated: Estimate, body: BodyModel, places: Tensor, camera: Tensor) -> Tensor:
    """Eq. 2 for a whole track: keypoints (T, K, 2) in pixels of the full frame; `places` (K,) in the landmarks."""
    points = []
    with torch.no_grad():
        for first in range(0, len(estimated.transl), _ROWS_AT_ONCE):
            rows = slice(first, first + _ROWS_AT_ONCE)
            posed = body.landmarks(estimated.rotations[rows], estimated.betas[rows], estimated.transl[rows])
            points.append(project(posed[:, places], camera))
    return torch.cat(points)
