"""The source set of DynaBOA: poses with known truth, as a detector or a camera saw them.

A file is a `.npz` of plain arrays (`SOURCE` in `engine/files/array_tables.py`). For the backbone `landmark` it holds
keypoints, made from a corpus by `python -m engine.evaluation.source CORPUS FILE`; for `hmr` and `hmr2` names of
pictures beside the file, and the person's box in each. Legend: N windows, S rows each.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from engine.adaptation.baselines.exemplars import Exemplars
from engine.backbones.crop_backbone import CropPoseNetwork
from engine.backbones.crop_store import CropStore
from engine.backbones.crops import cut, square_boxes
from engine.backbones.landmark import BoundLandmarkNetwork
from engine.backbones.observation import observe
from engine.backbones.track_view import TrackView
from engine.backbones.types import PoseNetwork
from engine.body.rotations import axis_angle_to_matrix
from engine.errors import UsageError
from engine.files.array_file import ArrayFileError, read_arrays
from engine.files.array_tables import SOURCE
from engine.runtime.cache import content_of

_MEMORY_MIB = 1024.0
_MAKE = "Make one with: python -m engine.evaluation.source CORPUS FILE"


@dataclass(frozen=True)
class Source:
    """Windows of people.

    Attributes:
        poses: (N, S, 72) axis-angle; betas: (N, 10); transl: (N, S, 3) camera frame, metres: the truth.
        intrinsics: (N, 3, 3) of each window's camera.
        times_s: (N, S); keypoints: (N, S, 33, 3) pixels and confidence, 0 where nobody was found; landmarks3d:
            (N, S, 33, 3) metres, what stands where nobody was found does not matter. None without keypoints.
        pictures: (N,) files, S is 1; boxes: (N, 4) pixels. None without pictures.
    """

    poses: NDArray[np.float32]
    betas: NDArray[np.float32]
    transl: NDArray[np.float32]
    intrinsics: NDArray[np.float32]
    times_s: NDArray[np.float32] | None = None
    keypoints: NDArray[np.float32] | None = None
    landmarks3d: NDArray[np.float32] | None = None
    pictures: tuple[Path, ...] | None = None
    boxes: NDArray[np.float32] | None = None

    def exemplars(self, network: PoseNetwork) -> Exemplars:
        """What a network sees of it, with the network's own weights. Raises UsageError where it cannot."""
        count, length = self.poses.shape[:2]
        if isinstance(network, BoundLandmarkNetwork):
            sharing: PoseNetwork = network.sharing(self._view(network.view.features.device))
            device = network.view.features.device
        elif isinstance(network, CropPoseNetwork):
            sharing, device = self._crops(network), network.store.device
        else:
            raise UsageError("This pose network cannot look at a source set.", "Choose landmark, hmr or hmr2.")
        rotations = axis_angle_to_matrix(torch.from_numpy(self.poses).reshape(-1, 24, 3))
        betas = torch.from_numpy(self.betas).repeat_interleave(length, 0)
        rows = torch.arange(count * length, device=device).reshape(count, length)
        truth = (part.float().to(device) for part in (rotations, betas, torch.from_numpy(self.transl).flatten(0, 1)))
        return Exemplars(sharing, rows, *truth)

    def _view(self, device: torch.device) -> TrackView:
        if self.keypoints is None or self.landmarks3d is None or self.times_s is None:
            raise UsageError("The source set has no keypoints, which the backbone landmark sees.", _MAKE)
        keypoints, times = torch.from_numpy(self.keypoints), torch.from_numpy(self.times_s)
        found = keypoints[..., 2].amax(-1) > 0
        marks = torch.from_numpy(self.landmarks3d).masked_fill(~found[..., None, None], float("nan"))
        seen = observe(keypoints, marks, torch.from_numpy(self.intrinsics), times)
        whole = (seen.features, seen.turn, seen.scale, times, keypoints[..., 2].mean(-1))
        features, turn, scale, times, evidence = (part.flatten(0, 1).to(device) for part in whole)
        return TrackView(features, turn, scale, times, evidence)

    def _crops(self, network: CropPoseNetwork) -> CropPoseNetwork:
        if self.pictures is None or self.boxes is None:
            raise UsageError("The source set has no pictures, which this backbone sees.", "Give one with pictures.")
        style = network.store.style
        squares = square_boxes(self.boxes, style)
        store = CropStore(len(squares), style, _MEMORY_MIB, network.store.device)
        for row, (picture, square) in enumerate(zip(self.pictures, squares, strict=True)):
            store.put(row, cut(_picture(picture), square, style))
        store.full()
        return network.sharing(store, squares, self.intrinsics.astype(np.float64))


def _picture(path: Path) -> NDArray[np.uint8]:
    """(H, W, 3) RGB. Raises UsageError."""
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise UsageError(f"The picture {path} of the source set cannot be read.", _MAKE)
    return np.ascontiguousarray(picture[..., ::-1], np.uint8)


def source_file(text: str) -> Path | None:
    """The file that `adaptation.source` names; None for none."""
    return Path(os.path.expanduser(text)) if text else None


def source_key(text: str) -> str:
    """What is in that file, for the keys of saved results; '' where there is none."""
    path = source_file(text)
    return content_of(path) if path is not None and path.is_file() else ""


def read_source(path: Path) -> Source:
    """A source set's file. Raises UsageError."""
    try:
        arrays = read_arrays(path, SOURCE)
    except (OSError, ArrayFileError) as error:
        raise UsageError(f"{path} cannot be read as a source set: {error}.", _MAKE) from error
    names = arrays.pop("pictures", None)
    numbers = {name: np.ascontiguousarray(array, np.float32) for name, array in arrays.items()}
    pictures = None if names is None else tuple(path.parent / Path(name).name for name in names.tolist())
    return Source(**numbers, pictures=pictures)
