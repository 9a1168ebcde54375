"""Crops of one track, cut once and kept while a network looks at them again and again: in memory, or in a file."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.backbones.crops import CropStyle, cut, square_boxes
from engine.errors import FootageError, OutputError
from engine.footage.decoding import Frame
from engine.keypoints.types import PersonTrack
from engine.runtime.progress import Progress

FrameStream = Callable[[], Iterable[Frame]]
"""Begins the footage anew, in the range and at the rate of the run."""

_KEPT_AS = np.float16  # a 14th of a grey level at most


class CropStore:
    """Normalised crops by row of the track.

    Args:
        rows: how many there are.
        style: the network's.
        memory_mib: up to this much stays in memory, on `device`; else it goes to a file that vanishes with the store.
        device: where the network is.
        folder: of that file; None for the system's.
    """

    def __init__(
        self, rows: int, style: CropStyle, memory_mib: float, device: torch.device, folder: Path | None = None
    ) -> None:
        self.style, self.device = style, device
        shape = (rows, 3, style.size, style.size)
        size = int(np.prod(shape)) * np.dtype(_KEPT_AS).itemsize
        self.in_memory = size <= memory_mib * 2**20
        self._on_device: Tensor | None = None
        self._crops: NDArray[np.float16]
        if self.in_memory:
            self._crops = np.zeros(shape, _KEPT_AS)
            return
        try:
            self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  it lives as long as the store
            self._crops = np.memmap(self._file, _KEPT_AS, "w+", shape=shape)
        except OSError as error:
            raise OutputError(
                f"There is no room for {size / 2**20:.0f} MiB of crops: {error.strerror or error}.",
                "Free some space, shorten the clip, or raise hmr.memory_mib.",
            ) from error

    def put(self, row: int, crop: NDArray[np.float32]) -> None:
        """Keep a crop (3, size, size)."""
        self._crops[row] = crop

    def full(self) -> None:
        """All crops are there: those in memory move to the device."""
        if self.in_memory and self.device.type != "cpu":
            self._on_device = torch.from_numpy(self._crops).to(self.device)
            self._crops = np.zeros((0,), _KEPT_AS)

    def read(self, rows: Tensor) -> Tensor:
        """Crops (N, 3, size, size) float32 of rows (N,), on the device."""
        if self._on_device is not None:
            return self._on_device[rows].float()
        return torch.from_numpy(np.asarray(self._crops[rows.cpu().numpy()], np.float32)).to(self.device)


def squares_of(track: PersonTrack, style: CropStyle, box_scale: float) -> NDArray[np.float64]:
    """(T, 3) squares that are cut; the boxes about the keypoints are first widened by `box_scale`."""
    boxes = np.asarray(track.boxes, np.float64)
    centre, half = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) / 2
    return square_boxes(np.hstack((centre - box_scale * half, centre + box_scale * half)), style)


def cut_all(
    frames: FrameStream, track: PersonTrack, squares: NDArray[np.float64], store: CropStore, progress: Progress
) -> None:
    """Run through the footage once and cut every row's square. Raises FootageError if rows are missing."""
    first, count, done = int(track.frame_indices[0]), len(track.frame_indices), 0
    for frame in frames():
        row = frame.index - first
        if row >= count:
            break
        if row >= 0:
            store.put(row, cut(frame.rgb, squares[row], store.style))
            done += 1
        progress(done, count)
    if done < count:
        raise FootageError(
            f"The footage ended after {done} of the {count} frames in which the person was found.",
            "It was changed meanwhile, or is damaged: run it again.",
        )
    store.full()
    progress(count, count)
