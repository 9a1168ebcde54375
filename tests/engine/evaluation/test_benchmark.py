"""The loop of the bench: resumed, shared and paired results, with a small backbone and the real adaptation."""

import io
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from bench_cases import clip, quiet_detector
from small_networks import SmallDictionary, SmallSpace, WavesNetwork

from engine.adaptation.priors import Priors
from engine.adaptation.settings import AdaptationSettings
from engine.backbones.types import Prediction
from engine.body.model import load_body
from engine.errors import CancelledError
from engine.evaluation import benchmark, methods, tables
from engine.evaluation.data import CorpusCases, choose_pieces, planned
from engine.evaluation.results import ResultStore
from engine.evaluation.runner import Runner, Tools
from engine.semantics.segments import Segment


class SmallBackbone:
    """Predicts somebody who stands with hanging arms where the track's box is."""

    def __init__(self):
        self.predicted = 0

    def predict(self, track, camera, body, progress):
        self.predicted += 1
        count = len(track.timestamps)
        rotations = np.tile(np.eye(3, dtype=np.float32), (count, 24, 1, 1))
        rotations[:, 0] = np.diag([1, -1, -1])
        transl = np.zeros((count, 3), np.float32)
        transl[:, 2] = 4
        return Prediction(
            rotations, np.zeros(10, np.float32), transl, np.ones((count, 24), np.float32), np.zeros(count, np.float32)
        )

    def bind(self, track, camera, body, device):
        return WavesNetwork(self.predict(track, camera, body, None), track.timestamps)


@pytest.fixture
def runner():
    dictionary = SmallDictionary()
    settings = AdaptationSettings(epochs=2, batch=2, least_steps=1, solve_steps=2, fill_in_similarity=-1.0)
    return Runner(Tools(load_body(None), SmallBackbone(), Priors(SmallSpace(dictionary), dictionary), settings, seed=1))


@pytest.fixture(scope="module")
def plan():
    clips = [clip("a"), clip("b", "cmu_07", "stand", "stand")]
    pieces = planned(choose_pieces(clips, 2, authored=False, seed=0), every_condition=False)
    return benchmark.corpus_plan(pieces, CorpusCases(load_body(None), quiet_detector(), seed=3), ROWS, ROWS)


def quiet(done, total, what):
    pass


def with_rows(plan, rows):
    return [replace(one, rows=rows) for one in plan]


ROWS = (methods.DETECTOR, methods.BACKBONE, methods.CYCLE, methods.FULL, methods.WRONG_LABEL)


def test_every_row_is_scored_on_every_case(plan, runner):
    records = benchmark.run(plan, runner, ResultStore(None), "code", quiet)
    assert len(records) == 4 * len(ROWS)
    assert {record.condition for record in records} == {"clear", "crossing"} or len(records) == 20
    full = next(one for one in records if one.row == "full" and one.condition != "clear")
    assert np.isfinite(
        [full.figures[name] for name in ("mpjpe", "pa", "mpvpe", "accel", "ms_adapt", "similarity")]
    ).all()
    wrong = next(one for one in records if one.row == "wrong_label" and one.case == full.case)
    assert wrong.figures["similarity"] != full.figures["similarity"]
    # the prediction before adaptation is made once for a case; binding makes its own
    assert runner.tools.backbone.predicted == 4 * (1 + 3)


def test_an_interrupted_bench_goes_on_and_ends_the_same(plan, runner, tmp_path):
    path = tmp_path / "results.jsonl"
    whole = benchmark.run(plan, runner, ResultStore(None), "code", quiet)

    def stop_late(done, total, what):
        if done == 7:
            raise CancelledError("Stopped.")

    with pytest.raises(CancelledError):
        benchmark.run(plan, runner, ResultStore(path), "code", stop_late)
    assert len(path.read_text().splitlines()) == 7
    path.write_text(path.read_text() + '{"key": "cut o')  # and the machine went down
    calls = []
    records = benchmark.run(
        plan, runner, ResultStore(path), "code", lambda done, total, what: calls.append((done, total, what))
    )
    assert calls[0][:2] == (7, 20)
    assert calls[-1] == (20, 20, "")
    assert len(ResultStore(path)) == 20
    for one, other in zip(records, whole, strict=True):
        assert (one.case, one.row) == (other.case, other.row)
        for name in ("mpjpe", "pa", "accel", "filled"):
            assert one.value(name) == pytest.approx(other.value(name), nan_ok=True), name


def test_other_code_settings_or_seed_are_run_anew(plan, runner, tmp_path):
    store = ResultStore(tmp_path / "results.jsonl")
    count = 0

    def watch(done, total, what):
        nonlocal count
        count += bool(what)

    rows = (methods.CYCLE,)
    for code, epochs, seed, new in (("a", 2, 1, 4), ("a", 2, 1, 0), ("b", 2, 1, 4), ("a", 1, 1, 4), ("a", 2, 2, 4)):
        runner.tools.settings = runner.tools.settings.model_copy(update={"epochs": epochs})
        runner.tools.seed = seed
        count = 0
        benchmark.run(with_rows(plan, rows), runner, store, code, watch)
        assert count == new, (code, epochs, seed)


