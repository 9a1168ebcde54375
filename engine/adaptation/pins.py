"""Pins of a corrections file, in rows of a window and in the camera's frame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.adaptation.corrected_rows import Window, row_of, to_world_rows
from engine.adaptation.corrections import PARTS, Contact, KeypointPin, PosePin, span
from engine.adaptation.pin_field import Pins, limited
from engine.body.landmarks import JOINT_NAMES
from engine.body.model import BodyModel
from engine.body.rotations import axis_angle_to_matrix
from engine.output.motion_file import Motion
from engine.runtime.progress import Progress

_REACH_M = 1.2
"""How far a joint may be pinned from where it is."""
_ROLLS = {"left_foot": "left_foot", "right_foot": "right_foot"}
"""Part that stands to the joint that stands with it."""


def pins_of(motion: Motion, window: Window, body: BodyModel, progress: Progress) -> Pins:
    """The window's pins, by rows of the window.

    Args:
        motion: that is corrected; what stands stands where it is on the mean.
        window: with its pins.
        body: whose keypoints they are.
        progress: is warned of joints that would bend backwards.
    """
    times, to_world = motion.timestamps[window.rows], to_world_rows(motion)[window.rows]
    turns: list[tuple[int, int, Tensor]] = []
    places: list[tuple[int, int, Tensor]] = []
    points: list[tuple[int, int, Tensor]] = []
    rests: list[tuple[int, int, Tensor]] = []
    for one in window.pins:
        if isinstance(one, Contact):
            rests += _rests(one, motion, times, to_world, window.until_s)
            continue
        row = row_of(times, span(one)[0])
        if row is None:
            continue
        if isinstance(one, PosePin):
            matrix = to_world[row] if one.space == "world" else np.eye(4)
            turns += [(row, *turn) for turn in _turns(one, matrix, progress)]
            places += [(row, *place) for place in _places(one, matrix, motion.joints3d_cam[window.rows][row], progress)]
        elif isinstance(one, KeypointPin):
            known = [name for name in one.points if name in body.landmark_names]
            points += [(row, body.landmark_names.index(name), torch.tensor(one.points[name])) for name in known]
    return Pins(_stacked(turns, (3, 3)), _stacked(places, (3,)), _stacked(points, (2,)), _stacked(rests, (3,)))


def _turns(one: PosePin, matrix: NDArray[np.float64], progress: Progress) -> Iterator[tuple[int, Tensor]]:
    """Joint and rotation of each that a pin binds, in the camera frame, no joint bent backwards."""
    for name, values in one.rotations.items():
        rotation = axis_angle_to_matrix(torch.tensor(values, dtype=torch.float64)[None])[0]
        if name == "pelvis":
            rotation = torch.from_numpy(matrix[:3, :3]).mT @ rotation
        rotation, changed = limited(name, rotation.float())
        if changed:
            progress.warn(
                "pin_limited",
                f"The pin at {one.time_s:.2f} s bends the {name.replace('_', ' ')} backwards; it is bent as far as "
                "joints go.",
            )
        yield JOINT_NAMES.index(name), rotation


def _places(
    one: PosePin, matrix: NDArray[np.float64], joints: NDArray[np.float32], progress: Progress
) -> Iterator[tuple[int, Tensor]]:
    """Joint and place of each that a pin binds, in the camera frame; `joints` (24, 3) are where they are now."""
    for name, at in one.positions.items():
        place, joint = _there(matrix, at), JOINT_NAMES.index(name)
        far = float(np.linalg.norm(place.numpy() - joints[joint]))
        if far > _REACH_M:
            progress.warn(
                "pin_missed",
                f"The pin of the {name.replace('_', ' ')} at {one.time_s:.2f} s is left out: it lies {far:.1f} m from "
                "the joint, out of reach.",
            )
        else:
            yield joint, place


def _there(matrix: NDArray[np.float64], place: Sequence[float]) -> Tensor:
    """A place (3,) in the frame that `matrix` takes camera coordinates into, in camera coordinates."""
    return torch.from_numpy(matrix[:3, :3].T @ (np.asarray(place) - matrix[:3, 3])).float()


def _rests(
    one: Contact, motion: Motion, times: NDArray[np.float64], to_world: NDArray[np.float64], until_s: float
) -> Iterator[tuple[int, int, Tensor]]:
    """Row, joint and place, camera frame, of what stands: at the place that is given, else where it is on the mean."""
    every = (motion.timestamps >= one.start_s) & (motion.timestamps <= one.end_s)
    rows = np.flatnonzero((times >= one.start_s) & (times <= min(one.end_s, until_s))).tolist()
    rolls = _ROLLS.get(one.part) if one.at is None else None  # a foot that stands where it stands does not roll either
    for name in filter(None, (PARTS[one.part], rolls)):
        joint = JOINT_NAMES.index(name)
        where = motion.joints3d_world[every, joint].mean(0) if one.at is None else one.at
        yield from ((row, joint, _there(to_world[row], where)) for row in rows)


def _stacked(pins: list[tuple[int, int, Tensor]], shape: tuple[int, ...]) -> tuple[Tensor, Tensor, Tensor]:
    if not pins:
        nothing = torch.zeros(0, dtype=torch.long)
        return nothing, nothing, torch.zeros(0, *shape)
    rows, which, values = zip(*pins, strict=True)
    return torch.tensor(rows), torch.tensor(which), torch.stack(values)
