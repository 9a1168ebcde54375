"""How much a clip's keypoints weigh (not of the paper): as much as two ways to read them agree.

A network that was trained on noisy keypoints mistrusts them; a plain fit follows them and knows nothing of how people
move. Where both come to the same pose, the keypoints are right. Where the detector guesses, the two part, and what
follows the keypoints gets worse than the network's own answer. Legend: T rows of the track.
"""

from __future__ import annotations

import torch
from torch import Tensor

from engine.adaptation.evidence import Seen, steady
from engine.backbones.types import Prediction
from engine.body.landmarks import JOINT_NAMES
from engine.body.model import BodyModel
from engine.body.similarity import aligned
from engine.keypoints.joint_sets import LIMBS, MEDIAPIPE_33

_COMPARED = [JOINT_NAMES.index(name) for name in LIMBS]
_AGREED_M, _DISAGREED_M = 0.055, 0.08
"""Mean distance up to which keypoints weigh in full, and from which on they weigh least: real clips in full view have
38 to 53 mm, drawn ones behind objects 50 to 190."""
_UNSURE, _SURE = 0.89, 0.93
"""Confidence of seen keypoints from which MediaPipe's weigh more than the least, and in full: footage has 0.91 to 0.97,
drawn observations, whose keypoints err by four times as much, 0.85 to 0.94."""
_LEAST = 0.001
_STEADY_S = 4.0
_ROWS_AT_ONCE = 4096


def keypoint_weight(first: Prediction, fitted: Prediction, seen: Seen, body: BodyModel) -> Tensor:
    """(T,) what the keypoints of each row weigh, 0.01 to 1, on the CPU.

    Args:
        first: the network's prediction before adaptation.
        fitted: the fit's, without a network.
        seen: the evidence of the track; only joints that are seen are compared.
        body: on any device.
    """
    apart = distance(first, fitted, seen.joints[:, _COMPARED].cpu(), body)
    known = apart.isfinite()
    if not bool(seen.found.any()) or not bool(known.any()):
        return torch.full_like(apart, _LEAST)
    apart = steady(apart, known, seen.gathered.times, _STEADY_S, apart[known].mean())
    agreed = ((_DISAGREED_M - apart) / (_DISAGREED_M - _AGREED_M)).clamp(0, 1)
    return (agreed * _certainty(seen)).clamp(min=_LEAST)


def _certainty(seen: Seen) -> Tensor:
    """(T,) 0 to 1, how sure the detector is of what it sees; 1 for detectors whose confidence means something else."""
    if seen.track.keypoint_names != MEDIAPIPE_33:
        return torch.ones(len(seen.found))
    weight = (seen.importance * seen.valid).cpu()
    total = weight.sum(1)
    confidence = (seen.confidence.cpu() * weight).sum(1) / total.clamp(min=1e-6)
    confidence = steady(confidence, total > 0, seen.gathered.times, _STEADY_S, confidence.new_tensor(_UNSURE))
    return ((confidence - _UNSURE) / (_SURE - _UNSURE)).clamp(0, 1)


def distance(one: Prediction, other: Prediction, weight: Tensor, body: BodyModel) -> Tensor:
    """(T,) mean distance of shoulders, elbows, wrists, hips, knees and ankles after similarity alignment, metres;
    `weight` (T, 12) of each."""
    parts = []
    for start in range(0, len(one.rotations), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        here, there = (_joints(prediction, rows, body) for prediction in (one, other))
        usable = (here.isfinite() & there.isfinite()).all(-1).all(-1) & (weight[rows] > 0).any(1)
        here, there = (torch.where(usable[:, None, None], points, points.new_zeros(())) for points in (here, there))
        share = weight[rows]
        far = ((aligned(here, there, share) - there).norm(dim=-1) * share).sum(1) / share.sum(1).clamp(min=1e-6)
        parts.append(torch.where(usable, far, torch.nan))
    return torch.cat(parts)


def _joints(prediction: Prediction, rows: slice, body: BodyModel) -> Tensor:
    """(R, 12, 3) metres, on the CPU."""
    device = next(body.buffers()).device
    pose = (torch.from_numpy(part).to(device) for part in (prediction.rotations[rows], prediction.betas))
    return body.joints(*pose)[:, _COMPARED].cpu()
