"""The turns of a clip's shots: what is kept of them, what a run uses, and what is reported."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.camera.background import CameraTurns, Kind
from engine.keypoints.search import GLANCE_S
from engine.keypoints.types import SEEN_CONFIDENCE, FrameDetections

_WORST: tuple[Kind, ...] = ("still", "unknown", "turning", "moving")
_NOT_SOLVED = (
    "Only its turning was followed, so the way that people take through the world may be off; a camera solve "
    "(--camera FILE) puts that right."
)
_MOVING = {
    (True, True): "The camera moves through the scene: its path was solved from the background, and its scale from the "
    "people.",
    (False, True): f"The camera moves through the scene, or zooms, and its path could not be solved. {_NOT_SOLVED}",
    (False, False): "The camera moves through the scene, or zooms, and pycolmap, which solves its path, is not "
    f"installed. {_NOT_SOLVED}",
}
"""By whether the path was solved, and whether it can be."""
_AROUND = 0.2
"""Of a person's size: how far hair, hands, clothes and shadows reach beyond the keypoints."""


def boxes_of(found: Sequence[FrameDetections]) -> dict[int, NDArray[np.float64]]:
    """(P, 4) left, top, right, bottom of everybody in each frame, by the frame's index; generously.

    Whoever was only glimpsed is in the frames round about, too.
    """
    everybody = [_boxes(frame) for frame in found]
    boxes = {frame.index: [those] for frame, those in zip(found, everybody, strict=True)}
    times = np.array([frame.time_s for frame in found])
    for frame, those in zip(found, everybody, strict=True):
        if frame.glimpses:
            for row in range(*np.searchsorted(times, [frame.time_s - GLANCE_S, frame.time_s + GLANCE_S])):
                boxes[found[row].index].append(those[list(frame.glimpses)])
    together = {index: np.concatenate(those) for index, those in boxes.items()}
    return {index: those[np.isfinite(those).all(1)] for index, those in together.items()}


def _boxes(frame: FrameDetections) -> NDArray[np.float64]:
    """(P, 4) of the people of a frame; NaN for those of whom nothing is seen."""
    seen = frame.keypoints[..., 2:] >= SEEN_CONFIDENCE
    places = frame.keypoints[..., :2].astype(np.float64)
    low, high = np.where(seen, places, np.inf).min(1), np.where(seen, places, -np.inf).max(1)
    around = _AROUND * (high - low).max(1, keepdims=True, initial=0.0)
    boxes = np.concatenate([low - around, high + around], 1)
    boxes[~seen.any((1, 2))] = np.nan
    return boxes


def pack_turns(shots: Sequence[CameraTurns]) -> dict[str, NDArray[Any]]:
    """Arrays for the cache."""
    return {
        "kinds": np.array([one.kind for one in shots]),
        "frames": np.array([len(one.indices) for one in shots], np.int64),
        "indices": np.concatenate([np.zeros(0, np.int64), *(one.indices for one in shots)]),
        "turns": np.concatenate([np.zeros((0, 3, 3)), *(one.turns for one in shots)]),
        "lost": np.array([index for one in shots for index in one.lost], np.int64),
    }


def unpack_turns(entry: dict[str, NDArray[Any]]) -> list[CameraTurns]:
    """The other way round."""
    indices, turns = (np.split(entry[name], np.cumsum(entry["frames"]))[:-1] for name in ("indices", "turns"))
    shots = zip(entry["kinds"].tolist(), indices, turns, strict=True)
    lost = entry["lost"]
    return [CameraTurns(kind, rows, turns, tuple(lost[np.isin(lost, rows)].tolist())) for kind, rows, turns in shots]


def turns_by_frame(shots: Sequence[CameraTurns]) -> NDArray[np.float64] | None:
    """(F, 3, 3) turns of all frames up to the last, None where every shot's camera stands still."""
    if all(one.kind in ("still", "unknown") for one in shots):
        return None
    turns = np.repeat(np.eye(3)[None], 1 + max(int(one.indices[-1]) for one in shots), 0)
    for one in shots:
        turns[one.indices] = one.turns
    return turns


def kind_of(shots: Sequence[CameraTurns]) -> str:
    """What the shot does whose camera moves most."""
    return max((one.kind for one in shots), key=_WORST.index, default="unknown")


def describe_turns(shots: Sequence[CameraTurns], can_solve: bool, solved: bool) -> list[str]:
    """Sentences about cameras that do not stand still.

    Args:
        shots: of the clip.
        can_solve: whether COLMAP is installed.
        solved: whether the path of those that move was found.
    """
    kinds = {one.kind for one in shots}
    sentences = []
    if "turning" in kinds:
        most = max(one.most_degrees for one in shots if one.kind == "turning")
        sentences.append(f"The camera turns, by up to {most:.0f}°: it was followed.")
    if "moving" in kinds:
        sentences.append(_MOVING[solved, can_solve])
    if "unknown" in kinds:
        sentences.append("Too little is seen behind the people to tell whether the camera moves: it counts as still.")
    if lost := [index for one in shots for index in one.lost]:
        frames = "1 frame" if len(lost) == 1 else f"{len(lost)} frames"
        sentences.append(f"The background was lost at {frames}; the camera counts as not turning there.")
    return sentences
