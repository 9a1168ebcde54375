"""The training corpus: retargeted clips and authored performances in one file, with labels and a split by performer.

The file is built on the machine that trains and is not passed on: the CMU data may not be resold, HDM05 is under CC
BY-SA. World frame of the file: right-handed, z up, floor at z = 0, metres; rotations as axis-angle in float32 (half
precision would put a jitter of its own into accelerations).
"""

from __future__ import annotations

import csv
import json
import re
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.array_file import ArrayFileError, read_arrays
from engine.array_tables import CORPUS, MOST_CORPUS_BYTES
from engine.body.model import BodyModel, load_body
from engine.errors import UsageError
from engine.json_file import JsonFileError, parse_json
from engine.motion import write_arrays
from engine.progress import Progress
from engine.training.authored import ACTIONS, author, performers
from engine.training.figure import MIRROR, Floats, MotionClip, figure_of, vectors
from engine.training.retarget import retarget_folder
from engine.training.source_pose import read_joint_maps

FORMAT_VERSION = 1
HELD_OUT = {
    "hdm_tr": "all eleven HDM05 classes have five actors; this one's takes are among the cleanest",
    "cmu_07": "walk, walk slowly, walk briskly",
    "cmux_walk_24": "walk and turn left",
    "cmux_walk_48": "walk and turn right",
    "cmux_signal_c": "basketball referee signals",
    "cmux_jumping": "jump forward",
    "cmu_11": "kick soccer ball",
    "cmux_run": "run",
}
"""Performers whose clips no network is trained on, and the labels that each of them is there to score.

Every label with two performers or more has one on each side. Who the performers of the `cmux_` clips are is a guess of
the corpus's provenance table: one of them may be a person of the other side.
"""
UNEVEN_GROUND = frozenset({"cmu_01", "cmu_03"})
"""Performers on playground equipment and on uneven ground: the floor is no plane, contact is unknown."""
_AUTHORED_PERFORMERS, _TAKES = 16, 2
_AUTHORED_HELD_OUT_SHARE = 0.19
_LARGEST_BETA = 1.5
_TO_Z_UP = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
_UNKNOWN_CONTACT = -1


@dataclass(frozen=True)
class LabelRow:
    """One labelled interval of a clip."""

    start: int
    """First frame."""
    end: int
    """Frame after the last."""
    label: str
    category: str

    def mirrored(self) -> LabelRow:
        """The label of the mirrored motion: left and right change places."""
        return replace(self, label=mirrored_text(self.label))


@dataclass(frozen=True)
class CorpusClip:
    """One clip of the corpus. World frame z up, metres, radians."""

    name: str
    source: str
    performer: str
    synthetic: bool
    """Authored, not captured."""
    held_out: bool
    """Of a performer that no network is trained on."""
    poses: NDArray[np.float32]
    """(T, 72) axis-angle, SMPL joints, root first."""
    pelvis: NDArray[np.float32]
    """(T, 3) pelvis joint; SMPL's translation is this minus the rest pelvis of the body with `betas`."""
    contacts: NDArray[np.int8]
    """(T, 4) left heel, left toe, right heel, right toe: 1 on the ground, 0 in the air, -1 unknown."""
    betas: NDArray[np.float32]
    """(10,) shape of the open body that the motion was put on."""
    labels: tuple[LabelRow, ...]
    fps: float = 30.0

    def mirrored(self) -> CorpusClip:
        """The same motion with left and right changed, labels too."""
        # the mirror is the plane x = 0 in the rest frame as in the world
        poses = self.poses.reshape(-1, 24, 3)[:, MIRROR] * np.array([1, -1, -1], np.float32)
        return replace(
            self,
            name=f"{self.name}_mirrored",
            poses=poses.reshape(-1, 72),
            pelvis=self.pelvis * np.array([-1, 1, 1], np.float32),
            contacts=self.contacts[:, [2, 3, 0, 1]],
            labels=tuple(row.mirrored() for row in self.labels),
        )


@dataclass
class CorpusReport:
    """What went into a corpus."""

    clips: int = 0
    minutes: float = 0.0
    synthetic_minutes: float = 0.0
    held_out_minutes: float = 0.0
    refused: list[str] = field(default_factory=list)
    """One sentence for each clip that could not be used."""
    joint_error_mm: dict[str, float] = field(default_factory=dict)
    """Mean joint error of retargeting for each source, weighted by frames."""


