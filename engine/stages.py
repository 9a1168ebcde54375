"""The stages that take long, each with its results kept in the cache."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from engine.backbones.choice import backbone_key
from engine.backbones.known_height import at_height
from engine.backbones.types import PREDICTION, Backbone, Camera, Prediction
from engine.body.model import BodyModel
from engine.camera.pinhole import default_focal_px, intrinsics
from engine.camera.solve import SolvedShot
from engine.detection import detection_key
from engine.footage import shots
from engine.footage.bars import Bars
from engine.footage.clip import Clip
from engine.footage.decoding import FootageInfo, Frame
from engine.footage.frame_table import FrameTable, TableMaker
from engine.keypoints.swaps import repair_swaps
from engine.keypoints.tracking import choose, track_people
from engine.keypoints.types import FrameDetections, PersonTrack
from engine.people.across_cuts import confirmed
from engine.people.appearance import Appearance, describe
from engine.people.bridging import bridged
from engine.people.concerns import describe_rivals, rivals
from engine.people.merging import arranged
from engine.people.returning import may_return, number_people
from engine.run_options import RunOptions
from engine.runtime.cache import Arrays, Cache, Recorder, content_of, key_of, load_entry, text_array
from engine.runtime.progress import Progress
from engine.semantics.segments import spread

_TRACK = tuple(item.name for item in fields(PersonTrack) if item.name != "height_m")
"""Names of a track's arrays in the cache: what was detected, not what the user adds."""


_TABLE = tuple(item.name for item in fields(FrameTable))


@dataclass(frozen=True)
class Estimated:
    """What a run knows of the people before they are adapted. Plain values that another machine takes.

    Attributes:
        clip: the footage.
        found: everybody in every frame.
        cuts_s: seconds at which the footage is cut.
        camera: that took it.
        tracks: the requested people, as a pinhole camera sees them.
        predictions: of the tracks.
        labels: (T,) of each track.
        solved: the camera's path in each shot, without scale, where it moves through the scene and could be solved.
    """

    clip: Clip
    found: list[FrameDetections]
    cuts_s: list[float]
    camera: Camera
    tracks: list[PersonTrack]
    predictions: list[Prediction] = field(default_factory=list)
    labels: list[NDArray[np.str_]] = field(default_factory=list)
    solved: list[SolvedShot] = field(default_factory=list)

    def frames(self, options: RunOptions) -> Iterator[Frame]:
        """The footage of the run, from its beginning, as the pinhole camera sees it."""
        rate, lens = options.settings.footage.image_rate, self.camera.lens
        footage = self.clip.frames(options.start_s, options.end_s, image_rate=rate)
        return footage if lens is None else lens.pictures(footage)


def find_cuts(clip: Clip, options: RunOptions, cache: Cache, progress: Progress) -> Clip:
    """The clip with the table of its frames, its cuts, as far as pictures show them, and where black bars leave it."""
    rate = options.settings.footage.image_rate
    span = (options.start_s, options.end_s)
    key = key_of(footage=clip.footage_key, range=span, image_rate=str(rate), mirrored=clip.mirrored, table=_TABLE)
    entry = load_entry(cache, "shots", key, progress)
    if entry is None:
        bars, table, recorder = Bars(), TableMaker(), Recorder(progress)
        footage = bars.watch(clip.frames(*span, image_rate=rate, warn=recorder.warn, table=table))
        cuts = shots.find_cuts(counted(footage, expected_frames(clip.info, options), progress))
        entry = {name: np.array(getattr(cuts, name), np.int64) for name in ("sure", "possible")}
        entry["picture"] = np.array(bars.picture() or (), np.int64)
        entry |= {f"table.{name}": getattr(table.table(), name) for name in _TABLE}
        cache.store("shots", key, {**entry, "warnings": text_array(recorder.warnings)})
    cuts = shots.Cuts(tuple(entry["sure"].tolist()), tuple(entry["possible"].tolist()))
    frames = FrameTable(*(entry[f"table.{name}"] for name in _TABLE))
    return replace(clip, cuts=cuts, picture=tuple(entry["picture"].tolist()) or None, table=frames)


def tracking_key(clip: Clip, options: RunOptions) -> str:
    """What the tracks of everybody depend on; whom the user wants is chosen afterwards."""
    tracking = options.settings.tracking.model_dump()
    return key_of(detections=detection_key(clip, options), settings=tracking)


def track(
    clip: Clip, found: list[FrameDetections], options: RunOptions, cache: Cache, progress: Progress
) -> list[PersonTrack]:
    """The requested people, each over time, left and right repaired."""
    key = tracking_key(clip, options)
    entry = load_entry(cache, "track", key, progress)
    if entry is not None:
        return _known(_unpack_tracks(entry), found, options, progress)
    recorder = Recorder(progress)
    tracks = track_people(found, clip.info, confirmed(clip.cuts, found))
    if options.settings.tracking.repair_swaps:
        tracks = [repair_swaps(one) for one in tracks]
    worn: list[Appearance] = []
    if may_return(tracks):
        worn = describe(tracks, clip.frames(image_rate=options.settings.footage.image_rate))
    tracks = number_people(tracks, worn)
    cache.store("track", key, {**_pack_tracks(tracks), "warnings": text_array(recorder.warnings)})
    return _known(tracks, found, options, progress)


