"""Contacts, floor, and how the root is moved, by the numbers."""

import numpy as np
import pytest

from engine.world.grounding import contact_probability, floor_height, root_correction, steady_depth

UP = np.array([0.0, -1.0, 0.0])
AHEAD = np.array([0.0, 0.0, 4.0])


def sigmoid(value):
    return 1 / (1 + np.exp(-value))


REST, NEAR = sigmoid(0.45 / 0.12), sigmoid(0.06 / 0.015)
"""Of a sole without speed, and of one on the floor."""


@pytest.mark.parametrize(
    ("height", "speed", "expected"),
    [
        (0.0, 0.0, NEAR * REST),
        (0.06, 0.0, 0.5 * REST),
        (0.0, 0.45, NEAR * 0.5),
        (0.2, 0.0, 0.0),
        (0.0, 2.0, 0.0),
        (-0.25, 0.0, 0.5 * REST),  # half way to another floor
        (-0.6, 0.0, 0.0),
    ],
)
def test_contact_is_near_the_floor_and_slow(height, speed, expected):
    times = np.arange(30) / 30
    feet = np.zeros((30, 4, 3))
    feet[..., 0] = speed * times[:, None]
    found = contact_probability(feet, np.full((30, 4), height), times)
    assert found == pytest.approx(np.full((30, 4), expected), abs=2e-3)


