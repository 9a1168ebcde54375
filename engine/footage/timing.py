"""Frame rate, count and duration of a video, from the times of its packets."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import FootageError
from engine.footage.containers import open_video, packets_of, stated_rate, video_stream
from engine.footage.frame_rate import FASTEST, exact_rate, plausible

MAX_HOURS = 48
_SCANNED_PACKETS = 20_000


def timing(path: Path) -> tuple[Fraction, bool, int | None, float | None]:
    """Frame rate, whether it varies, frame count and duration, from the times of up to `_SCANNED_PACKETS` packets."""
    with open_video(path) as container:
        stream = video_stream(container, path)
        given = stated_rate(container, stream)
        tick = float(stream.time_base or 0)
        stated_count, length = stream.frames or None, stream.duration
        stated_duration = length * tick if length else (container.duration / 1e6 if container.duration else None)
        ticks, complete = _packet_ticks(container, stream)
    times = np.asarray(ticks, np.float64) * tick
    if len(times) < 2 or times[-1] <= times[0]:
        rate = plausible(given)
        count = max(len(times), 1) if complete else stated_count
        return rate, False, count, (None if count is None else float(count / rate))
    intervals = np.diff(times)
    span = float(times[-1] - times[0])
    if span > MAX_HOURS * 3600:
        raise FootageError(
            f"The times in {path} span {span / 3600:.0f} hours, more than {MAX_HOURS}.",
            "Cut the clip, or convert it to mp4 (H.264) if its times are wrong.",
        )
    rate = exact_rate(len(intervals) / span, tick / span, given)
    if rate > FASTEST:
        raise FootageError(
            f"The times in {path} make {float(rate):.0f} frames a second, more than {FASTEST}.",
            "Convert the clip to mp4 (H.264) at the rate that it was taken with.",
        )
    variable = bool(np.any(np.abs(intervals - 1 / float(rate)) > 0.25 / float(rate) + tick))
    if complete:
        return rate, variable, len(times), span + 1 / float(rate)
    return rate, variable, stated_count or (round(stated_duration * rate) if stated_duration else None), stated_duration


def _packet_ticks(container: Any, stream: Any) -> tuple[list[int], bool]:
    """Sorted times of the packets that are shown, in ticks of the stream, and whether these are all of them."""
    shown: list[tuple[int | None, int | None]] = []
    complete = True
    for packet in packets_of(container, stream):
        if packet.size and not packet.is_discard:
            shown.append((packet.pts, packet.dts))
        if len(shown) >= _SCANNED_PACKETS:
            complete = False
            break
    column = 0 if all(pts is not None for pts, _ in shown) else 1
    known = [pair[column] for pair in shown]
    if all(value is None for value in known):  # a raw stream, whose ticks have no length then
        return [0] * len(known), complete
    return sorted(value if value is not None else index for index, value in enumerate(known)), complete
