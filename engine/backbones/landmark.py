"""The backbone `landmark`: a small network of our own that sees keypoints, not pixels. It runs on a CPU.

Legend: T rows of the track, B windows, S rows of each.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load as load_weights
from torch import Tensor, nn

from engine.backbones.evidence import gather
from engine.backbones.landmark_network import JOINTS, LandmarkNetwork, NetworkShape, in_camera
from engine.backbones.summary import joint_confidence, residual_px
from engine.backbones.threads import one_thread
from engine.backbones.track_view import TrackView, view_of
from engine.backbones.types import Camera, PoseBatch, Prediction
from engine.body.model import BodyModel
from engine.body.rotations import matrix_to_six, six_to_matrix
from engine.errors import ModelFileError
from engine.keypoints.types import PersonTrack
from engine.runtime.progress import Progress

LANDMARK_WEIGHTS = Path(__file__).parents[1] / "assets" / "landmark.safetensors"
WINDOW = 60
"""Rows that the network sees at once, at most."""
_LONGEST_S = 2.5
"""Seconds that it was trained to see at once: 60 frames of cinema footage."""
_AT_ONCE = 16
_HINT = "Install the engine again, or rebuild the file with: adapt-motion train backbone"


class BoundLandmarkNetwork:
    """The network bound to one track. Meets `engine.backbones.types.PoseNetwork`."""

    frame_by_frame = False

    def __init__(self, network: LandmarkNetwork, view: TrackView, body: BodyModel, device: torch.device) -> None:
        self._network, self.view = network, view
        self._body = copy.deepcopy(body).to(device) if _device_of(body) != torch.device(device) else body
        self._pelvis = body.joint_template[0].detach().to(device)
        self._pelvis_directions = body.joint_directions[0].detach().to(device)

    def parameters(self) -> list[nn.Parameter]:
        """All the weights that the motion depends on: not those of the errors that are expected of it."""
        expecting = set(self._network.error_head.parameters())
        return [weight for weight in self._network.parameters() if weight not in expecting]

    def __call__(self, rows: Tensor) -> PoseBatch:
        """Rows (B, S) int64, each segment in the order of time; see `engine.backbones.types.PoseNetwork`."""
        view = self.view
        rows = rows.to(view.features.device)
        output = self._network(view.features[rows], view.times_s[rows], self._body)
        rotations, pelvis = in_camera(output, view.turn[rows], view.scale[rows])
        betas = output.betas[:, None].expand(*rows.shape, -1)
        transl = pelvis - self.rest_pelvis(betas)
        return PoseBatch(rotations, betas, transl, output.contact_logits, output.log_error, output.features)

    def sharing(self, view: TrackView) -> BoundLandmarkNetwork:
        """The same weights, seeing another track."""
        return BoundLandmarkNetwork(self._network, view, self._body, view.features.device)

    def rest_pelvis(self, betas: Tensor) -> Tensor:
        """(..., 3) the pelvis joint at rest, for shape numbers (..., 10)."""
        return self._pelvis + betas @ self._pelvis_directions.T

    def state(self) -> dict[str, Tensor]:
        """A copy of the weights."""
        return {name: value.clone() for name, value in self._network.state_dict().items()}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Put weights back."""
        self._network.load_state_dict(state)


class LandmarkBackbone:
    """Predicts with a network. Meets `engine.backbones.types.TrainableBackbone`.

    Args:
        network: with its pre-trained weights, which stay as they are.
        device: of torch.
    """

    def __init__(self, network: LandmarkNetwork, device: str | torch.device = "cpu") -> None:
        self.network, self.device = network.to(device).eval(), torch.device(device)

    @classmethod
    def from_file(cls, path: Path = LANDMARK_WEIGHTS, device: str | torch.device = "cpu") -> LandmarkBackbone:
        """The backbone with the weights of a safetensors file.

        Raises:
            ModelFileError: it is missing, damaged, of another network, or holds numbers that are none.
        """
        return cls(read_network(path), device)

    def bind(self, track: PersonTrack, camera: Camera, body: BodyModel, device: torch.device) -> BoundLandmarkNetwork:
        """A copy of the network that sees this track; see `engine.backbones.types.TrainableBackbone`."""
        network = copy.deepcopy(self.network).to(device)
        return BoundLandmarkNetwork(network, view_of(track, camera, device), body, device)

    def predict(self, track: PersonTrack, camera: Camera, body: BodyModel, progress: Progress) -> Prediction:
        """One `Prediction` row per row of the track, gaps included. See `engine.backbones.types.Backbone`."""
        bound = self.bind(track, camera, body, self.device)
        with one_thread():  # sums depend on how many there are
            motion = predict_rows(bound, bound.view, progress)
        evidence = gather(track, camera.intrinsics, body.landmark_names)
        if _device_of(body).type != "cpu":
            body = copy.deepcopy(body).to("cpu")  # in place, it would move the caller's
        return Prediction(
            rotations=motion.rotations.numpy(),
            betas=motion.betas.numpy(),
            transl=motion.transl.numpy(),
            joint_confidence=joint_confidence(evidence),
            residual_px=residual_px(evidence, body, motion.rotations, motion.betas, motion.transl),
        )


