"""Detection of a clip: in pieces, in processes of their own, each piece kept in the cache as soon as it is there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from engine.footage.clip import Clip
from engine.keypoints.openpose_json import OpenPoseJson
from engine.keypoints.pieces import Looking, piece_detector, pieces_of
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
        keypoints=content_of(options.keypoints) if options.keypoints else None,
        pieces=[(piece.start, piece.stop) for piece in pieces_of_run(clip, options)],
    )


def looking_of(options: RunOptions) -> Looking:
    """How a run looks for people."""
    settings = options.settings
    return Looking(settings.detection.model, settings.detection.max_people, settings.footage.image_rate)


def pieces_of_run(clip: Clip, options: RunOptions) -> list[range]:
    """Frame indices of each piece of the run's part of the clip; a piece's number in the cache is its place here."""
    return pieces_of(clip, clip.table.range(options.start_s, options.end_s))


def detect(clip: Clip, options: RunOptions, cache: Cache, progress: Progress) -> list[FrameDetections]:
    """Everybody in every frame; pieces that an earlier run left are not detected again.

    Raises:
        EngineError: the footage changed, or a process that detected ended, such as for want of memory.
    """
    key, pieces = detection_key(clip, options), pieces_of_run(clip, options)
    found: dict[int, list[FrameDetections]] = {}
    for number in range(len(pieces)):
        entry = load_entry(cache, STAGE, key, progress, number)
        if entry is not None:
            found[number] = unpack_detections(entry)
    missing = [number for number in range(len(pieces)) if number not in found]
    total, left = (sum(len(pieces[number]) for number in numbers) for numbers in (range(len(pieces)), missing))
    rest = Part(lambda done: progress(done, total), total - left, left)
    for place, chunk in _detected(clip, [pieces[number] for number in missing], options, cache, rest):
        cache.store(STAGE, key, pack_detections(chunk), missing[place])
        found[missing[place]] = chunk
    return [frame for number in range(len(pieces)) for frame in found[number]]


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
    count = min(workers_for(clip), len(pieces))
    with Workers(count, cache.log, piece_detector, clip, looking_of(options)) as workers:
        yield from workers.work(pieces, lambda done: progress(done, total))


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


def workers_for(clip: Clip) -> int:
    """How many processes may detect in the clip: as many as there are cores, and memory for them."""
    each = _WORKER_BYTES + _FRAMES_HELD * 3 * clip.info.width * clip.info.height
    return max(min(cores(), free_bytes() // each), 1)


def pack_detections(found: list[FrameDetections]) -> Arrays:
    """Arrays of detections: those of all frames one after the other, with the number of people in each frame."""
    if not found:
        return {"index": np.zeros(0, np.int64)}
    return {
        "index": np.array([one.index for one in found], np.int64),
        "time_s": np.array([one.time_s for one in found], np.float64),
        "people": np.array([len(one.keypoints) for one in found], np.int64),
        "keypoints": np.concatenate([one.keypoints for one in found]),
        "landmarks3d": np.concatenate([one.landmarks3d for one in found]),
    }


def unpack_detections(entry: Arrays) -> list[FrameDetections]:
    """What `pack_detections` made."""
    if not len(entry["index"]):
        return []
    ends = np.cumsum(entry["people"])
    keypoints, landmarks = (np.split(entry[name], ends[:-1]) for name in ("keypoints", "landmarks3d"))
    rows = zip(entry["index"].tolist(), entry["time_s"].tolist(), keypoints, landmarks, strict=True)
    return [FrameDetections(*row) for row in rows]
