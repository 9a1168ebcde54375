"""Quaternions, matrices and Euler angles against formulas written out here once more."""

from __future__ import annotations

import numpy as np
import pytest
from adapt_motion.blender_addon.blender import filters, rotations
from hypothesis import assume, given
from hypothesis import strategies as st
from synthetic import rotation_matrices

VECTORS = np.random.default_rng(0).normal(size=(300, 3)) * 1.4
SMALL = np.array([[0, 0, 0], [1e-9, 0, 0], [np.pi, 0, 0], [0, np.pi - 1e-7, 0], [0, 0, -np.pi]])
ORDERS = ["XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX"]


def test_matrices_there_and_back():
    vectors = np.concatenate([VECTORS, SMALL])
    turns = rotations.quaternions(vectors)
    assert rotations.to_matrices(turns) == pytest.approx(rotation_matrices(vectors), abs=1e-9)
    assert rotations.angle(rotations.from_matrices(rotation_matrices(vectors)), turns).max() < 1e-6


def test_products_turn_one_after_the_other():
    one, two = rotations.quaternions(VECTORS[:100]), rotations.quaternions(VECTORS[100:200])
    points = VECTORS[200:300]
    both = rotations.multiply(one, two)
    assert rotations.turn(both, points) == pytest.approx(rotations.turn(one, rotations.turn(two, points)))
    assert rotations.multiply(one, rotations.inverse(one)) == pytest.approx(np.tile([1.0, 0, 0, 0], (100, 1)))


def test_log_undoes_quaternions_and_small_angles_are_exact():
    angles = np.linalg.norm(VECTORS, axis=1)
    short = VECTORS[angles < np.pi]
    assert rotations.log(rotations.quaternions(short)) == pytest.approx(short)
    tiny = rotations.quaternions(np.array([[1e-8, 0, 0]]))
    assert rotations.angle(tiny, np.array([[1.0, 0, 0, 0]])) == pytest.approx([1e-8], rel=1e-6)


def test_between_turns_one_direction_into_the_other():
    start, end = VECTORS[:100], VECTORS[100:200]
    turned = rotations.turn(rotations.between(start, end), start)
    assert (turned * end).sum(1) == pytest.approx(np.linalg.norm(start, axis=1) * np.linalg.norm(end, axis=1))
    opposite = rotations.turn(rotations.between(start, -start), start)
    assert opposite == pytest.approx(-start, abs=1e-6)


@pytest.mark.parametrize("order", ORDERS)
def test_euler_angles_there_and_back(order):
    turns = rotations.quaternions(VECTORS)
    assert rotations.angle(rotations.from_euler(rotations.to_euler(turns, order), order), turns).max() < 1e-6


@pytest.mark.parametrize("order", ORDERS)
def test_euler_angles_in_gimbal_lock(order):
    angles = np.zeros((3, 3))
    angles[:, "XYZ".index(order[1])] = np.pi / 2, -np.pi / 2, np.pi / 2
    angles[:, "XYZ".index(order[0])] = 0.3, 0.4, -2.0
    turns = rotations.from_euler(angles, order)
    assert rotations.angle(rotations.from_euler(rotations.to_euler(turns, order), order), turns).max() < 1e-6


def test_euler_angles_do_not_jump():
    """Three turns about z while the rest sways: no step is larger than what the body does."""
    count = 400
    way = np.linspace(0, 6 * np.pi, count)
    angles = np.stack([0.6 * np.sin(way), 0.5 * np.cos(way * 1.3), way], axis=1)
    found = rotations.to_euler(rotations.from_euler(angles, "XYZ"), "XYZ")
    assert found == pytest.approx(angles, abs=1e-6)


def test_runs_and_widest():
    assert filters.runs(np.array([1, 1, 0, 1, 0, 0, 1], dtype=bool)) == [(0, 2), (3, 4), (6, 7)]
    assert filters.widest(np.array([0, 0, 5.0, 0, 0, 0]), 1).tolist() == [0, 5, 5, 5, 0, 0]
    assert filters.gaussian(np.full((9, 2), 3.0), 2.0) == pytest.approx(np.full((9, 2), 3.0))


numbers = st.floats(-4, 4, allow_subnormal=False)
vectors = st.tuples(numbers, numbers, numbers).map(np.array)
directions = vectors.filter(lambda vector: np.linalg.norm(vector) > 1e-2)
turns = vectors.map(rotations.quaternions)


@given(turns, turns, vectors)
def test_any_turns_follow_one_another_and_come_back(one, two, point):
    both = rotations.multiply(one, two)
    assert np.linalg.norm(both) == pytest.approx(1)
    assert rotations.to_matrices(both) == pytest.approx(rotations.to_matrices(one) @ rotations.to_matrices(two))
    assert rotations.turn(both, point) == pytest.approx(rotations.turn(one, rotations.turn(two, point)), abs=1e-9)
    assert rotations.turn(rotations.inverse(one), rotations.turn(one, point)) == pytest.approx(point, abs=1e-9)
    assert rotations.angle(rotations.from_matrices(rotations.to_matrices(one)), one) < 1e-6
    assert rotations.angle(rotations.quaternions(rotations.log(one)), one) < 1e-6
    assert np.linalg.norm(rotations.log(one)) == pytest.approx(rotations.angle(np.array([1.0, 0, 0, 0]), one), abs=1e-6)


@given(turns, st.floats(0, 1))
def test_a_part_of_any_turn_and_the_rest_of_it_make_the_whole(one, share):
    part, rest = rotations.part_of(one, share), rotations.part_of(one, 1 - share)
    assert rotations.angle(rotations.multiply(part, rest), one) < 1e-6
    still = np.array([1.0, 0, 0, 0])
    assert rotations.angle(part, still) == pytest.approx(share * rotations.angle(one, still), abs=1e-6)


@given(directions, directions)
def test_between_any_directions_lies_the_shortest_turn(start, end):
    found = rotations.between(start, end)
    start, end = start / np.linalg.norm(start), end / np.linalg.norm(end)
    assert rotations.turn(found, start) == pytest.approx(end, abs=1e-4)
    apart = 2 * np.arcsin(min(1.0, np.linalg.norm(start - end) / 2))
    assert rotations.angle(np.array([1.0, 0, 0, 0]), found) == pytest.approx(apart, abs=1e-4)


@given(st.lists(vectors, min_size=1, max_size=8), st.sampled_from(ORDERS))
def test_euler_angles_of_any_motion_come_back_and_take_no_whole_turn(motion, order):
    turns = rotations.quaternions(np.stack(motion))
    found = rotations.to_euler(turns, order)
    assert rotations.angle(rotations.from_euler(found, order), turns).max() < 1e-5
    assert np.abs(np.diff(found, axis=0, prepend=np.zeros((1, 3)))).max() < 2 * np.pi


@given(turns)
def test_the_yaw_of_any_turn_leaves_none(one):
    assume(np.hypot(one[0], one[3]) > 1e-3)
    rest = rotations.multiply(rotations.about_z(-rotations.yaw(one)), one)
    assert np.sin(rotations.yaw(rest) / 2) == pytest.approx(0, abs=1e-9)
