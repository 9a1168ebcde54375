"""`adapt-motion bench --hide`: real footage in full view, a part of it hidden, and how much of that comes back."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from engine.body.model import load_body
from engine.errors import CancelledError, EngineError
from engine.evaluation import tables
from engine.evaluation.hide_footage import Cover, Hiding, cover_of, full_view, hides, write_hidden
from engine.evaluation.hide_rows import DEFAULT, HideRow, choose_rows, other_label
from engine.evaluation.hide_runs import Runs, code_key, log
from engine.evaluation.hide_scores import FIGURES, FullView, Joints, score, seen_change
from engine.evaluation.hide_strips import Strips, strip_name
from engine.evaluation.measures import Common
from engine.evaluation.methods import NO_LABEL, WRONG
from engine.evaluation.results import key_of, plain
from engine.evaluation.yardstick import SMPL_PLACES
from engine.files.atomic import write_arrays
from engine.footage.decoding import fingerprint, probe
from engine.output.folders import clip_folders, prepare_folder
from engine.output.motion_file import Motion
from engine.protocol import ExitCode, Job
from engine.run_options import RunOptions, check_options, choose_device, expand_footage

_REFERENCE = {row.key: row for row in DEFAULT}


@dataclass(frozen=True)
class HideChoice:
    """What is measured.

    Attributes:
        footage: as on the command line of `run`.
        hidings: what is hidden, one after the other.
        rows: keys of `hide_rows`, or `all`; none: the short list.
        label, wrong: the right label and a wrong one, '' for none and for one of the dictionary.
        focal_px: of the footage, if known.
        strips: folder for pictures.
    """

    footage: tuple[str, ...]
    hidings: tuple[Hiding, ...]
    rows: tuple[str, ...] = ()
    label: str = ""
    wrong: str = ""
    focal_px: float | None = None
    strips: Path | None = None


def on_footage(choice: HideChoice, common: Common) -> tuple[dict[str, Any], ExitCode]:
    """Print the figures of each kind of hiding; returns them, and the code of the first thing that failed.

    Args:
        choice: what is measured.
        common: options of all runs; `results` is a folder that keeps detections and motions.

    Raises:
        EngineError: an option makes no sense, or nothing can be done at all.
    """
    rows, notes = choose_rows(choice.rows, choice.label)
    wrong = choice.wrong or (other_label(choice.label, common.seed) if any(r.label == WRONG for r in rows) else "")
    image_rate = _checked(choice, common).settings.footage.image_rate
    clips = expand_footage(choice.footage)
    with _folder(common.results) as base:
        prepare_folder(base)
        bench = _Bench(choice, common, rows, wrong, image_rate, code_key(), notes=notes)
        for (path, trouble), folder in zip(clips, clip_folders(base, [path for path, _ in clips]), strict=True):
            with bench.going_on(folder.name):
                if trouble is not None:
                    raise trouble
                bench.clip(path, folder)
    found = bench.figures()
    tables.hidden_limbs(found, common.stream)
    return found, bench.failure


def _checked(choice: HideChoice, common: Common) -> RunOptions:
    """Options of the runs. Raises EngineError before any work is done."""
    job = Job(
        footage=list(choice.footage),
        out=os.curdir,  # checked alone: every row has a folder of its own
        preset=common.preset,
        backbone=common.backbone,
        device=common.device,
        focal_px=choice.focal_px,
        seed=common.seed,
        overrides=list(common.overrides),
    )
    return check_options(job)


@dataclass
class _Bench:
    """Figures of clip after clip."""

    choice: HideChoice
    common: Common
    rows: list[HideRow]
    wrong: str
    image_rate: Fraction
    code: str
    notes: list[str]
    failure: ExitCode = ExitCode.DONE
    found: dict[str, dict[str, Any]] = field(default_factory=dict)

    @contextlib.contextmanager
    def going_on(self, what: str) -> Iterator[None]:
        """Trouble of the body becomes a sentence on stderr and in the notes."""
        try:
            yield
        except CancelledError:
            raise
        except EngineError as error:
            sentence = " ".join(f"{what}: {error.message} {error.hint}".split())
            sys.stderr.write(f"Error: {sentence}\n")
            self.notes.append(sentence)
            self.failure = self.failure or error.exit_code

    def clip(self, path: Path, folder: Path) -> None:
        """Everything about one clip. Raises EngineError."""
        info = probe(path, self.image_rate)
        prepare_folder(folder, path)
        runs = Runs(folder, self.common, self.choice.label, self.wrong, self.code)
        row = _REFERENCE["right_label" if self.choice.label else NO_LABEL.key]
        full = runs.motion(runs.job(path, row, self.choice.focal_px), "full")
        end_s = float(full.timestamps[-1])
        if info.duration_s is not None:
            end_s = max(end_s, info.duration_s - 1 / float(info.frame_rate))
        kinds: dict[str, Any] = {}
        self.found[folder.name] = {"footage": str(path), "frames": len(full.timestamps), "kinds": kinds}
        for hiding in self.choice.hidings:
            with self.going_on(f"{folder.name}, {hiding.kind}"):
                cover = cover_of(hiding, full, end_s)
                if hides(full_view(full, cover, hiding)):
                    target, cover = self._hidden(path, runs, hiding, cover)
                    view = full_view(full, cover, hiding)
                    kinds[hiding.kind] = self._kind(path, target, runs, hiding, full, view)
                else:
                    why = "hides no joint that is compared, so it is left out."
                    self.notes.append(f"{folder.name}, {hiding.kind}: {why}")

    def _hidden(self, path: Path, runs: Runs, hiding: Hiding, cover: Cover) -> tuple[Path, Cover]:
        """The footage with the cover on it, made once, and the cover that it has."""
        at = hiding.at if hiding.kind in ("desk", "cut") else hiding.limb if hiding.kind == "limb" else ""
        name = f"{hiding.kind}-{key_of(fingerprint(path), at)[:8]}"
        target, boxes = runs.folder / f"{name}.mp4", runs.folder / f"{name}.npz"
        if target.is_file() and boxes.is_file():
            with np.load(boxes) as kept:
                return target, Cover(kept["times"], kept["boxes"], cover.rgb, cover.cut)
        log(f"{runs.folder.name}: hiding ({hiding.kind})")
        write_arrays(boxes, {"times": cover.times, "boxes": cover.boxes})
        write_hidden(path, cover, target, self.image_rate)
        return target, cover

    def _kind(
        self, path: Path, target: Path, runs: Runs, hiding: Hiding, full: Motion, view: FullView
    ) -> dict[str, Any]:
        """Figures of all rows on one hidden footage."""
        focal = float(full.intrinsics[0, 0])
        person = runs.person(runs.job(target, self.rows[0], focal), full)
        motions: dict[str, Motion] = {}
        for row in self.rows:
            with self.going_on(f"{runs.folder.name}, {hiding.kind}, {row.title}"):
                motions[row.key] = runs.motion(runs.job(target, row, focal, person), f"{hiding.kind}-{row.key}")
        joints = {key: Joints.of(motion) for key, motion in motions.items()}
        found = {}
        for key, result in joints.items():
            figures = score(view, result)
            if NO_LABEL.key in joints:
                figures["seen_change"] = seen_change(view, result, joints[NO_LABEL.key])
            found[key] = figures
        if self.choice.strips is not None and motions:
            self._strips(path, target, runs.folder.name, hiding.kind, full, view, motions)
        return {"hidden": round(float(view.hidden[:, SMPL_PLACES].mean()), 4), "rows": found}

    def _strips(
        self, path: Path, target: Path, clip: str, kind: str, full: Motion, view: FullView, motions: dict[str, Motion]
    ) -> None:
        body = load_body(self.common.body, choose_device(self.common.device))
        strips = Strips(body, full, path, target, np.asarray(view.scored.any((1, 2))), self.image_rate)
        for row in self.rows:
            if row.key in motions and self.choice.strips is not None:
                title = f"{clip}, {kind}, {row.title}: full view, hidden, result, from the side"
                strips.write(motions[row.key], title, self.choice.strips / strip_name((clip, kind, row.key)))

    def figures(self) -> dict[str, Any]:
        """All that was found, fit for JSON, with the means over clips."""
        clips: dict[str, Any] = {}
        together: dict[str, dict[str, list[dict[str, float]]]] = {}
        for name, clip in self.found.items():
            kinds = {}
            for kind, found in clip["kinds"].items():
                kinds[kind] = {**found, "rows": {key: _short(figures) for key, figures in found["rows"].items()}}
                for key, figures in found["rows"].items():
                    together.setdefault(kind, {}).setdefault(key, []).append(figures)
            clips[name] = {**clip, "kinds": kinds}
        means = {kind: {key: _short(_mean(all_)) for key, all_ in rows.items()} for kind, rows in together.items()}
        common = self.common
        return {
            "label": self.choice.label,
            "wrong_label": self.wrong,
            "preset": common.preset,
            "backbone": common.backbone,
            "seed": common.seed,
            "set": list(common.overrides),
            "rows": {row.key: row.title for row in self.rows},
            "clips": clips,
            "means": means,
            "notes": self.notes,
        }


def _short(figures: dict[str, float]) -> dict[str, float | None]:
    return plain({name: round(figures[name], 4) for name in FIGURES if name in figures})


def _mean(figures: list[dict[str, float]]) -> dict[str, float]:
    """Means of what could be measured."""
    found = {}
    for name in figures[0]:
        values = np.array([one.get(name, np.nan) for one in figures])
        values = values[np.isfinite(values)]
        found[name] = float(values.mean()) if len(values) else float("nan")
    return found


@contextlib.contextmanager
def _folder(results: Path | None) -> Iterator[Path]:
    """The folder that keeps what is done, or one that is gone afterwards."""
    if results is not None:
        yield results
        return
    with tempfile.TemporaryDirectory(prefix="adapt-motion-bench-") as scratch:
        yield Path(scratch)