def test_rows_that_come_to_the_same_are_run_once(plan, runner):
    ran = []
    rows = (methods.FULL, methods.Row("ema_0.90", "EMA 0.90", settings={"ema": 0.9}))
    records = benchmark.run(
        with_rows(plan, rows), runner, ResultStore(None), "code", lambda d, t, what: ran.append(what)
    )
    assert len([what for what in ran if what]) == 4
    assert [record.row for record in records[:2]] == ["full", "ema_0.90"]
    assert records[0].figures == records[1].figures


def test_clips_in_full_view_get_the_rows_that_are_shown_for_them():
    pieces = planned(choose_pieces([clip("a")], 1, authored=False, seed=0), every_condition=True)
    plan = benchmark.corpus_plan(pieces, CorpusCases(load_body(None), quiet_detector(), seed=3), ROWS, ROWS[:2])
    assert [len(one.rows) for one in plan] == [2 if condition == "clear" else len(ROWS) for _, condition in pieces]
    shown = {row.key for row in methods.rows_of(methods.IN_FULL_VIEW)}
    assert shown == {row.key for row in (*methods.METHODS, *methods.ABLATION, *methods.LABELS)}


def test_a_case_without_a_label_skips_rows_that_need_one(plan, runner):
    case = plan[0].make()
    unlabelled = type(case)(**{**vars(case), "label": ""})
    records, _ = benchmark.run_stream([unlabelled], ROWS, runner, ResultStore(None), "code", quiet)
    assert [record.row for record in records] == ["detector", "backbone", "cycle"]


def test_labels_over_time_are_used_where_there_are_some(plan, runner):
    case = plan[0].make()
    segments = (Segment(0.0, 0.4, "swing"), Segment(0.4, 1.0, "stand"))
    over_time = type(case)(**{**vars(case), "label": "", "segments": segments})
    records, _ = benchmark.run_stream([over_time], ROWS, runner, ResultStore(None), "code", quiet)
    assert [record.row for record in records] == ["detector", "backbone", "cycle", "full"]


def test_the_tables_and_the_numbers_hold_every_row(plan, runner):
    torch.manual_seed(0)
    rows = methods.rows_of(("ablation",))
    runner.tools.fit = runner.tools.fit.model_copy(update={"iterations": 2})
    records = benchmark.run(with_rows(plan, rows), runner, ResultStore(None), "code", quiet)
    stream = io.StringIO()
    figures = tables.benchmark(records, ["ablation"], ["A note."], stream)
    text = stream.getvalue()
    for row in methods.ABLATION:
        assert row.title in text
    for title in ("occluded clips", "nothing hidden", "Against the row above", "Milliseconds a frame", "A note."):
        assert title in text
    parsed = json.loads(json.dumps(figures, allow_nan=False))
    full = parsed["tables"]["ablation"]["occluded"]["full"]
    assert full["pa"]["low"] <= full["pa"]["mean"] <= full["pa"]["high"]
    assert parsed["changes"]["aligned"]["base"] == "weighted"
    assert set(parsed["categories"]) == {"swing", "stand"}
    assert parsed["runtime"]["full"]["adapt"] > 0
    assert parsed["goals"]


def test_wrong_labels_are_of_another_category_and_stay():
    known = {"walk": "walk", "walk slowly": "walk", "kick": "kick", "wave": "gesture"}
    wrong = {methods.wrong_label(f"clip {i}", "walk", known, 0) for i in range(20)}
    assert wrong == {"kick", "wave"}
    assert methods.wrong_label("clip", "walk", known, 0) == methods.wrong_label("clip", "walk", known, 0)
    assert methods.wrong_label("clip", "walk", {"walk": "walk"}, 0) == ""


def test_the_rows_are_those_of_the_papers_tables():
    assert [row.key for row in methods.ABLATION[3:]] == [
        "cycle",
        "weighted",
        "aligned",
        "ema",
        "filled",
        "infilled",
        "full",
    ]
    assert [row.settings["ema"] for row in methods.EMA] == [0.75, 0.80, 0.85, 0.90, 0.95]
    assert [row.settings["fill_in_similarity"] for row in methods.FILL_IN] == [0.55, 0.60, 0.65, 0.70, 0.75, 0.80]
    keys = [row.key for row in methods.rows_of(tuple(methods.TABLES))]
    assert len(keys) == len(set(keys))


def test_pins_bring_what_is_near_them_nearer_and_share_one_adaptation(runner):
    clips = [clip("a"), clip("b", "cmu_07", "stand", "stand")]
    pieces = [pair for pair in planned(choose_pieces(clips, 2, False, seed=0), True) if pair[1] == "truncated"]
    cases = CorpusCases(load_body(None), quiet_detector(), seed=3)
    plan = benchmark.corpus_plan(pieces, cases, methods.CORRECTIONS, ())
    records = benchmark.run(plan, runner, ResultStore(None), "code", quiet)
    found = {(record.case, record.row): record for record in records}
    names = {record.case for record in records}
    for name in names:
        near = [found[name, row].value("pa_pinned") for row in ("full", "one_pin", "three_pins")]
        assert near[0] > near[1] > 0
        assert near[0] > near[2] > 0
        assert found[name, "dragged"].value("pa_dragged") != found[name, "full"].value("pa_dragged")
    assert runner.tools.backbone.predicted == 2 * len(names), "predicted once, and bound once"
    stream = io.StringIO()
    shown = tables.benchmark(records, ["corrections"], [], stream)
    assert {goal["goal"] for goal in shown["goals"]} == {"one pin", "three pins", "dragged"}
    assert "of 2 worse" in " ".join(stream.getvalue().split())
