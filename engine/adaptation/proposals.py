"""Takes to choose from for a hidden stretch: different motions for hidden joints, each with what speaks for it.

Some are draws of the in-filler under the label of the stretch, some under labels near it; one is out of step with the
best draw by half of its period, one has left and right exchanged. Legend: T rows of the track, R rows that are drawn, S
rows of a stretch, N stretches, D takes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from engine.adaptation import sampler
from engine.adaptation.alignment import Alignment
from engine.adaptation.draws import Draws, Flow, draw_track
from engine.adaptation.evidence import Seen
from engine.adaptation.infill import (
    FEET,
    GUIDANCE,
    STANDS,
    disagreement,
    evidence_of,
    mean_of,
    mixed,
    slide,
    stretch_numbers,
)
from engine.adaptation.priors import Priors
from engine.adaptation.track_inference import Estimate
from engine.body.landmarks import JOINT_NAMES
from engine.body.model import BodyModel
from engine.body.rotations import matrix_to_axis_angle, matrix_to_six
from engine.camera.pinhole import project
from engine.keypoints.joint_sets import mirror_order

DRAW, LABEL, PHASE, MIRRORED = "draw", "label", "phase", "mirrored"
_DRAWS, _LABELS = 4, 2
_NEIGHBOUR = Flow(draws=1, expected=False, guidance=GUIDANCE)
_PERIOD_S = (0.4, 2.5)
"""Between which the period of a gait is looked for."""
_STEP_S = 0.5
_FLIP = torch.diag(torch.tensor([-1.0, 1.0, 1.0]))
_MIRROR = mirror_order(JOINT_NAMES)
_OTHER_FOOT = [2, 3, 0, 1]


@dataclass(frozen=True)
class Known:
    """A track as it was adapted.

    Attributes:
        motion: T rows.
        seen: the evidence.
        hidden: (T, 24) how far each joint is hidden, 0..1.
        labels: T labels in the dictionary's words, '' for none.
        body: on the device of the motion.
        priors: with the in-filler.
        draws: of every `stride_of`-th row, where they are there already.
    """

    motion: Estimate
    seen: Seen
    hidden: Tensor
    labels: Sequence[str]
    body: BodyModel
    priors: Priors
    draws: Draws | None = None


@dataclass(frozen=True)
class _Take:
    """Motion (S, 24, 3, 3) of a stretch with contacts (S, 4), how it came about, and its label."""

    kind: str
    label: str
    rotations: Tensor
    contacts: Tensor


def propose(known: Known, seed: int, beat: Callable[[], None] = lambda: None) -> dict[str, NDArray[Any]]:
    """Takes for every hidden stretch, those first for which most speaks, as arrays for a file; {} if nothing is hidden.

    Takes are ordered by the mean of their places in three scores: similarity with their label, how little standing feet
    slide, and how near the whole body of the take is to the keypoints that are seen.

    Args:
        known: the track.
        seed: of the draws.
        beat: called often; may raise.

    Returns:
        `rows` (R,) of the track in which something is hidden; `poses` (D, R, 72) axis-angle in half precision, root in
        the camera frame; `stretches` (N, 2) first and last second of each; `kinds`, `labels` (N, D) text; `similarity`
        (N, D), 0 without a label; `slide_mm` (N, D) in a tenth of a second; `reprojection_px` (N, D).
    """
    times = known.seen.gathered.times.to(known.hidden.device)
    rows = torch.arange(0, len(times), sampler.stride_of(times.double().cpu().numpy()), device=times.device)
    stretch_of = stretch_numbers(known.hidden[rows].amax(1) > STANDS, times[rows].float())
    count = int(stretch_of.max()) + 1
    if not count or known.priors.infiller is None:
        return {}
    draws, apart = _drawn(known, rows, times, seed, beat)
    near = _near_labels(known, rows, times, seed, beat)
    order = mean_of(apart, stretch_of, count).argsort(1)
    found = []
    for number in range(count):
        inside = torch.nonzero(stretch_of == number)[:, 0]
        takes = _takes(known, draws, near, order[number].tolist(), inside, rows, times)
        scores = torch.stack([_scores(known, take, rows[inside]) for take in takes])
        found.append((inside, takes, scores))
        beat()
    return _arrays(found, rows, times)


def _drawn(known: Known, rows: Tensor, times: Tensor, seed: int, beat: Callable[[], None]) -> tuple[Draws, Tensor]:
    """The draws under the labels as they are, and how far each (D, R) disagrees with what is seen."""
    assert known.priors.infiller is not None
    evidence = evidence_of(known.priors.infiller, known.body, known.motion, known.seen, times, list(known.labels), rows)
    draws = known.draws
    if draws is None:
        flow, generator = Flow(guidance=GUIDANCE), torch.Generator().manual_seed(seed)
        draws = draw_track(known.priors.infiller, evidence, flow, generator, beat)
    return draws, disagreement(draws, evidence, known.motion.betas[rows].mean(0), known.body)


def _near_labels(
    known: Known, rows: Tensor, times: Tensor, seed: int, beat: Callable[[], None]
) -> list[tuple[list[str], Draws]]:
    """Labels (T) near those of the track, and a draw under them; none without labels."""
    space, dictionary, infiller = known.priors.space, known.priors.dictionary, known.priors.infiller
    names = sorted(set(known.labels) - {""})
    if space is None or dictionary is None or infiller is None or not names:
        return []
    everything = list(dictionary.labels)
    with torch.no_grad():
        like = space.encode_labels(names) @ space.encode_labels(everything).T
    like[torch.arange(len(names)), [everything.index(name) for name in names]] = -1
    nearest = like.topk(_LABELS, dim=1).indices.tolist()
    found = []
    for number in range(_LABELS):
        other = {"": ""} | {name: everything[nearest[place][number]] for place, name in enumerate(names)}
        labels = [other[label] for label in known.labels]
        evidence = evidence_of(infiller, known.body, known.motion, known.seen, times, labels, rows)
        generator = torch.Generator().manual_seed(seed + 1 + number)
        found.append((labels, draw_track(infiller, evidence, _NEIGHBOUR, generator, beat)))
    return found


def _takes(
    known: Known,
    draws: Draws,
    near: list[tuple[list[str], Draws]],
    order: list[int],
    inside: Tensor,
    rows: Tensor,
    times: Tensor,
) -> list[_Take]:
    """The takes of a stretch: `inside` (S,) of the `rows` that are drawn; `order` of the draws, the best first."""
    middle = int(rows[inside[len(inside) // 2]])
    label = known.labels[middle]
    takes = [_Take(DRAW, label, draws.rotations[one, inside], draws.contacts[one, inside]) for one in order]
    best, more = takes[0], takes[_DRAWS : _DRAWS + len(near)]
    others = [
        _Take(LABEL, labels[middle], drawn.rotations[0, inside], drawn.contacts[0, inside])
        for labels, drawn in near
        if labels[middle]
    ] or more  # as many for every stretch of a file
    shift = _half_period(best.rotations, known.hidden[rows[inside]], times[rows[inside]])
    place = (inside + shift).clamp(max=len(rows) - 1) if int(inside[-1]) + shift < len(rows) else inside - shift
    place = place.clamp(min=0)
    out_of_step = _Take(PHASE, label, draws.rotations[order[0], place], draws.contacts[order[0], place])
    whole = mixed(known.motion.rotations[rows[inside]], best.rotations, known.hidden[rows[inside]])
    flip = _FLIP.to(whole)
    turned = flip @ whole[:, _MIRROR] @ flip
    turned = torch.cat((whole[:, :1], turned[:, 1:]), 1)
    mirrored = _Take(MIRRORED, label, turned, best.contacts[:, _OTHER_FOOT])
    return [*takes[:_DRAWS], *others, out_of_step, mirrored]


def _half_period(rotations: Tensor, hidden: Tensor, times: Tensor) -> int:
    """Rows that are half of the period of hidden joints' motion; those of half a second where it has none."""
    step = float(times.diff().median()) if len(times) > 1 else _STEP_S
    usual = max(1, round(_STEP_S / max(step, 1e-6)))
    trace = (matrix_to_six(rotations) * (hidden > STANDS)[..., None]).flatten(1)
    trace = trace - trace.mean(0)
    lags = [lag for lag in range(2, len(trace) - 2) if _PERIOD_S[0] <= lag * step <= _PERIOD_S[1]]
    if not lags or float(trace.square().mean()) < 1e-6:
        return usual
    alike = [float(functional.cosine_similarity(trace[lag:].ravel(), trace[:-lag].ravel(), 0)) for lag in lags]
    best = int(np.argmax(alike))
    inner = 0 < best < len(lags) - 1 and alike[best] > 0.3
    return max(1, round(lags[best] / 2)) if inner else usual


