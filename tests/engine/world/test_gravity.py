"""Up in the camera's frame, from stick figures of which it is known."""

import numpy as np
import pytest

from engine.body.landmarks import JOINT_NAMES
from engine.world.gravity import _supports, estimate_up, up_of

RATE = 30.0
HEIGHTS = {"head": 1.6, "neck": 1.4, "pelvis": 0.9, "ankle": 0.05, "foot": 0.0}


def figure(pitch, roll=0.0, lean=0.0, frames=60, bent=0, walked_m=0.0, floor_pitch=None):
    """Joints, soles and times of somebody who is upright for a camera of this tilt (degrees), but for `lean` along
    the view; `bent` frames with the trunk laid over. Walks away over `walked_m` on the floor of a camera that is tilted
    by `floor_pitch`."""
    axis = up_of(np.radians([pitch + lean, roll]))
    ahead = np.cross(axis, [1.0, 0, 0])
    ahead *= np.sign(ahead[2]) / np.linalg.norm(ahead)
    floor = up_of(np.radians([pitch if floor_pitch is None else floor_pitch, roll]))
    way = np.array([0, 0, 1.0]) - floor[2] * floor
    base = np.array([0, 1.0, 4.0]) + np.linspace(0, walked_m, frames)[:, None] * way / np.linalg.norm(way)
    joints = np.tile(base[:, None], (1, len(JOINT_NAMES), 1))
    for name, height in HEIGHTS.items():
        for joint in (one for one in JOINT_NAMES if one == name or one.endswith(f"_{name}")):
            joints[:, JOINT_NAMES.index(joint)] += height * axis
    over = joints[:bent, JOINT_NAMES.index("pelvis")]
    for name in ("head", "neck"):
        joints[:bent, JOINT_NAMES.index(name)] = over + (HEIGHTS[name] - HEIGHTS["pelvis"]) * ahead
    return joints, np.repeat(base[:, None], 4, 1), np.arange(frames) / RATE


def tilt(up):
    """(2,) pitch and roll, degrees, of an up vector."""
    return np.degrees([np.arcsin(-up[2]), np.arctan2(-up[0], -up[1])])


def between(usual, usual_error, found, found_error, standing=1.0):
    """Least squares of what is usual and what is found."""
    weights = 1 / usual_error**2, standing / found_error**2
    return (weights[0] * usual + weights[1] * found) / sum(weights)


@pytest.mark.parametrize(("pitch", "roll"), [(30, 0), (-20, 0), (5, 8), (20, -6)])
def test_half_a_second_of_standing_counts_against_what_is_usual(pitch, roll):
    """Usual is a pitch of 5 degrees, give or take 25, a roll of 0, give or take 6; stances are off by 6 and 4.5."""
    expected = between(5, 25, pitch, 6), between(0, 6, roll, 4.5)
    for frames in (16, 60):
        assert tilt(estimate_up(*figure(pitch, roll, frames=frames))) == pytest.approx(expected, abs=0.35)


@pytest.mark.parametrize("frames", [1, 5])
def test_a_moment_counts_for_its_share_of_half_a_second(frames):
    found = tilt(estimate_up(*figure(30, frames=frames)))
    assert found[0] == pytest.approx(between(5, 25, 30, 6, frames / RATE / 0.5), abs=1.0)


def test_frames_in_which_the_trunk_is_bent_hardly_count():
    upright = estimate_up(*figure(10, frames=60))
    assert tilt(estimate_up(*figure(10, frames=60, bent=25))) == pytest.approx(tilt(upright), abs=1.0)


def test_a_long_way_over_the_floor_tells_more_than_a_lean():
    still = estimate_up(*figure(10, lean=12, frames=300))
    assert tilt(still)[0] > 20
    walked = estimate_up(*figure(10, lean=12, frames=300, walked_m=5.0))
    assert tilt(walked)[0] == pytest.approx(10, abs=2)
    briefly = estimate_up(*figure(10, lean=12, frames=9, walked_m=0.15))
    assert tilt(briefly)[0] > 15, "a step is no way"


def test_soles_in_the_air_tell_nothing_of_the_floor():
    joints, feet, times = figure(10, frames=300, walked_m=5.0)
    leap = np.zeros(300)
    leap[200:230] = np.sin(np.linspace(0, np.pi, 30))  # once, near the end of the way
    up = up_of(np.radians([10, 0]))
    high = leap[:, None, None] * up
    assert tilt(estimate_up(joints + high, feet + high, times)) == pytest.approx(
        tilt(estimate_up(joints, feet, times)), abs=0.5
    )


@pytest.mark.parametrize(("frames", "walked_m"), [(60, 0.6), (60, 1.0), (120, 0.4)])
def test_a_short_way_and_a_lean_meet_by_their_weights(frames, walked_m):
    """Two supports a second, each off by 4 cm, against a lean that is off by 6 degrees, and what is usual."""
    supports = 2 * (frames - 1) / RATE * np.linspace(0, walked_m, frames).var() * (np.radians(1) / 0.04) ** 2
    weights = np.array([1 / 25**2, 1 / 6**2, supports])
    found = tilt(estimate_up(*figure(10, lean=6, frames=frames, walked_m=walked_m)))
    assert found[0] == pytest.approx(weights @ [5, 16, 10] / weights.sum(), abs=0.3)


def test_frames_in_which_the_whole_body_leans_far_count_less():
    upright, leaning = (figure(10, lean=lean, frames=frames)[0] for lean, frames in ((0, 45), (40, 15)))
    _, feet, times = figure(10, frames=60)
    found = tilt(estimate_up(np.concatenate((upright, leaning)), feet, times))
    assert 10 < found[0] < 15, "their mean is 20"


def test_supports_are_slow_and_at_one_level():
    heights = np.full((60, 4), 1.2)
    heights[:, 2] = 1.0
    heights[[19, 21], 2] = 0.99, 1.01  # frame 20 is passed at 0.3 m/s
    heights[45:, 2] = 1.45  # three times as far off as soles usually are ...
    heights[45:, :2] = 1.5
    heights[45:, 3] = 1.46
    up, times = np.array([0.0, -1.0, 0.0]), np.arange(60) / RATE
    points, weights = _supports(up * heights[..., None], up, times)
    assert points @ up == pytest.approx(heights[:, 2])
    whole = 2 * (times[-1] - times[0]) / 60
    assert weights[[10, 20]] == pytest.approx([whole, whole / 4], rel=0.02)
    assert weights[52] == pytest.approx(whole / 100, rel=0.02), "... and seen as often as once in a hundred"
    assert _supports(up * heights[:3, :, None], up, times[:3])[1].sum() == pytest.approx(2 * times[2])
    assert not len(_supports(up * heights[:2, :, None], up, times[:2])[0])
    long = np.arange(60) / 2
    assert _supports(np.tile(up, (60, 4, 1)), up, long)[1].sum() == pytest.approx(20), "at most"
