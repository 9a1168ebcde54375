"""A finished motion with a user's pins: windows about them are solved again, all else stays as it is, byte for byte.

Legend: T rows of the motion, S rows of a window.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from engine.adaptation import pin_field
from engine.adaptation.corrected_rows import Window, camera_pose, on_cpu, row_of, with_rows
from engine.adaptation.corrections import Correction, span
from engine.adaptation.evidence import Seen
from engine.adaptation.infill import hidden_share
from engine.adaptation.pin_field import Pins, Scene
from engine.adaptation.pins import pins_of
from engine.adaptation.priors import load_priors
from engine.adaptation.redrawn import is_redrawn, redrawn
from engine.backbones.evidence import PERSON_HEIGHT_M, gather
from engine.backbones.fit_settings import FitSettings
from engine.backbones.types import Backbone, Camera
from engine.body.landmarks import JOINT_NAMES
from engine.body.model import BodyModel
from engine.keypoints.types import PersonTrack
from engine.output.results import Stretch
from engine.run_options import RunOptions
from engine.runtime.cache import Cache, key_of
from engine.runtime.progress import Part, Progress

WINDOW_S = 2.0
"""How far from a pin the motion changes at most."""
_BLEND_S = 0.5
_LONGEST_S = 10.0
_NEAR_S = 0.02
_FAR_DEGREES, _FAR_M = 2.0, 0.005
"""What a pin may be missed by without a word."""
_STANDING = {"left_ankle": 0, "left_foot": 1, "right_ankle": 2, "right_foot": 3}
"""Joint to the foot point of `Motion.contacts` that it stands with."""
ROWS = ("frame_indices", "timestamps", "keypoints", "landmarks3d", "boxes", "detected")
"""Arrays of a track with a row for each frame."""


@dataclass(frozen=True)
class Work:
    """What estimates: the camera of the footage, the body on the device of the run, a backbone, made where there is
    work, and the options of the run."""

    camera: Camera
    body: BodyModel
    backbone: Callable[[], Backbone]
    options: RunOptions


def correct(stretch: Stretch, pins: Sequence[Correction], work: Work, cache: Cache, progress: Progress) -> Stretch:
    """The stretch with its pins met. Rows farther than `WINDOW_S` from all pins are those of the stretch.

    Args:
        stretch: finished.
        pins: of its person, of `PINS`, and at times at which it has rows.
        work: draws hidden joints again.
        cache: keeps each window, so that only those with changed pins are solved again.
        progress: called several times a second; is warned of pins that cannot be met.

    Raises:
        CancelledError: stopped; the windows that are done are kept.
    """
    found = list(windows(stretch.motion.timestamps, pins, WINDOW_S, _BLEND_S))
    total = len(found) * pin_field.ROUNDS

    def put(done: int) -> None:
        progress(done, total)

    for number, window in enumerate(found):
        part = Part(put, number * pin_field.ROUNDS, pin_field.ROUNDS)
        stretch = _solved(stretch, window, work, cache, part, progress)
    return stretch


def windows(times: NDArray[np.float64], pins: Sequence[Correction], reach_s: float, blend_s: float) -> Iterator[Window]:
    """Windows about corrections, none much longer than `_LONGEST_S`; those near each other share one.

    Args:
        times: (T,) seconds.
        pins: the corrections.
        reach_s: how far from one of them a window reaches.
        blend_s: over how much of that, at its end, the share falls from 1 to 0.
    """
    for group in _groups(pins, 2 * reach_s):
        apart = np.stack([np.maximum(start - times, times - end) for start, end in group]).clip(min=0)  # (P, T)
        u = ((reach_s - apart.min(0)) / blend_s).clip(0, 1)
        fade = u * u * (3 - 2 * u)
        there = np.flatnonzero(fade > 0)
        if len(there):
            rows = slice(int(there[0]), int(there[-1]) + 1)
            first, until = times[rows.start] - _NEAR_S, max(end for _, end in group) + _NEAR_S
            inside = tuple(one for one in pins if span(one)[0] <= until and span(one)[1] >= first)
            yield Window(rows, inside, until, fade[rows])


def _groups(pins: Sequence[Correction], apart_s: float) -> list[list[tuple[float, float]]]:
    """Spans in seconds, in the order of time, that go together; long ones are cut."""
    parts: list[tuple[float, float]] = []
    for start, end in map(span, pins):
        edges = np.linspace(start, end, int(np.ceil((end - start) / _LONGEST_S)) + 1) if end > start else [start, end]
        parts += itertools.pairwise(map(float, edges))
    groups: list[list[tuple[float, float]]] = []
    for part in sorted(parts):
        if groups and part[0] - groups[-1][-1][1] < apart_s and part[1] - groups[-1][0][0] <= _LONGEST_S:
            groups[-1].append(part)
        else:
            groups.append([part])
    return groups


def is_tracked(one: Correction, stretch: Stretch) -> bool:
    """Whether a stretch has rows at the time of a correction of its person."""
    times = stretch.motion.timestamps
    start, end = span(one)
    return row_of(times, start) is not None or bool(((times >= start) & (times <= end)).any())


def _solved(stretch: Stretch, window: Window, work: Work, cache: Cache, part: Progress, progress: Progress) -> Stretch:
    """The stretch with one window solved; `part` is progress of that, `progress` is warned."""
    body = on_cpu(work.body)
    scene, pins = scene_of(stretch, window, body), pins_of(stretch.motion, window, body, progress)
    if not pins:
        return stretch
    key = _key(scene, pins, window, stretch, work.options)
    entry = cache.load("correct", key)
    if entry is None:
        fade = torch.from_numpy(window.fade)
        if work.options.settings.adaptation.takes and is_redrawn(scene, pins):
            labels = stretch.motion.labels[window.rows].tolist()
            infiller = load_priors(work.options.settings.models, "cpu", any(labels), progress).infiller
            assert infiller is not None
            seen = Seen.of(track_rows(stretch.track, window.rows), work.camera, body, torch.device("cpu"))
            scene = redrawn(scene, pins, fade, seen, labels, infiller, work.options.seed)
        rotations, transl = pin_field.corrected(scene, pins, fade, lambda done: part(done, pin_field.ROUNDS))
        entry = {"rotations": rotations.numpy(), "transl": transl.numpy()}
        cache.store("correct", key, entry)
    _report_missed(scene, pins, entry["rotations"], entry["transl"], progress)
    return with_rows(stretch, window, entry["rotations"], entry["transl"], body)


def _key(scene: Scene, pins: Pins, window: Window, stretch: Stretch, options: RunOptions) -> str:
    """What a window depends on."""
    digest = hashlib.sha256(window.fade.tobytes())
    for part in (scene.rotations, scene.transl, scene.betas, scene.seen, scene.standing, scene.camera):
        digest.update(part.numpy().tobytes())
    for kind in (pins.turns, pins.places, pins.points, pins.rests):
        for part in kind:
            digest.update(part.numpy().tobytes())
    labels = stretch.motion.labels[window.rows].tolist()
    takes = options.settings.adaptation.takes > 0
    return key_of(content=digest.hexdigest(), labels=labels, takes=takes, seed=options.seed)


def track_rows(track: PersonTrack, rows: slice) -> PersonTrack:
    """Some rows of a track."""
    return replace(track, **{name: getattr(track, name)[rows] for name in ROWS})


def scene_of(stretch: Stretch, window: Window, body: BodyModel) -> Scene:
    """What is corrected in a window, on the CPU as `body` is."""
    motion, rows = stretch.motion, window.rows
    rotations, transl = camera_pose(motion)
    times = torch.from_numpy(motion.timestamps)
    evidence = gather(stretch.track, motion.intrinsics, body.landmark_names)
    hidden = hidden_share(torch.from_numpy(stretch.prediction.joint_confidence), times)
    standing = torch.zeros(len(times), len(JOINT_NAMES))
    for joint, column in _STANDING.items():
        standing[:, JOINT_NAMES.index(joint)] = torch.from_numpy(motion.contacts[:, column])
    height_px = evidence.camera[1, 1] * PERSON_HEIGHT_M / transl[:, 2].clamp(min=0.1)
    return Scene(
        rotations=rotations[rows],
        betas=torch.from_numpy(motion.betas),
        transl=transl[rows],
        times=times[rows],
        hidden=hidden[rows],
        seen=evidence.weights[rows],
        marks=evidence.places,
        usual_px=(FitSettings().keypoint_error * height_px)[rows],
        standing=standing[rows],
        camera=evidence.camera,
        body=body,
    )


def _report_missed(
    scene: Scene, pins: Pins, rotations: NDArray[np.float32], transl: NDArray[np.float32], progress: Progress
) -> None:
    """Warn of pins that the motion does not meet: places out of reach, and pins that contradict each other."""
    turns, places = pin_field.misses(scene, pins, torch.from_numpy(rotations), torch.from_numpy(transl))
    missed = [(f"{far:.0f} degrees off", far > _FAR_DEGREES) for far in turns.tolist()]
    missed += [(f"{1000 * far:.0f} mm away", far > _FAR_M) for far in places.tolist()]
    rows = torch.cat((pins.turns[0], pins.places[0])).tolist()
    joints = torch.cat((pins.turns[1], pins.places[1])).tolist()
    for row, joint, (by, is_far) in zip(rows, joints, missed, strict=True):
        if is_far:
            name, time_s = JOINT_NAMES[joint].replace("_", " "), float(scene.times[row])
            progress.warn(
                "pin_missed",
                f"The pin of the {name} at {time_s:.2f} s cannot be met: the joint stays {by}, as it is out of reach "
                "or another pin contradicts.",
            )
