"""The motion files of a clip: which stretches of whom each of them holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from engine.backbones.types import Prediction
from engine.body.model import BodyModel
from engine.files.atomic import write_arrays
from engine.keypoints.types import PersonTrack
from engine.output.joining import joined, joined_takes
from engine.output.motion_file import Motion, write_motion

_MOMENT_S = 0.5
"""Shots shorter than this, as the edge of another take at the start of a clip, leave the long one its plain name."""


@dataclass(frozen=True)
class Stretch:
    """What became of one stretch of somebody in view: `takes` and `about` as adaptation gives them."""

    track: PersonTrack
    prediction: Prediction
    motion: Motion
    takes: dict[str, NDArray[Any]]
    about: dict[str, Any] | None


@dataclass(frozen=True)
class Result:
    """A motion file: a person's stretches in the clip or, where that is split, in one shot."""

    stretches: list[Stretch]
    motion: Motion
    motion_file: Path
    body_file: Path

    @property
    def person(self) -> int:
        """The person's number."""
        return self.stretches[0].track.person


def together(stretches: Sequence[Stretch]) -> Motion:
    """The motion of several stretches of one person, in the order of time."""
    return joined([one.motion for one in stretches], [one.track.shot for one in stretches])


def write_results(stretches: Sequence[Stretch], folder: Path, body: BodyModel, split: bool) -> list[Result]:
    """Write the motion files with the bodies and takes that belong to them.

    Args:
        stretches: each person's in the order of time.
        folder: of the clip.
        body: that all of them have.
        split: whether each shot has a file of its own.

    Raises:
        OutputError: the disk refuses.
    """
    files: dict[tuple[int, int], list[Stretch]] = {}
    for one in stretches:
        files.setdefault((one.track.person, one.track.shot if split else 0), []).append(one)
    plain = _plain_shots(files)
    return [_write(its, folder, body, split and place not in plain) for place, its in files.items()]


def _plain_shots(files: Mapping[tuple[int, int], Sequence[Stretch]]) -> set[tuple[int, int]]:
    """Person and shot of files that need no number of a shot: the person is in view in others for a moment at most."""
    plain = set()
    for person in {who for who, _ in files}:
        spans = {
            place: float(its[-1].track.timestamps[-1] - its[0].track.timestamps[0])
            for place, its in files.items()
            if place[0] == person
        }
        longest = max(spans, key=spans.__getitem__)
        if all(span < _MOMENT_S for place, span in spans.items() if place != longest):
            plain.add(longest)
    return plain


def _write(stretches: list[Stretch], folder: Path, body: BodyModel, split: bool) -> Result:
    track = stretches[0].track
    stem = f"person_{track.person}" + (f"_shot_{track.shot}" if split else "")
    motion = together(stretches)
    body_file, motion_file = folder / f"{stem}_body.npz", folder / f"{stem}.npz"
    rest = body.rest(motion.betas)
    write_arrays(body_file, {item.name: getattr(rest, item.name) for item in fields(rest)})
    write_motion(motion, motion_file)
    takes = joined_takes([one.takes for one in stretches], [len(one.motion.poses) for one in stretches])
    if takes:
        write_arrays(folder / f"{stem}_takes.npz", takes)
    return Result(stretches, motion, motion_file, body_file)