def mirrored_text(label: str) -> str:
    """A label with the words left and right changed."""
    swap = {"left": "right", "right": "left"}
    return re.sub(r"\b(left|right)\b", lambda match: swap[match.group()], label)


def build_corpus(
    motions: Path,
    out: Path,
    seed: int,
    progress: Progress,
    body: BodyModel | None = None,
    authored_performers: int = _AUTHORED_PERFORMERS,
) -> CorpusReport:
    """Build the corpus file from a folder of motion capture and from the authored actions.

    Args:
        motions: folder with `bvh/<source>/<clip>.bvh`, `labels.csv`, `provenance.csv` and `skeletons.json`.
        out: `.npz` to write.
        seed: fixes all variation; the same seed gives the same file.
        progress: told after every clip; refused clips are warned of and the others go on.
        body: the body that motions are put on; the bundled open body if none is given.
        authored_performers: people who perform the authored actions, twice each; about a fifth of them is held out.

    Returns:
        What went in.

    Raises:
        UsageError: the folder or one of its tables is missing or damaged.
        CancelledError: the user asked to stop; nothing is written.
    """
    body = body or load_body(None)
    report = CorpusReport()
    total = len(list((motions / "bvh").glob("*/*.bvh"))) + len(ACTIONS) * authored_performers * _TAKES
    if not (motions / "bvh").is_dir():
        raise UsageError(f"There is no folder 'bvh' in {motions}.", "Give the folder that holds bvh and labels.csv.")
    clips: list[CorpusClip] = []
    for clip in (*_captured(motions, body, progress, report, total), *_authored(seed, body, authored_performers)):
        clips.append(clip)
        progress(min(len(clips) + len(report.refused), total), total)
    report.clips = len(clips)
    report.minutes = sum(len(c.pelvis) / c.fps for c in clips) / 60
    report.synthetic_minutes = sum(len(c.pelvis) / c.fps for c in clips if c.synthetic) / 60
    report.held_out_minutes = sum(len(c.pelvis) / c.fps for c in clips if c.held_out) / 60
    write_corpus(out, clips)
    return report


def _captured(
    motions: Path, body: BodyModel, progress: Progress, report: CorpusReport, total: int
) -> Iterator[CorpusClip]:
    labels, provenance = _read_labels(motions / "labels.csv"), _read_table(motions / "provenance.csv")
    performer_of = {row["clip"]: row["split_group"] for row in provenance}
    uneven = frozenset(clip for clip, group in performer_of.items() if group in UNEVEN_GROUND)
    maps, figure = read_joint_maps(motions / "skeletons.json"), figure_of(body)
    errors: dict[str, list[tuple[float, int]]] = defaultdict(list)
    for done, (path, result) in enumerate(retarget_folder(motions / "bvh", maps, figure, uneven)):
        progress(done, total)
        if isinstance(result, UsageError):
            report.refused.append(result.message)
            progress.warn("clip_refused", result.message)
            continue
        clip, fit = result
        performer = performer_of.get(path.stem, path.parent.name)
        errors[path.parent.name].append((fit.joint_error_m, len(clip.pelvis)))
        rows = tuple(row for row in labels.get(path.stem, ()) if row.start < len(clip.pelvis))
        yield _corpus_clip(clip, path.parent.name, performer, performer in HELD_OUT, figure.betas, rows)
    for source, pairs in errors.items():
        values, weights = zip(*pairs, strict=True)
        report.joint_error_mm[source] = float(np.average(values, weights=weights) * 1000)


def _authored(seed: int, body: BodyModel, count: int) -> Iterator[CorpusClip]:
    rng = np.random.default_rng(seed)
    shapes = rng.standard_normal((count, 10)).clip(-_LARGEST_BETA, _LARGEST_BETA)
    people = performers(count, rng, [figure_of(body, shape) for shape in shapes])
    for action in ACTIONS.values():
        for i, person in enumerate(people):
            held_out = i >= count - max(1, round(count * _AUTHORED_HELD_OUT_SHARE))
            for take in range(_TAKES):
                key = zlib.crc32(f"{action.label}/{person.name}/{take}".encode())
                clip = author(action.label, person, np.random.default_rng((seed, key)))
                clip = replace(clip, name=f"authored_{action.label.replace(' ', '_')}_{i:02d}_{take}")
                row = LabelRow(0, len(clip.pelvis), action.label, action.category)
                yield _corpus_clip(clip, "authored", person.name, held_out, person.figure.betas, (row,))


