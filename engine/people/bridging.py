"""People who are out of sight for a while, and of whom the user says what they do meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.keypoints.types import PersonTrack

LONGEST_S = 20.0
"""Who is out of sight for longer has gone; their motion would be made up altogether."""


def bridged(
    tracks: Sequence[PersonTrack],
    times_s: Mapping[int, float],
    labelled: Callable[[NDArray[np.float64]], NDArray[np.bool_]],
) -> list[PersonTrack]:
    """The tracks, a person's stretches in one shot joined where every moment between them has a label of the user's.

    Nothing is detected in the rows between; the box goes straight from where the person was last seen to where they are
    seen again.

    Args:
        tracks: sorted by person and time.
        times_s: seconds into the footage of every frame that was read.
        labelled: which of some times (T,) have a label.
    """
    joined: list[PersonTrack] = []
    for track in tracks:
        last = joined[-1] if joined else None
        if last is None or (last.person, last.shot) != (track.person, track.shot):
            joined.append(track)
            continue
        frames = range(int(last.frame_indices[-1]) + 1, int(track.frame_indices[0]))
        times = np.array([times_s.get(frame, np.nan) for frame in frames], np.float64)
        short = float(track.timestamps[0] - last.timestamps[-1]) <= LONGEST_S
        if short and bool(np.isfinite(times).all()) and bool(labelled(times).all()):
            joined[-1] = _joined(last, np.array(frames, np.int64), times, track)
        else:
            joined.append(track)
    return joined


def _joined(
    before: PersonTrack, frames: NDArray[np.int64], times: NDArray[np.float64], after: PersonTrack
) -> PersonTrack:
    count, parts = len(frames), len(before.keypoint_names)
    share = (np.arange(1, count + 1) / (count + 1))[:, None]
    way = before.boxes[-1] + share * (after.boxes[0] - before.boxes[-1])
    between: dict[str, NDArray[Any]] = {
        "frame_indices": frames,
        "timestamps": times,
        "keypoints": np.zeros((count, parts, 3), np.float32),
        "landmarks3d": np.full((count, parts, 3), np.nan, np.float32),
        "boxes": way.astype(np.float32),
        "detected": np.zeros(count, bool),
    }
    rows: dict[str, Any] = {
        name: np.concatenate((getattr(before, name), part, getattr(after, name))) for name, part in between.items()
    }
    return replace(before, **rows)
