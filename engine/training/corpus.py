"""The training corpus: retargeted clips and authored performances in one file, with labels and a split by performer.

The file is built on the machine that trains and is not passed on: the CMU data may not be resold, HDM05 is under CC
BY-SA. World frame of the file: right-handed, z up, floor at z = 0, metres; rotations as axis-angle in float32 (half
precision would put a jitter of its own into accelerations).
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import UsageError
from engine.files.array_file import ArrayFileError, read_arrays
from engine.files.array_tables import CORPUS, MOST_CORPUS_BYTES
from engine.files.atomic import write_arrays
from engine.files.json_file import JsonFileError, parse_json
from engine.training.figure import MIRROR
from engine.training.split import HELD_OUT as HELD_OUT

FORMAT_VERSION = 1


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


def mirrored_text(label: str) -> str:
    """A label with the words left and right changed."""
    swap = {"left": "right", "right": "left"}
    return re.sub(r"\b(left|right)\b", lambda match: swap[match.group()], label)


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


def learnt_from(clips: Sequence[CorpusClip], share: float = 1.0, seed: int = 0) -> list[CorpusClip]:
    """Clips of a corpus that a network is trained on: none of a held-out performer, and a share of the others'.

    Performers are taken whole, in an order that the seed fixes, until their minutes are the share of all minutes; of
    the last one some clips are left out. Captured and authored motion each give their share. A smaller share is part
    of a larger one of the same seed.
    """
    known = [clip for clip in clips if not clip.held_out]
    if share >= 1:
        return known
    taken: set[int] = set()
    for synthetic in (False, True):
        rows = [row for row, clip in enumerate(known) if clip.synthetic == synthetic]
        people = sorted({known[row].performer for row in rows})
        place = dict(zip(people, np.random.default_rng(seed).permutation(len(people)).tolist(), strict=True))
        rows.sort(key=lambda row: place[known[row].performer])
        ends = np.cumsum([len(known[row].pelvis) / known[row].fps for row in rows])
        enough = int(np.searchsorted(ends, share * ends[-1])) + 1 if rows else 0
        taken.update(rows[:enough])
    return [clip for row, clip in enumerate(known) if row in taken]


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
