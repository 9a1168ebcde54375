"""A first guess of depth for detectors that give none (OpenPose, COCO): limbs look shorter than they are.

Legend: S rows, K keypoints.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from engine.backbones.evidence import SIDES, Evidence
from engine.backbones.start import Points

_STEADY_S = 0.5
# what lies before what, and how much to trust it as a sign of where the body faces
_FACING = (("nose", "shoulder", 2.0), ("big_toe", "heel", 1.0), ("big_toe", "ankle", 1.0), ("nose", "ear", 1.0))
_LIMBS = (("shoulder", "elbow", 0.0), ("elbow", "wrist", 1.0), ("hip", "knee", 1.0), ("knee", "ankle", -1.0))
_LIKELY_SHARE = 0.5  # of the depth a limb's looks allow; half of it is wrong less often than all of it or none


def lift(evidence: Evidence, rest: Points) -> tuple[dict[str, Tensor], Tensor]:
    """Positions in camera axes guessed from one view's keypoints and the rest pose's limb lengths.

    The trunk turns by how wide shoulders and hips look and by where the face and the feet point; knees and elbows bend
    forwards.

    Args:
        evidence: the keypoints.
        rest: (3,) a keypoint name, of the body at rest.

    Returns:
        (S, 3) a name, metres; NaN where the keypoint was not seen. And (S,) bool: rows whose trunk was seen.
    """
    seen = {name: evidence.weights[:, index] > 0 for index, name in enumerate(evidence.names)}
    pixels = {name: evidence.points[:, index] for index, name in enumerate(evidence.names)}
    trunk = torch.stack([seen[f"{side}_{part}"] for side in SIDES for part in ("shoulder", "hip")]).all(0)
    scale = _pixels_per_metre(evidence, rest)
    flat = {name: point / scale[:, None] for name, point in pixels.items()}
    forward = _forward(evidence, flat, seen, rest)
    depth = {}
    for part in ("shoulder", "hip"):
        half = (rest[f"left_{part}"] - rest[f"right_{part}"]).norm() / 2
        for side, sign in zip(SIDES, (1.0, -1.0), strict=True):
            depth[f"{side}_{part}"] = sign * half * forward[:, 0]
    for start, end, bend in _LIMBS:
        for side in SIDES:
            first, last = f"{side}_{start}", f"{side}_{end}"
            length = (rest[last] - rest[first]).norm()
            looks = (flat[last] - flat[first]).norm(dim=-1).clamp(max=float(length))
            away = (length.square() - looks.square()).clamp(min=0).sqrt()
            depth[last] = depth[first] + _LIKELY_SHARE * bend * forward[:, 1] * away
    points = {name: torch.cat((flat[name], value[:, None]), 1) for name, value in depth.items()}
    return {name: torch.where(seen[name][:, None], point, torch.nan) for name, point in points.items()}, trunk


def _pixels_per_metre(evidence: Evidence, rest: Points) -> Tensor:
    """(S,) from the limbs that look longest: they lie across the view."""
    pairs = [(f"{side}_{a}", f"{side}_{b}") for a, b, _ in _LIMBS for side in SIDES]
    pairs += [(f"{side}_shoulder", f"{side}_hip") for side in SIDES]
    place = {name: index for index, name in enumerate(evidence.names)}
    ratios = []
    for first, last in pairs:
        a, b = place[first], place[last]
        ratio = (evidence.points[:, a] - evidence.points[:, b]).norm(dim=-1) / (rest[first] - rest[last]).norm()
        ratios.append(torch.where((evidence.weights[:, a] > 0) & (evidence.weights[:, b] > 0), ratio, 0))
    longest = torch.stack(ratios, 1).topk(3).values[:, -1]
    return _steady(longest, (longest > 0).float(), evidence.times).clamp(min=1.0)


def _forward(evidence: Evidence, flat: Points, seen: Points, rest: Points) -> Tensor:
    """(S, 2) where the body's front points: along the image's x and along depth."""
    width = torch.zeros(len(evidence.times))
    for part in ("shoulder", "hip"):
        length = (rest[f"left_{part}"] - rest[f"right_{part}"]).norm()
        width = width + 0.5 * (flat[f"left_{part}"] - flat[f"right_{part}"])[:, 0] / length
    width = width.clamp(-1, 1)
    votes, weights = torch.zeros_like(width), torch.zeros_like(width)
    for front, back, weight in _FACING:
        for side in SIDES:
            names = front if front == "nose" else f"{side}_{front}", f"{side}_{back}"
            if names[0] in flat and names[1] in flat:
                both = (seen[names[0]] & seen[names[1]]).float() * weight
                votes = votes + both * (flat[names[0]] - flat[names[1]])[:, 0]
                weights = weights + both
    vote = _steady(votes / weights.clamp(min=1e-6), weights, evidence.times)
    sideways = torch.where(vote < 0, -1.0, 1.0) * (1 - width.square()).sqrt()
    return torch.stack((sideways, -width), 1)


def _steady(values: Tensor, weights: Tensor, times: Tensor) -> Tensor:
    """Weighted running mean over about half a second."""
    reach = max(1, round(_STEADY_S / float(times.diff().median()) / 2)) if len(times) > 1 else 0
    pad = (reach, reach)
    total = functional.avg_pool1d(functional.pad((values * weights)[None, None], pad), 2 * reach + 1, 1)[0, 0]
    count = functional.avg_pool1d(functional.pad(weights[None, None], pad), 2 * reach + 1, 1)[0, 0]
    return torch.where(count > 0, total / count.clamp(min=1e-9), values)
