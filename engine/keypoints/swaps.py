"""Left and right that a detector has exchanged: found by how the keypoints would jump, and put right.

A detector may take somebody's back for their front (all of left and right change places) or one leg for the other. The
keypoints then jump onto each other's places and back again. Of all ways to exchange sides frame by frame, the one is
taken that makes the motion smoothest (second differences: limbs that pass each other keep their speed), at a price for
each exchange and for each frame exchanged, so that what could be either way stays as it was detected.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engine.keypoints.joint_sets import ARM_PARTS, LEG_PARTS, mirror_order, pairs
from engine.keypoints.types import SEEN_CONFIDENCE, Float, PersonTrack

_EVIDENCE = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
_STATES: tuple[tuple[str, ...], ...] = ((), _EVIDENCE, ("elbow", "wrist"), ("knee", "ankle"), ("hip", "knee", "ankle"))
"""Of each state, which parts are exchanged: none, the whole body, arms, legs, legs with hips."""
_EXCHANGE_PRICE = 6.0
_FRAME_PRICE = 0.1
_MOST_PER_PAIR = 4.0
_LEAST_NOISE_PX = 1e-3
_SMALLEST_NOISE = 0.01
_LONGEST_GAP_S = 0.25


def repair_swaps(track: PersonTrack) -> PersonTrack:
    """The track with left and right of the whole body, the arms or the legs exchanged back where a detector had
    exchanged them. Where most of a track is exchanged, nothing in it shows that and it stays."""
    states = find_swaps(track)
    if not states.any():
        return track
    names = track.keypoint_names
    keypoints, landmarks = track.keypoints.copy(), track.landmarks3d.copy()
    mirrored = np.array(mirror_order(names))
    for state in range(1, len(_STATES)):
        order = np.where(_moved(names, state), mirrored, np.arange(len(names)))
        rows = np.flatnonzero(states == state)[:, None]
        keypoints[rows, np.arange(len(names))] = track.keypoints[rows, order]
        landmarks[rows, np.arange(len(names))] = track.landmarks3d[rows, order]
    return replace(track, keypoints=keypoints, landmarks3d=landmarks)


def _moved(names: Sequence[str], state: int) -> NDArray[np.bool_]:
    """(K,) which keypoints a state exchanges."""
    if _STATES[state] == _EVIDENCE:
        return np.ones(len(names), np.bool_)
    parts = {
        **dict.fromkeys(ARM_PARTS, "elbow"),
        **dict.fromkeys(LEG_PARTS, "knee"),
        "hip": "hip",
    }
    bare = [name.removeprefix("left_").removeprefix("right_") for name in names]
    return np.array([parts.get(name) in _STATES[state] for name in bare])


def find_swaps(track: PersonTrack) -> NDArray[np.int64]:
    """(T,) for each row how its sides are exchanged: 0 not, 1 whole body, 2 arms, 3 legs, 4 legs with hips."""
    states = np.zeros(len(track.timestamps), np.int64)
    rows = np.flatnonzero(track.detected)
    indices = pairs(track.keypoint_names, _EVIDENCE)
    if len(rows) < 4 or not indices:
        return states
    costs = _bend_costs(track, rows, indices)
    bare = [track.keypoint_names[left].removeprefix("left_") for left, _ in indices]
    exchanged = np.array([[part in parts for part in bare] for parts in _STATES], np.int64)
    states[rows] = _cheapest(costs, exchanged)
    return states


def _bend_costs(track: PersonTrack, rows: NDArray[np.int64], indices: Sequence[tuple[int, int]]) -> Float:
    """(N, 2, 2, 2, pairs) how far from a steady motion each pair is over three detections that end at each row, by
    whether the pair is exchanged in the first, second and third of them. 0 where one of the keypoints is not seen."""
    both = track.keypoints[rows][:, np.array(indices)]  # (N, pairs, 2, 3)
    times = track.timestamps[rows]
    sides = np.stack([both[..., :2], both[:, :, ::-1, :2]], axis=1)  # (N, exchanged, pairs, 2, xy)
    step = np.diff(times)
    ahead = (step[1:] / step[:-1]).clip(0.2, 5)[:, None, None, None]
    seen = np.all(both[..., 2] >= SEEN_CONFIDENCE, axis=-1)
    close = (step[1:] <= _LONGEST_GAP_S) & (step[:-1] <= _LONGEST_GAP_S)
    known = seen[2:] & seen[1:-1] & seen[:-2] & close[:, None]
    bends = {
        (a, b, c): np.linalg.norm(sides[2:, c] - sides[1:-1, b] - ahead * (sides[1:-1, b] - sides[:-2, a]), axis=-1)
        for a, b, c in itertools.product((0, 1), repeat=3)
    }
    body = np.median(np.maximum(*(track.boxes[:, 2:] - track.boxes[:, :2]).T))
    plain = bends[0, 0, 0][known]
    noise = np.maximum(np.median(plain) if plain.size else 0.0, np.maximum(_SMALLEST_NOISE * body, _LEAST_NOISE_PX))
    costs = np.zeros((len(rows), 2, 2, 2, len(indices)), np.float64)
    for key, bend in bends.items():
        price = np.minimum((bend / (3 * noise)) ** 2, _MOST_PER_PAIR / 2).sum(-1)
        costs[(slice(2, None), *key)] = np.where(known, price, 0.0)
    return costs.astype(np.float32)


def _cheapest(costs: Float, exchanged: NDArray[np.int64]) -> NDArray[np.int64]:
    """(N,) the cheapest sequence of states (Viterbi over pairs of states, since costs look at three frames)."""
    count, states = len(costs), len(exchanged)
    alike = np.arange(states)[:, None] == np.arange(states)
    price = np.where(alike, 0.0, _EXCHANGE_PRICE) + _FRAME_PRICE * (np.arange(states) > 0)
    best = (_FRAME_PRICE * (np.arange(states) > 0))[:, None] + price  # [before, now] after two rows
    came_from = np.zeros((count, states, states), np.int64)
    first, second, third = (exchanged[index] for index in np.indices((states, states, states)))
    every_pair = np.arange(exchanged.shape[1])
    for row in range(2, count):
        bend = costs[row][first, second, third, every_pair].sum(-1)
        total = best[:, :, None] + bend + price[None]
        came_from[row] = total.argmin(0)
        best = total.min(0)
    path = np.zeros(count, np.int64)
    path[-2], path[-1] = np.unravel_index(best.argmin(), best.shape)
    for row in range(count - 1, 1, -1):
        path[row - 2] = came_from[row, path[row - 1], path[row]]
    return path
