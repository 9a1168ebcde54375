"""From footage to motion files. Each stage is one call of another module; no stage reaches back."""

from __future__ import annotations

import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine import adapting, detection, stages
from engine.adaptation import stage as adaptation
from engine.adaptation.corrected import Work
from engine.adaptation.correcting import corrected_stretches
from engine.adaptation.proposing import propose_again
from engine.adaptation.stage import Adapted
from engine.backbones.types import Backbone, Camera, Prediction
from engine.body.model import BodyModel
from engine.camera_following import follow_camera
from engine.errors import EngineError
from engine.footage.clip import Clip
from engine.footage.decoding import fingerprint, probe
from engine.in_world import in_world
from engine.keypoints.types import FrameDetections, PersonTrack
from engine.output import folders as outputs
from engine.output import people_summary, report
from engine.output.blender_export import export_motion
from engine.output.preview import write_preview
from engine.output.results import Result, together, write_results
from engine.people import concerns
from engine.people.across_cuts import confirmed, describe_cuts
from engine.run_options import RunOptions
from engine.runtime.cache import Cache
from engine.runtime.progress import Progress
from engine.runtime.reporter import Beside, Part, Reporter
from engine.semantics import retrieval_run, segments
from engine.stages import Estimated
from engine.world.still_camera import to_world

_STAGES = ("footage", "shots", "detect", "track", "predict", "segment", "takes", "adapt", "world", "correct", "write")
_LOOK_S = 0.1
_LAST_STAGE = {"people": "track", "labels": "segment", "takes": "takes"}
"""Where a run with `--only` stops."""


