"""How far a clip's keypoints are to be followed (not of the paper): as far as two ways to read them agree.

A network that was trained on noisy keypoints mistrusts them; a plain fit follows them, and the detector's 3D, and knows
nothing of how people move. Where both come to the same pose, keypoints can only be right, and adaptation does well to
follow them. Where they are guessed behind objects, the two part, and what follows them gets worse than the network's
own answer. Legend: T rows of the track.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from engine.adaptation.evidence import steady
from engine.adaptation.guide import mixed
from engine.adaptation.whole_track import Estimate
from engine.backbones.fit import FitBackbone
from engine.backbones.fit_settings import FitSettings
from engine.backbones.types import Camera, Prediction
from engine.body.landmarks import JOINT_NAMES
from engine.body.model import BodyModel
from engine.body.similarity import aligned
from engine.keypoints.joint_sets import LIMBS
from engine.keypoints.types import PersonTrack
from engine.progress import Progress

STEPS = 200
"""Of the fit: half as many as it takes as a backbone, which is near enough for this."""
_COMPARED = [JOINT_NAMES.index(name) for name in LIMBS]
_STEADY_S = 4.0
_ROWS_AT_ONCE = 4096


def agreement(
    first: Prediction,
    track: PersonTrack,
    camera: Camera,
    body: BodyModel,
    agreed_m: float,
    disagreed_m: float,
    progress: Progress,
) -> Tensor:
    """(T,) how far keypoints are believed, 0 to 1, on the CPU.

    Args:
        first: the network's prediction before adaptation.
        track: the person; camera: of the footage; body: on any device.
        agreed_m: mean distance of limb joints, after similarity alignment of each row, up to which they are in full.
        disagreed_m: distance from which on they are not at all; 0: they are, and nothing is compared.
        progress: told after every step of the fit, `STEPS` times the number of its windows; may raise CancelledError.
    """
    if not disagreed_m:
        return torch.ones(len(track.timestamps))
    fitted = FitBackbone(FitSettings(iterations=STEPS)).predict(track, camera, body, progress)
    apart = distance(first, fitted, body)
    known = apart.isfinite()  # rows without the person, too: bridging them, both guess
    if not track.detected.any() or not bool(known.any()):
        return torch.zeros_like(apart)
    times = torch.as_tensor(np.asarray(track.timestamps, np.float64))
    apart = steady(apart, known, times, _STEADY_S, apart[known].mean())
    return ((disagreed_m - apart) / max(disagreed_m - agreed_m, 1e-6)).clamp(0, 1)


def distance(one: Prediction, other: Prediction, body: BodyModel) -> Tensor:
    """(T,) mean distance of shoulders, elbows, wrists, hips, knees and ankles after similarity alignment, metres."""
    parts = []
    for start in range(0, len(one.rotations), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        here, there = (_joints(prediction, rows, body) for prediction in (one, other))
        usable = (here.isfinite() & there.isfinite()).all(-1).all(-1)
        here, there = (torch.where(usable[:, None, None], points, points.new_zeros(())) for points in (here, there))
        far = (aligned(here, there) - there).norm(dim=-1).mean(-1)
        parts.append(torch.where(usable, far, torch.nan))
    return torch.cat(parts)


def between(one: Estimate, other: Estimate, share: Tensor) -> Estimate:
    """Motion between two, rows apart: `share` (T,) of the other's."""
    rotations = mixed(one.rotations, other.rotations, share[:, None])
    rest = (torch.lerp(a, b, share[:, None]) for a, b in ((one.betas, other.betas), (one.transl, other.transl)))
    return Estimate(rotations, *rest)


def _joints(prediction: Prediction, rows: slice, body: BodyModel) -> Tensor:
    """(R, 12, 3) metres, on the CPU."""
    device = next(body.buffers()).device
    pose = (torch.from_numpy(part).to(device) for part in (prediction.rotations[rows], prediction.betas))
    return body.joints(*pose)[:, _COMPARED].cpu()
