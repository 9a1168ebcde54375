"""BABEL (Punnakkal et al. 2021): which action is where in AMASS. Reads the JSON files as its site gives them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import ModelFileError
from engine.files.json_file import read_json

_MOST_BYTES = 2**28
_FILES = ("train.json", "val.json", "extra_train.json", "extra_val.json")  # test.json holds no labels
_HINT = f"Give the folder with BABEL's {', '.join(_FILES[:2])}, as it is after unpacking."
_NOT_ACTIONS = ("transition",)


@dataclass(frozen=True)
class Place:
    """Where a label stands.

    Attributes:
        motion: path of the motion in AMASS, as BABEL writes it (`KIT/KIT/317/turn_left08_poses.npz`).
        start_s, end_s: the stretch, seconds into the motion.
    """

    motion: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class BabelLabel:
    """An action.

    Attributes:
        label: BABEL's tidied wording, such as `turn left`.
        category: the most frequent of BABEL's action categories for it; '' where there is none.
        wordings: what annotators wrote for it, most frequent first.
        places: where it is, longest first.
    """

    label: str
    category: str
    wordings: tuple[str, ...]
    places: tuple[Place, ...]


def read_babel(folder: Path) -> list[BabelLabel]:
    """All labels in a folder of BABEL's files, the most frequent first. Raises ModelFileError."""
    files = [folder / name for name in _FILES if (folder / name).is_file()]
    if not files:
        raise ModelFileError(f"There are no BABEL files in {folder}.", _HINT)
    wordings: dict[str, Counter[str]] = {}
    categories: dict[str, Counter[str]] = {}
    places: dict[str, list[Place]] = {}
    for file in files:
        for entry, place in _entries(file):
            label = " ".join(str(entry.get("proc_label") or "").split())
            if not label or label in _NOT_ACTIONS:
                continue
            wordings.setdefault(label, Counter())[" ".join(str(entry.get("raw_label") or label).split())] += 1
            categories.setdefault(label, Counter()).update(map(str, entry.get("act_cat") or ()))
            places.setdefault(label, []).append(place)
    if not places:
        raise ModelFileError(f"The BABEL files in {folder} hold no labels.", _HINT)
    found = [
        BabelLabel(
            label=label,
            category=next((name for name, _ in categories[label].most_common(1)), ""),
            wordings=tuple(text for text, _ in wordings[label].most_common() if text != label),
            places=tuple(sorted(where, key=lambda place: place.start_s - place.end_s)),
        )
        for label, where in places.items()
    ]
    return sorted(found, key=lambda one: (-len(one.places), one.label))


def _entries(file: Path) -> Iterator[tuple[dict[str, Any], Place]]:
    """Every label of a file with its place."""
    try:
        content = read_json(file, _MOST_BYTES)
    except OSError as error:
        raise ModelFileError(f"{file} cannot be read: {error.strerror or error}.", _HINT) from error
    except ValueError as error:
        raise ModelFileError(f"{file} is no BABEL file: it is not JSON ({error}).", _HINT) from error
    if not isinstance(content, dict):
        raise ModelFileError(f"{file} is no BABEL file: it holds no table of motions.", _HINT)
    try:
        for motion in content.values():
            duration = float(motion["dur"])
            for annotation in _annotations(motion):
                for entry in annotation["labels"]:
                    start, end = float(entry.get("start_t", 0.0)), float(entry.get("end_t", duration))
                    if end > start:
                        yield entry, Place(str(motion["feat_p"]), start, end)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ModelFileError(f"{file} is no BABEL file: a motion in it has another form ({error!r}).", _HINT) from error


def _annotations(motion: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Labels with times where there are any, which are exact; else those of the whole motion."""
    timed = [one for one in (motion.get("frame_ann"), *(motion.get("frame_anns") or ())) if one]
    whole = [one for one in (motion.get("seq_ann"), *(motion.get("seq_anns") or ())) if one]
    yield from timed or whole
