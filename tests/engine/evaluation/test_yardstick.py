"""Scores of motion files against true joints."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from engine.errors import UsageError
from engine.evaluation.yardstick import JOINTS, Truth, read_truth, score, truth_file

REAL = Path(__file__).resolve().parents[4] / "shared" / "data" / "real"
BLAZE = [11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28]


@pytest.fixture
def truth():
    rng = np.random.default_rng(0)
    joints = rng.normal(size=(1, 12, 3)) * 300 + rng.normal(size=(20, 12, 3)) * 5
    return Truth(joints, np.ones((20, 12), bool), np.arange(20) / 60, 60.0)


def test_the_truth_scores_perfectly(truth):
    scores = score(truth.times, truth.joints, truth)
    assert scores.frames == 20
    assert scores.mpjpe == scores.accel == scores.root == 0
    assert scores.pa_mpjpe == pytest.approx(0, abs=1e-9)
    assert scores.pck == 100
    assert scores.jitter == scores.jitter_true > 0


def test_a_known_shift_of_one_joint(truth):
    joints = truth.joints.copy()
    joints[:, JOINTS.index("left_wrist"), 2] += 120
    scores = score(truth.times, joints, truth)
    assert scores.mpjpe == pytest.approx(120 / 12)
    assert scores.mpjpe8 == pytest.approx(120 / 8)
    assert scores.pck == pytest.approx(100 * 11 / 12)


def test_frames_are_found_by_their_times(truth):
    later = score(truth.times[5:] + 0.004, truth.joints[5:], truth)
    assert later.frames == 15
    assert later.mpjpe == 0
    with pytest.raises(ValueError, match="shares 0 frames"):
        score(truth.times + 10, truth.joints, truth)


def test_frames_without_enough_truth_do_not_count(truth):
    truth.valid[3, JOINTS.index("left_hip")] = False
    truth.valid[4, :5] = False
    assert score(truth.times, truth.joints, truth).frames == 18


def test_the_truth_belongs_to_the_clip(tmp_path):
    motion = tmp_path / "out" / "walk" / "person_1.npz"
    for name in ("walk", "run"):
        (tmp_path / f"{name}_gt.npz").touch()
    assert truth_file(tmp_path, motion).name == "walk_gt.npz"
    with pytest.raises(UsageError, match="no true joints"):
        truth_file(tmp_path, tmp_path / "out" / "jump" / "person_1.npz")
    with pytest.raises(UsageError, match="cannot be read as true joints"):
        read_truth(tmp_path / "walk_gt.npz")


@pytest.mark.parametrize("name", ["mediapipe", "mediapipe_heavy"])
def test_the_figures_are_those_of_the_yardsticks_own_script(name):
    if not REAL.is_dir():
        pytest.skip("the yardstick is not here")
    spec = importlib.util.spec_from_file_location("yardstick_script", REAL / "score.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    time, pred, _ = script.load_baseline(name, "demo_balance", 1)
    pred = script.hold(pred)
    theirs = script.score(script.load_gt("demo_balance", 1), time, pred, None)
    ours = score(time, pred, read_truth(REAL / "demo_balance_gt.npz")).rounded()
    names = ("frames", "MPJPE", "PA", "MPJPE8", "PA8", "PCK", "accel", "jitter", "jitter_gt")
    fields = ("frames", "mpjpe", "pa_mpjpe", "mpjpe8", "pa_mpjpe8", "pck", "accel", "jitter", "jitter_true")
    assert [ours[field] for field in fields] == pytest.approx([theirs[key] for key in names], abs=0.006)