class ClipRun:
    """One clip from footage to files."""

    def __init__(self, path: Path, folder: Path, options: RunOptions, body: BodyModel, reporter: Reporter) -> None:
        self.path, self.folder, self.options, self.body, self.reporter = path, folder, options, body, reporter
        self.cache = Cache(folder, options.resume, reporter.warn)
        self.adapts = adaptation.wanted(options)
        left_out = {"adapt": not self.adapts, "correct": options.corrections is None, "takes": options.only != "takes"}
        stages_of_all = [name for name in _STAGES if not left_out.get(name)]
        self.stages = (*stages_of_all, *(("export",) if options.exports or options.preview else ()))
        self._backbone: Backbone | None = None
        if options.only:
            self.stages = self.stages[: self.stages.index(_LAST_STAGE[options.only]) + 1]

    def run(self) -> None:
        """All the stages in order. Raises EngineError."""
        outputs.prepare_folder(self.folder, self.path)
        people = self.estimate()
        if people is not None and self.options.only == "takes":
            self._propose(people)
        elif people is not None:
            self._write(people, self._adapted(people))

    def estimate(self) -> Estimated | None:
        """The stages before adaptation; None where `--only` ends the run. Raises EngineError."""
        options, reporter = self.options, self.reporter
        with self._stage("footage"):
            info = probe(self.path, options.settings.footage.image_rate)
            clip = Clip(self.path, info, fingerprint(self.path), mirrored=options.mirrored)
        with self._stage("shots"):
            clip = stages.find_cuts(clip, options, self.cache, reporter)
            camera = stages.make_camera(clip, options)
            options = self.options = detection.as_known(clip, options, self.cache)
        with self._stage("detect"):
            found = detection.detect(clip, options, self.cache, reporter)
        with self._stage("track"):
            cuts_s = self._report_cuts(clip, found)
            tracks = stages.track(clip, found, options, self.cache, reporter)
            if options.only == "people":
                self._report_people(clip, tracks)
                return None
            self._report_concerns(tracks)
            if camera.lens is not None:  # from here on a pinhole camera has taken the footage
                tracks = [camera.lens.straighten(one) for one in tracks]
        people = Estimated(clip, found, cuts_s, camera, tracks)
        with self._stage("predict"):
            parts = [Part(reporter, number, len(tracks)) for number in range(len(tracks))]
            network = self._network(people)
            predictions = [
                stages.predict(clip, track, camera, self.body, network, options, self.cache, part)
                for track, part in zip(tracks, parts, strict=True)
            ]
        people = replace(people, predictions=predictions)
        with self._stage("segment"):
            self._check_labels(found[-1].time_s + 1 / float(info.frame_rate), tracks)
            labels = [self._labels(people, *person) for person in zip(tracks, predictions, parts, strict=True)]
            if options.only == "labels":
                self._report_labels(camera, tracks, predictions, labels)
                return None
        return replace(people, labels=labels)

    def adapt(self, people: Estimated, number: int) -> Adapted:
        """One of the people adapted, from the pre-trained weights. Raises EngineError."""
        part = Part(self.reporter, number, len(people.tracks))
        return adapting.adapt_one(people, number, self.body, self._network(people), self.options, self.cache, part)

    def _propose(self, people: Estimated) -> None:
        """Takes for hidden stretches of the motion that is there."""
        with self._stage("takes"):
            for number, (track, labels) in enumerate(zip(people.tracks, people.labels, strict=True)):
                part = Part(self.reporter, number, len(people.tracks))
                propose_again(self.folder, track, labels, people.camera, self.body, self.options, part)

    def _adapted(self, people: Estimated) -> list[Adapted]:
        """All the people adapted; as they were in a run without this stage."""
        if not self.adapts:
            return [adaptation.as_it_was(*person) for person in zip(people.tracks, people.predictions, strict=True)]
        with self._stage("adapt"):
            whole = people, self.body, self._network(people), self.options, self.cache, self.folder, self.reporter
            return adapting.adapt_all(*whole)

    def _write(self, people: Estimated, adapted: list[Adapted]) -> None:
        """The stages after adaptation."""
        options = self.options
        with self._stage("world"):
            people = follow_camera(people, options, self.cache, self.reporter)
            stretches = in_world(people, adapted, self.body, options, self.reporter)
        if options.corrections is not None:
            with self._stage("correct"):
                if self.adapts and adaptation.STAGE not in self.cache.reused:
                    self.reporter.warn(
                        "kept_gone",
                        "What the run before has kept is gone, or its options were others: the clip was adapted from "
                        "scratch for the corrections.",
                    )
                work = Work(people.camera, self.body, self._network(people), options)
                key = people.clip.footage_key
                stretches = corrected_stretches(stretches, options.corrections, key, work, self.cache, self.reporter)
        with self._stage("write"):
            split = bool(people.cuts_s) and options.shots == "split"
            results = write_results(stretches, self.folder, self.body, split)
        self._finish(people, results)

    def _stage(self, name: str) -> AbstractContextManager[None]:
        return self.reporter.stage(name, self.stages.index(name) + 1, len(self.stages))

    def _report_cuts(self, clip: Clip, found: list[FrameDetections]) -> list[float]:
        times = {frame.index: frame.time_s for frame in found}
        cuts_s = [times[cut] for cut in confirmed(clip.cuts, found) if cut in times]
        if cuts_s:
            self.reporter.warn("cuts", describe_cuts(cuts_s))
        return cuts_s

    def _report_concerns(self, tracks: list[PersonTrack]) -> None:
        for code, sentence in concerns.of_tracks(tracks):
            self.reporter.warn(code, sentence)

    def _report_people(self, clip: Clip, tracks: list[PersonTrack]) -> None:
        folder = self.folder / "people"
        people = people_summary.describe_people(clip, tracks, folder, self.options.settings.footage.image_rate)
        self.reporter.send("people", clip=self.folder.name, people=people)

    def _labels(
        self, people: Estimated, track: PersonTrack, prediction: Prediction, progress: Progress
    ) -> NDArray[np.str_]:
        """(T,) what is typed and, where nothing is, what the labeler says."""
        options, settings = self.options, self.options.settings
        typed = segments.spread(options.segments, track.timestamps)
        if options.labeler == "openai":
            from engine.semantics import vlm_run

            return vlm_run.label_rows(
                typed, track, functools.partial(people.frames, options), settings.labeler, settings.models,
                options.device, options.allow_upload, progress,
            )  # fmt: skip
        if options.labeler == "retrieval":
            poses = to_world(prediction, track.timestamps, self.body, people.camera).poses
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

    def _network(self, people: Estimated) -> Callable[[], Backbone]:
        """Gives the backbone, which is made once for all people of the clip."""

        def made() -> Backbone:
            if self._backbone is None:
                self._backbone = adapting.network_of(people, self.options, self.folder, self.reporter)
            return self._backbone

        return made

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

    def _finish(self, people: Estimated, results: list[Result]) -> None:
        """Exports, the report and the results; the report is written also if the exports fail."""
        exports: list[Path] = []
        trouble: EngineError | None = None
        try:
            if "export" in self.stages:
                with self._stage("export"):
                    exports = self._export(people, results)
        except EngineError as error:
            trouble = error
        path = self.folder / report.REPORT
        outputs.write_json(
            path,
            {
                **report.describe_run(self.options),
                "footage": report.describe_footage(people.clip, people.cuts_s),
                "camera": report.describe_camera(people.camera),
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

    def _export(self, people: Estimated, results: list[Result]) -> list[Path]:
        """What Blender writes in a process of its own, and beside it the preview of the first person."""
        options, files = self.options, [one.motion_file for one in results]
        if not options.preview:
            return export_motion(files, options.exports, self.reporter, footage=self.path)
        first = together([part for one in results if one.person == results[0].person for part in one.stretches])
        beside = Beside(self.reporter)
        with ThreadPoolExecutor(1, "export") as pool:
            exported = pool.submit(export_motion, files, options.exports, beside, footage=self.path)
            try:
                previews = write_preview(first, self.body, people.frames(options), self.folder, self.reporter)
            except BaseException:
                beside.stop()
                raise
            while not exported.done():
                self.reporter.cancel.check()
                wait([exported], _LOOK_S)
            return [*exported.result(), *previews]
