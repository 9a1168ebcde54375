"""HMR: a ResNet-50 and an iterative regressor (Kanazawa et al. 2018), as CycleAdapt (group norm) and SPIN (batch norm)
published it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.backbones.crop_network import CropNetwork, CropPrediction
from engine.backbones.crops import HMR_CROPS
from engine.body.rotations import six_to_matrix
from engine.errors import ModelFileError
from engine.files.array_file import ArrayFileError, read_arrays
from engine.files.array_tables import SPIN_START
from engine.runtime.progress import Progress
from engine.weights.checkpoints import HMR, HMR_BATCH_NORM, build, open_checkpoint

_STAGES = ((64, 3), (128, 4), (256, 6), (512, 3))  # width and number of bottlenecks
_WIDENING = 4
_FEATURES = 2048
_POSE, _SHAPE, _CAMERA = 144, 10, 3
_ROUNDS = 3
_MEAN_PARAMETERS = "smpl_mean_params.npz"

NormMaker = Callable[[int], nn.Module]


class FrozenBatchNorm(nn.BatchNorm2d):
    """Batch norm that keeps the statistics of its training: those of one clip would be too few and too alike."""

    def train(self, mode: bool = True) -> Self:
        """Stay in evaluation mode, whatever the argument."""
        return super().train(False)


class Bottleneck(nn.Module):
    """A residual block of 1x1, 3x3 and 1x1 convolutions; its stride is on the 3x3 one."""

    def __init__(self, channels: int, width: int, stride: int, norm: NormMaker) -> None:
        super().__init__()
        wide = width * _WIDENING
        self.conv1 = nn.Conv2d(channels, width, 1, bias=False)
        self.bn1 = norm(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride=stride, padding=1, bias=False)
        self.bn2 = norm(width)
        self.conv3 = nn.Conv2d(width, wide, 1, bias=False)
        self.bn3 = norm(wide)
        self.downsample: nn.Module | None = None
        if stride != 1 or channels != wide:
            self.downsample = nn.Sequential(nn.Conv2d(channels, wide, 1, stride=stride, bias=False), norm(wide))

    def forward(self, picture: Tensor) -> Tensor:
        """(B, channels, H, W) to (B, 4 width, H / stride, W / stride)."""
        inner = functional.relu(self.bn1(self.conv1(picture)))
        inner = functional.relu(self.bn2(self.conv2(inner)))
        shortcut = picture if self.downsample is None else self.downsample(picture)
        return functional.relu(self.bn3(self.conv3(inner)) + shortcut)


class Hmr(CropNetwork):
    """HMR. In training mode the regressor drops half of its inner values, which CycleAdapt leaves on while it adapts.

    Args:
        batch_norm: SPIN's variant; else CycleAdapt's, with group norm.
        half_dtype: type of the convolutions' products, such as `torch.bfloat16`; None for float32. Weights, norms and
            the regressor stay float32.
    """

    crop_style = HMR_CROPS
    init_pose: Tensor
    init_shape: Tensor
    init_cam: Tensor

    def __init__(self, batch_norm: bool = False, half_dtype: torch.dtype | None = None) -> None:
        super().__init__()
        self.half_dtype = half_dtype
        norm: NormMaker = FrozenBatchNorm if batch_norm else partial(nn.GroupNorm, 4)
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = norm(64)
        channels = 64
        for index, (width, count) in enumerate(_STAGES):
            blocks = []
            for block in range(count):
                blocks.append(Bottleneck(channels, width, 2 if index and not block else 1, norm))
                channels = width * _WIDENING
            self.add_module(f"layer{index + 1}", nn.Sequential(*blocks))
        self.fc1 = nn.Linear(_FEATURES + _POSE + _SHAPE + _CAMERA, 1024)
        self.fc2 = nn.Linear(1024, 1024)
        self.drop = nn.Dropout(0.5)
        self.decpose, self.decshape, self.deccam = (
            nn.Linear(1024, _POSE),
            nn.Linear(1024, _SHAPE),
            nn.Linear(1024, _CAMERA),
        )
        self.register_buffer("init_pose", torch.zeros(1, _POSE))
        self.register_buffer("init_shape", torch.zeros(1, _SHAPE))
        self.register_buffer("init_cam", torch.tensor([[0.9, 0.0, 0.0]]))

    def features(self, crops: Tensor) -> Tensor:
        """(B, 3, 224, 224) to (B, 2048)."""
        with torch.autocast(crops.device.type, self.half_dtype) if self.half_dtype else nullcontext():
            picture = functional.relu(self.bn1(self.conv1(crops)))
            picture = functional.max_pool2d(picture, 3, stride=2, padding=1)
            for index in range(len(_STAGES)):
                picture = getattr(self, f"layer{index + 1}")(picture)
        return picture.float().mean((2, 3))

    def regress(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, 2048) to pose (B, 144) in interleaved sixes, shape (B, 10) and camera (B, 3), refined in three rounds."""
        count = len(features)
        pose, shape, camera = (start.expand(count, -1) for start in (self.init_pose, self.init_shape, self.init_cam))
        for _ in range(_ROUNDS):
            inner = self.drop(self.fc1(torch.cat((features, pose, shape, camera), 1)))
            inner = self.drop(self.fc2(inner))
            pose, shape, camera = pose + self.decpose(inner), shape + self.decshape(inner), camera + self.deccam(inner)
        return pose, shape, camera

    def forward(self, crops: Tensor) -> CropPrediction:
        """(B, 3, 224, 224) normalised crops to SMPL parameters."""
        features = self.features(crops)
        pose, shape, camera = self.regress(features)
        return CropPrediction(six_to_matrix(pose.reshape(-1, 24, 6), "interleaved"), shape, camera, features)

    def compile_large_part(self) -> None:
        """Compile the ResNet, in place."""
        self.features = torch.compile(self.features)  # type: ignore[method-assign]

    @classmethod
    def from_checkpoint(
        cls, path: Path, progress: Progress | None = None, half_dtype: torch.dtype | None = None
    ) -> Hmr:
        """CycleAdapt's or SPIN's published file; which of the two is known by its tensors.

        Start values that it lacks are read from `smpl_mean_params.npz` beside it. Raises ModelFileError.
        """
        with open_checkpoint(path, HMR, HMR_BATCH_NORM) as checkpoint:
            batch_norm = checkpoint.model is HMR_BATCH_NORM
            defaults: dict[str, Tensor] = {}
            if "init_pose" not in checkpoint.tensors:
                defaults.update(_mean_parameters(path.with_name(_MEAN_PARAMETERS)))
            if batch_norm:  # counters that old files lack and nothing here reads
                counters = (name for name in checkpoint.tensors if name.endswith("running_mean"))
                defaults.update(
                    (name.replace("running_mean", "num_batches_tracked"), torch.tensor(0)) for name in counters
                )
            return build(checkpoint, lambda: cls(batch_norm, half_dtype), progress, defaults=defaults)


def _mean_parameters(path: Path) -> Mapping[str, Tensor]:
    """SPIN's start values of the regressor."""
    if not path.is_file():
        return {}
    try:
        arrays = read_arrays(path, SPIN_START)
    except (OSError, ArrayFileError) as error:
        raise ModelFileError(f"{path} cannot be read as SPIN's start values: {error}", "Get the file again.") from error
    found = {f"init_{name}": array.astype(np.float32).reshape(1, -1) for name, array in arrays.items()}
    sizes = {"init_pose": _POSE, "init_shape": _SHAPE, "init_cam": _CAMERA}
    if any(found[name].shape != (1, size) for name, size in sizes.items()):
        raise ModelFileError(f"{path} does not hold SPIN's start values.", "Get the file again.")
    return {name: torch.from_numpy(value) for name, value in found.items()}
