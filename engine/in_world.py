"""The stage `world` of a run: what the camera saw of all people, with gravity, one floor and one body for each."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engine.adaptation import stage as adaptation
from engine.adaptation.stage import Adapted
from engine.backbones.known_height import times_as_tall
from engine.backbones.one_body import in_one_body
from engine.backbones.types import Prediction
from engine.body.model import BodyModel
from engine.keypoints.types import PersonTrack
from engine.output.motion_file import Motion
from engine.output.results import Stretch
from engine.run_options import RunOptions
from engine.runtime.reporter import Reporter
from engine.semantics import retrieval_run
from engine.stages import Estimated
from engine.world.moving_camera import rows_of, to_moving_world
from engine.world.one_floor import common_floors
from engine.world.solved_camera import metric_path
from engine.world.still_camera import WorldMotion, to_world
from engine.world.turning_camera import seen_turning, steadied, turns_of

_Pair = tuple[list[Prediction], list[Prediction]]


def in_world(
    people: Estimated, adapted: list[Adapted], body: BodyModel, options: RunOptions, reporter: Reporter
) -> list[Stretch]:
    """Every stretch of every person, placed in the world.

    Args:
        people: with the camera as it was followed, or solved.
        adapted: what became of each track of them.
        body: of the run.
        options: of the run.
        reporter: receives warnings; work stops where it is cancelled.
    """
    tracks = people.tracks
    predictions, last = in_one_body(tracks, people.predictions, [one.prediction for one in adapted], body)
    if people.solved:
        path = metric_path(people.solved, tracks, last, body)
        people = replace(people, camera=replace(people.camera, path=path))
    camera = people.camera
    floors: list[float | None] = [None] * len(tracks)
    if camera.path is None:
        predictions, last = (steadied(camera, tracks, those, body) for those in (predictions, last))
        (predictions, last), floors = _on_one_floor(tracks, predictions, last, body, reporter)
    shared: dict[int, NDArray[np.float64]] = {}  # the camera of each shot, as its first person has it
    stretches = []
    for number, (track, initial, final, floor) in enumerate(zip(tracks, predictions, last, floors, strict=True)):
        reporter.cancel.check()
        person = replace(adapted[number], prediction=final)
        motion = _motion(people, number, body, options, shared.get(track.shot), floor, initial, person)
        shared.setdefault(track.shot, motion.camera_to_world)
        stretches.append(Stretch(track, final, motion, person.takes, person.about))
    return stretches


def _on_one_floor(
    tracks: list[PersonTrack], first: list[Prediction], last: list[Prediction], body: BodyModel, reporter: Reporter
) -> tuple[_Pair, list[float | None]]:
    """Predictions with sizes that put everybody on one floor, and how far under the camera that is."""
    floors = common_floors(tracks, last, body)
    for sentence in floors.sentences():
        reporter.warn("floor", sentence)
    sized = [times_as_tall(one, body, scale) for one, scale in zip(last, floors.times_as_tall, strict=True)]
    before = [
        now if initial is after else times_as_tall(initial, body, scale)
        for initial, after, now, scale in zip(first, last, sized, floors.times_as_tall, strict=True)
    ]
    return (before, sized), floors.under_m


def _motion(
    people: Estimated,
    number: int,
    body: BodyModel,
    options: RunOptions,
    shared: NDArray[np.float64] | None,
    floor_under_m: float | None,
    initial: Prediction,
    adapted: Adapted,
) -> Motion:
    """One stretch of a person, from what the camera saw to the world.

    Args:
        people, number: whose stretch it is.
        body, options: of the run.
        shared: `camera_to_world` of the shot's first person, None for that one.
        floor_under_m: where the floor of all is, None for one of the person's own.
        initial, adapted: of the stretch, before and after.
    """
    track, labels, camera = people.tracks[number], people.labels[number], people.camera
    prediction, lens = adapted.prediction, camera.lens

    def placed(what: Prediction, like: NDArray[np.float64] | None) -> WorldMotion:
        if camera.path is not None:
            path = rows_of(camera.path, track.frame_indices)
            return to_moving_world(what, track.timestamps, body, path, camera.path[0])
        still = to_world(what, track.timestamps, body, camera, like, floor_under_m)
        return seen_turning(still, turns_of(camera, track.frame_indices))

    world = before = placed(prediction, shared)
    if prediction is not initial:
        before = placed(initial, world.camera_to_world)
    return Motion(
        poses=world.poses,
        trans=world.trans,
        betas=prediction.betas,
        gender=body.gender,
        surface_model_type=body.surface_model_type,
        mocap_framerate=float(people.clip.info.frame_rate),
        timestamps=track.timestamps,
        cam_global_orient=world.cam_global_orient,
        cam_transl=world.cam_transl,
        joints3d_cam=world.joints3d_cam,
        joints3d_world=world.joints3d_world,
        intrinsics=camera.intrinsics,
        camera_to_world=world.camera_to_world,
        image_size=np.array(track.image_size),
        keypoints2d=adapted.keypoints,
        keypoints2d_origin=adapted.origins,
        keypoint_names=np.array(track.keypoint_names),
        labels=labels,
        label_similarity=adapted.similarity
        if adaptation.wanted(options)
        else retrieval_run.agreement(labels, world.poses, track.timestamps),
        contacts=world.contacts,
        initial_poses=before.poses,
        initial_trans=before.trans,
        camera_path=world.camera_path,
        keypoints2d_footage=lens.bend(adapted.keypoints, track.frame_indices) if lens is not None else None,
        camera_intrinsics=lens.rows(track.frame_indices) if lens is not None and lens.zooms else None,
        shots=np.array([[0, len(track.timestamps) - 1]]) if people.cuts_s else None,
        cuts_s=np.array(people.cuts_s) if people.cuts_s else None,
        mirrored=np.array(1, np.uint8) if options.mirrored else None,
    )
