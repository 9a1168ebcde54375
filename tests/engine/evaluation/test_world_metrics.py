"""Figures in the world: what they leave out of account, and what they do not."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engine.evaluation.world_metrics import SEGMENT, world_scores

FPS = 30.0


def motion(frames=2 * SEGMENT, seed=0):
    """Joints (T, 12, 3) of a body that goes along a bent way and waves about, and its feet (T, 2, 3)."""
    rng = np.random.default_rng(seed)
    times = np.arange(frames) / FPS
    way = np.stack([times, 0.3 * np.sin(times), np.full(frames, 1.0)], 1)
    joints = way[:, None] + rng.normal(size=(12, 3)) * 0.4 + 0.1 * np.sin(times)[:, None, None]
    return joints, way, joints[:, :2]


def scores(joints, way, feet, true):
    stands = np.ones((len(joints), 2), bool)
    return world_scores(joints, true[0], (way, true[1]), (feet, true[2]), stands, FPS)


def test_another_world_alone_is_no_error():
    true = motion()
    turn = Rotation.from_rotvec([0.1, 0.2, 1.0]).as_matrix()
    found = scores(*(one @ turn.T + [3, -2, 1] for one in true), true)
    assert found.wa_mpjpe == pytest.approx(0, abs=1e-6)
    assert found.w_mpjpe == pytest.approx(0, abs=1e-6)
    assert found.rte == pytest.approx(0, abs=1e-6)
    assert found.jitter == pytest.approx(found.jitter_true)


def test_a_drift_counts_more_from_the_first_frames_than_over_the_whole():
    true = motion()
    drift = np.linspace(0, 1, 2 * SEGMENT)[:, None] * [0, 0.8, 0]
    found = scores(true[0] + drift[:, None], true[1] + drift, true[2] + drift[:, None], true)
    assert 0 < found.wa_mpjpe < found.w_mpjpe
    assert found.rte > 0


def test_the_path_keeps_its_size_in_rte():
    true = motion()
    found = scores(true[0], 1.2 * true[1], true[2], true)
    length = np.linalg.norm(np.diff(true[1], axis=0), axis=-1).sum()
    wanted = 0.2 * np.linalg.norm(true[1] - true[1].mean(0), axis=1).mean() / length
    assert found.rte == pytest.approx(100 * wanted, rel=0.01)


def test_skating_is_what_standing_feet_move_from_frame_to_frame():
    joints, way, feet = motion()
    slid = np.zeros_like(feet) + np.arange(len(feet))[:, None, None] * [0.002, 0, 0]
    stands = np.zeros((len(feet), 2), bool)
    stands[20:40, 0] = True
    found = world_scores(joints, joints, (way, way), (slid, np.zeros_like(feet)), stands, FPS)
    assert found.skating == pytest.approx(2.0)
    assert found.skating_true == 0


def test_nothing_stands_nothing_to_measure():
    joints, way, feet = motion(40)
    found = world_scores(joints, joints, (way, way), (feet, feet), np.zeros((40, 2), bool), FPS)
    assert np.isnan(found.skating)
    assert found.rounded()["skating"] is None
