"""The actions that the engine knows by name, to search in: those of `presets/actions.json` and the studio's own. No
`bpy` in here."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ...engine.files.json_file import read_json
from ...engine.files.user_folder import studio_file
from .job import engine_root

MOST = 40
"""Suggestions at a time."""


@dataclass(frozen=True)
class Action:
    """An action: its name, its place in the tree of actions, and other words for it."""

    label: str
    path: str
    words: tuple[str, ...] = ()


def actions() -> tuple[Action, ...]:
    """Every action of the dictionary, and the studio's own, which are read again when their file has changed."""
    own = studio_file()
    try:
        changed = own.stat().st_mtime_ns
    except OSError:
        return _shipped()
    return (*_own(own, changed), *_shipped())


@lru_cache(maxsize=1)
def _shipped() -> tuple[Action, ...]:
    return _read(engine_root() / "presets" / "actions.json")


@lru_cache(maxsize=1)
def _own(path: Path, _changed: int) -> tuple[Action, ...]:
    return _read(path)


def _read(path: Path) -> tuple[Action, ...]:
    """None if the file is missing or damaged: the engine says so when it is started."""
    try:
        entries = read_json(path)["actions"]
        kinds = ("paraphrases", "babel", "formerly")
        words = [tuple(str(text) for kind in kinds for text in one.get(kind, ())) for one in entries]
        return tuple(Action(one["label"], one["path"], more) for one, more in zip(entries, words, strict=True))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return ()


def is_known(label: str) -> bool:
    """Whether a text is the name of an action."""
    return label.casefold() in {action.label.casefold() for action in actions()}


def search(text: str) -> list[str]:
    """Names of actions that fit what was typed, the best first: by name, then by group, then by other words for it."""
    words = text.casefold().split()
    found = []
    for action in actions():
        name, more = action.label.casefold(), " ".join(action.words).casefold()
        places = [
            0 if name.startswith(word) else 1 if word in name else 2 if word in action.path.casefold() else 3
            for word in words
        ]
        if all(place < 3 or word in more for place, word in zip(places, words, strict=True)):
            found.append((sum(places), len(name) if words else 0, name, action.label))
    return [label for *_, label in sorted(found)[:MOST]]