def _known(
    tracks: list[PersonTrack], found: list[FrameDetections], options: RunOptions, progress: Progress
) -> list[PersonTrack]:
    """Tracks of the requested people, with what the user knows of the people."""
    people = arranged(tracks, options.split, options.merge)
    chosen = choose(people, options.person)
    if options.person == "main" and (others := rivals(people)):
        progress.warn("main_unclear", describe_rivals(chosen[0].person, others))
    if options.segments:
        times = {frame.index: frame.time_s for frame in found}
        chosen = bridged(chosen, times, lambda when: spread(options.segments, when) != "")
    return [replace(one, height_m=options.height_m) for one in chosen]


def prediction_key(clip: Clip, person: PersonTrack, camera: Camera, body: BodyModel, options: RunOptions) -> str:
    """What the prediction for one person depends on."""
    return key_of(
        tracks=tracking_key(clip, options),
        stretch=(person.stretch, int(person.frame_indices[0]), len(person.timestamps)),
        camera=camera.intrinsics.tolist(),
        **({"lens": camera.lens.key()} if camera.lens is not None else {}),
        body=content_of(options.body) if options.body else body.surface_model_type,
        backbone=backbone_key(options.backbone, options.settings.fit, options.settings.models, options.settings.hmr),
        seed=options.seed,
        device=options.device,
        **({"height_m": person.height_m} if person.height_m is not None else {}),
    )


def predict(
    clip: Clip,
    person: PersonTrack,
    camera: Camera,
    body: BodyModel,
    backbone: Callable[[], Backbone],
    options: RunOptions,
    cache: Cache,
    progress: Progress,
) -> Prediction:
    """The backbone's prediction for one person; `backbone` is called only where there is work to do."""
    key = prediction_key(clip, person, camera, body, options)
    entry = load_entry(cache, "predict", key, progress)
    if entry is not None:
        return Prediction(**{name: entry[name] for name in PREDICTION})
    recorder = Recorder(progress)
    torch.manual_seed(options.seed)
    prediction = at_height(backbone().predict(person, camera, body, recorder), body, person.height_m)
    arrays = {name: getattr(prediction, name) for name in PREDICTION}
    cache.store("predict", key, {**arrays, "warnings": text_array(recorder.warnings)})
    return prediction


def make_camera(clip: Clip, options: RunOptions) -> Camera:
    """The camera, from what was given, else from the footage's metadata, else the image diagonal as focal length.

    Black bars are no part of the image.
    """
    if options.intrinsics is not None:
        return Camera(options.intrinsics, "given", options.camera_path, options.lens)
    info = clip.info
    left, top, right, bottom = clip.picture or (0, 0, info.width, info.height)
    diagonal = default_focal_px(right - left, bottom - top)
    known = info.focal_px and info.focal_px * diagonal / default_focal_px(info.width, info.height)
    source = "given" if options.focal_px else "metadata" if known else "guess"
    matrix = intrinsics(options.focal_px or known or diagonal, left + right, top + bottom)
    return Camera(matrix.numpy(), source)


def expected_frames(info: FootageInfo, options: RunOptions) -> int:
    """Frames in the range, 0 where the container does not state how many it has."""
    if info.frame_count is None:
        return 0
    end_s = float("inf") if options.end_s is None else options.end_s
    first, last = (
        round(min(time_s * float(info.frame_rate), info.frame_count)) for time_s in (options.start_s or 0.0, end_s)
    )
    return max(last - first, 1)


def counted(stream: Iterable[Frame], total: int, progress: Progress) -> Iterator[Frame]:
    """The frames, and progress of how many of `total` went by."""
    for count, frame in enumerate(stream):
        progress(min(count, total), total)
        yield frame


def _pack_tracks(tracks: list[PersonTrack]) -> Arrays:
    arrays: Arrays = {"count": np.array(len(tracks))}
    for number, one in enumerate(tracks):
        arrays |= {f"{number}.{name}": np.asarray(getattr(one, name)) for name in _TRACK}
    return arrays


def _unpack_tracks(entry: Arrays) -> list[PersonTrack]:
    tracks = []
    for number in range(int(entry["count"])):
        values: dict[str, Any] = {name: entry[f"{number}.{name}"] for name in _TRACK}
        values |= {name: int(values[name]) for name in ("person", "shot", "stretch")}
        values["keypoint_names"] = tuple(values["keypoint_names"].tolist())
        values["image_size"] = tuple(values["image_size"].tolist())
        tracks.append(PersonTrack(**values))
    return tracks
