"""How right a motion is in the world, where the camera may move. NumPy only, all frames at once.

Definitions of Shin et al., "WHAM" (CVPR 2024), and Ye et al., "SLAHMR" (CVPR 2023). Legend: T frames, J joints; metres
in, the units of each figure out.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from engine.evaluation.metrics import Bool, Float, Similarity, mean_over, similarity

SEGMENT = 100
"""Frames of a segment, each of which is aligned by itself."""
STANDS_M_S = 0.15
"""Speed below which a true foot stands."""
_FIRST = 2
"""Frames of a segment that W-MPJPE aligns on."""


@dataclass(frozen=True)
class WorldScores:
    """Figures of one motion in the world.

    Attributes:
        wa_mpjpe: mean joint error, each segment put best onto the truth by one similarity, mm.
        w_mpjpe: the same, by the similarity of the segment's first two frames, mm.
        rte: error of the root's path, put onto the true one by one rigid motion, percent of the true path's length.
        skating: how far a foot that stands moves from frame to frame, mm; skating_true: the true one's.
        jitter, jitter_true: third derivative of the joints, m/s³.
    """

    wa_mpjpe: float
    w_mpjpe: float
    rte: float
    skating: float
    skating_true: float
    jitter: float
    jitter_true: float

    def rounded(self) -> dict[str, float | None]:
        """Two decimals each, None for what could not be measured: fit for JSON."""
        return {name: round(value, 2) if np.isfinite(value) else None for name, value in asdict(self).items()}


def world_scores(
    joints: Float, true: Float, roots: tuple[Float, Float], feet: tuple[Float, Float], stands: Bool, fps: float
) -> WorldScores:
    """Figures of a motion, frame by frame beside its truth.

    Args:
        joints, true: (T, J, 3) each in a world of its own.
        roots: (T, 3) the root of both.
        feet: (T, N, 3) points of the feet of both.
        stands: (T, N) whether the true foot stands.
        fps: frames a second of both.
    """
    parts = [slice(first, first + SEGMENT) for first in range(0, max(len(joints) - SEGMENT // 2, 1), SEGMENT)]
    whole, start = [], []
    for part in parts:
        whole.append(_errors(joints[part], true[part], len(joints[part])))
        start.append(_errors(joints[part], true[part], _FIRST))
    length = float(np.linalg.norm(np.diff(roots[1], axis=0), axis=-1).sum())
    moved = [1000 * np.linalg.norm(np.diff(one, axis=0), axis=-1) for one in feet]
    both = stands[1:] & stands[:-1]
    jerks = [np.linalg.norm(np.diff(one, 3, axis=0), axis=-1).mean() * fps**3 for one in (joints, true)]
    return WorldScores(
        wa_mpjpe=1000 * float(np.concatenate(whole).mean()),
        w_mpjpe=1000 * float(np.concatenate(start).mean()),
        rte=100 * float(_path_error(*roots).mean()) / max(length, 1e-9),
        skating=mean_over(moved[0], both),
        skating_true=mean_over(moved[1], both),
        jitter=float(jerks[0]),
        jitter_true=float(jerks[1]),
    )


def _errors(joints: Float, true: Float, first: int) -> Float:
    """(T, J) distances after the first frames of both are put onto each other."""
    moved = _onto(joints[:first].reshape(-1, 3), true[:first].reshape(-1, 3)).of(joints.reshape(1, -1, 3))
    return np.asarray(np.linalg.norm(moved.reshape(joints.shape) - true, axis=-1))


def _path_error(path: Float, true: Float) -> Float:
    """(T,) distances of two paths (T, 3) after one rigid motion."""
    moved = _onto(path, true)._replace(scale=np.ones(1)).of(path[None])[0]
    return np.asarray(np.linalg.norm(moved - true, axis=-1))


def _onto(points: Float, true: Float) -> Similarity:
    """What brings points (N, 3) nearest to the true ones, as one set."""
    return similarity(points[None], true[None], np.ones((1, len(points)), bool))
