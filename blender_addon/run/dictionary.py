"""The actions that the engine knows by name, from `presets/actions.json`, to search in. No `bpy` in here."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from ...engine.files.json_file import read_json
from .job import engine_root

MOST = 40
"""Suggestions at a time."""


@dataclass(frozen=True)
class Action:
    """An action: its name, the group it belongs to, and other words for it."""

    label: str
    category: str
    paraphrases: tuple[str, ...] = ()


@lru_cache(maxsize=1)
def actions() -> tuple[Action, ...]:
    """Every action of the dictionary; none if the file is missing. Reads the file the first time."""
    path = engine_root() / "presets" / "actions.json"
    try:
        entries = read_json(path)["actions"]
        return tuple(Action(one["label"], one["category"], tuple(one.get("paraphrases", ()))) for one in entries)
    except (OSError, ValueError, KeyError, TypeError):
        return ()


def search(text: str) -> list[str]:
    """Names of actions that fit what was typed, the best first: by name, then by group, then by other words for it."""
    words = text.casefold().split()
    found = []
    for action in actions():
        name, more = action.label.casefold(), " ".join(action.paraphrases).casefold()
        places = [
            0 if name.startswith(word) else 1 if word in name else 2 if word in action.category.casefold() else 3
            for word in words
        ]
        if all(place < 3 or word in more for place, word in zip(places, words, strict=True)):
            found.append((sum(places), len(name) if words else 0, name, action.label))
    return [label for *_, label in sorted(found)[:MOST]]
