"""How the camera moves, as part of the stage `world`: what the background shows, kept in the cache."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from engine.camera.background import CameraTurns, follow_background
from engine.camera.solve import SolvedShot, can_solve, pack_solved, solve_shots, unpack_solved
from engine.camera.turns import boxes_of, describe_turns, kind_of, pack_turns, turns_by_frame, unpack_turns
from engine.detection import detection_key
from engine.footage.decoding import Frame
from engine.people.across_cuts import confirmed
from engine.run_options import RunOptions
from engine.runtime.cache import Cache, key_of, load_entry
from engine.runtime.progress import Progress
from engine.stages import Estimated, counted, expected_frames


def follow_camera(people: Estimated, options: RunOptions, cache: Cache, progress: Progress) -> Estimated:
    """The same people with the camera's turns and, where it moves through the scene, its path.

    Args:
        people: of a run; its footage is read only where there is work to do.
        options, cache, progress: as everywhere.
    """
    if not options.follow_camera:
        return people
    camera = people.camera
    key: dict[str, Any] = {
        "detections": detection_key(people.clip, options),
        "camera": camera.intrinsics.tolist(),
        "starts": confirmed(people.clip.cuts, people.found),
        "lens": None if camera.lens is None else camera.lens.key(),
    }
    entry = load_entry(cache, "camera", key_of(**key), progress)
    if entry is None:
        boxes, frames = boxes_of(people.found), _frames(people, options, progress)
        entry = pack_turns(list(follow_background(frames, boxes, key["starts"], camera.intrinsics)))
        cache.store("camera", key_of(**key), entry)
    shots = unpack_turns(entry)
    solved = _solved(people, shots, options, key_of(**key), cache, progress) if kind_of(shots) == "moving" else []
    for sentence in describe_turns(shots, can_solve(), bool(solved)):
        progress.warn("camera", sentence)
    followed = replace(camera, turns=turns_by_frame(shots), motion=kind_of(shots))
    return replace(people, camera=followed, solved=solved)


def _solved(
    people: Estimated, shots: list[CameraTurns], options: RunOptions, turns: str, cache: Cache, progress: Progress
) -> list[SolvedShot]:
    """The path in each shot; none where one of them cannot be solved, or COLMAP is not installed."""
    if not can_solve():
        return []
    entry = load_entry(cache, "solve", turns, progress)
    if entry is None:
        times = {frame.index: frame.time_s for frame in people.found}
        total = len(times)
        solved = solve_shots(
            _frames(people, options, progress), boxes_of(people.found), shots, times, people.camera.intrinsics,
            beat=lambda: progress(total, total),
        )  # fmt: skip
        entry = pack_solved(solved)
        cache.store("solve", turns, entry)
    return unpack_solved(entry)


def _frames(people: Estimated, options: RunOptions, progress: Progress) -> Iterator[Frame]:
    return counted(people.frames(options), expected_frames(people.clip.info, options), progress)
