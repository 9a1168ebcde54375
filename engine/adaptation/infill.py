"""Hidden joints begin where the label says: motion for them, drawn from what is seen of the rest (not of the paper).

The in-filler draws several motions, which differ in what the evidence leaves open, such as phase and style. In each
stretch in which something is hidden the draw is taken that agrees best with the joints that are seen, with the path of
the pelvis, and with feet that stand. Legend: D draws, T rows of the track, R rows that are drawn, N stretches.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from engine.adaptation.draws import Draws, Flow, draw_track
from engine.adaptation.evidence import Seen, steady
from engine.adaptation.infiller import MotionEvidence, MotionInfiller, upper_of
from engine.adaptation.sampler import stride_of
from engine.adaptation.smoothing import spread_rows
from engine.adaptation.track_inference import Estimate
from engine.backbones.summary import rotation_confidence
from engine.body.landmarks import JOINT_NAMES
from engine.body.model import BodyModel
from engine.body.rotations import matrix_to_six, six_to_matrix
from engine.keypoints.types import SEEN_CONFIDENCE
from engine.runtime.progress import Progress

_CLEAR = 0.8
"""Confidence from which a joint counts as seen."""
_BLEND_S = 0.2
"""Over which hidden and seen motion meet."""
_JOINED_S = 0.5
"""Hidden stretches that are nearer to each other than this are one."""
FEET = [JOINT_NAMES.index(name) for name in ("left_ankle", "left_foot", "right_ankle", "right_foot")]
_TRUNK = [JOINT_NAMES.index(name) for name in ("pelvis", "spine1", "spine2", "spine3")]
_CORNERS = [JOINT_NAMES.index(f"{side}_{part}") for side in ("left", "right") for part in ("hip", "shoulder")]
_FOLLOWED = [joint for joint in range(len(JOINT_NAMES)) if joint not in (0, 22, 23)]
"""Joints of which something may be seen: not the root, whose turn is always given, nor the hands."""
_LONG_S = 1.0
STANDS = 0.5
_MOVES, _MOVES_ALIKE = 0.03, 2.5
"""Movement from which hidden joints move at all, and by how much two that move alike may differ."""
_UNLIKE = 0.45
"""Similarity below which the label leads: a seated man labelled "stand still" has 0.37, odd walks with "walk" 0.5."""
GUIDANCE = 2.0
"""Of draws by evidence and label: on real walks hidden legs come 3 to 7 mm nearer than with 1, and move more."""
_BY_LABEL = Flow(draws=4, guidance=3.0)
"""Draws by the label alone."""


@dataclass(frozen=True)
class Infilled:
    """Motion for the hidden joints of a track.

    Attributes:
        rotations: (T, 24, 3, 3) the draw that is taken in each row.
        hidden: (T, 24) how far the rotation of each joint is hidden, 0..1.
        draws: all draws, of every `stride`-th row.
        stretches: hidden stretches in time, each with the disagreement of all draws, in millimetres.
        stride: rows from one that is drawn to the next.
        by_label: (T, 24, 3, 3) draws by the label alone, as if nothing were seen but where the body faces; none without
            labels.
    """

    rotations: Tensor
    hidden: Tensor
    draws: Draws
    stretches: tuple[Stretch, ...]
    stride: int
    by_label: tuple[Tensor, ...]

    def into(self, motion: Estimate) -> Estimate:
        """The motion with hidden joints as they are in-filled."""
        return replace(motion, rotations=mixed(motion.rotations, self.rotations, self.hidden))

    def following(self, draw: int, where: Tensor, times: Tensor) -> Infilled:
        """The same, by the label alone in the rows `where` (T,) bool; `draw` of those, `times` (T,) seconds."""
        everywhere = torch.ones_like(where)
        share = steady(where.to(times.dtype), everywhere, times, _BLEND_S, times.new_zeros(())).float()
        return replace(self, rotations=mixed(self.rotations, self.by_label[draw], share[:, None]))


@dataclass(frozen=True)
class Stretch:
    """A stretch in which something is hidden.

    Attributes:
        start_s, end_s: seconds into the footage.
        disagreement_mm: of each draw with what is seen; the least one is taken.
        taken: which draw that is.
    """

    start_s: float
    end_s: float
    disagreement_mm: tuple[float, ...]
    taken: int


def hidden_share(confidence: Tensor, times: Tensor) -> Tensor:
    """(T, 24) how far the rotation of each joint is hidden, 0..1, smooth over time; `confidence` (T, 24) of joints.

    Shoulders alone show how the trunk lies, so it is hidden only where they and the hips are.
    """
    confidence = confidence.clone()
    confidence[:, _TRUNK] = torch.maximum(confidence[:, _TRUNK], confidence[:, _CORNERS].amax(1, keepdim=True))
    seen = rotation_confidence(confidence)
    share = 1 - ((seen - SEEN_CONFIDENCE) / (_CLEAR - SEEN_CONFIDENCE)).clamp(0, 1)
    everywhere = torch.ones_like(times, dtype=torch.bool)
    zero = share.new_zeros(())
    return torch.stack([steady(column, everywhere, times, _BLEND_S, zero) for column in share.unbind(1)], 1)


def infill(
    network: MotionInfiller,
    body: BodyModel,
    motion: Estimate,
    seen: Seen,
    hidden: Tensor,
    labels: Sequence[str],
    flow: Flow,
    seed: int,
    beat: Callable[[], None] = lambda: None,
) -> Infilled | None:
    """In-fill the hidden joints of a track; None where nothing is hidden.

    Args:
        network: frozen.
        body: on the device of the motion.
        motion: the pose network's.
        seen: the evidence of the track.
        hidden: (T, 24) of `hidden_share`.
        labels: T labels in the dictionary's words, '' for none.
        flow: how many draws, and how.
        seed: of the draws.
        beat: called often; may raise.
    """
    times = seen.gathered.times.to(hidden.device)
    if not bool((hidden > STANDS).any()):
        return None
    stride = stride_of(times.double().cpu().numpy())
    rows = torch.arange(0, len(times), stride, device=times.device)
    evidence = evidence_of(network, body, motion, seen, times, labels, rows)
    draws = draw_track(network, evidence, flow, torch.Generator().manual_seed(seed), beat)
    apart = disagreement(draws, evidence, motion.betas[rows].mean(0), body)
    stretch_of = stretch_numbers(hidden[rows].amax(1) > STANDS, evidence.times_s[0])
    count = int(stretch_of.max()) + 1
    per_stretch = mean_of(apart, stretch_of, count)  # (N, D)
    taken = per_stretch.argmin(1)
    chosen, place = taken[_nearest_stretch(stretch_of)], torch.arange(len(rows), device=rows.device)
    rotations = draws.rotations[chosen, place]
    stretches = []
    for number in range(count):
        inside = times[rows][stretch_of == number]
        apart_mm = tuple((1000 * per_stretch[number]).tolist())
        stretches.append(Stretch(float(inside[0]), float(inside[-1]), apart_mm, int(taken[number])))
    alone = list[Tensor]()
    if any(labels):
        by_the_label = _label_alone(evidence)
        alone += draw_track(network, by_the_label, _BY_LABEL, torch.Generator().manual_seed(seed), beat).rotations
    motion_of_rows = spread_rows(rotations, len(times), stride)
    by_label = tuple(spread_rows(one, len(times), stride) for one in alone)
    return Infilled(motion_of_rows, hidden, draws, tuple(stretches), stride, by_label)


def _label_alone(evidence: MotionEvidence) -> MotionEvidence:
    """Nothing of the body is seen but where it faces."""
    still = evidence.pelvis.mean(1, keepdim=True).expand_as(evidence.pelvis)
    nothing = torch.zeros_like(evidence.shown)
    return replace(evidence, shown=nothing, confidence=nothing, pelvis=still, upper=torch.zeros_like(evidence.upper))


def led_by_label(
    infilled: Infilled, motion: Estimate, named: Tensor, times: Tensor, likeness: Callable[[Tensor], Tensor]
) -> Infilled:
    """What the label says by itself, where what the evidence suggests for hidden joints is unlike the label.

    Where both move alike the evidence's motion stays, which is in step: who walks about to collapse is unlike
    `walk`, too.

    Args:
        infilled: by evidence and label.
        motion: the pose network's.
        named: (T,) bool, rows with a label.
        times: (T,) seconds.
        likeness: gives the similarity (T,) of a motion (T, 24, 3, 3) and its labels.
    """
    if not infilled.by_label:
        return infilled
    takes = (infilled.rotations, *infilled.by_label)
    alike = torch.stack([likeness(mixed(motion.rotations, one, infilled.hidden)) for one in takes])
    best = int(alike[1:].mean(1).argmax())
    where = named & (alike[0] < _UNLIKE) & (alike[1 + best] > alike[0])
    moves = [_movement(one[where], infilled.hidden[where]) for one in (infilled.rotations, infilled.by_label[best])]
    in_step = min(moves) > _MOVES and max(moves) < _MOVES_ALIKE * min(moves)
    return infilled if in_step or not bool(where.any()) else infilled.following(best, where, times)


def _movement(rotations: Tensor, hidden: Tensor) -> float:
    """How much hidden (T, 24) joints move: mean standard deviation of the numbers of their rotations (T, 24, 3, 3)."""
    there = hidden.mean(0) > STANDS
    if len(rotations) < 2 or not bool(there.any()):
        return 0.0
    return float(matrix_to_six(rotations)[:, there].std(0).mean())


def evidence_of(
    network: MotionInfiller,
    body: BodyModel,
    motion: Estimate,
    seen: Seen,
    times: Tensor,
    labels: Sequence[str],
    rows: Tensor,
) -> MotionEvidence:
    """The track as the in-filler reads it, (1, R, …): some rows of `motion` and of what is `seen`.

    Args:
        network: whose sentences are taken.
        body: on the device of the motion.
        motion: T rows.
        seen: the evidence of the track.
        times: (T,) seconds.
        labels: T labels, '' for none.
        rows: (R,) that are read.
    """
    different = sorted(set(labels))
    sentences = torch.stack([network.sentence_of(label) for label in different])
    label = torch.tensor([different.index(name) for name in labels], device=times.device)
    pelvis = motion.transl + body.rest_joints(motion.betas)[:, 0]
    confidence = seen.joints[rows]
    upper = upper_of(
        seen.points[rows][None], seen.confidence[rows][None], seen.gathered.names, seen.camera, pelvis[rows][None, :, 2]
    )[0]
    return MotionEvidence(
        rotations=motion.rotations[rows][None],
        shown=(rotation_confidence(confidence) >= SEEN_CONFIDENCE).float()[None],
        confidence=confidence[None],
        pelvis=pelvis[rows][None],
        upper=upper[None],
        # whoever walks on a treadmill, or away from a camera that follows, has no velocity that tells of the legs
        velocity=torch.zeros(1, device=times.device),
        times_s=(times[rows] - times[0]).float()[None],
        sentence=sentences[label[rows]][None],
    )


def disagreement(draws: Draws, evidence: MotionEvidence, betas: Tensor, body: BodyModel) -> Tensor:
    """(D, R) metres by which draws disagree with what is seen.

    That is how far the joints that are seen lie from the pose network's, and how far the pelvis is from where feet that
    stand would have it, less its straight path: both move at constant speed on a treadmill.

    Args:
        draws: of R rows.
        evidence: (1, R, …).
        betas: (10,) shape.
        body: on their device.
    """
    pelvis = evidence.pelvis[0] - body.rest_joints(betas[None])[0, 0]
    seen = body.joints(evidence.rotations[0], betas, pelvis)
    weight = evidence.confidence[0] * evidence.shown[0]
    apart = []
    for rotations, contacts in zip(draws.rotations, draws.contacts, strict=True):
        joints = body.joints(rotations, betas, pelvis)
        far = ((joints - seen).norm(dim=-1) * weight).sum(1) / weight.sum(1).clamp(min=1e-6)
        apart.append(far + slide(joints[:, FEET], contacts, evidence.times_s[0]))
    return torch.stack(apart)


def slide(feet: Tensor, contacts: Tensor, times: Tensor) -> Tensor:
    """(R,) metres that standing feet (R, 4, 3) move in a tenth of a second, beside their usual motion."""
    if len(times) < 3:
        return torch.zeros_like(times)
    velocity = feet.diff(dim=0) / times.diff()[:, None, None]
    weight = contacts[1:] * contacts[:-1]
    usual = (velocity * weight[..., None]).sum((0, 1)) / weight.sum().clamp(min=1e-6)
    moved = ((velocity - usual).norm(dim=-1) * weight).sum(1) / weight.sum(1).clamp(min=1e-3)
    return torch.cat((moved[:1], moved)) * 0.1


def stretch_numbers(hidden: Tensor, times: Tensor) -> Tensor:
    """(R,) number of the stretch that each row belongs to, -1 where nothing (R,) is hidden."""
    number = torch.full((len(hidden),), -1, device=hidden.device)
    there = torch.nonzero(hidden)[:, 0]
    if len(there):
        new = times[there].diff() > _JOINED_S
        number[there] = torch.cat((new.new_zeros(1), new)).cumsum(0)
    return number


def report_unseen(hidden: Tensor, times: Tensor, labels: Sequence[str], progress: Progress) -> None:
    """Warn of every stretch of seconds in which nothing of the person is seen.

    Args:
        hidden: (T, 24) of `hidden_share`.
        times: (T,) seconds.
        labels: T labels, '' for none.
        progress: is warned.
    """
    stretch_of = stretch_numbers(hidden[:, _FOLLOWED].amin(1) > STANDS, times)
    for number in range(int(stretch_of.max()) + 1):
        rows = torch.nonzero(stretch_of == number)[:, 0].tolist()
        start, end = float(times[rows[0]]), float(times[rows[-1]])
        if end - start < _LONG_S:
            continue
        named = ", ".join(f"'{name}'" for name in sorted({labels[row] for row in rows} - {""}))
        what = f"follows the label {named} alone" if named else "is a guess"
        text = f"Nothing of the person is seen from {start:.1f} s to {end:.1f} s: the motion there {what}."
        progress.warn("nothing_seen", text)


def mean_of(apart: Tensor, stretch_of: Tensor, count: int) -> Tensor:
    """(N, D) mean over the rows of each stretch."""
    inside = torch.stack([(stretch_of == number).float() for number in range(count)])
    mean: Tensor = inside @ apart.T / inside.sum(1, keepdim=True).clamp(min=1)
    return mean


def _nearest_stretch(stretch_of: Tensor) -> Tensor:
    """(R,) the stretch of each row, or the nearest one."""
    there = torch.nonzero(stretch_of >= 0)[:, 0]
    place = torch.arange(len(stretch_of), device=stretch_of.device)
    after = torch.searchsorted(there, place).clamp(max=len(there) - 1)
    before = (after - 1).clamp(min=0)
    nearer = (place - there[before]).abs() < (there[after] - place).abs()
    return stretch_of[there[torch.where(nearer, before, after)]]


def mixed(one: Tensor, other: Tensor, share: Tensor) -> Tensor:
    """Rotations (T, 24, 3, 3) between two motions, straight in six numbers: `share` (T, 24 or 1) of the other's."""
    return six_to_matrix(torch.lerp(matrix_to_six(one), matrix_to_six(other), share[..., None]))
