"""Detection of a clip: in pieces, in processes of their own, each piece kept in the cache as soon as it is there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from engine.footage.clip import Clip
from engine.keypoints.glimpses import overlooked
from engine.keypoints.openpose_json import OpenPoseJson
from engine.keypoints.pieces import Looking, piece_detector, pieces_of
from engine.keypoints.tracking import track_people
from engine.keypoints.types import FrameDetections
from engine.run_options import RunOptions
from engine.runtime.cache import Arrays, Cache, content_of, key_of, load_entry
from engine.runtime.machine import cores, free_bytes
from engine.runtime.progress import Part, Progress
from engine.runtime.workers import Workers

STAGE = "detect"
_WORKER_BYTES, _FRAMES_HELD = 400 * 2**20, 24
"""What a process takes, and how many frames it and its decoder hold."""


def detection_key(clip: Clip, options: RunOptions) -> str:
    """What the detections depend on."""
    return key_of(
        footage=clip.footage_key,
        range=(options.start_s, options.end_s),
        image_rate=str(options.settings.footage.image_rate),
        mirrored=clip.mirrored,
        settings=options.settings.detection.model_dump(),
        everybody=options.everybody,
        keypoints=content_of(options.keypoints) if options.keypoints else None,
        pieces=[(piece.start, piece.stop) for piece in pieces_of_run(clip, options)],
    )


def looking_of(options: RunOptions) -> Looking:
    """How a run looks for people."""
    how, rate = options.settings.detection, options.settings.footage.image_rate
    return Looking(how.model, how.max_people, rate, options.everybody)


def pieces_of_run(clip: Clip, options: RunOptions) -> list[range]:
    """Frame indices of each piece of the run's part of the clip; a piece's number in the cache is its place here."""
    return pieces_of(clip, clip.table.range(options.start_s, options.end_s))


def as_known(clip: Clip, options: RunOptions, cache: Cache) -> RunOptions:
    """The options with `everybody` where an earlier run has followed everybody, and none the main person; else as they
    are. What comes after detection has a key of its own for each, and would be made again for the other."""
    everybody, pieces = replace(options, everybody=True), range(len(pieces_of_run(clip, options)))
    mine, all_of_them = (
        all(cache.has(STAGE, detection_key(clip, one), number) for number in pieces) for one in (options, everybody)
    )
    return everybody if all_of_them and not mine else options


def detect(clip: Clip, options: RunOptions, cache: Cache, progress: Progress) -> list[FrameDetections]:
    """People in every frame; pieces that an earlier run left are not detected again.

    Without `options.everybody` it is whoever stands out. Pieces in which that cannot be decided, or in which the main
    person was only glimpsed, are detected again with everybody.

    Raises:
        EngineError: the footage changed, or a process that detected ended, such as for want of memory.
    """
    pieces = dict(enumerate(pieces_of_run(clip, options)))
    found = detect_pieces(clip, pieces, options, cache, progress)
    if options.everybody:
        return _in_order(found)
    done, complete = sum(map(len, pieces.values())), set[int]()
    while again := {number: pieces[number] for number in _unsure(clip, pieces, found) if number not in complete}:
        more = sum(map(len, again.values()))
        rest = Part(partial(_of_total, progress, done + more), done, more)
        found |= detect_pieces(clip, again, replace(options, everybody=True), cache, rest)
        complete |= set(again)
        done += more
    return _in_order(found)


def missing(clip: Clip, options: RunOptions, cache: Cache, progress: Progress) -> tuple[RunOptions, list[int]]:
    """Numbers of pieces that `detect` has yet to detect, side by side, and with which options; none: it is all there.

    Once these are detected others may be missing: those in which the main person was perhaps overlooked.
    """
    pieces, key = dict(enumerate(pieces_of_run(clip, options))), detection_key(clip, options)
    left = [number for number in pieces if not cache.has(STAGE, key, number)]
    if left or options.everybody or options.keypoints is not None:
        return options, left if options.keypoints is None else []
    everybody, complete = replace(options, everybody=True), set[int]()
    found, key = detect_pieces(clip, pieces, options, cache, progress), detection_key(clip, everybody)
    while again := [number for number in _unsure(clip, pieces, found) if number not in complete]:
        left = [number for number in again if not cache.has(STAGE, key, number)]
        if left:
            return everybody, left
        found |= detect_pieces(clip, {number: pieces[number] for number in again}, everybody, cache, progress)
        complete |= set(again)
    return options, []


def _of_total(progress: Progress, total: int, done: int) -> None:
    progress(done, total)


def _unsure(clip: Clip, pieces: Mapping[int, range], found: dict[int, list[FrameDetections]]) -> list[int]:
    """Numbers of the pieces in which somebody who may be the main person was perhaps overlooked."""
    frames = _in_order(found)
    if not frames:
        return []
    indices = {frames[row].index for row in overlooked(frames, track_people(frames, clip.info, clip.cuts.sure))}
    return [number for number, piece in pieces.items() if indices.intersection(piece)]


def _in_order(found: dict[int, list[FrameDetections]]) -> list[FrameDetections]:
    return [frame for number in sorted(found) for frame in found[number]]


def detect_pieces(
    clip: Clip, pieces: Mapping[int, range], options: RunOptions, cache: Cache, progress: Progress
) -> dict[int, list[FrameDetections]]:
    """What is in some pieces, by their numbers in the cache, from there or detected."""
    key, found = detection_key(clip, options), dict[int, list[FrameDetections]]()
    for number in pieces:
        entry = load_entry(cache, STAGE, key, progress, number)
        if entry is not None:
            found[number] = unpack_detections(entry)
    missing = [number for number in pieces if number not in found]
    total, left = (sum(len(pieces[number]) for number in numbers) for numbers in (pieces, missing))
    rest = Part(partial(_of_total, progress, total), total - left, left)
    for place, chunk in _detected(clip, [pieces[number] for number in missing], options, cache, rest):
        cache.store(STAGE, key, pack_detections(chunk), missing[place])
        found[missing[place]] = chunk
    return found


def _detected(
    clip: Clip, pieces: Sequence[range], options: RunOptions, cache: Cache, progress: Progress
) -> Iterator[tuple[int, list[FrameDetections]]]:
    """Each piece's place and what is in it, as they are done."""
    total = sum(len(piece) for piece in pieces)
    if not pieces:
        return
    if options.keypoints is not None:
        yield from _read(clip, pieces, options, OpenPoseJson(options.keypoints), progress)
        return
    done = [0] * len(pieces)
    most = workers_for(clip, options)
    count = min(most, len(pieces))
    with Workers(count, cache.log, piece_detector, clip, looking_of(options), most // count) as workers:
        yield from workers.work(pieces, done.__setitem__, lambda: progress(sum(done), total))


def _read(
    clip: Clip, pieces: Sequence[range], options: RunOptions, detector: OpenPoseJson, progress: Progress
) -> Iterator[tuple[int, list[FrameDetections]]]:
    """The same where there is nothing to detect."""
    reader, done, total = clip.reader(options.settings.footage.image_rate), 0, sum(len(piece) for piece in pieces)
    for place, piece in enumerate(pieces):
        chunk = []
        for frame in detector.detect(reader.read(piece)):
            progress(done, total)
            chunk.append(frame)
            done += 1
        yield place, chunk
    reader.close()


def workers_for(clip: Clip, options: RunOptions) -> int:
    """How many processes may detect in the clip: as many as there are cores for, and memory."""
    each = _WORKER_BYTES + _FRAMES_HELD * 3 * clip.info.width * clip.info.height
    return max(min(options.cores or cores(), free_bytes() // each), 1)


def pack_detections(found: list[FrameDetections]) -> Arrays:
    """Arrays of detections: those of all frames one after the other, with the number of people in each frame."""
    if not found:
        return {"index": np.zeros(0, np.int64)}
    return {
        "index": np.array([one.index for one in found], np.int64),
        "time_s": np.array([one.time_s for one in found], np.float64),
        "people": np.array([len(one.keypoints) for one in found], np.int64),
        "glimpses": np.array([person in one.glimpses for one in found for person in range(len(one.keypoints))], bool),
        "keypoints": np.concatenate([one.keypoints for one in found]),
        "landmarks3d": np.concatenate([one.landmarks3d for one in found]),
    }


def unpack_detections(entry: Arrays) -> list[FrameDetections]:
    """What `pack_detections` made."""
    if not len(entry["index"]):
        return []
    ends = np.cumsum(entry["people"])
    parts = (np.split(entry[name], ends[:-1]) for name in ("keypoints", "landmarks3d", "glimpses"))
    rows = zip(entry["index"].tolist(), entry["time_s"].tolist(), *parts, strict=True)
    return [
        FrameDetections(index, time_s, points, metres, tuple(np.flatnonzero(glimpses).tolist()))
        for index, time_s, points, metres, glimpses in rows
    ]


def detect_one(clip: Clip, number: int, options: RunOptions, cache: Cache) -> None:
    """Detect the piece with this number and keep it in the cache, for a `detect` that finds it there.

    Raises as `piece_detector` does, and OutputError.
    """
    with piece_detector(clip, looking_of(options)) as work:
        chunk = work(pieces_of_run(clip, options)[number])
    cache.store(STAGE, detection_key(clip, options), pack_detections(chunk), number)