def test_speeds_are_measured_over_a_tenth_of_a_second():
    times = np.arange(100) / 100
    feet = np.zeros((100, 1, 3))
    feet[1::2, 0, 0] = 0.05  # jitter of 5 m/s from frame to frame
    assert contact_probability(feet, np.zeros((100, 1)), times)[5:-5].min() > 0.9
    feet[:, 0, 0] = np.where(np.arange(100) // 10 % 2, 0.09, 0)  # every tenth of a second to the other side
    found = contact_probability(feet, np.zeros((100, 1)), times)[5:-5, 0]
    assert found.max() == pytest.approx(NEAR * sigmoid(-0.45 / 0.12), abs=1e-3)


def test_the_floor_is_where_the_lowest_sole_mostly_is_while_it_is_slow():
    times = np.arange(90) / 30
    heights = np.full((90, 4), 1.0)
    heights[:, 2] = 0.2 + 0.02 * np.sin(np.arange(90) / 10)
    heights[60:, :] = -0.9  # a lower floor, for fewer frames
    assert floor_height(heights, times) == pytest.approx(0.2, abs=0.02)
    heights[20:, :] = -0.9
    assert floor_height(heights, times) == pytest.approx(-0.9, abs=0.02)
    falling = np.repeat(np.linspace(3, 0, 90)[:, None], 4, 1)
    falling[-20:] = falling[-20]
    assert floor_height(falling, times) == pytest.approx(falling[-1, 0], abs=0.03)
    assert floor_height(np.array([[0.3, 0.4, 0.5, 0.6]]), np.zeros(1)) == pytest.approx(0.3)


def correction(height, contact, roots=AHEAD, frames=8, drift=(0.0, 0.0, 0.0)):
    """(T, 3) shift of a body whose four soles are at one height and drift by so much a frame."""
    times = np.arange(frames) / 30
    feet = np.tile(UP * height, (frames, 4, 1)) + np.arange(frames)[:, None, None] * np.array(drift)
    heights, contacts = np.full((frames, 4), height), np.full((frames, 4), contact)
    return root_correction(feet, heights, contacts, UP, np.tile(roots, (frames, 1)), times)


@pytest.mark.parametrize("frames", [1, 2, 8])
def test_soles_that_stand_come_to_the_floor_against_what_the_picture_shows(frames):
    """Four soles that are to be within 1 cm of it, of a body that is to be within 2 cm of its place in the picture."""
    soles = 4 * sigmoid(3) / 0.01**2
    expected = 0.05 * soles / (soles + 1 / 0.02**2)
    assert correction(0.05, 1.0, frames=frames) == pytest.approx(np.tile(-expected * UP, (frames, 1)), abs=1e-4)
    along = 0.05 * soles / (soles + 1 / 0.15**2)
    assert correction(0.05, 1.0, 3 * UP, frames) == pytest.approx(np.tile(-along * UP, (frames, 1)), abs=1e-4)


def test_soles_in_the_air_are_free_and_those_below_the_floor_are_lifted():
    assert correction(0.05, 0.0) == pytest.approx(0, abs=1e-9)
    lifted = correction(-0.05, 0.0) @ UP
    assert lifted.min() > 0.045
    assert lifted.max() < 0.05
    assert np.abs(correction(-0.6, 0.0)).max() < 1e-3, "another floor is left where it is"


def test_planted_soles_stay_along_the_viewing_ray_more_than_across_it():
    for drift, kept in (((0, 0, 0.01), 0.2), ((0.01, 0, 0), 1.0)):
        shift = correction(0.0, 1.0, drift=drift, frames=90)
        left = np.abs(np.diff(shift, axis=0).mean(0) + drift).max() / 0.01
        assert left < kept
    assert left > 0.2, "the picture shows the drift across"


def test_the_correction_is_smooth():
    times = np.arange(30) / 30
    heights, contacts = np.zeros((30, 4)), np.zeros((30, 4))
    heights[10:], contacts[10:] = 0.05, 1.0
    shift = root_correction(UP * heights[..., None], heights, contacts, UP, np.tile(AHEAD, (30, 1)), times) @ UP
    assert shift[-1] == pytest.approx(-0.047, abs=2e-3)
    acceleration = np.abs(np.diff(shift, 2)) * 30**2
    assert acceleration.max() < 15
    assert shift[8] < -0.01, "it begins before"


def test_depth_that_grows_evenly_stays_and_shakes_go():
    times = np.arange(300) / 100
    even = np.outer(np.exp(0.3 * times), [0.1, -0.2, 4.0])
    assert steady_depth(even, times, np.ones(300)) == pytest.approx(even)
    for hertz in (1.0, 5.0):
        shaken = even * np.exp(0.01 * np.sin(2 * np.pi * hertz * times))[:, None]
        left = np.log(steady_depth(shaken, times, np.ones(300)) / even)[100:200, 2]
        kept = 1 / (1 + (0.06 * 2 * np.pi * hertz) ** 4 / 1.05)
        assert np.abs(left).max() == pytest.approx(0.01 * kept, rel=0.05)


def test_depth_follows_its_neighbours_where_nothing_was_seen_and_uneven_times_count():
    times = np.cumsum(np.random.default_rng(0).uniform(0.01, 0.05, 60))
    even = np.outer(np.exp(0.3 * times), [0.1, -0.2, 4.0])
    assert steady_depth(even, times, np.ones(60)) == pytest.approx(even)
    spoilt, confidence = even.copy(), np.ones(60)
    spoilt[30] *= 1.5
    confidence[30] = 0
    off = [steady_depth(spoilt, times, known)[30, 2] / even[30, 2] - 1 for known in (np.ones(60), confidence)]
    assert 0 < off[1] < 0.1 * off[0]
    assert np.array_equal(steady_depth(spoilt[:2], times[:2], np.ones(2)), spoilt[:2])


def test_a_sole_that_the_correction_would_push_through_the_floor_holds_it_up():
    """The left heel is planted 2 cm too high; the three others, in the air, are on the floor already."""
    heights, contacts = np.tile([0.02, 0.0, 0.0, 0.0], (8, 1)), np.tile([1.0, 0.0, 0.0, 0.0], (8, 1))
    times, roots = np.arange(8) / 30, np.tile(AHEAD, (8, 1))
    shift = root_correction(UP * heights[..., None], heights, contacts, UP, roots, times) @ UP
    planted, held = sigmoid(1) / 0.01**2, 3 * sigmoid(3) * REST * sigmoid(0.25 / 0.03) / 0.01**2
    assert shift == pytest.approx(np.full(8, -0.02 * planted / (planted + held + 1 / 0.02**2)), abs=3e-4)