def _scores(known: Known, take: _Take, rows: Tensor) -> Tensor:
    """(3,) similarity with the take's label, millimetres that standing feet slide, pixels beside seen keypoints."""
    motion, seen = known.motion, known.seen
    shown = mixed(motion.rotations[rows], take.rotations, known.hidden[rows])
    times = seen.gathered.times.to(rows.device)[rows]
    feet = known.body.joints(shown, motion.betas[rows].mean(0), motion.transl[rows])[:, FEET]
    slides = 1000 * slide(feet, take.contacts, times.float()).mean()
    marks = known.body.landmarks(take.rotations, motion.betas[rows], motion.transl[rows])
    off = (project(marks[:, seen.places], seen.camera) - seen.points[rows]).norm(dim=-1)
    weight = (seen.confidence * seen.valid)[rows]
    reprojection = (torch.where(weight > 0, off, torch.zeros_like(off)) * weight).sum() / weight.sum().clamp(min=1e-6)
    return torch.stack((_similarity(known, take.label, shown, times), slides, reprojection))


def _similarity(known: Known, label: str, shown: Tensor, times: Tensor) -> Tensor:
    """Similarity of a motion (S, 24, 3, 3) with a label; 0 without one."""
    space, dictionary = known.priors.space, known.priors.dictionary
    if not label or space is None or dictionary is None or len(times) < 2:
        return shown.new_zeros(())
    segments = sampler.cut(times.double().cpu().numpy(), np.array([label] * len(times)), 0.5, 0.0).to(shown.device)
    if not bool(segments.labelled.any()):
        return shown.new_zeros(())
    alike = Alignment(segments, space, dictionary, "alignment", shown.device).of_track(shown)
    return alike[segments.labelled].mean()


