"""Labels in time: where they lie in the scene, on the timeline as markers, and in seconds of the footage."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from ..blender import timing
from . import cut_markers

_Mark = tuple[str, int]
"""Name and frame of a marker."""

_at_once = False

END_MARK = "(end)"
"""Name of the marker that ends a segment where no other one begins."""


def clip_range(scene) -> tuple[int, int]:
    """First and last frame of the scene in which the footage is; the scene's range while no footage is loaded."""
    settings = scene.adapt_motion
    clip = settings.movie_clip
    if clip is None or not clip.frame_duration:
        return scene.frame_start, scene.frame_end
    frames = clip.frame_duration
    if clip.source == "MOVIE" and clip.fps:
        frames = round(frames * float(laid(scene)[0] / timing.exact_rate(clip.fps)))
    return settings.laid_start, settings.laid_start + max(0, frames - 1)


def laid(scene) -> tuple[Fraction, int]:
    """The rate and the first frame that the scene's footage is laid for, and the labels with it."""
    settings = scene.adapt_motion
    return Fraction(settings.laid_rate or timing.scene_rate(scene)), settings.laid_start


def seconds(scene, frame: float) -> float:
    """Seconds into the footage at a frame of the scene."""
    rate, start = laid(scene)
    return float((Fraction(frame) - start) / rate)


def at(frame: int, old: tuple[Fraction, int], new: tuple[Fraction, int]) -> int:
    """The frame of the moment in the footage that is at `frame`, laid for another rate and first frame."""
    return new[1] + round((frame - old[1]) * new[0] / old[0])


def lay(scene, old: tuple[Fraction, int], new: tuple[Fraction, int]) -> None:
    """Move the labels, and the markers that they have written, with the footage.

    A label keeps the times that it was laid from for as long as nobody has changed its frames, so that going to another
    rate and back leaves it as it was.
    """
    settings = scene.adapt_motion
    with at_once(scene):
        _lay_labels(settings, old, new)
    if settings.marks:
        write_markers(scene)


def _lay_labels(settings, old: tuple[Fraction, int], new: tuple[Fraction, int]) -> None:
    for item in settings.labels:
        ends = [item.frame_start, item.frame_end + 1]
        times = [item.start_s, item.end_s]
        for number, (frame, known) in enumerate(zip(ends, times, strict=True)):
            if old[1] + round(known * old[0]) != frame:
                times[number] = float((frame - old[1]) / old[0])
        item.start_s, item.end_s = times
        item.frame_start = new[1] + round(Fraction(times[0]) * new[0])
        item.frame_end = max(item.frame_start, new[1] + round(Fraction(times[1]) * new[0]) - 1)


def write_markers(scene) -> None:
    """Put the labels on the timeline: a marker where each begins, and one where it ends unless another follows.

    Markers of the user stay; those that were written before and have not been touched since are replaced.
    """
    settings = scene.adapt_motion
    written = {tuple(mark) for mark in json.loads(settings.marks or "[]")}
    wanted, markers = _marks(settings), scene.timeline_markers
    for marker in [one for one in cut_markers.others(scene) if (one.name, one.frame) in written - set(wanted)]:
        markers.remove(marker)
    there = {(one.name, one.frame) for one in cut_markers.others(scene)}  # what stays as it is keeps its selection
    for name, frame in wanted:
        if (name, frame) not in there:
            markers.new(name, frame=frame)
    settings.marks = json.dumps(wanted)


def _marks(settings) -> list[tuple[str, int]]:
    """Name and frame of each marker of the labels that have an action, in the order of time."""
    items = sorted((item for item in settings.labels if item.label), key=lambda item: item.frame_start)
    starts = {item.frame_start for item in items}
    marks = [(_mark_name(item.label), item.frame_start) for item in items]
    marks += [(END_MARK, item.frame_end + 1) for item in items if item.frame_end + 1 not in starts]
    return list(dict.fromkeys(marks))


def _mark_name(label: str) -> str:
    """A label as a marker can have it: 63 bytes."""
    return label.encode()[:63].decode("utf-8", "ignore")


@contextlib.contextmanager
def at_once(scene) -> Iterator[None]:
    """Markers follow what the body changes in the labels when it ends, and not at every single change."""
    global _at_once
    before, _at_once = _at_once, True
    try:
        yield
    finally:
        _at_once = before


def edited(item, _context=None) -> None:
    """Called by Blender when an action, a first or a last frame of the list has changed: the markers follow."""
    if not _at_once:
        write_markers(item.id_data)


def follow_markers(scene) -> bool:
    """Let the labels follow markers of theirs that the user has moved, renamed or removed; whether any had.

    A marker is known by its name and, where that has changed, by its frame. A label without its first marker goes; one
    without its end goes on to the next label, or to the end of the footage.
    """
    settings = scene.adapt_motion
    written = [tuple(mark) for mark in json.loads(settings.marks or "[]")]
    there = [(one.name, one.frame) for one in cut_markers.others(scene)]
    gone = [mark for mark in written if mark not in there]
    if not gone:
        return False
    now = {
        **dict(zip(written, written, strict=True)),
        **_found_again(gone, [one for one in there if one not in written]),
    }
    with at_once(scene):
        _follow(scene, now)
    settings.marks = json.dumps([mark for mark in now.values() if mark is not None])
    write_markers(scene)
    return True


def _found_again(gone: list[_Mark], strange: list[_Mark]) -> dict[_Mark, _Mark | None]:
    """Where markers that are not in their places have gone: None for nowhere."""
    now: dict[_Mark, _Mark | None] = dict.fromkeys(gone)
    for part in (0, 1):  # the same name, then the same frame
        for old in gone:
            near = [new for new in strange if new[part] == old[part]]
            if now[old] is None and near:
                now[old] = min(near, key=lambda new: abs(new[1] - old[1]))
                strange = [new for new in strange if new != now[old]]
    return now


def _follow(scene, now: dict[_Mark, _Mark | None]) -> None:
    """Give the labels the places that their markers, old to new, have."""
    settings = scene.adapt_motion
    begins = {old[1]: old for old in now if old[0] != END_MARK}
    removed, open_ended = [], []
    for number, item in enumerate(settings.labels):
        start = (_mark_name(item.label), item.frame_start)
        if not item.label or start not in now:
            continue
        end = begins.get(item.frame_end + 1, (END_MARK, item.frame_end + 1))
        new, last = now[start], now.get(end, end)
        if new is None:
            removed.append(number)
            continue
        item.label = item.label if new[0] == start[0] else new[0]
        item.frame_start = new[1]
        item.frame_end = max(new[1], last[1] - 1) if last is not None else new[1]
        open_ended += [item] if last is None else []
    starts = [item.frame_start for number, item in enumerate(settings.labels) if number not in removed]
    for item in open_ended:
        later = [frame for frame in starts if frame > item.frame_start]
        item.frame_end = max(item.frame_start, min(later) - 1 if later else clip_range(scene)[1])
    for number in reversed(removed):
        settings.labels.remove(number)
    settings.label_index = max(0, min(settings.label_index, len(settings.labels) - 1))


def overlap(scene) -> tuple[Any, Any] | None:
    """The first two labels, in the order of time, that overlap; None if none do."""
    named = [item for item in scene.adapt_motion.labels if item.label.strip() and item.frame_end >= item.frame_start]
    for before, after in itertools.pairwise(sorted(named, key=lambda item: item.frame_start)):
        if after.frame_start <= before.frame_end:
            return before, after
    return None