def _device_of(body: BodyModel) -> torch.device:
    return next(body.buffers()).device


@dataclass(frozen=True)
class Motion:
    """A track's motion on the CPU, without gradients: rotations (T, 24, 3, 3), betas (10,), transl (T, 3)."""

    rotations: Tensor
    betas: Tensor
    transl: Tensor


def predict_rows(bound: BoundLandmarkNetwork, view: TrackView, progress: Progress) -> Motion:
    """The motion of the whole track: windows that overlap by half, faded into each other.

    Args:
        bound: the network, with whatever weights it has by now.
        view: of its track.
        progress: called after every few windows.
    """
    count = len(view.times_s)
    size = window_rows(view.times_s.cpu())
    starts = [*range(0, count - size, max(1, size // 2)), count - size]
    fade = torch.minimum(torch.arange(size) + 1, size - torch.arange(size)).float()
    six, pelvis, weight = torch.zeros(count, JOINTS * 6), torch.zeros(count, 3), torch.zeros(count, 1)
    shape, shape_weight = torch.zeros(10), 1e-6
    progress(0, len(starts))
    for rows, batch in _batches(bound, starts, size):
        betas = batch.betas[:, 0]
        places = (batch.transl + bound.rest_pelvis(batch.betas)).cpu()
        sixes = matrix_to_six(batch.rotations).flatten(2).cpu()
        for number, some in enumerate(rows):
            six[some] += fade[:, None] * sixes[number]
            pelvis[some] += fade[:, None] * places[number]
            weight[some] += fade[:, None]
            trust = float(view.evidence[some.to(view.evidence.device)].mean()) + 1e-6
            shape += trust * betas[number].cpu()
            shape_weight += trust
        progress(min(starts.index(int(rows[-1, 0])) + 1, len(starts)), len(starts))
    betas = shape / shape_weight
    transl = pelvis / weight - bound.rest_pelvis(betas.to(view.scale.device)).cpu()
    return Motion(six_to_matrix((six / weight).reshape(count, JOINTS, 6)), betas, transl)


def _batches(bound: BoundLandmarkNetwork, starts: list[int], size: int) -> Iterator[tuple[Tensor, PoseBatch]]:
    for first in range(0, len(starts), _AT_ONCE):
        rows = torch.tensor(starts[first : first + _AT_ONCE])[:, None] + torch.arange(size)
        with torch.no_grad():
            yield rows, bound(rows)


def window_rows(times_s: Tensor) -> int:
    """Rows of a window: as many as the network was trained on, in number and in seconds, and no more than there are."""
    if len(times_s) < 3:
        return len(times_s)
    step = float(times_s.diff().median())
    return max(2, min(WINDOW, len(times_s), round(_LONGEST_S / max(step, 1e-3))))


def read_network(path: Path) -> LandmarkNetwork:
    """The network of a safetensors file. Raises ModelFileError as `LandmarkBackbone.from_file`."""
    try:
        weights = {name: value.float() for name, value in load_weights(path.read_bytes()).items()}
    except Exception as error:
        raise ModelFileError(f"{path} cannot be read as weights of the pose backbone.", _HINT) from error
    try:
        network = LandmarkNetwork(_shape_of(weights))
        network.load_state_dict(weights)
    except (KeyError, RuntimeError, ValueError, ZeroDivisionError) as error:
        raise ModelFileError(f"{path} holds the weights of another network.", _HINT) from error
    if not all(bool(value.isfinite().all()) for value in weights.values()):
        raise ModelFileError(f"{path} holds weights that are no numbers.", _HINT)
    return network.eval()


def _shape_of(weights: dict[str, Tensor]) -> NetworkShape:
    layers = {name.split(".")[1] for name in weights if name.startswith("blocks.")}
    return NetworkShape(width=len(weights["norm.weight"]), layers=len(layers))


def weights_key(path: Path = LANDMARK_WEIGHTS) -> str:
    """SHA-256 (hex) of the weights, for the keys of saved results. Raises ModelFileError if there are none."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read as weights of the pose backbone.", _HINT) from error
