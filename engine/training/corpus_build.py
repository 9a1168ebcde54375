"""Builds the corpus: folders of motion capture and the authored actions become one file.

A folder holds `bvh/<source>/<clip>.bvh` (or `.amc` with its `.asf`), `labels.csv`, `provenance.csv`, `skeletons.json`
and perhaps `cmux_performers.csv`. Bad clips are refused with a sentence and the others go on; a take that two folders
have is kept once, and everyone who might be one person stays on one side of the split.
"""

from __future__ import annotations

import itertools
import zlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from engine.body.model import BodyModel, load_body
from engine.errors import UsageError
from engine.runtime.progress import Progress
from engine.semantics.dictionary import MotionDictionary
from engine.training.authored import ACTIONS, author, performers
from engine.training.corpus import CorpusClip, LabelRow, write_corpus
from engine.training.corpus_tables import Tables, add_looked_at, read_tables
from engine.training.duplicates import find_duplicates
from engine.training.figure import Figure, Floats, MotionClip, figure_of, vectors
from engine.training.label_names import label_names
from engine.training.rates import suspicious_rate
from engine.training.retarget import motion_files, retarget_folder
from engine.training.source_pose import read_joint_maps
from engine.training.split import HELD_OUT, is_held_out, same_people

_AUTHORED_PERFORMERS, _TAKES = 16, 2
_AUTHORED_HELD_OUT_SHARE = 0.19
_LARGEST_BETA = 1.5
_TO_Z_UP = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
_UNKNOWN_CONTACT = -1


@dataclass
class CorpusReport:
    """What went into a corpus."""

    clips: int = 0
    minutes: float = 0.0
    synthetic_minutes: float = 0.0
    held_out_minutes: float = 0.0
    unlabelled_minutes: float = 0.0
    """Captured motion outside all labels."""
    refused: list[str] = field(default_factory=list)
    """One sentence for each clip that could not be used."""
    duplicates: list[str] = field(default_factory=list)
    """One sentence for each clip that was left out because another is the same take."""
    issues: list[str] = field(default_factory=list)
    """What is odd in tables and clips, one sentence each; nothing was left out for it but label rows that overlap."""
    joint_error_mm: dict[str, float] = field(default_factory=dict)
    """Mean joint error of retargeting for each source, weighted by frames."""
    labels_held_out: list[str] = field(default_factory=list)
    """Labels that only held-out performers have: no network can learn them."""
    labels_without_entry: list[str] = field(default_factory=list)
    """Labels of the corpus that the dictionary lacks: motion-text and in-filler training leave them out."""


@dataclass(frozen=True)
class _Setting:
    body: BodyModel
    figure: Figure
    tables: Tables
    names: Mapping[str, str]
    progress: Progress
    report: CorpusReport
    total: int


def build_corpus(
    motions: Path | Sequence[Path],
    out: Path,
    seed: int,
    progress: Progress,
    body: BodyModel | None = None,
    authored_performers: int = _AUTHORED_PERFORMERS,
    dictionary: MotionDictionary | None = None,
    actions: Sequence[str] = tuple(ACTIONS),
) -> CorpusReport:
    """Build the corpus file from folders of motion capture and from the authored actions.

    Args:
        motions: a folder or several; of a clip or a take that several have the first folder's is kept.
        out: `.npz` to write.
        seed: fixes all variation; the same seed gives the same file.
        progress: called after every clip; refused clips are warned of and the others go on.
        body: the body that motions are put on; the bundled open body if none is given.
        authored_performers: people who perform the authored actions, twice each; about a fifth of them is held out.
        dictionary: whose labels the labels of the sources and of the authored actions become, where the table of
            `label_names` knows one; all stay as they are if left out.
        actions: labels of the authored actions that go in.

    Returns:
        What went in.

    Raises:
        UsageError: a folder or one of its tables is missing or damaged.
        CancelledError: the user cancelled; nothing is written.
    """
    folders = [motions] if isinstance(motions, Path) else list(motions)
    for folder in folders:
        if not (folder / "bvh").is_dir():
            raise UsageError(f"There is no folder 'bvh' in {folder}.", "Give the folder that holds bvh and labels.csv.")
    body = body or load_body(None)
    synthetic = len(actions) * authored_performers * _TAKES
    total = sum(len(motion_files(folder / "bvh")) for folder in folders) + synthetic
    tables, report = Tables(), CorpusReport()
    for folder in folders:
        tables.add(read_tables(folder))
    add_looked_at(tables)
    names = label_names(dictionary) if dictionary else {}
    work = _Setting(body, figure_of(body), tables, names, progress, report, total)
    _note(work, "tables", [*tables.issues, *tables.mixed_groups()])
    captured = _split(_captured(folders, work), work)
    clips = list(captured)
    for clip in _authored(seed, body, authored_performers, actions, work.names):
        clips.append(clip)
        progress(total - synthetic + len(clips) - len(captured), total)
    _sum_up(clips, report)
    if dictionary:
        report.labels_without_entry = sorted(
            {row.label for clip in clips for row in clip.labels} - set(dictionary.labels)
        )
    write_corpus(out, clips)
    return report


