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


def test_a_mesh_that_is_only_elsewhere_has_no_error():
    rng = np.random.default_rng(0)
    true = rng.normal(size=(3, 50, 3))
    root = rng.normal(size=(3, 3))
    shift = np.array([1.0, -2.0, 0.5])
    assert metrics.vertex_errors(true + shift, true, root + shift, root) == pytest.approx(np.zeros(3), abs=1e-12)
    assert metrics.vertex_errors(true + shift, true, root, root) == pytest.approx(np.full(3, np.linalg.norm(shift)))


def test_one_moved_vertex_counts_as_its_share():
    true = np.zeros((1, 4, 3))
    moved = true.copy()
    moved[0, 2] = [0, 3, 4]
    assert metrics.vertex_errors(moved, true, np.zeros((1, 3)), np.zeros((1, 3))) == pytest.approx([5 / 4])


def test_pck_counts_marked_points_that_are_near_enough():
    true = np.zeros((2, 3, 2))
    points = true.copy()
    points[0, 0] = [3, 4]
    points[1, 1] = [30, 40]
    mask = np.ones((2, 3), bool)
    mask[0, 2] = False
    assert metrics.correct_share(points, true, np.array([5.0, 49.0]), mask) == pytest.approx(100 * 4 / 5)
    assert metrics.correct_share(points, true, np.array([4.9, 50.0]), mask) == pytest.approx(100 * 4 / 5)
    assert np.isnan(metrics.correct_share(points, true, np.array([5.0, 5.0]), np.zeros((2, 3), bool)))


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(3)
    names = [str(clip) for clip in range(40)]
    covered = 0
    for trial in range(200):
        interval = metrics.bootstrap(rng.normal(5, 2, 40), names, seed=trial, draws=400)
        covered += interval.low <= 5 <= interval.high
    assert 0.88 <= covered / 200 <= 0.99


def test_cases_of_one_clip_count_as_one():
    values = np.array([1.0, 1.0, 1.0, 5.0])
    interval = metrics.bootstrap(values, ["a", "a", "a", "b"])
    assert interval.mean == 3
    assert (interval.low, interval.high) == (1, 5)
    alone = metrics.bootstrap(values, list("abcd"))
    assert alone.mean == 2
    assert alone.high < 5


def test_the_interval_is_the_same_for_the_same_seed_and_leaves_out_what_is_no_number():
    values = np.random.default_rng(0).normal(size=30)
    names = [str(clip) for clip in range(30)]
    again = metrics.bootstrap(values, names, seed=1)
    assert again == metrics.bootstrap(values, names, seed=1)
    assert again.low < values.mean() < again.high
    with_gap = metrics.bootstrap(np.append(values, np.nan), [*names, "x"], seed=1)
    assert with_gap == again
    assert np.isnan(metrics.bootstrap(np.array([np.nan]), ["a"]).mean)


def test_a_difference_beyond_chance_lies_below_zero():
    rng = np.random.default_rng(0)
    names = [str(clip) for clip in range(33)]
    assert metrics.bootstrap(rng.normal(-3, 2, 33), names).below_zero
    assert not metrics.bootstrap(rng.normal(0, 2, 33), names).below_zero
