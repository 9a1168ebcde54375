"""Action labels in time: the labels file, and one label for every frame."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import UsageError
from engine.files.json_file import JsonFileError, read_json
from engine.files.plain_zip import shown

LONGEST_LABEL = 200
"""Characters; every frame of the motion file holds its label."""

MOST_LABELS = 10_000
MOST_NAMED = 10
"""Labels of which a warning each says that they have no effect."""

_KEYS = ("start", "end", "label")
_HINT = 'A labels file looks like [{"start": 0, "end": 2.5, "label": "walk"}]: times in seconds, no overlaps.'


@dataclass(frozen=True)
class Segment:
    """A stretch of the footage with one action label: `start_s` <= t < `end_s`, seconds into the footage."""

    start_s: float
    end_s: float
    label: str


def whole_clip(label: str) -> tuple[Segment, ...]:
    """The one segment that a label typed for the whole clip makes; none for an empty label."""
    return (Segment(0.0, math.inf, tidy_label(label)),) if tidy_label(label) else ()


def read_labels(path: Path) -> tuple[Segment, ...]:
    """Segments of a labels file in order of time. Raises UsageError that names the entry that is wrong."""
    try:
        entries = read_json(path)
    except OSError as error:
        raise UsageError(f"The labels file {path} cannot be read: {error.strerror or error}.", _HINT) from error
    except JsonFileError as error:
        raise UsageError(f"The labels file {path} is not JSON: {error}.", _HINT) from error
    if not isinstance(entries, list):
        raise UsageError(f"The labels file {path} does not hold a list.", _HINT)
    if len(entries) > MOST_LABELS:
        raise UsageError(f"The labels file {path} has more than {MOST_LABELS} labels.", _HINT)
    segments = [_segment(entry, f"Entry {number} of the labels file {path}") for number, entry in enumerate(entries, 1)]
    order = sorted(range(len(segments)), key=lambda index: segments[index].start_s)
    for before, after in itertools.pairwise(order):
        if segments[after].start_s < segments[before].end_s:
            raise UsageError(
                f"Entries {before + 1} and {after + 1} of the labels file {path} overlap: "
                f"'{segments[before].label}' ends at {segments[before].end_s:g} s, "
                f"'{segments[after].label}' starts at {segments[after].start_s:g} s.",
                _HINT,
            )
    return tuple(segments[index] for index in order)


def beyond(segments: tuple[Segment, ...], duration_s: float) -> list[str]:
    """Sentences about segments that the footage of `duration_s` seconds does not reach, or not to their end."""
    sentences = []
    for segment in segments:
        if math.isinf(segment.end_s) or segment.end_s <= duration_s + 0.5:
            continue
        left = "lies beyond" if segment.start_s >= duration_s else "reaches beyond"
        start, end = round(segment.start_s, 2), round(segment.end_s, 2)
        sentences.append(
            f"The label '{segment.label}' from {start:g} s to {end:g} s {left} the footage, "
            f"which ends at {duration_s:.2f} s."
        )
    return _some(sentences, "Labels beyond the footage that are not named here")


def unseen(segments: tuple[Segment, ...], times: NDArray[np.float64]) -> list[str]:
    """Sentences about segments that none of the `times` (T,), at which a person is seen, lies in."""
    sentences = [
        f"The label '{one.label}' from {one.start_s:g} s to {one.end_s:g} s changes no motion: nobody is seen then."
        for one in segments
        if not ((times >= one.start_s) & (times < one.end_s)).any()
    ]
    return _some(sentences, "Labels that change no motion and are not named here")


def _some(sentences: list[str], others: str) -> list[str]:
    """The first of them, and how many more there are."""
    more = len(sentences) - MOST_NAMED
    return [*sentences[:MOST_NAMED], f"{others}: {more}."] if more > 0 else sentences


def spread(segments: tuple[Segment, ...], timestamps: NDArray[np.float64]) -> NDArray[np.str_]:
    """(T,) label of each frame, '' where none applies; `timestamps` (T,) in seconds into the footage."""
    labels = np.zeros(len(timestamps), dtype=f"<U{max([1, *(len(segment.label) for segment in segments)])}")
    for segment in segments:
        labels[(timestamps >= segment.start_s) & (timestamps < segment.end_s)] = segment.label
    return labels


def _segment(entry: Any, where: str) -> Segment:
    if not isinstance(entry, dict):
        raise UsageError(f"{where} is not an object with start, end and label.", _HINT)
    missing = [key for key in _KEYS if key not in entry]
    unknown = [str(key) for key in entry if key not in _KEYS]
    if missing or unknown:
        raise UsageError(f"{where} " + (f"lacks {', '.join(missing)}." if missing else f"has '{unknown[0]}'."), _HINT)
    start, end = (_seconds(entry[key], key, where) for key in ("start", "end"))
    label = tidy_label(entry["label"]) if isinstance(entry["label"], str) else ""
    if not label:
        raise UsageError(f"{where} has no text as its label.", _HINT)
    if len(label) > LONGEST_LABEL:
        raise UsageError(f"{where} has a label of more than {LONGEST_LABEL} characters.", _HINT)
    if end <= start:
        raise UsageError(f"{where} ('{label}') ends at {end:g} s, not after its start at {start:g} s.", _HINT)
    return Segment(start, end, label)


def tidy_label(text: str) -> str:
    """A label in one line, without control characters and halves of surrogate pairs."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def _seconds(value: Any, key: str, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise UsageError(f"{where}: {key} is {shown(repr(value))}, not a number of seconds from 0 on.", _HINT)
    return float(value)