def _sum_up(clips: Sequence[CorpusClip], report: CorpusReport) -> None:
    def minutes(chosen: Sequence[CorpusClip]) -> float:
        return sum(len(clip.pelvis) / clip.fps for clip in chosen) / 60

    report.clips, report.minutes = len(clips), minutes(clips)
    report.synthetic_minutes = minutes([clip for clip in clips if clip.synthetic])
    report.held_out_minutes = minutes([clip for clip in clips if clip.held_out])
    labelled = sum(
        (min(row.end, len(clip.pelvis)) - row.start) / clip.fps
        for clip in clips
        if not clip.synthetic
        for row in clip.labels
    )
    trained = {row.label for clip in clips if not clip.held_out for row in clip.labels}
    report.labels_held_out = sorted({row.label for clip in clips for row in clip.labels} - trained)
    report.unlabelled_minutes = report.minutes - report.synthetic_minutes - labelled / 60


def _note(work: _Setting, code: str, sentences: Sequence[str]) -> None:
    work.report.issues.extend(sentences)
    for sentence in sentences:
        work.progress.warn(code, sentence)


def _captured(folders: Sequence[Path], work: _Setting) -> list[CorpusClip]:
    """The captured clips of all folders, all of them on the training side."""
    uneven, performers_of = work.tables.uneven(), work.tables.performers()
    clips: dict[str, CorpusClip] = {}
    errors: dict[str, list[tuple[float, int]]] = defaultdict(list)
    done = 0
    for folder in folders:
        maps = read_joint_maps(folder / "skeletons.json")
        results = retarget_folder(folder / "bvh", maps, work.figure, uneven, work.tables.original_fps)
        for path, result in results:
            work.progress(done, work.total)
            done += 1
            if isinstance(result, UsageError):
                _refuse(work, result.message)
            elif path.stem in clips:
                _refuse(work, f"{path.name} of {folder.name}: a clip of that name is there already.")
            else:
                clip, fit = result
                errors[path.parent.name].append((fit.joint_error_m, len(clip.pelvis)))
                performer = performers_of.get(path.stem, path.parent.name)
                clips[path.stem] = _corpus_clip(
                    clip,
                    path.parent.name,
                    performer,
                    False,
                    work.figure.betas,
                    _rows(path.stem, len(clip.pelvis), work),
                )
                _suspicion(clip, path, work)
    for source, pairs in errors.items():
        values, weights = zip(*pairs, strict=True)
        work.report.joint_error_mm[source] = float(np.average(values, weights=weights) * 1000)
    return list(clips.values())


def _refuse(work: _Setting, sentence: str) -> None:
    work.report.refused.append(sentence)
    work.progress.warn("clip_refused", sentence)


def _rows(clip: str, frames: int, work: _Setting) -> tuple[LabelRow, ...]:
    rows = (row for row in work.tables.labels.get(clip, ()) if row.start < frames)
    return tuple(replace(row, label=work.names.get(row.label, row.label)) for row in rows)


def _suspicion(clip: MotionClip, path: Path, work: _Setting) -> None:
    joints, _ = work.figure.pose(clip.rotations, clip.pelvis)
    suspicion = suspicious_rate(joints, clip.fps)
    if suspicion:
        _note(work, "rate", [f"{path.parent.name}/{path.name}{_rate_line(path)}: {suspicion}"])