def _place(values: Tensor) -> Tensor:
    """(D,) place of each value, least first; those that are equal share one."""
    return (values[None] < values[:, None]).sum(1) + ((values[None] == values[:, None]).sum(1) - 1) / 2


def _arrays(found: list[tuple[Tensor, list[_Take], Tensor]], rows: Tensor, times: Tensor) -> dict[str, NDArray[Any]]:
    """As `propose` gives them back."""
    count = min(len(takes) for _, takes, _ in found)
    poses, kinds, labels, scores = [], [], [], []
    for _, takes, values in found:
        places = _place(-values[:, 0]) + _place(values[:, 1]) + _place(values[:, 2])
        order = places.argsort(stable=True).tolist()[:count]
        turns = torch.stack([matrix_to_axis_angle(takes[one].rotations) for one in order])
        poses.append(turns.flatten(2).half().cpu().numpy())
        kinds.append([takes[one].kind for one in order])
        labels.append([takes[one].label for one in order])
        scores.append(values[order].cpu().numpy())
    there = torch.cat([inside for inside, _, _ in found])
    spans = [(float(times[rows[inside[0]]]), float(times[rows[inside[-1]]])) for inside, _, _ in found]
    similarity, slides, reprojection = np.moveaxis(np.stack(scores), -1, 0).astype(np.float32)
    return {
        "rows": rows[there].cpu().numpy(),
        "poses": np.concatenate(poses, axis=1),
        "stretches": np.array(spans, np.float64),
        "kinds": np.array(kinds),
        "labels": np.array(labels, dtype=np.str_),
        "similarity": similarity,
        "slide_mm": slides,
        "reprojection_px": reprojection,
    }