def _corpus_clip(
    clip: MotionClip, source: str, performer: str, held_out: bool, betas: Floats, rows: tuple[LabelRow, ...]
) -> CorpusClip:
    """The clip in the corpus's world frame."""
    rotations = clip.rotations.copy()
    rotations[:, 0] = _TO_Z_UP @ rotations[:, 0]
    contacts = np.where(np.isnan(clip.contacts), _UNKNOWN_CONTACT, clip.contacts > 0.5).astype(np.int8)
    return CorpusClip(
        clip.name,
        source,
        performer,
        source == "authored",
        held_out,
        vectors(rotations).reshape(-1, 72).astype(np.float32),
        (clip.pelvis @ _TO_Z_UP.T).astype(np.float32),
        contacts,
        betas.astype(np.float32),
        rows,
        clip.fps,
    )


def _read_table(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path.name} cannot be read.", f"It should lie in {path.parent}.") from error


def _read_labels(path: Path) -> dict[str, list[LabelRow]]:
    """Labelled intervals by clip name."""
    rows: dict[str, list[LabelRow]] = defaultdict(list)
    for number, row in enumerate(_read_table(path), 2):
        clip, label = _label_row(row, f"{path.name}, line {number}")
        rows[clip].append(label)
    return rows


def _label_row(row: dict[str, str], where: str) -> tuple[str, LabelRow]:
    try:
        return row["clip"], LabelRow(int(row["start_frame"]), int(row["end_frame"]), row["label"], row["category"])
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f"{where}: not a row of labels.", "See the corpus's README.") from error


def write_corpus(path: Path, clips: Sequence[CorpusClip]) -> None:
    """Write clips to one `.npz`, atomically. Raises OutputError if the disk refuses."""
    about = [
        {
            "name": c.name,
            "source": c.source,
            "performer": c.performer,
            "synthetic": c.synthetic,
            "held_out": c.held_out,
            "frames": len(c.pelvis),
            "fps": c.fps,
            "labels": [[r.start, r.end, r.label, r.category] for r in c.labels],
        }
        for c in clips
    ]
    write_arrays(
        path,
        {
            "format_version": np.array(FORMAT_VERSION),
            "clips": np.array(json.dumps(about)),
            "poses": np.concatenate([c.poses for c in clips]),
            "pelvis": np.concatenate([c.pelvis for c in clips]),
            "contacts": np.concatenate([c.contacts for c in clips]),
            "betas": np.stack([c.betas for c in clips]),
        },
    )


def read_corpus(path: Path) -> list[CorpusClip]:
    """Read a corpus file.

    Raises:
        UsageError: there is no such file, or it is no corpus of this version.
    """
    try:
        arrays = read_arrays(path, CORPUS, MOST_CORPUS_BYTES)
        version, about = int(arrays["format_version"]), parse_json(str(arrays["clips"]))
    except (OSError, ArrayFileError, JsonFileError) as error:
        raise UsageError(f"{path} is no corpus file.", "Build one with: adapt-motion train corpus") from error
    if version != FORMAT_VERSION:
        raise UsageError(
            f"{path} is a corpus of version {version}, this program reads {FORMAT_VERSION}.", "Rebuild it."
        )
    try:
        starts = np.cumsum([0, *(entry["frames"] for entry in about)])
        return [_clip_of(entry, arrays, starts[i], starts[i + 1], i) for i, entry in enumerate(about)]
    except (TypeError, KeyError, IndexError, ValueError) as error:
        raise UsageError(f"{path} is no corpus file.", "Build one with: adapt-motion train corpus") from error


def _clip_of(entry: dict[str, Any], arrays: dict[str, Any], start: int, end: int, row: int) -> CorpusClip:
    return CorpusClip(
        name=entry["name"],
        source=entry["source"],
        performer=entry["performer"],
        synthetic=entry["synthetic"],
        held_out=entry["held_out"],
        poses=arrays["poses"][start:end],
        pelvis=arrays["pelvis"][start:end],
        contacts=arrays["contacts"][start:end],
        betas=arrays["betas"][row],
        labels=tuple(LabelRow(*label) for label in entry["labels"]),
        fps=entry["fps"],
    )


def performers_by_label(clips: Sequence[CorpusClip]) -> dict[str, Counter[str]]:
    """How many labelled intervals each performer has of each label."""
    table: dict[str, Counter[str]] = defaultdict(Counter)
    for clip in clips:
        for row in clip.labels:
            table[row.label][clip.performer] += 1
    return dict(table)
