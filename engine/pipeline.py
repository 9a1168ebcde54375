"""From footage to motion files. Each stage is one call of another module; no stage reaches back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine import detection, stages
from engine.adaptation import stage as adaptation
from engine.adaptation.stage import Adapted
from engine.backbones.choice import make_backbone
from engine.backbones.crop_backbone import PictureInputs
from engine.backbones.known_height import times_as_tall
from engine.backbones.one_body import in_one_body
from engine.backbones.types import Backbone, Camera, Prediction
from engine.body.model import BodyModel
from engine.camera.lens import Lens
from engine.errors import EngineError
from engine.footage.clip import Clip
from engine.footage.decoding import Frame, fingerprint, probe
from engine.keypoints.types import FrameDetections, PersonTrack
from engine.output import folders as outputs
from engine.output import people_summary, report
from engine.output.blender_export import export_motion
from engine.output.motion_file import Motion
from engine.output.preview import write_preview
from engine.output.results import Result, Stretch, together, write_results
from engine.people import concerns
from engine.people.across_cuts import confirmed, describe_cuts
from engine.run_options import RunOptions
from engine.runtime.cache import Cache
from engine.runtime.progress import Progress
from engine.runtime.reporter import Part, Reporter
from engine.semantics import retrieval_run, segments
from engine.world.moving_camera import rows_of, to_moving_world
from engine.world.one_floor import common_floors
from engine.world.still_camera import WorldMotion, to_world
from engine.world.turning_camera import seen_turning, steadied, turns_of

_STAGES = ("footage", "shots", "detect", "track", "predict", "segment", "adapt", "world", "write")
_LAST_STAGE = {"people": "track", "labels": "segment"}
"""Where a run with `--only` stops."""


class ClipRun:
    """One clip from footage to files."""

    def __init__(self, path: Path, folder: Path, options: RunOptions, body: BodyModel, reporter: Reporter) -> None:
        self.path, self.folder, self.options, self.body, self.reporter = path, folder, options, body, reporter
        self.cache = Cache(folder, options.resume, reporter.warn)
        self.adapts = adaptation.wanted(options)
        stages_of_all = [name for name in _STAGES if name != "adapt" or self.adapts]
        self.stages = (*stages_of_all, *(("export",) if options.exports or options.preview else ()))
        self._backbone: Backbone | None = None
        self._lens: Lens | None = None
        self._cuts_s: list[float] = []
        if options.only:
            self.stages = self.stages[: self.stages.index(_LAST_STAGE[options.only]) + 1]

    def run(self) -> None:
        """All the stages in order. Raises EngineError."""
        options, reporter = self.options, self.reporter
        outputs.prepare_folder(self.folder, self.path)
        with self._stage("footage"):
            info = probe(self.path, options.settings.footage.image_rate)
            clip = self._clip = Clip(self.path, info, fingerprint(self.path), mirrored=options.mirrored)
        with self._stage("shots"):
            clip = stages.find_cuts(clip, options, self.cache, reporter)
            camera = stages.make_camera(clip, options)
            options = self.options = detection.as_known(clip, options, self.cache)
        with self._stage("detect"):
            found = detection.detect(clip, options, self.cache, reporter)
        with self._stage("track"):
            self._report_cuts(clip, found)
            tracks = stages.track(clip, found, options, self.cache, reporter)
            if options.only == "people":
                return self._report_people(clip, tracks)
            self._report_concerns(tracks)
            self._lens = lens = camera.lens  # from here on a pinhole camera has taken the footage
            tracks = tracks if lens is None else [lens.straighten(one) for one in tracks]
        with self._stage("predict"):
            parts = [Part(reporter, number, len(tracks)) for number in range(len(tracks))]
            predictions = [
                stages.predict(clip, track, camera, self.body, self._network, options, self.cache, part)
                for track, part in zip(tracks, parts, strict=True)
            ]
        with self._stage("segment"):
            self._check_labels(found[-1].time_s + 1 / float(info.frame_rate), tracks)
            labels = [self._labels(camera, *person) for person in zip(tracks, predictions, parts, strict=True)]
            if options.only == "labels":
                return self._report_labels(camera, tracks, predictions, labels)
        adapted = self._adapted(clip, camera, tracks, predictions, labels)
        with self._stage("world"):
            predictions, last = in_one_body(tracks, predictions, [one.prediction for one in adapted], self.body)
            floors: list[float | None] = [None] * len(tracks)
            camera = stages.follow_camera(clip, found, self._frames(), camera, options, self.cache, reporter)
            if camera.path is None:
                predictions, last = (steadied(camera, tracks, those, self.body) for those in (predictions, last))
                predictions, last, floors = self._on_one_floor(tracks, predictions, last)
            adapted = [replace(one, prediction=prediction) for one, prediction in zip(adapted, last, strict=True)]
            shared: dict[int, NDArray[np.float64]] = {}  # the camera of each shot, as its first person has it
            stretches = []
            for track, initial, after, names, floor in zip(tracks, predictions, adapted, labels, floors, strict=True):
                like = shared.get(track.shot)
                motion = self._motion(camera, float(info.frame_rate), like, floor, track, initial, after, names)
                shared.setdefault(track.shot, motion.camera_to_world)
                stretches.append(Stretch(track, after.prediction, motion, after.takes, after.about))
        with self._stage("write"):
            results = write_results(stretches, self.folder, self.body, bool(self._cuts_s) and options.shots == "split")
        self._finish(clip, camera, results)

    def _stage(self, name: str) -> AbstractContextManager[None]:
        return self.reporter.stage(name, self.stages.index(name) + 1, len(self.stages))

    def _report_cuts(self, clip: Clip, found: list[FrameDetections]) -> None:
        times = {frame.index: frame.time_s for frame in found}
        self._cuts_s = [times[cut] for cut in confirmed(clip.cuts, found) if cut in times]
        if self._cuts_s:
            self.reporter.warn("cuts", describe_cuts(self._cuts_s))

    def _report_concerns(self, tracks: list[PersonTrack]) -> None:
        for code, sentence in concerns.of_tracks(tracks):
            self.reporter.warn(code, sentence)

    def _report_people(self, clip: Clip, tracks: list[PersonTrack]) -> None:
        folder = self.folder / "people"
        people = people_summary.describe_people(clip, tracks, folder, self.options.settings.footage.image_rate)
        self.reporter.send("people", clip=self.folder.name, people=people)

    def _labels(
        self, camera: Camera, track: PersonTrack, prediction: Prediction, progress: Progress
    ) -> NDArray[np.str_]:
        """(T,) what is typed and, where nothing is, what the labeler says."""
        options, settings = self.options, self.options.settings
        typed = segments.spread(options.segments, track.timestamps)
        if options.labeler == "openai":
            from engine.semantics import vlm_run

            return vlm_run.label_rows(
                typed, track, self._frames, settings.labeler, settings.models, options.device,
                options.allow_upload, progress,
            )  # fmt: skip
        if options.labeler == "retrieval":
            poses = to_world(prediction, track.timestamps, self.body, camera).poses
            return retrieval_run.label_rows(typed, poses, track.timestamps, progress)
        return typed

    def _report_labels(
        self, camera: Camera, tracks: list[PersonTrack], predictions: list[Prediction], labels: list[NDArray[np.str_]]
    ) -> None:
        of_person: dict[int, list[dict[str, Any]]] = {}
        for track, prediction, names in zip(tracks, predictions, labels, strict=True):
            world = to_world(prediction, track.timestamps, self.body, camera)
            fits = retrieval_run.agreement(names, world.poses, track.timestamps)
            of_person.setdefault(track.person, []).extend(people_summary.label_segments(names, fits, track.timestamps))
        for person, segments_of_one in of_person.items():
            self.reporter.send("labels", clip=self.folder.name, person=person, segments=segments_of_one)

    def _network(self) -> Backbone:
        """The backbone, made once for all people of the clip."""
        if self._backbone is None:
            settings = self.options.settings
            pictures = PictureInputs(settings.models, settings.hmr, self._frames, self.reporter, self.folder)
            self._backbone = make_backbone(self.options.backbone, settings.fit, self.options.device, pictures)
        return self._backbone

    def _frames(self) -> Iterator[Frame]:
        """The footage of the run, from its beginning, as the pinhole camera sees it."""
        options = self.options
        footage = self._clip.frames(options.start_s, options.end_s, image_rate=options.settings.footage.image_rate)
        return footage if self._lens is None else self._lens.pictures(footage)

    def _adapted(
        self,
        clip: Clip,
        camera: Camera,
        tracks: list[PersonTrack],
        predictions: list[Prediction],
        labels: list[NDArray[np.str_]],
    ) -> list[Adapted]:
        """All the people adapted, each from the pre-trained weights; as they were in a run without this stage."""
        if not self.adapts:
            return [adaptation.as_it_was(*person) for person in zip(tracks, predictions, strict=True)]
        with self._stage("adapt"):
            people = []
            for number, (track, names) in enumerate(zip(tracks, labels, strict=True)):
                part = Part(self.reporter, number, len(tracks))
                key = stages.prediction_key(clip, track, camera, self.body, self.options)
                people.append(
                    adaptation.adapt_person(
                        track, names, camera, self.body, self._network, self.options, key, self.cache, part
                    )
                )
        return people

    def _check_labels(self, end_s: float, tracks: list[PersonTrack]) -> None:
        for sentence in segments.beyond(self.options.segments, end_s):
            self.reporter.warn("label_beyond", sentence)
        seen_at = np.concatenate([track.timestamps[np.asarray(track.detected, bool)] for track in tracks])
        within = tuple(one for one in self.options.segments if one.start_s < end_s)
        for sentence in segments.unseen(within, seen_at):
            self.reporter.warn("label_unseen", sentence)
        if self.options.segments and not self.adapts:
            why = "adaptation is switched off" if self.options.backbone != "fit" else "fit has no network to adapt"
            self.reporter.warn("label_unused", f"Labels do not change the motion: {why}. Use --backbone landmark.")

    def _on_one_floor(
        self, tracks: list[PersonTrack], first: list[Prediction], last: list[Prediction]
    ) -> tuple[list[Prediction], list[Prediction], list[float | None]]:
        """Predictions with sizes that put everybody on one floor, and how far under the camera that is."""
        floors = common_floors(tracks, last, self.body)
        for sentence in floors.sentences():
            self.reporter.warn("floor", sentence)
        sized = [times_as_tall(one, self.body, scale) for one, scale in zip(last, floors.times_as_tall, strict=True)]
        before = [
            now if initial is after else times_as_tall(initial, self.body, scale)
            for initial, after, now, scale in zip(first, last, sized, floors.times_as_tall, strict=True)
        ]
        return before, sized, floors.under_m

    def _motion(
        self,
        camera: Camera,
        frame_rate: float,
        shared: NDArray[np.float64] | None,
        floor_under_m: float | None,
        track: PersonTrack,
        initial: Prediction,
        adapted: Adapted,
        labels: NDArray[np.str_],
    ) -> Motion:
        """One stretch of a person, from what the camera saw to the world.

        Args:
            camera, frame_rate, track, initial, adapted, labels: of the stretch.
            shared: `camera_to_world` of the shot's first person, None for that one.
            floor_under_m: where the floor of all is, None for one of the person's own.
        """
        self.reporter.cancel.check()
        prediction, lens = adapted.prediction, camera.lens

        def placed(what: Prediction, like: NDArray[np.float64] | None) -> WorldMotion:
            if camera.path is not None:
                path = rows_of(camera.path, track.frame_indices)
                return to_moving_world(what, track.timestamps, self.body, path, camera.path[0])
            still = to_world(what, track.timestamps, self.body, camera, like, floor_under_m)
            return seen_turning(still, turns_of(camera, track.frame_indices))

        world = before = placed(prediction, shared)
        if prediction is not initial:
            before = placed(initial, world.camera_to_world)
        return Motion(
            poses=world.poses,
            trans=world.trans,
            betas=prediction.betas,
            gender=self.body.gender,
            surface_model_type=self.body.surface_model_type,
            mocap_framerate=frame_rate,
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
            if self.adapts
            else retrieval_run.agreement(labels, world.poses, track.timestamps),
            contacts=world.contacts,
            initial_poses=before.poses,
            initial_trans=before.trans,
            camera_path=world.camera_path,
            keypoints2d_footage=lens.bend(adapted.keypoints, track.frame_indices) if lens is not None else None,
            camera_intrinsics=lens.rows(track.frame_indices) if lens is not None and lens.zooms else None,
            shots=np.array([[0, len(track.timestamps) - 1]]) if self._cuts_s else None,
            cuts_s=np.array(self._cuts_s) if self._cuts_s else None,
            mirrored=np.array(1, np.uint8) if self.options.mirrored else None,
        )

    def _finish(self, clip: Clip, camera: Camera, results: list[Result]) -> None:
        """Exports, the report and the results; the report is written also if the exports fail."""
        exports: list[Path] = []
        trouble: EngineError | None = None
        try:
            if "export" in self.stages:
                with self._stage("export"):
                    exports = self._export(results)
        except EngineError as error:
            trouble = error
        path = self.folder / report.REPORT
        outputs.write_json(
            path,
            {
                **report.describe_run(self.options),
                "footage": report.describe_footage(clip, self._cuts_s),
                "camera": report.describe_camera(camera),
                "people": [
                    {
                        **report.describe_person(one.track, one.prediction, one.motion, result.motion_file, self.body),
                        "adaptation": one.about,
                    }
                    for result in results
                    for one in result.stretches
                ],
                "exports": [file.name for file in exports],
                "seconds": {name: round(value, 3) for name, value in self.reporter.seconds.items()},
                "reused": self.cache.reused,
                "warnings": self.reporter.warnings,
                "error": None if trouble is None else {"code": trouble.code, "message": trouble.message},
            },
        )
        if trouble is not None:
            raise trouble
        for one in results:
            stem = one.motion_file.stem
            self.reporter.send(
                "result",
                clip=self.folder.name,
                person=one.person,
                motion=str(one.motion_file),
                body=str(one.body_file),
                report=str(path),
                exports=[str(file) for file in exports if file.stem in (stem, self.folder.name, "preview")],
                frames=len(one.motion.timestamps),
            )

    def _export(self, results: list[Result]) -> list[Path]:
        """What Blender writes, and the preview of the first person."""
        options, files = self.options, [one.motion_file for one in results]
        previews: list[Path] = []
        parts = [Part(self.reporter, number, 2) for number in range(2)] if options.preview else [self.reporter]
        if options.preview:
            first = [part for one in results if one.person == results[0].person for part in one.stretches]
            previews += write_preview(together(first), self.body, self._frames(), self.folder, parts[1])
        return [*export_motion(files, options.exports, parts[0], footage=self.path), *previews]
