"""Means, differences and goals, from records whose answers are known."""

import math

import numpy as np
import pytest

from engine.evaluation import summary
from engine.evaluation.metrics import Interval
from engine.evaluation.results import Record, ResultStore, fingerprint, key_of


def records(shift, row, base=60.0, conditions=("crossing",), categories=("walk", "kick")):
    """Twelve clips; `shift` is what the row adds to each."""
    rng = np.random.default_rng(0)
    found = []
    for number in range(12):
        difficulty = rng.normal(0, 15)
        for condition in conditions:
            value = base + difficulty + shift + 0.1 * (number % 3)
            figures = {"pa": value, "pa_unseen": 2 * value, "mpjpe": value, "filled": math.nan}
            name = f"clip{number}"
            found.append(Record(f"{name}_{condition}", name, categories[number % 2], condition, row, 60, figures))
    return found


def test_means_leave_out_what_is_not_chosen():
    mixed = [*records(0, "full"), *records(100, "full", conditions=("clear",))]
    assert summary.mean_of(mixed, "full", "pa", summary.occluded).mean < 70
    assert summary.mean_of(mixed, "full", "pa", summary.clear).mean > 150
    assert math.isnan(summary.mean_of(mixed, "full", "filled").mean)
    assert math.isnan(summary.mean_of(mixed, "none", "pa").mean)


def test_pairs_are_far_surer_than_means():
    both = [*records(0, "cycle"), *records(-5, "full")]
    change = summary.change_of(both, "full", "cycle", "pa")
    assert change.mean == pytest.approx(-5)
    assert change.high - change.low < 0.1
    mean = summary.mean_of(both, "full", "pa")
    assert mean.high - mean.low > 5
    assert change.below_zero


def test_percent_is_of_the_base():
    both = [*records(0, "cycle"), *records(-6, "full")]
    one = summary.compare(both, "full", "cycle", "pa")
    assert one.percent == pytest.approx(100 * -6 / one.base)
    assert one.row == pytest.approx(one.base - 6)


_ROWS = ("cycle", "weighted", "aligned", "ema", "filled", "full")


def test_goals_are_judged():
    good = [
        record for worth, row in zip((0, -2, -4, -8, -12, -19), _ROWS, strict=True) for record in records(worth, row)
    ]
    by_text = {goal.text: goal for goal in summary.goals(good)}
    assert by_text["PA-MPJPE, occluded clips"].met
    assert by_text["the same, unseen joints"].met
    assert by_text["worst category"].met
    assert by_text["alignment lowers the mean"].met
    bad = [record for worth, row in zip((0, 0, 1, 0.5, 2, 3), _ROWS, strict=True) for record in records(worth, row)]
    both = ("crossing", "clear")
    bad += [*records(0, "backbone", conditions=both), *records(2, "no_label")]
    bad += records(3, "full", conditions=("clear",))
    assert not any(goal.met for goal in summary.goals(bad) if goal.text != "EMA lowers the mean")
    assert {"the right label against none, unseen joints", "nothing hidden, against no adaptation"} <= {
        goal.text for goal in summary.goals(bad)
    }


def test_no_goals_without_the_rows():
    assert summary.goals(records(0, "fit")) == []


def test_differences_are_written_with_their_sign():
    assert summary.difference(Interval(-1.234, -2.0, 0.5)) == "-1.23 [-2.00, +0.50]"


def test_results_come_back_as_they_were_stored(tmp_path):
    path = tmp_path / "results" / "bench.jsonl"
    record = records(0, "full")[0]
    ResultStore(path).add("k", record)
    store = ResultStore(path)
    back = store.get("k")
    assert back.case == record.case
    assert back.figures["pa"] == record.figures["pa"]
    assert math.isnan(back.figures["filled"])
    assert store.get("other") is None


def test_a_damaged_results_file_costs_only_its_bad_lines(tmp_path):
    path = tmp_path / "bench.jsonl"
    ResultStore(path).add("k", records(0, "full")[0])
    path.write_text("rubbish\n[1]\n" + path.read_text() + '{"key": "x", "fig')
    store = ResultStore(path)
    assert len(store) == 1
    store.add("y", records(0, "full")[1])
    assert len(ResultStore(path)) == 2


def test_keys_and_fingerprints_tell_apart(tmp_path):
    assert key_of("a", {"x": 1}) == key_of("a", {"x": 1}) != key_of("a", {"x": 2})
    code = tmp_path / "adaptation"
    code.mkdir()
    (code / "loop.py").write_text("steps = 1  # a comment")
    before = fingerprint(tmp_path)
    (code / "loop.py").write_text("steps = (\n    1\n)")
    assert fingerprint(tmp_path) == before
    (code / "loop.py").write_text("steps = 2")
    assert fingerprint(tmp_path) != before


def test_goals_beside_the_methods_that_are_compared():
    rows = {"backbone": (0, 9.0), "boa": (2, 8.0), "dynaboa": (1, 7.5), "cycle": (-1, 5.0), "full": (-15, 4.0)}
    found = []
    for row, (shift, px) in rows.items():
        for record in records(shift, row):
            figures = {**record.figures, "px": px, "ms": 100.0 if row == "boa" else 30.0}
            found.append(Record(*[getattr(record, name) for name in vars(record) if name != "figures"], figures))
    by_text = {goal.text: goal for goal in summary.goals(found)}
    assert by_text["PA-MPJPE, occluded clips, against BOA"].met
    assert by_text["BOA lowers the 2D error"].value == "12 of 12"
    assert by_text["PA-MPJPE: BOA, DynaBOA, CycleAdapt's recipe, whole method"].met
    assert by_text["time for a frame beside BOA's"].value == "0.30"
    assert not by_text["time for a frame beside BOA's"].met
    assert "PA-MPJPE, occluded clips, against DAPA" not in by_text
