"""Runs of the whole engine for `bench --hide`: each motion is kept, and detections are made once for each footage."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from engine import detection, stages
from engine.clips import run_clips
from engine.errors import EngineError, NobodyFoundError
from engine.evaluation.hide_rows import HideRow, labels_of
from engine.evaluation.hide_scores import matched
from engine.evaluation.measures import Common
from engine.evaluation.results import ENGINE, digest_of, key_of
from engine.evaluation.results import fingerprint as networks_and_methods
from engine.files.atomic import replacing
from engine.footage.clip import Clip
from engine.footage.decoding import fingerprint, probe
from engine.keypoints.types import SEEN_CONFIDENCE, PersonTrack
from engine.output.folders import clip_folders, prepare_folder
from engine.output.motion_file import Motion, read_motion
from engine.protocol import Job
from engine.run_options import check_options
from engine.runtime.cache import FOLDER, Cache
from engine.runtime.cancel import Cancel
from engine.runtime.progress import Silent
from engine.runtime.reporter import Reporter

_KEPT_STAGE = "detect-"
_CODE_FILE = "code.txt"
_NEAR = 0.1
"""Parts of the box's larger side: keypoints this far apart in the middle are one person's."""


def code_key() -> str:
    """Stands for the code and the networks that a motion depends on."""
    others = [*ENGINE.glob("*.py"), *(ENGINE / "keypoints").glob("*.py")]
    return key_of(networks_and_methods(), digest_of(sorted(others)))


@dataclass(frozen=True)
class Runs:
    """Runs of one clip.

    Attributes:
        folder: takes a folder for each footage, and `rows` with the motions.
        common: options of all runs.
        right, wrong: labels, '' where there is none.
        code: see `code_key`; motions of other code are made again.
    """

    folder: Path
    common: Common
    right: str
    wrong: str
    code: str

    def job(self, footage: Path, row: HideRow, focal_px: float | None, person: str = "main") -> Job:
        """The engine's job."""
        common = self.common
        label, labeler = labels_of(row, self.right, self.wrong)
        return Job(
            footage=[str(footage)],
            out=str(self.folder),
            preset=common.preset,
            label=label,
            labeler=labeler,
            person=person,
            backbone=row.backbone or common.backbone,
            device=common.device,
            body=str(common.body or ""),
            focal_px=focal_px,
            resume=True,
            seed=common.seed,
            overrides=[*common.overrides, *row.overrides],
        )

    def motion(self, job: Job, name: str) -> Motion:
        """The motion of a run, kept as `rows/<name>-<key>.npz`. Raises EngineError if the run fails."""
        footage = Path(job.footage[0])
        requested = {key: value for key, value in asdict(job).items() if key not in ("footage", "out")}
        kept = self.folder / "rows" / f"{name}-{key_of(self.code, fingerprint(footage), requested)}.npz"
        if not kept.is_file():
            log(f"{self.folder.name}: {name}")
            made = self._run(job, footage)
            with replacing(kept) as file:
                file.write(made.read_bytes())
        return read_motion(kept)

    def person(self, job: Job, motion: Motion) -> str:
        """Number of the person of `motion`, which is of the footage in full view, in other footage of the same times.

        Raises:
            NobodyFoundError: nobody is where that person is.
        """
        footage = Path(job.footage[0])
        options = check_options(replace(job, person="all"))
        folder = self._prepared(footage)
        clip = Clip(footage, probe(footage, options.settings.footage.image_rate), fingerprint(footage))
        cache, progress = Cache(folder, True, lambda *_: None), Silent()
        log(f"{self.folder.name}: people of {footage.stem}")
        clip = stages.find_cuts(clip, options, cache, progress)
        found = detection.detect(clip, options, cache, progress)
        tracks = stages.track(clip, found, options, cache, progress)
        best = max(tracks, key=lambda track: shared_rows(track, motion))
        if not shared_rows(best, motion):
            raise NobodyFoundError(
                f"The person of the full view is not found in {footage}.", "Hide less, or take another clip."
            )
        return str(best.person)

    def _run(self, job: Job, footage: Path) -> Path:
        options = check_options(job)
        self._prepared(footage)
        listener = _Listener()
        run_clips([(footage, None)], self.folder, options, Reporter(listener, Cancel()))
        return listener.motion()

    def _prepared(self, footage: Path) -> Path:
        """The footage's folder, without what other code left in it; its detections stay."""
        folder = clip_folders(self.folder, [footage])[0]
        prepare_folder(folder, footage)
        marker = folder / FOLDER / _CODE_FILE
        if not marker.is_file() or marker.read_text(encoding="ascii") != self.code:
            for stale in (folder / FOLDER).glob("*-*"):
                if not stale.name.startswith(_KEPT_STAGE):
                    stale.unlink()
            with replacing(marker) as file:
                file.write(self.code.encode("ascii"))
        return folder


def shared_rows(track: PersonTrack, motion: Motion) -> int:
    """Rows of `motion` in which the track's keypoints are those of its person."""
    rows, keep = matched(motion.timestamps, track.timestamps)
    if not keep.any() or track.keypoint_names != tuple(motion.keypoint_names.tolist()):
        return 0
    mine, theirs = track.keypoints[rows].astype(np.float64), motion.keypoints2d[keep].astype(np.float64)
    sure = (np.minimum(mine[..., 2], theirs[..., 2]) >= SEEN_CONFIDENCE) & track.detected[rows][:, None]
    distances = np.where(sure, np.linalg.norm(mine[..., :2] - theirs[..., :2], axis=-1), np.nan)[sure.any(1)]
    flat = np.where(theirs[..., 2:] >= SEEN_CONFIDENCE, theirs[..., :2], np.nan)[sure.any(1)]
    sides = (np.nanmax(flat, 1) - np.nanmin(flat, 1)).max(-1)
    return int((np.nanmedian(distances, 1) < _NEAR * sides).sum())


class _Listener:
    """Takes a run's events, and knows how it ended."""

    def __init__(self) -> None:
        self._motion: Path | None = None
        self._trouble: dict[str, Any] = {}

    def send(self, name: str, **values: Any) -> None:
        """Keep what matters of an event."""
        if name == "result":
            self._motion = Path(values["motion"])
        elif name == "error":
            self._trouble = values

    def close(self) -> None:
        """Nothing to tidy."""

    def motion(self) -> Path:
        """The motion file. Raises the EngineError that the run ended with."""
        if self._motion is not None and not self._trouble:
            return self._motion
        kinds = {kind.code: kind for kind in EngineError.__subclasses__()}
        code, message, hint = (str(self._trouble.get(key, "")) for key in ("code", "message", "hint"))
        raise kinds.get(code, EngineError)(message or "The run wrote no motion.", hint)


def log(text: str) -> None:
    """A line on stderr that announces what comes next."""
    sys.stderr.write(f"{text} …\n")
    sys.stderr.flush()
