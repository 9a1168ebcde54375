"""People put together and taken apart by the user: `--split 1`, `--split 1@3.5` and `--merge 2=4`, from what was
detected before."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from engine.errors import UsageError
from engine.files.plain_zip import shown
from engine.keypoints.tracking import chosen_numbers
from engine.keypoints.types import PersonTrack

_SAME_S = 1e-3
_ROWS = ("frame_indices", "timestamps", "keypoints", "landmarks3d", "boxes", "detected")


@dataclass(frozen=True)
class Split:
    """Somebody who is to be several: somebody else from `at_s` seconds into the footage on or, where that is None,
    each time that they are there."""

    person: int
    at_s: float | None = None

    def __str__(self) -> str:
        return str(self.person) if self.at_s is None else f"{self.person}@{self.at_s:g}"


def splits(texts: Sequence[str]) -> tuple[Split, ...]:
    """Who is to be taken apart, for texts such as `2`, `2,3` and `2@3.5`. Raises UsageError for anything else."""
    return tuple(one for text in texts for one in _splits(text))


def _splits(text: str) -> list[Split]:
    who, at, when = text.partition("@")
    try:
        numbers = chosen_numbers(who.strip())
        at_s = float(when) if at else None
    except (UsageError, ValueError):
        numbers, at_s = (), None
    if not numbers or (at_s is not None and not (math.isfinite(at_s) and at_s >= 0)):
        raise UsageError(
            f"--split does not understand '{shown(text)}'.",
            "Write a number, such as 2, or a number and the second from which on it is somebody else, such as 2@3.5.",
        )
    return [Split(number, at_s) for number in numbers]


def merges(texts: Sequence[str]) -> tuple[tuple[int, ...], ...]:
    """Numbers of the people that are one, for texts such as `2=4` and `1=3=5`. Raises UsageError for anything else."""
    return tuple(_numbers(text.split("="), text) for text in texts)


def _numbers(words: Sequence[str], text: str) -> tuple[int, ...]:
    try:
        numbers = tuple(number for word in words for number in chosen_numbers(word.strip()) or (0,))
    except UsageError:
        numbers = ()
    if len(set(numbers)) < 2 or 0 in numbers or len(set(numbers)) != len(numbers):
        raise UsageError(
            f"--merge does not understand '{shown(text)}'.", "Write the numbers of one person's parts, such as 2=4."
        )
    return numbers


def arranged(
    tracks: Sequence[PersonTrack], split: Sequence[Split], merge: Sequence[Sequence[int]]
) -> list[PersonTrack]:
    """The tracks with their people taken apart and put together, sorted by person and time.

    Args:
        tracks: as `number_people` gives them.
        split: who is to be taken apart, one after the other: the first part keeps the number, the others get new ones
            after the highest that there is by then.
        merge: people who are one, after that; the first number stays.

    Raises:
        UsageError: there is nobody of that number, or not on both sides of that time, or two who are to be one are seen
            at the same time.
    """
    people = list(tracks)
    for one in split:
        _require({track.person for track in people}, [one.person], "--split")
        people = _each_time(people, one.person) if one.at_s is None else _from(people, one.person, one.at_s)
    for numbers in merge:
        _require({one.person for one in people}, numbers, "--merge")
        people = [replace(one, person=numbers[0]) if one.person in numbers else one for one in people]
        _check_apart([one for one in people if one.person == numbers[0]], numbers)
    return sorted(people, key=lambda one: (one.person, int(one.frame_indices[0])))


def _each_time(tracks: Sequence[PersonTrack], person: int) -> list[PersonTrack]:
    """The tracks with somebody else in each stretch of a person's but the first."""
    highest = max(one.person for one in tracks)
    numbers = iter([person, *range(highest + 1, highest + len(tracks))])
    return [replace(one, person=next(numbers)) if one.person == person else one for one in tracks]


def _from(tracks: Sequence[PersonTrack], person: int, at_s: float) -> list[PersonTrack]:
    """The tracks with somebody else in a person's place from `at_s` on, in the middle of a stretch too."""
    highest = max(one.person for one in tracks)
    parts: list[PersonTrack] = []
    for one in tracks:
        if one.person != person:
            parts.append(one)
            continue
        later = one.timestamps >= at_s - _SAME_S
        parts += [_part(one, rows, number) for rows, number in ((~later, person), (later, highest + 1))]
    kept = [one for one in parts if len(one.timestamps)]
    if not {person, highest + 1} <= {one.person for one in kept}:
        raise UsageError(
            f"--split {Split(person, at_s)}: person {person} is not seen both before and after {at_s:g} s.",
            "Give a second between two in which that person is seen.",
        )
    return kept


def _part(track: PersonTrack, rows: NDArray[np.bool_], person: int) -> PersonTrack:
    """Some rows of a track, from the first to the last in which the person was detected; none where there is none."""
    seen = np.flatnonzero(rows & track.detected)
    chosen = slice(int(seen[0]), int(seen[-1]) + 1) if len(seen) else slice(0)
    return replace(track, person=person, **{name: getattr(track, name)[chosen] for name in _ROWS})


def _require(known: set[int], numbers: Sequence[int], option: str) -> None:
    for number in numbers:
        if number not in known:
            raise UsageError(
                f"{option} names person {number}, who is not in the footage.",
                f"The people are {', '.join(map(str, sorted(known)))}." if known else "Nobody was found.",
            )


def _check_apart(tracks: Sequence[PersonTrack], numbers: Sequence[int]) -> None:
    ordered = sorted(tracks, key=lambda one: int(one.frame_indices[0]))
    for one, following in itertools.pairwise(ordered):
        if following.frame_indices[0] <= one.frame_indices[-1]:
            raise UsageError(
                f"People {' and '.join(map(str, numbers))} cannot be one: they are seen at the same time, at "
                f"{float(following.timestamps[0]):.2f} s.",
                "Merge people of whom one has left when the other comes.",
            )
