"""Error measures, on motions whose errors are known."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engine.evaluation import metrics


@pytest.fixture
def joints():
    return np.random.default_rng(0).normal(size=(5, 12, 3))


@pytest.fixture
def valid():
    valid = np.ones((5, 12), bool)
    valid[:, 3] = False
    valid[2, 7:] = False
    return valid


def test_a_similarity_is_undone_also_with_joints_missing(joints, valid):
    turned = np.stack([Rotation.random(rng=frame).apply(points) for frame, points in enumerate(joints)])
    predicted = 3 * turned + [[[1, 2, 3]]]
    true = np.where(valid[..., None], joints, np.nan)
    errors = metrics.aligned_errors(predicted, true, valid)
    assert errors[valid].max() < 1e-9
    assert np.isnan(errors[~valid]).all()


def test_a_mirror_image_is_not_undone(joints, valid):
    assert metrics.aligned_errors(joints * [-1, 1, 1], joints, valid).mean() > 0.3


def test_the_alignment_is_the_best_there_is(joints, valid):
    rng = np.random.default_rng(1)
    predicted = joints + rng.normal(scale=0.2, size=joints.shape)
    aligned = metrics.similarity_aligned(predicted, joints, valid)

    def cost(points):
        return ((points - joints) ** 2)[valid].sum()

    for _ in range(50):
        rotation = Rotation.from_rotvec(rng.normal(scale=0.02, size=3)).as_matrix()
        assert cost(aligned @ rotation * rng.normal(1, 0.02) + rng.normal(scale=0.02, size=3)) > cost(aligned)


def test_root_relative_errors_do_not_see_where_the_body_is(joints):
    assert metrics.joint_errors(joints + np.full(3, 5), joints, (6, 7)).max() < 1e-12
    moved = joints.copy()
    moved[:, 0, 0] += 2
    errors = metrics.joint_errors(moved, joints, (6, 7))
    assert errors[:, 0] == pytest.approx(2)
    assert errors[:, 1:].max() < 1e-12


def test_acceleration_of_a_fall_is_that_of_gravity():
    times = np.arange(10) / 50
    fall = np.zeros((10, 1, 3))
    fall[:, 0, 1] = 9.81 * times**2 / 2
    assert metrics.derivative_norms(fall, times, 2) == pytest.approx(np.full((8, 1), 9.81))
    assert metrics.derivative_norms(fall, times, 3) == pytest.approx(np.zeros((7, 1)), abs=1e-6)


def test_frames_around_a_gap_are_not_evenly_spaced():
    times = np.array([0, 1, 2, 5, 6, 7, 8.0])
    assert metrics.evenly_spaced(times, 2).tolist() == [True, False, False, True, True]
    assert metrics.evenly_spaced(times, 3).tolist() == [False, False, False, True]


def test_a_mean_over_nothing_is_no_number():
    assert np.isnan(metrics.mean_over(np.ones(3), np.zeros(3, bool)))
