"""The result of a run that stops before adapting (`--only`): who is in the footage, and which actions were found."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.files.atomic import replacing
from engine.footage.clip import Clip
from engine.footage.decoding import Frame
from engine.keypoints.types import SEEN_CONFIDENCE, PersonTrack

THUMBNAIL_PX = 160
_BOX_EVERY_S, _MOST_BOXES = 0.25, 240
_ROOM = 0.08
"""Room round a person in the thumbnail, in parts of the larger side."""


def occluded(track: PersonTrack) -> float:
    """Share (0..1) of a person's keypoints that are not seen while they are in view, gaps of the track included."""
    return float((track.keypoints[..., 2] < SEEN_CONFIDENCE).mean())


def describe_people(clip: Clip, tracks: list[PersonTrack], folder: Path, image_rate: Fraction) -> list[dict[str, Any]]:
    """Who is in the footage, with a picture of each as `folder`/person_<N>.png.

    Args:
        clip: the footage.
        tracks: everybody, each person's stretches in the order of time.
        folder: of the pictures.
        image_rate: frames a second of an image sequence.

    Returns:
        For each person, as the `people` event has it: `person` (number), `first_s`, `last_s` (when they are first and
        last seen), `seen_s` (seconds in view), `occluded` (0..1), `stretches` (how many times they are there),
        `thumbnail` (path, '' where there is no picture), `boxes` (where they are: seconds, left, top, right and bottom
        in parts of the picture, every quarter of a second in which they are seen, in long footage less often).

    Raises:
        FootageError: the footage cannot be read any more.
        OutputError: a picture cannot be written.
    """
    people: dict[int, list[PersonTrack]] = {}
    for track in tracks:
        people.setdefault(track.person, []).append(track)
    best = [max(its, key=lambda track: float(_clearness(track).max())) for its in people.values()]
    pictures = _write_thumbnails(clip, best, folder, image_rate)
    return [
        {
            "person": person,
            "first_s": round(float(its[0].timestamps[0]), 4),
            "last_s": round(float(its[-1].timestamps[-1]), 4),
            "seen_s": round(sum(float(track.detected.mean() * _length_s(track)) for track in its), 4),
            "occluded": round(
                float(np.average([occluded(one) for one in its], weights=[len(one.boxes) for one in its])), 4
            ),
            "stretches": len(its),
            "thumbnail": str(pictures.get(person, "")),
            "boxes": [box for track in its for box in sparse_boxes(track, _box_every_s(its))],
        }
        for person, its in people.items()
    ]


def _box_every_s(its: list[PersonTrack]) -> float:
    """Seconds from box to box of a person, so that a line of events stays short for an hour of footage too."""
    return max(_BOX_EVERY_S, sum(_length_s(track) for track in its) / _MOST_BOXES)


def sparse_boxes(track: PersonTrack, every_s: float) -> list[list[float]]:
    """A track's boxes every so often: seconds, left, top, right, bottom in parts of the picture (0 is left and top)."""
    parts = track.boxes / np.tile(np.asarray(track.image_size, np.float32), 2)
    found: list[list[float]] = []
    for row in np.flatnonzero(track.detected):
        time = float(track.timestamps[row])
        if not found or time - found[-1][0] >= every_s - 1e-6:
            found.append([round(time, 3), *(round(float(part), 4) for part in parts[row])])
    return found


def _write_thumbnails(clip: Clip, tracks: list[PersonTrack], folder: Path, image_rate: Fraction) -> dict[int, Path]:
    """A picture of each track's person, by number."""
    if not tracks:
        return {}
    wanted: dict[int, list[PersonTrack]] = {}
    for track in tracks:
        wanted.setdefault(int(track.frame_indices[_best_row(track)]), []).append(track)
    times = [float(track.timestamps[_best_row(track)]) for track in tracks]
    pictures: dict[int, Path] = {}
    for frame in clip.frames(min(times) - 1e-4, max(times) + 1e-4, image_rate=image_rate):
        for track in wanted.get(frame.index, ()):
            pictures[track.person] = _write_thumbnail(frame, track, folder)
    return pictures


def label_segments(
    labels: NDArray[np.str_], similarity: NDArray[np.float32], timestamps: NDArray[np.float64]
) -> list[dict[str, Any]]:
    """Stretches of one label, as the `labels` event has them; frames without a label belong to none.

    Args:
        labels: (T,) label of each frame, '' for none.
        similarity: (T,) how well motion and label agree.
        timestamps: (T,) seconds into the footage.

    Returns:
        For each stretch `start`, `end` (seconds; the end is where the next frame would be), `label`, `similarity` (the
        mean over its frames).
    """
    step = float(np.median(np.diff(timestamps))) if len(timestamps) > 1 else 1 / 30
    ends = [*(np.flatnonzero(labels[1:] != labels[:-1]) + 1).tolist(), len(labels)]
    found, start = [], 0
    for end in ends:
        if labels[start]:
            after = timestamps[end] if end < len(timestamps) else timestamps[-1] + step
            mean = float(similarity[start:end].mean())
            found.append(
                {
                    "start": round(float(timestamps[start]), 4),
                    "end": round(float(after), 4),
                    "label": str(labels[start]),
                    "similarity": round(mean, 4),
                }
            )
        start = end
    return found


def _length_s(track: PersonTrack) -> float:
    if len(track.timestamps) < 2:
        return 1 / 30
    return float(track.timestamps[-1] - track.timestamps[0]) * len(track.timestamps) / (len(track.timestamps) - 1)


def _best_row(track: PersonTrack) -> int:
    return int(_clearness(track).argmax())


def _clearness(track: PersonTrack) -> NDArray[np.float32]:
    """(T,) how much of the person is seen, large and inside of the picture."""
    width, height = track.image_size
    left, top, right, bottom = track.boxes.T
    inside = np.clip(np.minimum(right, width) - np.maximum(left, 0), 0, None)
    inside *= np.clip(np.minimum(bottom, height) - np.maximum(top, 0), 0, None)
    seen = (track.keypoints[..., 2] >= SEEN_CONFIDENCE).mean(1)
    return np.asarray(seen * np.sqrt(inside) * track.detected, np.float32)


def _write_thumbnail(frame: Frame, track: PersonTrack, folder: Path) -> Path:
    """A square picture of the person, grey where it reaches over the edge of the frame."""
    left, top, right, bottom = track.boxes[_best_row(track)].astype(float)
    side = round(max(right - left, bottom - top, 8.0) * (1 + 2 * _ROOM))
    x, y = round((left + right - side) / 2), round((top + bottom - side) / 2)
    height, width = frame.rgb.shape[:2]
    picture = np.full((side, side, 3), 64, np.uint8)
    x0, y0, x1, y1 = max(x, 0), max(y, 0), min(x + side, width), min(y + side, height)
    picture[y0 - y : y1 - y, x0 - x : x1 - x] = frame.rgb[y0:y1, x0:x1]
    small = cv2.resize(picture, (THUMBNAIL_PX, THUMBNAIL_PX), interpolation=cv2.INTER_AREA)
    _, content = cv2.imencode(".png", cv2.cvtColor(small, cv2.COLOR_RGB2BGR))
    path = folder / f"person_{track.person}.png"
    with replacing(path) as file:
        file.write(content.tobytes())
    return path
