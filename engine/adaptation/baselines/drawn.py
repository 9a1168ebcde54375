"""The clip's person in other poses, as the network would see them: drawn keypoints, or a body drawn into the crops.

Legend: T rows, K keypoints that the body has.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from engine.adaptation.baselines.exemplars import Exemplars
from engine.adaptation.baselines.person import Person
from engine.adaptation.track_inference import Estimate
from engine.backbones.crop_backbone import CropPoseNetwork
from engine.backbones.crop_store import CropStore
from engine.backbones.crops import DEVIATION, MEAN
from engine.backbones.landmark import BoundLandmarkNetwork
from engine.backbones.track_view import TrackView, view_of
from engine.backbones.types import PoseNetwork
from engine.body.raster import MeshRasteriser
from engine.body.rotations import axis_angle_to_matrix
from engine.camera.pinhole import project
from engine.errors import UsageError

_TURN_RAD, _ROOT_RAD = 0.2, 0.3
_STEADY_S = 1.0
_MEMORY_MIB = 1024.0


def drawn(person: Person, motion: Estimate, rows: Tensor, generator: torch.Generator) -> Exemplars:
    """The predicted motion with every joint turned, seen through the clip's own camera, and that as its truth.

    Args:
        person: whose network, camera and evidence it is.
        motion: predicted, on the device.
        rows: (N, S) rows of the windows.
        generator: on the CPU.

    Raises:
        UsageError: the network sees neither keypoints nor crops.
    """
    turned = perturbed(motion, person.frame_s, generator)
    network = person.network
    if isinstance(network, BoundLandmarkNetwork):
        seeing: PoseNetwork = network.sharing(_keypoints(person, motion, turned, generator))
    elif isinstance(network, CropPoseNetwork):
        seeing = _crops(person, network, turned, generator)
    else:
        raise UsageError("Nothing can be drawn for this pose network.", "Choose landmark, hmr or hmr2.")
    return Exemplars(seeing, rows, turned.rotations, turned.betas, turned.transl)


def perturbed(motion: Estimate, frame_s: float, generator: torch.Generator) -> Estimate:
    """Each joint turned by some angle that changes over a second, the whole body more; shape and place stay."""
    count, device = len(motion.transl), motion.transl.device
    knots = max(2, round(count * frame_s / _STEADY_S) + 1)
    angles = torch.randn(knots, 24, 3, generator=generator) * _TURN_RAD
    angles[:, 0] *= _ROOT_RAD / _TURN_RAD
    smooth = torch.nn.functional.interpolate(angles.flatten(1).T[None], count, mode="linear", align_corners=True)[0].T
    turn = axis_angle_to_matrix(smooth.reshape(count, 24, 3)).to(device)
    return Estimate(motion.rotations @ turn, motion.betas, motion.transl)


def _keypoints(person: Person, motion: Estimate, turned: Estimate, generator: torch.Generator) -> TrackView:
    """Keypoints of the turned body with the misses of this clip's detector, of another moment; seen where they were.

    The misses are what the detector reported less what the network predicted.
    """
    seen, body, track = person.seen, person.body, person.seen.track
    columns = list(seen.columns)
    with torch.no_grad():
        before, after = (
            body.landmarks(one.rotations, one.betas, one.transl)[:, seen.places] for one in (motion, turned)
        )
        points = [project(one, seen.camera).cpu().numpy() for one in (before, after)]
    shift = int(torch.randint(len(person.times), (1,), generator=generator))
    keypoints = np.asarray(track.keypoints, np.float32).copy()
    there = seen.valid.cpu().numpy()[..., None]
    miss = np.where(there, keypoints[:, columns, :2] - points[0], 0)
    keypoints[:, columns, :2] = points[1] + np.roll(miss, shift, 0)
    marks = np.asarray(track.landmarks3d, np.float32).copy()
    places = [_about_hips(one.cpu().numpy(), seen.gathered.names) for one in (before, after)]
    miss = np.nan_to_num(marks[:, columns] - places[0])
    marks[:, columns] = np.where(np.isfinite(marks[:, columns]), places[1] + np.roll(miss, shift, 0), np.nan)
    return view_of(replace(track, keypoints=keypoints, landmarks3d=marks), person.camera, person.device)


def _about_hips(points: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """(T, K, 3) as a detector gives its 3D: about the middle of the hips, where both are there."""
    if not {"left_hip", "right_hip"} <= set(names):
        return points
    hips = [names.index("left_hip"), names.index("right_hip")]
    return np.asarray(points - points[:, hips].mean(1, keepdims=True))


def _crops(person: Person, network: CropPoseNetwork, turned: Estimate, generator: torch.Generator) -> CropPoseNetwork:
    """The turned body in one grey, lit from the camera, drawn into the clip's own crops."""
    style, squares, body = network.store.style, network.squares, person.body
    store = CropStore(len(squares), style, _MEMORY_MIB, network.store.device)
    raster = MeshRasteriser(body.faces, body.vertex_count)
    intrinsics = np.asarray(person.camera.intrinsics, np.float64)
    mean, deviation = (np.asarray(values, np.float32)[:, None, None] for values in (MEAN, DEVIATION))
    albedo = torch.rand(len(squares), generator=generator).mul(0.6).add(0.3).numpy()
    for row, (left, top, side) in enumerate(squares):
        scale = style.size / side
        # half a pixel, since crops count from the centre of the first one
        to_crop = np.array([[scale, 0, 0.5 - left * scale], [0, scale, 0.5 - top * scale], [0, 0, 1]])
        parts = (part[row : row + 1] for part in (turned.rotations, turned.betas, turned.transl))
        with torch.no_grad():
            vertices = body.vertices(*parts)[0].cpu().numpy()
        depth, shade = raster.draw(vertices, to_crop @ intrinsics, (style.size, style.size))
        crop = network.store.read(torch.tensor([row]))[0].cpu().numpy()
        grey = (albedo[row] * shade[None] - mean) / deviation
        store.put(row, np.where(np.isfinite(depth)[None], grey, crop).astype(np.float32))
    store.full()
    return network.sharing(store, squares, intrinsics)
