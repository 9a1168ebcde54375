"""Takes proposed again for a finished motion, as after a label was changed: for one hidden stretch, or for all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from engine.adaptation.beginning import row_labels
from engine.adaptation.corrected import track_rows
from engine.adaptation.corrected_rows import camera_pose
from engine.adaptation.correcting import edits_of
from engine.adaptation.evidence import Seen
from engine.adaptation.infill import STANDS, hidden_share, stretch_numbers
from engine.adaptation.priors import load_priors
from engine.adaptation.proposals import Known, propose
from engine.adaptation.reestimated import edited
from engine.adaptation.sampler import stride_of
from engine.adaptation.track_inference import Estimate
from engine.backbones.threads import one_thread
from engine.backbones.types import Camera
from engine.body.model import BodyModel
from engine.errors import EngineError, UsageError
from engine.files.array_file import ArrayFileError, read_arrays
from engine.files.array_tables import MOST_MOTION_BYTES, TAKES
from engine.files.atomic import write_arrays
from engine.keypoints.types import PersonTrack
from engine.output.motion_file import Motion, read_motion
from engine.run_options import RunOptions
from engine.runtime.progress import Progress

_AROUND_S = 2.0
"""Seconds on both sides of a stretch that are read with it."""
_SAME_S = 1e-3
_PER_STRETCH = ("kinds", "labels", "similarity", "slide_mm", "reprojection_px")
Arrays = dict[str, NDArray[Any]]


def propose_again(
    folder: Path,
    track: PersonTrack,
    labels: NDArray[np.str_],
    camera: Camera,
    body: BodyModel,
    options: RunOptions,
    progress: Progress,
) -> Path | None:
    """Write the takes of a person anew, those of the other stretches as they were.

    Args:
        folder: of the clip, with its motion files.
        track: as it was detected.
        labels: (T,) as they are now.
        camera, body, options: of the run; `options.at_s` is a time in the stretch that is meant, or near it.
        progress: called often.

    Returns:
        The file; None where nothing of the person is hidden.

    Raises:
        UsageError: there is no motion of the person in the folder.
        ModelFileError: a network is missing or damaged.
    """
    path, motion, places = _motion_of(folder, track)
    if options.corrections is not None:
        track = edited(track, edits_of(options.corrections, track.person))
    priors = load_priors(options.settings.models, options.device, bool((labels != "").any()), progress)
    named, _ = row_labels(labels, priors, progress)
    device = torch.device(options.device)
    rotations, transl = (part[places] for part in camera_pose(motion))
    betas = torch.from_numpy(motion.betas).expand(len(places), -1)

    def takes_of(rows: slice) -> Arrays:
        seen = Seen.of(track_rows(track, rows), camera, body, device)
        estimate = Estimate(rotations[rows], betas[rows], transl[rows]).to(device)
        hidden = hidden_share(seen.joints, seen.gathered.times.to(device))
        known = Known(estimate, seen, hidden, named[rows].tolist(), body, priors)
        with one_thread():  # on a busy machine several take many times as long
            found = propose(known, options.seed, lambda: progress(0, 1))
        return {**found, "rows": places[rows][found["rows"]]} if found else {}

    file = path.with_name(f"{path.stem}_takes.npz")
    spans = _spans(track, camera, body)
    takes = _renewed(file, spans, track.timestamps, places, options.at_s, takes_of)
    progress(1, 1)
    if not takes:
        return None
    write_arrays(file, takes)
    return file


def _renewed(
    file: Path,
    spans: list[tuple[float, float]],
    times: NDArray[np.float64],
    places: NDArray[np.int64],
    at_s: float | None,
    takes_of: Callable[[slice], Arrays],
) -> Arrays:
    """The takes of the file with those of one stretch made again; all of them where that cannot be."""
    there = _there(file)
    if at_s is not None and spans and there is not None and _alike(there["stretches"], spans):
        number = int(np.argmin([max(start - at_s, at_s - end, 0.0) for start, end in spans]))
        start, end = spans[number]
        near = np.flatnonzero((times >= start - _AROUND_S) & (times <= end + _AROUND_S))
        found = takes_of(slice(int(near[0]), int(near[-1]) + 1))
        if found and found["kinds"].shape[1] == there["kinds"].shape[1]:
            rows = places[(times >= start - _SAME_S) & (times <= end + _SAME_S)]
            merged = _merged(there, found, number, set(rows.tolist()))
            if merged is not None:
                return merged
    return takes_of(slice(0, len(times)))


def _merged(there: Arrays, found: Arrays, number: int, rows: set[int]) -> Arrays | None:
    """`there` with the takes of one stretch, whose `rows` they are, as they are `found`; None where it is another."""
    start, end = there["stretches"][number]
    own = int(np.abs(found["stretches"] - (start, end)).sum(1).argmin())
    if np.abs(found["stretches"][own] - (start, end)).max() > _SAME_S:
        return None
    place = {int(row): column for column, row in enumerate(there["rows"].tolist())}
    columns = [column for column, row in enumerate(found["rows"].tolist()) if row in rows and row in place]
    poses = there["poses"].copy()
    poses[:, [place[int(found["rows"][column])] for column in columns]] = found["poses"][:, columns]
    result = {**there, "poses": poses}
    for name in _PER_STRETCH:
        values = list(there[name])
        values[number] = found[name][own]
        result[name] = np.stack(values)
    return result


def _motion_of(folder: Path, track: PersonTrack) -> tuple[Path, Motion, NDArray[np.int64]]:
    """The motion file that holds a track, and the rows (T,) at which it does. Raises UsageError if none does."""
    stem = f"person_{track.person}"
    for path in (folder / f"{stem}_shot_{track.shot}.npz", folder / f"{stem}.npz"):
        if not path.is_file():
            continue
        try:
            motion = read_motion(path)
        except EngineError:  # it is as if it were not there
            continue
        places = np.searchsorted(motion.timestamps, track.timestamps - _SAME_S).clip(max=len(motion.timestamps) - 1)
        if np.abs(motion.timestamps[places] - track.timestamps).max() < _SAME_S:
            return path, motion, places
    raise UsageError(
        f"There is no motion of person {track.person} in {folder} that takes could be for.",
        "Run the clip first, with the same options.",
    )


def _spans(track: PersonTrack, camera: Camera, body: BodyModel) -> list[tuple[float, float]]:
    """First and last second of each hidden stretch."""
    seen = Seen.of(track, camera, body, next(body.buffers()).device)
    times = seen.gathered.times
    rows = torch.arange(0, len(times), stride_of(np.asarray(track.timestamps)))
    hidden = hidden_share(seen.joints.cpu(), times)[rows].amax(1) > STANDS
    stretch_of = stretch_numbers(hidden, times[rows].float())
    ends = []
    for number in range(int(stretch_of.max()) + 1):
        inside = times[rows][stretch_of == number]
        ends.append((float(inside[0]), float(inside[-1])))
    return ends


def _there(file: Path) -> Arrays | None:
    """The takes of a file; None if there is none that can be read, which then is made again."""
    try:
        return read_arrays(file, TAKES, MOST_MOTION_BYTES)
    except (OSError, ArrayFileError):
        return None


def _alike(stretches: NDArray[np.float64], spans: list[tuple[float, float]]) -> bool:
    """Whether a file's stretches (N, 2) are those of the track; of several tracks in one file they are not."""
    return stretches.shape == (len(spans), 2) and bool(np.abs(stretches - np.array(spans)).max() < _SAME_S)
