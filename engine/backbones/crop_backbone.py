"""The backbones `hmr` and `hmr2`: picture networks, frame by frame, in the full frame's camera.

Legend: T rows of the track, B segments, S frames each, N crops.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint as recompute

from engine.backbones.crop_network import CropNetwork, CropPrediction
from engine.backbones.crop_settings import CropSettings
from engine.backbones.crop_store import CropStore, FrameStream, cut_all, squares_of
from engine.backbones.crops import full_frame_translation
from engine.backbones.evidence import gather
from engine.backbones.hmr import Hmr
from engine.backbones.hmr2 import Hmr2
from engine.backbones.summary import joint_confidence, residual_px
from engine.backbones.types import Camera, PoseBatch, Prediction
from engine.body.model import BodyModel
from engine.body.rotations import matrix_to_six, six_to_matrix
from engine.keypoints.types import PersonTrack
from engine.runtime.precision import fast_bfloat16
from engine.runtime.progress import Progress
from engine.weights.model_files import require
from engine.weights.model_settings import ModelSettings

_SMALLEST_SCALE = 0.05  # a person twenty times as large as their box: nonsense, and near the division by zero


class CropPoseNetwork:
    """A picture network bound to one track. See `engine.backbones.types.PoseNetwork`.

    Gradients are got by computing each pass anew, so that memory holds what one pass of `crops_at_once` crops leaves
    behind, and not what a batch of segments does.

    Args:
        network: on `device`; is changed.
        store: the track's crops.
        squares: (T, 3) what they show, pixels of the full frame.
        intrinsics: (3, 3) of the full frame, or (T, 3, 3) of each row's.
        settings: see there.
    """

    frame_by_frame = True

    def __init__(
        self,
        network: CropNetwork,
        store: CropStore,
        squares: NDArray[np.float64],
        intrinsics: NDArray[np.float64],
        settings: CropSettings,
    ) -> None:
        self.network, self.store, self.settings = network, store, settings
        self._adapted = network.adapt_only(settings.layers)
        adapted = {id(parameter) for parameter in self._adapted}
        self._names = {name: part for name, part in network.named_parameters() if id(part) in adapted}
        self.squares = squares
        self._squares = torch.as_tensor(squares, dtype=torch.float32, device=store.device)
        self._intrinsics = torch.as_tensor(intrinsics, dtype=torch.float32, device=store.device)

    def parameters(self) -> list[nn.Parameter]:
        """The weights that are adapted."""
        return self._adapted

    def __call__(self, rows: Tensor) -> PoseBatch:
        """Rows (B, S) of the track; each row is looked at once, however many segments have it."""
        learning = torch.is_grad_enabled()
        self.network.train(learning and self.settings.dropout)
        different, place = torch.unique(rows.flatten().to(self.store.device), return_inverse=True)
        passes = torch.split(different, self.settings.crops_at_once)
        if learning:
            done = [recompute(self._look, some, use_reentrant=False) for some in passes]
        else:
            done = [self._look(some) for some in passes]
        rotations, betas, camera, features = (torch.cat(parts) for parts in zip(*done, strict=True))
        camera = torch.cat((camera[:, :1].clamp(min=_SMALLEST_SCALE), camera[:, 1:]), 1)
        lens = self._intrinsics if self._intrinsics.dim() == 2 else self._intrinsics[different]
        transl = full_frame_translation(camera, self._squares[different], lens)
        parts = (rotations, betas, transl, features)
        shaped = [part[place].reshape(*rows.shape, *part.shape[1:]) for part in parts]
        return PoseBatch(shaped[0], shaped[1], shaped[2], None, None, shaped[3])

    def sharing(
        self, store: CropStore, squares: NDArray[np.float64], intrinsics: NDArray[np.float64]
    ) -> CropPoseNetwork:
        """The same weights, looking at other crops; arguments as in the class."""
        return CropPoseNetwork(self.network, store, squares, intrinsics, self.settings)

    def _look(self, rows: Tensor) -> CropPrediction:
        predicted: CropPrediction = self.network(self.store.read(rows))
        return predicted

    def state(self) -> dict[str, Tensor]:
        """A copy of the adapted weights; the others never change."""
        return {name: part.detach().clone() for name, part in self._names.items()}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Put weights from `state` back."""
        with torch.no_grad():
            for name, part in self._names.items():
                part.copy_(state[name])


