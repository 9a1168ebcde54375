"""Stretches of which the evidence was wrong: the person is adapted again there without it.

What a user says of keypoints (not seen, exchanged, wrong for a limb) changes the track. The seconds about that are
adapted anew from the pre-trained weights, with the labels of the clip, and blended into the motion. The pelvis stays in
its place, and all else stays byte for byte.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray

from engine.adaptation.corrected import Work, track_rows, windows
from engine.adaptation.corrected_rows import camera_pose, on_cpu, with_rows
from engine.adaptation.corrections import Correction, Ignore, Swap, Unseen
from engine.adaptation.infill import mixed
from engine.adaptation.loop import adapt
from engine.adaptation.priors import load_priors
from engine.adaptation.stage import stretches, wanted
from engine.backbones.evidence import gather
from engine.backbones.summary import joint_confidence
from engine.backbones.types import TrainableBackbone
from engine.body.model import BodyModel
from engine.keypoints.joint_sets import ARM_PARTS, LEG_PARTS, mirror_order
from engine.keypoints.types import SEEN_CONFIDENCE, PersonTrack
from engine.output.motion_file import ORIGIN_DETECTED, ORIGIN_NONE
from engine.output.results import Stretch
from engine.runtime.cache import Cache, key_of
from engine.runtime.progress import Progress

EDITS = (Unseen, Swap, Ignore)
"""Corrections that change what counts as seen."""
_AROUND_S = 1.5
"""Seconds on both sides that are adapted with it, so that it has its context."""
_REACH_S, _BLEND_S = 0.4, 0.4
_EPOCHS = 2
_PARTS = {"arm": ARM_PARTS, "leg": LEG_PARTS, "arms": ARM_PARTS, "legs": ("hip", *LEG_PARTS)}
_HEAD = ("nose", "eye", "ear", "mouth")


def reestimate(stretch: Stretch, edits: Sequence[Correction], work: Work, cache: Cache, progress: Progress) -> Stretch:
    """The stretch with the seconds about each edit estimated again.

    Args:
        stretch: finished.
        edits: of its person and of `EDITS`.
        work: estimates.
        cache: keeps each part.
        progress: called after every step.

    Raises:
        EngineError: as adaptation.
    """
    track = edited(stretch.track, edits)
    stretch = _with_track(stretch, track, on_cpu(work.body))
    for window in windows(track.timestamps, edits, _REACH_S, _BLEND_S):
        first, last = track.timestamps[window.rows.start], track.timestamps[window.rows.stop - 1]
        near = np.flatnonzero((track.timestamps >= first - _AROUND_S) & (track.timestamps <= last + _AROUND_S))
        around = slice(int(near[0]), int(near[-1]) + 1)
        turns = _estimated(stretch, around, work, cache, progress)
        rotations, transl = camera_pose(stretch.motion)
        inside = torch.from_numpy(turns[window.rows.start - around.start :][: len(window.fade)])
        share = torch.from_numpy(window.fade).float()[:, None].expand(-1, 24)
        merged = mixed(rotations[window.rows], inside, share).numpy()
        stretch = with_rows(stretch, window, merged, transl[window.rows].numpy(), on_cpu(work.body))
    return stretch


def _estimated(stretch: Stretch, around: slice, work: Work, cache: Cache, progress: Progress) -> NDArray[np.float32]:
    """Rotations (S, 24, 3, 3) of some rows, camera frame, from the track as it is now."""
    options, track = work.options, stretch.track
    part = track_rows(track, around)
    labels = stretch.motion.labels[around]
    seen = hashlib.sha256(part.keypoints.tobytes() + part.timestamps.tobytes()).hexdigest()
    settings = options.settings.adaptation.model_copy(
        update={"epochs": min(_EPOCHS, options.settings.adaptation.epochs)}
    )
    key = key_of(
        seen=seen,
        labels=labels.tolist(),
        camera=work.camera.intrinsics.tolist(),
        settings=settings.model_dump(),
        models=options.settings.models.model_dump(),
        how=(options.backbone, options.seed, options.device, str(options.body)),
    )
    entry = cache.load("correct", key)
    if entry is None:
        if wanted(options):
            segments = stretches(labels, part.timestamps)
            priors = load_priors(options.settings.models, options.device, bool(segments), progress)
            device = torch.device(options.device)
            network = cast(TrainableBackbone, work.backbone()).bind(part, work.camera, work.body, device)
            result = adapt(
                network, part, work.camera, work.body, segments, priors, settings, options.seed, progress, device
            )
            rotations = result.prediction.rotations
        else:
            rotations = work.backbone().predict(part, work.camera, work.body, progress).rotations
        entry = {"rotations": rotations}
        cache.store("correct", key, entry)
    found: NDArray[np.float32] = entry["rotations"]
    return found


def edited(track: PersonTrack, edits: Sequence[Correction]) -> PersonTrack:
    """The track with its keypoints as a user says that they are."""
    keypoints, landmarks = track.keypoints.copy(), track.landmarks3d.copy()
    names = track.keypoint_names
    mirrored = np.array(mirror_order(names))
    for one in edits:
        assert isinstance(one, EDITS)
        rows = np.flatnonzero((track.timestamps >= one.start_s) & (track.timestamps <= one.end_s))[:, None]
        columns = np.flatnonzero([_concerns(one, name) for name in names])
        if isinstance(one, Swap):
            for array in (keypoints, landmarks):
                array[rows, columns] = array[rows, mirrored[columns]]
        else:
            keypoints[rows, columns, 2] = 0
            landmarks[rows, columns] = np.nan
    return replace(track, keypoints=keypoints, landmarks3d=landmarks)


def _concerns(one: Correction, name: str) -> bool:
    """Whether an edit is about a keypoint."""
    side, _, part = name.partition("_")
    if isinstance(one, Unseen):
        return name in one.points
    if isinstance(one, Swap):
        return side in ("left", "right") and (one.limbs == "body" or part in _PARTS[one.limbs])
    assert isinstance(one, Ignore)
    if one.limb == "head":
        return any(word in name for word in _HEAD)
    return one.limb.startswith(f"{side}_") and part in _PARTS[one.limb.partition("_")[2]]


def _with_track(stretch: Stretch, track: PersonTrack, body: BodyModel) -> Stretch:
    """The stretch with another track of the same rows, and the 2D targets that go with it."""
    motion = stretch.motion
    changed = (track.keypoints != stretch.track.keypoints).any(-1)
    seen = track.keypoints[..., 2] >= SEEN_CONFIDENCE
    points = np.where(changed[..., None], np.nan_to_num(track.keypoints), motion.keypoints2d).astype(np.float32)
    origins = np.where(changed, np.where(seen, ORIGIN_DETECTED, ORIGIN_NONE), motion.keypoints2d_origin)
    motion = replace(motion, keypoints2d=points, keypoints2d_origin=origins.astype(np.uint8))
    evidence = gather(track, motion.intrinsics, body.landmark_names)
    prediction = replace(stretch.prediction, joint_confidence=joint_confidence(evidence))
    return replace(stretch, track=track, motion=motion, prediction=prediction)
