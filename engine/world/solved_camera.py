"""Scale, up and floor of a solved camera path, from the people in it.

A solve from pictures knows neither how large the scene is nor which way is up. People do: their bodies have sizes in
metres, and a foot that stands does not move through the room. So the scale is the one with which, at each moment, the
foot that moves least moves least; up is how people stand (`gravity.py`), and the floor is where their feet are.
Legend: T rows of a track, F frames.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.backbones.types import Prediction
from engine.body.model import BodyModel
from engine.camera.solve import SolvedShot
from engine.keypoints.types import PersonTrack
from engine.world.gravity import estimate_up
from engine.world.grounding import floor_height, steady_depth
from engine.world.still_camera import axes_of, posed

Array = NDArray[np.float64]

_NEAREST, _FARTHEST, _TRIED = 0.2, 20.0, 200
"""How far the background may be over how far the people are, and how many scales between are tried."""
_STEP_S = 0.15
_MOVES_M = 0.05
"""A camera that goes less far than this over the shot, at any scale that can be, needs no scale."""


def metric_path(
    shots: Sequence[SolvedShot], tracks: Sequence[PersonTrack], predictions: Sequence[Prediction], body: BodyModel
) -> Array:
    """(F, 4, 4) camera to world of all frames up to the last: metres, Z up, floor at z = 0, one world a shot.

    Args:
        shots: of all frames that have people.
        tracks, predictions: everybody, in each frame's camera.
        body: of the predictions.
    """
    path = np.repeat(np.eye(4)[None], 1 + max(int(shot.indices[-1]) for shot in shots), 0)
    for shot in shots:
        people = [
            _Person(track, prediction, body, shot)
            for track, prediction in zip(tracks, predictions, strict=True)
            if np.isin(track.frame_indices, shot.indices).all()
        ]
        path[shot.indices] = _metric(shot, people) if people else shot.poses
    return path


class _Person:
    """Joints (T, 24, 3) and soles (T, 4, 3) of one track in each frame's camera, and that camera's poses (T, 4, 4)."""

    def __init__(self, track: PersonTrack, prediction: Prediction, body: BodyModel, shot: SolvedShot) -> None:
        self.times = np.asarray(track.timestamps, np.float64)
        joints, feet = posed(prediction, body)
        steady = steady_depth(joints[:, 0], self.times, prediction.joint_confidence.mean(1)) - joints[:, 0]
        self.joints, self.feet = joints + steady[:, None], feet + steady[:, None]
        self.poses = shot.poses[np.searchsorted(shot.indices, track.frame_indices)]

    def placed(self, points: Array, scale: float) -> Array:
        """Points (T, N, 3) in the first camera of the shot."""
        turned = np.einsum("tij,tnj->tni", self.poses[:, :3, :3], points)
        found: Array = turned + scale * self.poses[:, None, :3, 3]
        return found


def _metric(shot: SolvedShot, people: Sequence[_Person]) -> Array:
    scale = scale_of(shot, people)
    longest = max(people, key=lambda one: len(one.times))
    joints, feet = (longest.placed(points, scale) for points in (longest.joints, longest.feet))
    turn = axes_of(estimate_up(joints, feet, longest.times))
    floor = floor_height(feet @ turn[2], longest.times)
    poses = shot.poses.copy()
    poses[:, :3, 3] *= scale
    to_world = np.eye(4)
    to_world[:3, :3], to_world[:3, 3] = turn, (*-(turn @ joints[0, 0])[:2], -floor)
    found: Array = to_world @ poses
    return found


def scale_of(shot: SolvedShot, people: Sequence[_Person]) -> float:
    """Metres of one unit of a shot's path; 0 for a camera that does not move."""
    away = float(np.median(np.concatenate([one.joints[:, 0, 2] for one in people])))
    if not shot.depth or np.ptp(shot.poses[:, :3, 3], axis=0).max() * away * _FARTHEST < _MOVES_M * shot.depth:
        return 0.0
    scales = away / shot.depth * np.geomspace(_NEAREST, _FARTHEST, _TRIED)
    speeds = [_slowest(one, scales) for one in people if len(one.times) > 2]
    if not speeds:
        return float(away / shot.depth)
    return float(scales[np.concatenate(speeds, 1).mean(1).argmin()])


def _slowest(person: _Person, scales: Array) -> Array:
    """(S, T') speed of the foot point that moves least, for each scale, over steps of `_STEP_S`; robust, 0..1."""
    step = max(1, round(_STEP_S / float(np.median(np.diff(person.times)))))
    step = min(step, len(person.times) - 1)
    still = person.placed(person.feet, 0.0)
    moved = still[step:] - still[:-step]  # (T', 4, 3)
    carried = person.poses[step:, :3, 3] - person.poses[:-step, :3, 3]
    took = (person.times[step:] - person.times[:-step])[:, None]
    speed = np.stack(
        [np.linalg.norm(moved + scale * carried[:, None], axis=-1) / took for scale in scales.tolist()]
    ).min(-1)
    usual = 0.3
    found: Array = speed**2 / (speed**2 + usual**2)
    return found
