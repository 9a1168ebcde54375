"""Who is who in the corpus, and who is held out: no network is trained on a held-out performer.

The unit of the split is the person. Provenance tables name a performer for each clip (`split_group`); where that is a
guess, `cmux_performers.csv` beside them names the true subject for the clips that were recognised. What one of the two
joins stays together: clips of a group with a recognised member are of that member.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

HELD_OUT = {
    "hdm_tr": "all eleven HDM05 classes have five actors; this one's takes are among the cleanest",
    "cmu_07": "walk, walk slowly, walk briskly",
    "cmu_11": "kick soccer ball",
    "cmu_13": "climb steps and a ladder, drink, jump up",
    "cmu_16": "run and turn, veer, stop; walk and turn; jump forward",
    "cmu_17": "box, sneak forward",
    "cmu_29": "basketball referee signals, walk and turn left; all of the animals, which have no other performer",
    "cmu_35": "walk, run",
    "cmu_61": "dance salsa",
    "cmu_64": "pick up an object",
    "cmu_86": "sit down, sit on a chair, stand up; kick and punch",
    "cmux_signal_c": "basketball referee signals",
    "cmux_walk_48": "walk and turn right",
    "idle_009": "stand idle",
    "idle_013": "stand idle",
    "idle_015": "stand idle",
    "cmux_jumping": "a group of clips of cmu_13",
    "cmux_run": "a group of clips of cmu_16 and cmu_35",
    "cmux_signal_a": "a group of clips of cmu_29",
    "cmux_walk_24": "a group of clips of cmu_29",
    "cmux_walk_A": "a group of clips of cmu_35",
    "cmux_walk_G": "a group of clips of cmu_16",
}
"""Performers whose clips no network is trained on, and what each of them is there to score.

The groups at the end are the same people under the names of the older provenance table: they stay held out where a
corpus is built without `cmux_performers.csv`.
"""
NEVER_LEAKED = frozenset(
    {"hdm_tr", "cmu_07", "cmu_11", "cmu_13", "cmu_17", "cmu_61", "cmu_64", "cmu_86"}
    | {"idle_009", "idle_013", "idle_015", "cmux_jumping"}
)
"""Held-out performers of whom the networks of version 1 saw nothing.

Those networks were trained on the other side of the older split, which knew three people under two names each: cmu_16,
cmu_35 and cmu_29 were trained on. Nobody knows who cmux_signal_c and cmux_walk_48 are; they may have been trained on
too, so they are not in the set.
"""
OLDER_HELD_OUT = frozenset(
    {"hdm_tr", "cmu_07", "cmux_walk_24", "cmux_walk_48", "cmux_signal_c", "cmux_jumping", "cmu_11", "cmux_run"}
)
"""Groups that the networks of version 1 were not trained on, by the names of the older provenance table."""
UNEVEN_GROUND = frozenset({"cmu_01", "cmu_03"})
"""Performers on playground equipment and on uneven ground: the floor is no plane, contact is unknown."""
_UNEVEN_WORDS = ("level floor", "uneven ground")


def is_uneven(performer: str, notes: str) -> bool:
    """Whether a clip was not taken on one level floor, from its performer and the notes of its provenance."""
    return performer in UNEVEN_GROUND or any(word in notes for word in _UNEVEN_WORDS)


def true_performers(groups: Mapping[str, str], recognised: Mapping[str, str]) -> dict[str, str]:
    """Who performs each clip.

    Args:
        groups: performer of each clip as its provenance table has it.
        recognised: true performer of the clips that were recognised.

    Returns:
        The true performer where the clip or all recognised clips of its group have one; else the group.
    """
    members: dict[str, set[str]] = defaultdict(set)
    for clip, performer in recognised.items():
        if clip in groups:
            members[groups[clip]].add(performer)
    single = {group: next(iter(people)) for group, people in members.items() if len(people) == 1}
    return {clip: recognised.get(clip, single.get(group, group)) for clip, group in groups.items()}


def same_people(pairs: Iterable[tuple[str, str]]) -> dict[str, frozenset[str]]:
    """Names that belong to one side, from pairs of names that are one person or cannot be kept apart.

    Returns:
        For each name that occurs, all names that it is joined with, itself included.
    """
    joined: dict[str, set[str]] = {}
    for a, b in pairs:
        both = joined.get(a, {a}) | joined.get(b, {b})
        for name in both:
            joined[name] = both
    return {name: frozenset(names) for name, names in joined.items()}


def is_held_out(performer: str, joined: Mapping[str, frozenset[str]]) -> bool:
    """Whether a performer, or anyone who may be the same, is held out."""
    return bool(joined.get(performer, frozenset({performer})) & HELD_OUT.keys())


def leaked(groups: Mapping[str, str], recognised: Mapping[str, str]) -> frozenset[str]:
    """Performers that networks of the older split were trained on: those with a clip outside `OLDER_HELD_OUT`.

    Args:
        groups: performer of each clip of the older corpus as its provenance table has it.
        recognised: true performer of the clips that were recognised.
    """
    true = true_performers(groups, recognised)
    return frozenset(true[clip] for clip, group in groups.items() if group not in OLDER_HELD_OUT)
