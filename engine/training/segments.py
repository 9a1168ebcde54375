"""Proposals for where actions begin and end in a long take: pauses, and changes of rhythm. Whoever looks decides.

A pause is a stretch in which nothing moves. A change of rhythm is a moment around which the way of moving differs most:
how fast pelvis, hands and feet move, how high the pelvis is, how the trunk is inclined, compared over a second and a
half before and after. The proposals name no action: a sheet of them is for looking at.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter1d, uniform_filter1d
from scipy.signal import find_peaks

from engine.training.corpus import CorpusClip
from engine.training.figure import INDEX, Figure, Floats, matrices
from engine.training.sheets import draw_sheet, row_of

PAUSE, MOVEMENT = "pause", "movement"
_PAUSE_SPEED, _PAUSE_S = 0.15, 0.6
_REACH_S, _APART_S = 1.5, 1.2
_NOVEL = 1.0
_MOVED = ("pelvis", "left_wrist", "right_wrist", "left_ankle", "right_ankle", "head")
_TO_Y_UP = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])


@dataclass(frozen=True)
class Proposal:
    """A stretch of a take that may be one action."""

    start: int
    """First frame."""
    end: int
    """Frame after the last."""
    kind: str
    """`pause` or `movement`."""


def propose(joints: Floats, fps: float) -> list[Proposal]:
    """Cut a take where it pauses and where the rhythm changes.

    Args:
        joints: (T, 24, 3) metres, z up.
        fps: frames per second.

    Returns:
        Stretches that cover the take without gaps, in order.
    """
    frames = len(joints)
    if frames < 3:
        return [Proposal(0, frames, MOVEMENT)] if frames else []
    still = _pauses(joints, fps)
    cuts = {0, frames, *(edge for pause in still for edge in pause), *_changes(joints, fps)}
    edges = _apart(sorted(cuts), still, round(_APART_S * fps))
    inside = np.zeros(frames, bool)
    for start, end in still:
        inside[start:end] = True
    return [Proposal(a, b, PAUSE if inside[a:b].mean() > 0.5 else MOVEMENT) for a, b in itertools.pairwise(edges)]


def _pauses(joints: Floats, fps: float) -> list[tuple[int, int]]:
    moved = joints[:, [INDEX[name] for name in _MOVED]]
    speed = np.linalg.norm(np.gradient(moved, axis=0), axis=2).max(1) * fps
    quiet = np.concatenate([[False], gaussian_filter1d(speed, 0.1 * fps) < _PAUSE_SPEED, [False]])
    starts, ends = np.flatnonzero(~quiet[:-1] & quiet[1:]), np.flatnonzero(quiet[:-1] & ~quiet[1:])
    return [(int(a), int(b)) for a, b in zip(starts, ends, strict=True) if b - a >= _PAUSE_S * fps]


def _changes(joints: Floats, fps: float) -> list[int]:
    """Frames around which the way of moving differs most."""
    reach = round(_REACH_S * fps)
    if len(joints) < 2 * reach + 2:
        return []
    course = _manner(joints, fps)
    total = np.cumsum(np.concatenate([np.zeros((1, course.shape[1])), course]), axis=0)
    at = np.arange(reach, len(course) - reach)
    before, after = (total[at] - total[at - reach]) / reach, (total[at + reach] - total[at]) / reach
    novelty = np.linalg.norm(after - before, axis=1)
    peaks, _ = find_peaks(np.pad(novelty, 1), height=_NOVEL, distance=max(1, round(_APART_S * fps)))
    return [int(at[peak - 1]) for peak in peaks]


def _manner(joints: Floats, fps: float) -> Floats:
    """(T, F) how the body moves: doublings of speed, decimetres of height, and lean of the trunk."""
    moved = joints[:, [INDEX[name] for name in _MOVED]]
    speed = np.linalg.norm(np.gradient(moved, axis=0), axis=2) * fps
    speed = np.log2(0.1 + uniform_filter1d(speed, max(1, round(0.5 * fps)), axis=0))
    height = joints[:, INDEX["pelvis"], 2:] * 5
    trunk = joints[:, INDEX["neck"]] - joints[:, INDEX["pelvis"]]
    upright = trunk[:, 2:] / np.maximum(np.linalg.norm(trunk, axis=1, keepdims=True), 1e-6) * 3
    hands = (joints[:, [INDEX["left_wrist"], INDEX["right_wrist"]], 2] - joints[:, INDEX["neck"], 2][:, None]) * 2
    course: Floats = np.concatenate([speed * 0.4, height, upright, hands], axis=1)
    return course


def _apart(cuts: list[int], pauses: Sequence[tuple[int, int]], least: int) -> list[int]:
    """Cuts that are not too near to each other; those of pauses and the ends stay before others."""
    firm = {0, cuts[-1], *(edge for pause in pauses for edge in pause)}
    kept: list[int] = []
    for cut in cuts:
        if kept and cut - kept[-1] < least:
            if cut in firm and kept[-1] not in firm:
                kept[-1] = cut
            elif cut in firm:
                kept.append(cut)
            continue
        kept.append(cut)
    return kept


def unlabelled(clip: CorpusClip, least_s: float = 2.0) -> list[tuple[int, int]]:
    """Stretches of a clip outside all labels that last `least_s` seconds or longer."""
    free = np.ones(len(clip.pelvis) + 2, bool)
    free[[0, -1]] = False
    for row in clip.labels:
        free[row.start + 1 : row.end + 1] = False
    starts, ends = np.flatnonzero(~free[:-1] & free[1:]), np.flatnonzero(free[:-1] & ~free[1:])
    return [(int(a), int(b)) for a, b in zip(starts, ends, strict=True) if (b - a) / clip.fps >= least_s]


def propose_for(clip: CorpusClip, figure: Figure) -> list[Proposal]:
    """Proposals for the unlabelled stretches of a clip."""
    rotations = matrices(clip.poses.reshape(-1, 24, 3).astype(float))
    joints, _ = figure.pose(rotations, clip.pelvis.astype(float))
    found = []
    for start, end in unlabelled(clip):
        found += [Proposal(start + p.start, start + p.end, p.kind) for p in propose(joints[start:end], clip.fps)]
    return found


def draw_proposals(clip: CorpusClip, proposals: Sequence[Proposal], figure: Figure, path: Path) -> None:
    """Write a PNG with two lines for each proposal, its frames and seconds in the title."""
    rotations = matrices(clip.poses.reshape(-1, 24, 3).astype(float))
    rotations[:, 0] = _TO_Y_UP @ rotations[:, 0]
    pelvis = clip.pelvis.astype(float) @ _TO_Y_UP.T
    rows = []
    for p in proposals:
        title = f"{clip.name} {p.start}-{p.end} ({p.start / clip.fps:.1f}-{p.end / clip.fps:.1f} s) {p.kind}"
        rows.append(row_of(title, rotations[p.start : p.end], pelvis[p.start : p.end], figure))
    draw_sheet(rows, path)