class CropBackbone:
    """HMR or HMR2.0 as a `TrainableBackbone`.

    The global orientation is used as the networks give it, as their authors do: it is not turned by the direction in
    which the person stands off the optical axis.

    Args:
        make: gives the pre-trained network for a type of its inner products (None: float32).
        frames: begins the footage anew.
        settings: see there.
        progress: of cutting the crops when `bind` is called.
        folder: of crops that do not fit into memory; None for the system's temporary folder.
    """

    def __init__(
        self,
        make: Callable[[torch.dtype | None], CropNetwork],
        frames: FrameStream,
        settings: CropSettings,
        progress: Progress,
        folder: Path | None = None,
    ) -> None:
        self._make, self._frames, self._settings = make, frames, settings
        self._progress, self._folder = progress, folder
        self._pretrained: CropNetwork | None = None
        self._cut: tuple[PersonTrack, torch.device, CropStore, NDArray[np.float64]] | None = None

    def bind(self, track: PersonTrack, camera: Camera, body: BodyModel, device: torch.device) -> CropPoseNetwork:
        """A copy of the network that sees this track. Reads the footage once for every track.

        Raises:
            ModelFileError: the weights are missing, damaged or of another model.
            FootageError, OutputError: crops cannot be cut or kept.
            UsageError: `layers` names a layer that is not there.
        """
        device = torch.device(device)
        if self._pretrained is None:
            self._pretrained = self._make(half_dtype(self._settings, device))
        network = copy.deepcopy(self._pretrained).to(device)
        if self._settings.compile:
            network.compile_large_part()
        store, squares = self._crops(track, network, device)
        return CropPoseNetwork(network, store, squares, camera.intrinsics, self._settings)

    def _crops(
        self, track: PersonTrack, network: CropNetwork, device: torch.device
    ) -> tuple[CropStore, NDArray[np.float64]]:
        """Those of the last track are kept, since prediction and adaptation look at the same."""
        if self._cut is not None and self._cut[0] is track and self._cut[1] == device:
            return self._cut[2:]
        self._cut = None  # before the next are made, so that never two are there
        squares = squares_of(track, network.crop_style, self._settings.box_scale)
        store = CropStore(len(squares), network.crop_style, self._settings.memory_mib, device, self._folder)
        cut_all(self._frames, track, squares, store, self._progress)
        self._cut = track, device, store, squares
        return store, squares

    def predict(self, track: PersonTrack, camera: Camera, body: BodyModel, progress: Progress) -> Prediction:
        """Every row of the track by itself; gaps are bridged from what is on both sides."""
        device = next(body.buffers()).device
        network = self.bind(track, camera, body, device)
        pieces: list[tuple[Tensor, Tensor, Tensor]] = []
        rows = torch.arange(len(track.timestamps), device=device)
        with torch.no_grad():
            for some in torch.split(rows, self._settings.crops_at_once):
                progress(int(some[0]), len(rows))
                batch = network(some[None])
                six = matrix_to_six(batch.rotations[0].float()).flatten(1)
                pieces.append((six.cpu(), batch.betas[0].float().cpu(), batch.transl[0].float().cpu()))
        progress(len(rows), len(rows))
        six, betas, transl = (torch.cat(parts) for parts in zip(*pieces, strict=True))
        known = np.asarray(track.detected, bool)
        known = known if known.any() else np.ones_like(known)
        rotations = six_to_matrix(_bridged(six, known, track.timestamps).reshape(-1, 24, 6))
        transl = _bridged(transl, known, track.timestamps)
        shape = betas[torch.from_numpy(known)].mean(0)
        evidence = gather(track, camera.intrinsics, body.landmark_names)
        on_cpu = body if device.type == "cpu" else copy.deepcopy(body).to("cpu")
        return Prediction(
            rotations=rotations.numpy(),
            betas=shape.numpy(),
            transl=transl.numpy(),
            joint_confidence=joint_confidence(evidence),
            residual_px=residual_px(evidence, on_cpu, rotations, shape, transl),
        )


def _bridged(values: Tensor, known: NDArray[np.bool_], times_s: NDArray[np.float64]) -> Tensor:
    """(T, C) with straight lines over rows that are not known; ends are held."""
    if known.all():
        return values
    columns = [np.interp(times_s, times_s[known], column[known]) for column in values.numpy().T]
    return torch.from_numpy(np.stack(columns, 1)).float()


def half_dtype(settings: CropSettings, device: torch.device) -> torch.dtype | None:
    """Type of the large part's products: None for float32."""
    if settings.half == "bf16":
        return torch.bfloat16
    auto = settings.half == "auto" and device.type == "cuda" and fast_bfloat16(device)
    return torch.bfloat16 if auto else None


@dataclass(frozen=True)
class PictureInputs:
    """What the picture networks need beside a track.

    Attributes:
        models: where the weights lie.
        settings: see there.
        frames: begins the footage anew.
        progress: of cutting crops.
        folder: of crops that do not fit into memory; None for the system's temporary folder.
    """

    models: ModelSettings
    settings: CropSettings
    frames: FrameStream
    progress: Progress
    folder: Path | None = None


def crop_backbone(name: str, inputs: PictureInputs) -> CropBackbone:
    """The backbone `hmr` or `hmr2` with the user's weights, which are looked for at once and read when needed.

    Raises ModelFileError that says where the weights are officially had, if they are missing.
    """
    path = require(name, inputs.models, f"--backbone {name}")

    def make(half: torch.dtype | None) -> CropNetwork:
        if name == "hmr":
            return Hmr.from_checkpoint(path, inputs.progress, half_dtype=half)
        return Hmr2.from_checkpoint(path, inputs.progress, recomputing=False, half_dtype=half)

    return CropBackbone(make, inputs.frames, inputs.settings, inputs.progress, inputs.folder)


def crop_backbone_key(name: str, models: ModelSettings, settings: CropSettings) -> dict[str, Any]:
    """What a prediction depends on. The weights, which may be gigabytes, are identified by size and time of change.

    Raises ModelFileError if they are missing.
    """
    path = require(name, models, f"--backbone {name}")
    about = path.stat()
    keep = settings.model_dump(exclude={"memory_mib"})
    return {"weights": [str(path.resolve()), about.st_size, about.st_mtime_ns], "crops": keep}