def _rate_line(path: Path) -> str:
    """`, line 12`, on which a BVH tells its rate; '' for an AMC, whose rate is in no file of its own."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.suffix.lower() == ".bvh" else []
    found = (number for number, line in enumerate(lines, 1) if line.strip().lower().startswith("frame time"))
    return "".join(f", line {number}" for number in list(found)[:1])


def _split(clips: list[CorpusClip], work: _Setting) -> list[CorpusClip]:
    """The clips without takes that are there twice, on their side of the split."""
    left_out: dict[int, int] = {}
    pairs = [pair for names in work.tables.joined().values() for pair in _neighbours(names)]
    for same in find_duplicates([clip.poses for clip in clips]):
        first, second = clips[same.first], clips[same.second]
        pairs.append((first.performer, second.performer))
        shorter = same.first if len(first.pelvis) < 0.9 * len(second.pelvis) else same.second
        if same.first in left_out or same.second in left_out:
            continue
        left_out[shorter] = same.first if shorter == same.second else same.second
        if first.performer != second.performer:
            sentence = f"{first.name} and {second.name} are one take, of {first.performer} and {second.performer}."
            _note(work, "performers", [f"{sentence} Both stay on one side of the split."])
    for row, kept in left_out.items():
        work.report.duplicates.append(f"{clips[row].name} is the same take as {clips[kept].name} and was left out.")
        work.progress.warn("duplicate", work.report.duplicates[-1])
    joined = same_people(pairs)
    return [_on_its_side(clip, joined) for row, clip in enumerate(clips) if row not in left_out]


def _on_its_side(clip: CorpusClip, joined: Mapping[str, frozenset[str]]) -> CorpusClip:
    """The clip held out if its performer is, under the name by which they are held out."""
    if not is_held_out(clip.performer, joined):
        return clip
    names = {clip.performer} if clip.performer in HELD_OUT else joined[clip.performer] & HELD_OUT.keys()
    return replace(clip, held_out=True, performer=min(names))


def _neighbours(names: frozenset[str]) -> Iterator[tuple[str, str]]:
    ordered = sorted(names)
    return itertools.pairwise(ordered)


def _authored(
    seed: int, body: BodyModel, count: int, actions: Sequence[str], names: Mapping[str, str]
) -> Iterator[CorpusClip]:
    rng = np.random.default_rng(seed)
    shapes = rng.standard_normal((count, 10)).clip(-_LARGEST_BETA, _LARGEST_BETA)
    people = performers(count, rng, [figure_of(body, shape) for shape in shapes])
    for action in (ACTIONS[label] for label in actions):
        for i, person in enumerate(people):
            held_out = i >= count - max(1, round(count * _AUTHORED_HELD_OUT_SHARE))
            for take in range(_TAKES):
                key = zlib.crc32(f"{action.label}/{person.name}/{take}".encode())
                clip = author(action.label, person, np.random.default_rng((seed, key)))
                clip = replace(clip, name=f"authored_{action.label.replace(' ', '_')}_{i:02d}_{take}")
                row = LabelRow(0, len(clip.pelvis), names.get(action.label, action.label), action.category)
                made = _corpus_clip(clip, "authored", person.name, True, person.figure.betas, (row,))
                yield replace(made, held_out=held_out)


def _corpus_clip(
    clip: MotionClip, source: str, performer: str, synthetic: bool, betas: Floats, rows: tuple[LabelRow, ...]
) -> CorpusClip:
    """The clip in the corpus's world frame, on the training side."""
    rotations = clip.rotations.copy()
    rotations[:, 0] = _TO_Z_UP @ rotations[:, 0]
    contacts = np.where(np.isnan(clip.contacts), _UNKNOWN_CONTACT, clip.contacts > 0.5).astype(np.int8)
    return CorpusClip(
        clip.name,
        source,
        performer,
        synthetic,
        False,
        vectors(rotations).reshape(-1, 72).astype(np.float32),
        (clip.pelvis @ _TO_Z_UP.T).astype(np.float32),
        contacts,
        betas.astype(np.float32),
        rows,
        clip.fps,
    )
