"""People put together and taken apart by the user: `--split 1` and `--merge 2=4`, from what was detected before."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

from engine.errors import UsageError
from engine.files.plain_zip import shown
from engine.keypoints.tracking import chosen_numbers
from engine.keypoints.types import PersonTrack


def splits(texts: Sequence[str]) -> tuple[int, ...]:
    """Numbers of the people to be taken apart, for texts such as `2`. Raises UsageError for anything else."""
    numbers = tuple(number for text in texts for number in chosen_numbers(text) or (0,))
    if 0 in numbers:
        raise UsageError("--split takes numbers of people.", "Write a number, such as 2.")
    return numbers


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


def arranged(tracks: Sequence[PersonTrack], split: Sequence[int], merge: Sequence[Sequence[int]]) -> list[PersonTrack]:
    """The tracks with their people taken apart and put together, sorted by person and time.

    Args:
        tracks: as `number_people` gives them.
        split: people whose stretches are people of their own: the first keeps the number, the others get new ones after
            the highest, in the order of people and times.
        merge: people who are one, after that; the first number stays.

    Raises:
        UsageError: there is nobody of that number, or two who are to be one are seen at the same time.
    """
    people = _taken_apart(tracks, split)
    for numbers in merge:
        _require({one.person for one in people}, numbers, "--merge")
        people = [replace(one, person=numbers[0]) if one.person in numbers else one for one in people]
        _check_apart([one for one in people if one.person == numbers[0]], numbers)
    return sorted(people, key=lambda one: (one.person, int(one.frame_indices[0])))


def _taken_apart(tracks: Sequence[PersonTrack], split: Sequence[int]) -> list[PersonTrack]:
    known = {one.person for one in tracks}
    _require(known, split, "--split")
    highest = max(known, default=0)
    seen: set[int] = set()
    apart = []
    for one in tracks:
        if one.person in split and one.person in seen:
            highest += 1
            apart.append(replace(one, person=highest))
        else:
            apart.append(one)
        seen.add(one.person)
    return apart


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
