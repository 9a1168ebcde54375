"""Figures of methods whose errors are known."""

from dataclasses import replace

import numpy as np
import pytest
from bench_cases import corpus, prediction_of, quiet_detector

from engine.evaluation.data import CorpusCases, choose_pieces
from engine.evaluation.scores import FIGURES, Outcome, figures_of, joint_figures


@pytest.fixture(scope="module")
def case(body):
    piece = choose_pieces(corpus(), 1, authored=False, seed=0)[0]
    return CorpusCases(body, quiet_detector(), seed=3).make(piece, "truncated")


def test_the_truth_has_no_error(case, body):
    figures = figures_of(case, Outcome(prediction_of(case.truth.pose), seconds={"adapt": 0.3}), body)
    assert set(FIGURES) <= set(figures)
    for name in ("mpjpe", "pa", "mpvpe", "mpjpe_seen", "mpjpe_unseen", "pa_seen", "pa_unseen"):
        assert figures[name] == pytest.approx(0, abs=0.01), name
    assert figures["accel"] == pytest.approx(0, abs=0.01)
    assert figures["ms"] == figures["ms_adapt"] == pytest.approx(300 / case.frames)
    assert np.isnan(figures["pck"])


def test_a_body_elsewhere_has_no_error_and_a_turned_one_has(case, body):
    pose = case.truth.pose
    elsewhere = prediction_of(replace(pose, transl=pose.transl + np.float32([0.3, 0, 2])))
    assert figures_of(case, Outcome(elsewhere), body)["mpvpe"] == pytest.approx(0, abs=0.01)
    turned = np.array(pose.rotations)
    turned[:, 0] = np.diag([-1.0, 1, -1]).astype(np.float32) @ turned[:, 0]
    figures = figures_of(case, Outcome(prediction_of(replace(pose, rotations=turned))), body)
    assert figures["mpjpe"] > 100
    assert figures["mpvpe"] > 100
    assert figures["pa"] == pytest.approx(0, abs=0.05)


def test_the_detectors_own_joints_are_scored_where_detectors_put_them(case, body):
    marks = case.truth.marks - case.truth.marks[:, :1]
    marks[4:7] = np.nan
    figures = figures_of(case, Outcome(marks=marks), body)
    assert figures["pa_seen"] < 25  # three frames repeat another
    assert np.isnan(figures["mpvpe"])
    exact = figures_of(case, Outcome(marks=case.truth.marks), body)
    assert exact["mpjpe"] == pytest.approx(0, abs=1e-6)


def test_nothing_found_is_no_number(case, body):
    figures = figures_of(case, Outcome(), body)
    assert np.isnan(figures["mpjpe"])
    assert np.isnan(figures["accel"])


def test_filled_in_keypoints_are_counted_and_judged(case, body):
    shape = case.truth.points.shape[:2]
    filled, detected = np.zeros(shape, bool), np.zeros(shape, bool)
    detected[:, :20] = True
    filled[:, 25:29] = True
    targets = case.truth.points.copy()
    side = (targets.max(1) - targets.min(1)).max(1)
    targets[:, 25, 0] += 0.11 * side
    targets[:, 26, 0] += 0.09 * side
    outcome = Outcome(prediction_of(case.truth.pose), targets=targets, filled=filled, detected=detected)
    figures = figures_of(case, outcome, body)
    assert figures["filled"] == pytest.approx(100 * 4 / 20)
    assert figures["pck"] == pytest.approx(75)


def test_seen_and_unseen_joints_are_kept_apart():
    rng = np.random.default_rng(0)
    true = rng.normal(size=(6, 5, 3)) * 300
    predicted = true.copy()
    predicted[:, 4, 2] += 50
    seen = np.ones((6, 5), bool)
    seen[:, 4] = False
    figures = joint_figures(predicted, true, seen, np.arange(6) / 30, (0, 1))
    assert figures["mpjpe_seen"] == pytest.approx(0, abs=1e-9)
    assert figures["mpjpe_unseen"] == pytest.approx(50)
    assert figures["mpjpe"] == pytest.approx(10)
    assert figures["accel"] == pytest.approx(0, abs=1e-6)
    assert 0 < figures["pa_seen"] < figures["pa_unseen"] < 50


def test_unknown_truth_does_not_count():
    true = np.zeros((4, 3, 3))
    true[..., 0] = [0, 100, 200]
    true[..., 1] = [0, 50, -70]
    predicted = true + 1.0
    true[1, 2] = np.nan
    true[2, 0] = np.nan
    predicted[0, 2, 2] += 30
    figures = joint_figures(predicted, true, None, np.arange(4) / 30, (0,))
    assert figures["mpjpe"] == pytest.approx(30 / 8)
    assert np.isnan(figures["accel"])


def test_the_acceleration_error_is_in_metres_per_second_squared():
    times = np.arange(10) / 50
    true = np.zeros((10, 2, 3))
    true[:, 1, 0] = 500
    predicted = true.copy()
    predicted[:, 1, 1] += 1000 * 3.0 * times**2 / 2
    assert joint_figures(predicted, true, None, times, (0,))["accel"] == pytest.approx(3 / 2)
