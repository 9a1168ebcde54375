"""Action labels: a list of segments, the same as timeline markers, and what the engine says of them."""

from __future__ import annotations

import json
import re

from .. import messages
from ..character import cut_markers
from ..character.label_times import (
    END_MARK,
    at_once,
    clip_range,
    follow_markers,
    laid,
    overlap,
    seconds,
    write_markers,
)
from ..errors import UserError

_UNNAMED = re.compile(r"(F_\d+|Marker(\.\d+)?|)$")
"""What Blender calls markers that nobody has named."""

LEAST, SOMEWHAT, WELL = 0.01, 0.35, 0.6
"""Similarity that is shown at least where it was measured, and those from which on a label's colour says that it fits
somewhat, or well."""


def colour(similarity: float) -> str:
    """Icon whose colour says how well motion and label agree: green, yellow, red; grey where not measured."""
    if similarity <= 0:
        return "COLORSET_13_VEC"
    return (
        "COLORSET_03_VEC" if similarity >= WELL else "COLORSET_09_VEC" if similarity >= SOMEWHAT else "COLORSET_01_VEC"
    )


def measured(similarity: float) -> float:
    """What the list shows of a similarity (-1 to 1): 0 is kept for what was not measured, not for what fits badly."""
    return 0.0 if similarity == 0 else min(1.0, max(LEAST, similarity))


def segments(scene) -> list[dict]:
    """The labels as the engine takes them: seconds into the footage, in order of time.

    Raises UserError if two of them overlap.
    """
    settings = scene.adapt_motion
    follow_markers(scene)
    if overlapping := overlap_text(scene):
        raise UserError(overlapping, "Change where one of them starts or ends.")
    items = sorted(
        (item for item in settings.labels if item.label.strip() and item.frame_end >= item.frame_start),
        key=lambda item: item.frame_start,
    )
    found = []
    for item in items:
        start, end = (seconds(scene, frame) for frame in (item.frame_start, item.frame_end + 1))
        if end > 0:
            found.append({"start": max(0.0, start), "end": end, "label": item.label.strip()})
    return found


def overlap_text(scene) -> str:
    """A sentence about the first two labels that overlap; '' if none do."""
    found = overlap(scene)
    if found is None:
        return ""
    first, second = found
    values = {"first": first.label, "second": second.label, "frame": second.frame_start}
    return messages.tr(messages.LABELS_OVERLAP, **values)


def take(scene, found: list[dict]) -> None:
    """Replace the list by segments of the engine: `start`, `end` (seconds), `label`, `similarity`."""
    settings = scene.adapt_motion
    rate, first = laid(scene)
    with at_once(scene):
        settings.labels.clear()
        for segment in found:
            item = settings.labels.add()
            item.label = str(segment["label"])
            item.frame_start = first + round(float(segment["start"]) * float(rate))
            item.frame_end = max(item.frame_start, first + round(float(segment["end"]) * float(rate)) - 1)
            item.similarity = measured(float(segment.get("similarity", 0.0)))
    settings.label_index = 0
    write_markers(scene)


def measure(scene, motion) -> None:
    """Give each label the similarity that `motion` was measured to have with it; make the list if it is empty.

    A motion without labels changes nothing, so that what was suggested before stays as it is.

    Args:
        scene: whose labels.
        motion: with `labels`, `label_similarity` and `timestamps` of each row.
    """
    import numpy as np

    settings = scene.adapt_motion
    rate, first = laid(scene)
    named = motion.labels != ""
    if not len(settings.labels) and named.any() and motion.label_similarity.any():
        ends = [*(np.flatnonzero(motion.labels[1:] != motion.labels[:-1]) + 1), len(named)]
        starts = [0, *ends[:-1]]
        step = float(np.median(np.diff(motion.timestamps))) if len(named) > 1 else float(1 / rate)
        found = [
            {"start": motion.timestamps[start], "end": motion.timestamps[end - 1] + step, "label": motion.labels[start]}
            for start, end in zip(starts, ends, strict=True)
            if named[start]
        ]
        take(scene, found)
    if not named.any():
        return
    frames = first + motion.timestamps * float(rate)
    for item in settings.labels:
        rows = (frames >= item.frame_start - 0.5) & (frames < item.frame_end + 0.5) & (motion.labels == item.label)
        item.similarity = measured(float(motion.label_similarity[rows].mean())) if rows.any() else 0.0


def read_markers(scene) -> int:
    """Make the list of labels from the timeline's markers that have names; gives back how many there are.

    A label goes on to the next marker, or to the end of the footage. A similarity stays with a label that was there.
    """
    settings = scene.adapt_motion
    _, last = clip_range(scene)
    marks = sorted((marker.frame, marker.name.strip()) for marker in cut_markers.others(scene))
    measured = {(item.label, item.frame_start): item.similarity for item in settings.labels}
    found = []
    for number, (frame, name) in enumerate(marks):
        if name == END_MARK or _UNNAMED.match(name):
            continue
        later = [other for other, title in marks[number + 1 :] if other > frame and not _UNNAMED.match(title)]
        found.append((name, frame, later[0] - 1 if later else max(frame, last)))
    with at_once(scene):
        settings.labels.clear()
        for name, start, end in found:
            item = settings.labels.add()
            item.label, item.frame_start, item.frame_end = name, start, end
            item.similarity = measured.get((name, start), 0.0)
    settings.label_index = 0
    settings.marks = json.dumps([(name, frame) for frame, name in marks if not _UNNAMED.match(name)])
    write_markers(scene)
    return len(found)
