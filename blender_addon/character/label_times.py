"""Labels in time: where they lie in the scene, on the timeline as markers, and in seconds of the footage."""

from __future__ import annotations

import json
from fractions import Fraction

from ..blender import timing

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
    for item in settings.labels:
        ends = [item.frame_start, item.frame_end + 1]
        times = [item.start_s, item.end_s]
        for number, (frame, known) in enumerate(zip(ends, times, strict=True)):
            if old[1] + round(known * old[0]) != frame:
                times[number] = float((frame - old[1]) / old[0])
        item.start_s, item.end_s = times
        item.frame_start = new[1] + round(Fraction(times[0]) * new[0])
        item.frame_end = max(item.frame_start, new[1] + round(Fraction(times[1]) * new[0]) - 1)
    if settings.marks:
        write_markers(scene)


def write_markers(scene) -> None:
    """Put the labels on the timeline: a marker where each begins, and one where it ends unless another follows.

    Markers of the user stay; those that were written before and have not been touched since are replaced.
    """
    settings = scene.adapt_motion
    written = {tuple(mark) for mark in json.loads(settings.marks or "[]")}
    markers = scene.timeline_markers
    for marker in [one for one in markers if (one.name, one.frame) in written]:
        markers.remove(marker)
    items = sorted(settings.labels, key=lambda item: item.frame_start)
    starts = {item.frame_start for item in items}
    marks = [(item.label, item.frame_start) for item in items if item.label]
    marks += [(END_MARK, item.frame_end + 1) for item in items if item.frame_end + 1 not in starts]
    for name, frame in marks:
        markers.new(name, frame=frame)
    settings.marks = json.dumps(marks)
