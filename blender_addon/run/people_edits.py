"""People of the list who were merged and split: kept with the list, and handed to every run on its footage.

The engine takes people apart first, one after the other, and puts together after that. A merge keeps the lower number
and changes no other; who is split off gets a number after the highest. So what is done with the list later never
renumbers what was done before. No `bpy` in here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

from ...engine.files.json_file import parse_json
from .. import messages
from ..errors import UserError


@dataclass(frozen=True)
class Edits:
    """What `--split` and `--merge` are given, in that order of time."""

    split: tuple[str, ...] = ()
    merge: tuple[str, ...] = ()

    def as_text(self) -> str:
        """As the scene keeps them; '' for none."""
        return json.dumps([self.split, self.merge]) if self.split or self.merge else ""


NONE = Edits()


def chosen(settings):
    """The person that is chosen in the scene's list, which must not be empty."""
    return settings.people[min(settings.people_index, len(settings.people) - 1)]


def of(settings) -> Edits:
    """The edits of the scene's list of people."""
    try:
        split, merge = parse_json(settings.people_edits or "[[], []]")
        return Edits(tuple(map(str, split)), tuple(map(str, merge)))
    except (ValueError, TypeError):
        return NONE


def merged(edits: Edits, one: int, other: int) -> Edits:
    """The edits with two people of the list put together."""
    return replace(edits, merge=(*edits.merge, f"{min(one, other)}={max(one, other)}"))


def split(edits: Edits, person, second: float) -> Edits:
    """The edits with a person of the list taken apart: the last merge is undone or, where there is none, somebody else
    is there from `second` on or, where they are not seen on both sides of it, each time.

    Raises UserError if they are there once, and not at that time.
    """
    own = [place for place, text in enumerate(edits.merge) if int(text.split("=")[0]) == person.number]
    if own:
        return replace(edits, merge=edits.merge[: own[-1]] + edits.merge[own[-1] + 1 :])
    if person.first_s < second <= person.last_s:
        return replace(edits, split=(*edits.split, f"{person.number}@{second:.4f}"))
    if person.stretches > 1:
        return replace(edits, split=(*edits.split, str(person.number)))
    raise UserError(messages.tr(messages.SPLIT_WHERE, name=person.name), messages.tr(messages.SPLIT_HINT))


def ticked(before: set[int], known: set[int], old: Edits, new: Edits) -> set[int]:
    """Who is ticked after an edit, of those who were before: a merge is if either was, who is split off if they were.

    Args:
        before: numbers that were ticked.
        known: all numbers that were listed.
        old, new: the edits before and after.
    """
    found = set(before)
    for text in set(new.merge) - set(old.merge):
        kept, *others = map(int, text.split("="))
        found |= {kept} if found & set(others) else set()
    for text in set(old.merge) - set(new.merge):
        kept, *others = map(int, text.split("="))
        found |= set(others) if kept in found else set()
    for text in new.split[len(old.split) :]:
        if int(text.split("@")[0]) in found:
            found |= set(range(max(known) + 1, max(known) + 100))
    return found
