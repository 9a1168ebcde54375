"""The loop of the benchmark: every row on every case, what is finished taken from the results file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from engine.evaluation.data import CLEAR, Case, CorpusCases, Piece
from engine.evaluation.methods import Row
from engine.evaluation.results import Record, ResultStore, key_of
from engine.evaluation.runner import Runner
from engine.evaluation.scores import figures_of


class Watch(Protocol):
    """Receives what is going on."""

    def __call__(self, done: int, total: int, what: str) -> None:
        """`done` of `total` results are there (total 0: not known), and `what` comes next."""


@dataclass(frozen=True)
class Planned:
    """A case that is made when it is needed.

    Attributes:
        key: what it depends on.
        make: makes it.
        rows: methods that are to be run on it.
    """

    key: str
    make: Callable[[], Case]
    rows: Sequence[Row]


def corpus_plan(
    pieces: Iterable[tuple[Piece, str]], cases: CorpusCases, rows: Sequence[Row], in_full_view: Sequence[Row]
) -> list[Planned]:
    """Cases of the corpus. Those in which nothing is hidden get only the rows that are shown for such."""
    return [
        Planned(cases.key(*one), lambda one=one: cases.make(*one), in_full_view if one[1] == CLEAR else rows)  # type: ignore[misc]
        for one in pieces
    ]


def run(plan: Sequence[Planned], runner: Runner, store: ResultStore, code: str, watch: Watch) -> list[Record]:
    """Run what is not finished yet.

    Args:
        plan: cases with their methods.
        runner: runs them.
        store: where finished results are and go to.
        code: fingerprint of all that results depend on beside the arguments.
        watch: called before each result; may raise CancelledError.

    Returns:
        A record for each row on each case; rows that a case has not what they need for have none.
    """
    records: list[Record] = []
    total, done = sum(len(planned.rows) for planned in plan), 0
    for planned in plan:
        case: Case | None = None
        for row in planned.rows:
            key = _key(planned, row, runner, code)
            record = store.get(key)
            if record is None:
                case = case or planned.make()
                watch(done, total, f"{case.name}: {row.title}")
                record = score(row, case, runner)
                if record is not None:
                    store.add(key, record)
            done += 1
            if record is not None:
                records.append(_named(record, row))
    watch(total, total, "")
    return records


def run_stream(
    cases: Iterable[Case], rows: Sequence[Row], runner: Runner, store: ResultStore, code: str, watch: Watch
) -> tuple[list[Record], list[str]]:
    """The same for a data set that is read person by person. Returns its notes too, each once."""
    records: list[Record] = []
    notes: dict[str, None] = {}
    for number, case in enumerate(cases):

        def notify(done: int, total: int, what: str, number: int = number) -> None:
            if what:
                watch(number * len(rows) + done, 0, what)

        planned = Planned(_content(case), lambda case=case: case, rows)  # type: ignore[misc]
        records += run([planned], runner, store, code, notify)
        notes |= dict.fromkeys(note for note in case.truth.note.split("; ") if note)
    return records, list(notes)


def score(row: Row, case: Case, runner: Runner) -> Record | None:
    """A row on a case; None where the case has not what the row needs."""
    if not runner.can(row, case):
        return None
    figures = figures_of(case, runner.outcome(row, case), runner.tools.body)
    return Record(case.name, case.clip, case.category, case.condition, row.key, case.frames, figures)


def _key(planned: Planned, row: Row, runner: Runner, code: str) -> str:
    """Rows that come to the same settings have the same key, so they are run once."""
    tools = runner.tools
    what: dict[str, str] = {"kind": row.kind, "label": row.label}
    if row.kind == "adapted":
        what["settings"] = runner.settings_of(row).model_dump_json()
        what["pins"] = row.pins
        source = runner.source_of(row)
        if source is not None:
            what["source"] = hashlib.sha256(source.poses.tobytes()).hexdigest()
    if row.kind == "fit":
        what["settings"] = tools.fit.model_dump_json()
    return key_of(planned.key, what, tools.seed, tools.device, code)


def _content(case: Case) -> str:
    """What identifies a case of a data set."""
    content = hashlib.sha256(case.track.keypoints.tobytes())
    content.update(case.truth.joints.tobytes())
    content.update(repr(case.labelled).encode())
    return f"{case.condition}/{case.name}/{content.hexdigest()}"


def _named(record: Record, row: Row) -> Record:
    """Under the row's own name, whichever row made it."""
    return Record(record.case, record.clip, record.category, record.condition, row.key, record.frames, record.figures)
