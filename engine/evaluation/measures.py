"""What `adapt-motion bench` measures with networks: the corpus, and data sets of others."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from engine.body.model import load_body
from engine.errors import EngineError, UsageError
from engine.evaluation import benchmark, datasets, tables
from engine.evaluation.assemble import assemble
from engine.evaluation.data import Case, CorpusCases, choose_pieces, held_out_clips, planned
from engine.evaluation.datasets.shared import Licensed
from engine.evaluation.methods import DATA_SET, IN_FULL_VIEW, TABLES, rows_of
from engine.evaluation.results import ResultStore, fingerprint
from engine.evaluation.runner import Runner
from engine.evaluation.source import source_of
from engine.protocol import ExitCode
from engine.semantics.segments import read_labels
from engine.training.detector_model import DetectorModel
from engine.training.split import NEVER_LEAKED

_QUICK_CLIPS = 6
_QUICK_TABLES = ("ablation",)
DataFiles = tuple[Path | None, Path | None, Path | None]
"""Bodies, regressor and keypoints, as for `Licensed`."""


@dataclass(frozen=True)
class Common:
    """What both take. Names as on the command line; `overrides` are its --set, `results` keeps finished results."""

    preset: str
    backbone: str
    body: Path | None
    device: str
    overrides: tuple[str, ...]
    seed: int
    results: Path | None
    stream: TextIO

    def runner(self) -> Runner:
        """With the networks loaded. Raises EngineError."""
        return Runner(assemble(self.preset, self.overrides, self.backbone, self.body, self.device, self.seed))


@dataclass(frozen=True)
class CorpusChoice:
    """What of the corpus is measured. Names as on the command line."""

    corpus: Path
    clips: int
    every_condition: bool
    authored: bool
    tables: tuple[str, ...]
    quick: bool
    share: str = ""
    never_leaked: bool = False


def on_corpus(choice: CorpusChoice, common: Common, jobs: int = 1) -> dict[str, Any]:
    """Print the tables for held-out performers; returns their numbers.

    Args:
        choice: what of the corpus; with a share, such as 0/2/CODE, only these cases are run, and nothing is printed.
        common: see there.
        jobs: processes that do the work before; they meet in the results file.

    Raises:
        EngineError: an option makes no sense, or something cannot be read.
    """
    number, of, code = choice.share.split("/") if choice.share else ("0", "1", fingerprint())
    if jobs > 1:
        in_processes(jobs, common.results, code)
    names = _QUICK_TABLES if choice.quick else choice.tables
    unknown = [name for name in names if name not in TABLES]
    if unknown or not names:
        raise UsageError(f"There is no table '{', '.join(unknown)}'.", f"Choose from {', '.join(TABLES)}.")
    count = min(choice.clips, _QUICK_CLIPS) if choice.quick else choice.clips
    clips = held_out_clips(choice.corpus)
    if choice.never_leaked:
        clips = [clip for clip in clips if clip.performer in NEVER_LEAKED]
    pieces = choose_pieces(clips, count, choice.authored, common.seed)
    runner = common.runner()
    runner.tools.source = partial(source_of, choice.corpus)
    cases = CorpusCases(load_body(None), DetectorModel.from_file(), common.seed)
    pairs = planned(pieces, choice.every_condition)
    plan = benchmark.corpus_plan(pairs, cases, rows_of(names), rows_of(set(names) & IN_FULL_VIEW))
    store = ResultStore(common.results)
    plan = plan[int(number) :: int(of)]
    records = benchmark.run(plan, runner, store, code, Counter())
    if choice.share:
        return {}
    found = tables.benchmark(records, names, _notes(choice, common, len(pieces)), common.stream)
    return {"clips": [piece.name for piece in pieces], **_described(common), **found}


def in_processes(jobs: int, results: Path | None, code: str) -> None:
    """Run this command's work in `jobs` processes, each with its share of the cases, and wait for them.

    `code` is the fingerprint that their results are kept under.

    Raises:
        UsageError: there is no results file for them to meet in.
        EngineError: one of them failed.
    """
    if results is None:
        raise UsageError("--jobs needs --results, the file in which the processes meet.", "Add --results FILE.")
    threads = str(max(1, (os.cpu_count() or 1) // jobs))
    environment = {**os.environ, "OMP_NUM_THREADS": threads}
    command = [sys.executable, "-m", "engine", *sys.argv[1:], "--jobs", "1"]
    workers = [
        subprocess.Popen([*command, "--share", f"{number}/{jobs}/{code}"], env=environment, stdin=subprocess.DEVNULL)
        for number in range(jobs)
    ]
    try:
        codes = [worker.wait() for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
    if any(codes):
        raise EngineError("A process of the benchmark failed.", "Its output stands above; what is done is kept.")


def on_data_set(name: str, root: Path, files: DataFiles, labels: Path | None, common: Common) -> dict[str, Any]:
    """Print the table of a data set; returns its numbers.

    Args:
        name: of the data set.
        root: its folder.
        files: bodies, regressor and keypoints, as for `Licensed`.
        labels: folder with a labels file for each person, `<person>.json`; those without are adapted without.
        common: see there.

    Raises:
        EngineError: something cannot be read, or a network is missing.
    """
    runner = common.runner()
    people = (_labelled(case, labels) for case in datasets.read(name, root, Licensed(runner.tools.body, *files)))
    store = ResultStore(common.results)
    records, notes = benchmark.run_stream(people, DATA_SET, runner, store, fingerprint(), Counter())
    found = tables.data_set(name, DATA_SET, records, notes, common.stream)
    return {"data_set": name, **_described(common), **found}


def checked(
    name: str, root: Path, files: DataFiles, labels: Path | None, common: Common
) -> tuple[dict[str, Any], ExitCode]:
    """Print what a data set's folder holds and what is missing; returns it, and the code of what ended the reading.

    Arguments and errors as of `on_data_set`; nothing is run.
    """
    found = datasets.check(name, root, Licensed(load_body(common.body), *files), labels)
    missing = [*found.missing]
    if not any(one.startswith("adaptation.source=") for one in common.overrides):
        missing.append("no --set adaptation.source=FILE was given, so DynaBOA is left out")
    code = ExitCode.DONE
    if found.trouble is not None:
        sys.stderr.write(f"Error: {found.trouble.message} {found.trouble.hint}\n")
        missing.append(found.trouble.message.rstrip("."))
        code = found.trouble.exit_code
    return tables.found_data(name, found.people, missing, common.stream), code


def _labelled(case: Case, labels: Path | None) -> Case:
    path = labels / f"{case.name}.json" if labels else None
    return case if path is None or not path.is_file() else replace(case, segments=read_labels(path))


def _described(common: Common) -> dict[str, Any]:
    return {"preset": common.preset, "backbone": common.backbone, "seed": common.seed, "set": list(common.overrides)}


def _notes(choice: CorpusChoice, common: Common, clips: int) -> list[str]:
    kind = "authored actions" if choice.authored else "captured motion"
    notes = [
        f"{clips} clips of {kind} by performers that no network was trained on; seed {common.seed}.",
        "Millimetres, over 12 joints (shoulders, elbows, wrists, hips, knees, ankles); acceleration m/s2. "
        "± is half the width of the 95 % bootstrap interval over clips.",
    ]
    if clips < 30:
        notes.append("Fewer than 30 clips: too few to conclude from.")
    return notes


class Counter:
    """A line on stderr for each result, with the time that is left."""

    def __init__(self) -> None:
        self._begun, self._worked = time.monotonic(), 0

    def __call__(self, done: int, total: int, what: str) -> None:
        """Say what comes next. See `benchmark.Watch`."""
        if not what:
            return
        left = ""
        if self._worked and total:
            seconds = (time.monotonic() - self._begun) / self._worked * (total - done)
            left = f", about {seconds / 60:.0f} min left"
        self._worked += 1
        of = f"/{total}" if total else ""
        sys.stderr.write(f"{done + 1}{of}{left}: {what}\n")
        sys.stderr.flush()
