"""One floor for the people of a clip who stand on it.

From a single view a person's size and distance are known only together: somebody taken for a tenth too tall is placed a
tenth too far away, and stands on a floor a tenth too low. Whoever stands near the floor of the others is made as much
smaller or larger as brings the feet onto it. About the camera that changes nothing in the picture. Somebody who stands
far from it, on a platform say, is left there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.backbones.types import Prediction
from engine.body.landmarks import JOINT_NAMES
from engine.body.model import BodyModel
from engine.keypoints.types import PersonTrack
from engine.world.gravity import estimate_up
from engine.world.grounding import contact_probability, floor_height, steady_depth
from engine.world.still_camera import posed

Array = NDArray[np.float64]

_ALIKE = float(np.log(1.2))
"""How far a body's size may be wrong, as a logarithm: adults differ by less, and what needs more is another floor."""

_CLOSE_M = 0.15
"""How far a floor may be off in the end for the feet to be moved onto it along the ray."""

_LEAST_M = 0.3
"""A floor less than this under the camera is seen too flatly to compare sizes."""

_ANKLES = [JOINT_NAMES.index(f"{side}_ankle") for side in ("left", "right")]


@dataclass(frozen=True)
class Floors:
    """What `common_floors` finds.

    Attributes:
        times_as_tall: for each stretch how much taller its person has to be for the feet to come onto the floor.
        under_m: for each stretch how far the floor lies under the camera, metres; None for one of its own.
        apart_m: person to metres over the floor of the others, for those who are seen to stand on another one.
    """

    times_as_tall: list[float]
    under_m: list[float | None]
    apart_m: dict[int, float]

    def sentences(self) -> list[str]:
        """One for each person who stands elsewhere."""
        return [
            f"Person {person} stands {abs(over):.2f} m {'over' if over > 0 else 'under'} the floor of the others "
            "and was left there."
            for person, over in sorted(self.apart_m.items())
        ]


@dataclass(frozen=True)
class _Stand:
    """One stretch: its own floor, metres under the camera, and for how many seconds feet are seen on it."""

    person: int
    shot: int
    under_m: float
    seconds: float
    height_known: bool


def common_floors(tracks: Sequence[PersonTrack], predictions: Sequence[Prediction], body: BodyModel) -> Floors:
    """The floor of each shot's people, for a camera that stands still, and what brings each of them onto it.

    Args:
        tracks: stretches of people.
        predictions: of each stretch, in the end; one body for each person.
        body: of the predictions.
    """
    if all(len({one.person for one in tracks if one.shot == shot}) < 2 for shot in {one.shot for one in tracks}):
        return Floors([1.0] * len(tracks), [None] * len(tracks), {})
    stands = _stands(tracks, predictions, body)
    common = {shot: _common([one for one in stands if one.shot == shot]) for shot in {one.shot for one in stands}}
    scales = {person: _scale([one for one in stands if one.person == person], common) for person in _people(stands)}
    under: list[float | None] = []
    apart: dict[int, tuple[float, float]] = {}
    for one in stands:
        floor = common[one.shot]
        over = 0.0 if floor is None else floor - scales[one.person] * one.under_m
        under.append(floor if abs(over) <= _CLOSE_M else None)
        if abs(over) > _CLOSE_M and one.seconds > apart.get(one.person, (0.0, 0.0))[1]:
            apart[one.person] = (over, one.seconds)
    return Floors([scales[one.person] for one in stands], under, {person: over for person, (over, _) in apart.items()})


def _people(stands: Sequence[_Stand]) -> set[int]:
    return {one.person for one in stands}


def _stands(tracks: Sequence[PersonTrack], predictions: Sequence[Prediction], body: BodyModel) -> list[_Stand]:
    ups: dict[int, Array] = {}  # of each shot, as its first person shows it
    found = []
    for track, prediction in zip(tracks, predictions, strict=True):
        times = np.asarray(track.timestamps, np.float64)
        joints, feet = posed(prediction, body)
        path = steady_depth(joints[:, 0], times, prediction.joint_confidence.mean(1)) - joints[:, 0]
        joints, feet = joints + path[:, None], feet + path[:, None]
        if track.shot not in ups:
            ups[track.shot] = estimate_up(joints, feet, times)
        heights = feet @ ups[track.shot]
        floor = floor_height(heights, times)
        seen = prediction.joint_confidence[:, _ANKLES].max(1)
        standing = contact_probability(feet, heights - floor, times).max(1) * seen
        seconds = float(standing.mean() * (times[-1] - times[0]))
        found.append(_Stand(track.person, track.shot, -floor, seconds, track.height_m is not None))
    return found


def _common(stands: Sequence[_Stand]) -> float | None:
    """Metres under the camera of the floor on which feet of a shot's people stand longest; None for a single person."""
    usable = [one for one in stands if one.under_m > _LEAST_M]
    if len(_people(stands)) < 2 or not usable:
        return None
    logs = np.log([one.under_m for one in usable])
    weights = np.array([(10.0 if one.height_known else 1.0) * (one.seconds + 1e-3) for one in usable])
    near = np.abs(logs[:, None] - logs) <= _ALIKE
    group = near[(near * weights).sum(1).argmax()]
    return float(np.exp(np.average(logs[group], weights=weights[group])))


def _scale(stands: Sequence[_Stand], common: dict[int, float | None]) -> float:
    """How much larger a person has to be for the feet to come onto the floors of the shots."""
    found = []
    for one in stands:
        floor = common[one.shot]
        if floor is not None and one.under_m > _LEAST_M and not one.height_known:
            found.append((float(np.log(floor / one.under_m)), one.seconds + 1e-3))
    alike = [(ratio, seconds) for ratio, seconds in found if abs(ratio) <= _ALIKE]
    if not alike:
        return 1.0
    ratios, weights = zip(*alike, strict=True)
    return float(np.exp(np.average(ratios, weights=weights)))
