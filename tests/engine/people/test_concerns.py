"""Who is main: the largest and most central over the time in view; what may be wrong with it is reported."""

from dataclasses import replace

import numpy as np
import pytest
from stick_figures import detections, figure, info

from engine.keypoints.joint_sets import MEDIAPIPE_33
from engine.keypoints.tracking import track_people
from engine.people.concerns import describe_flips, describe_jumps, describe_rivals, flips_s, jumps_s, rivals
from engine.people.returning import number_people


def people(frames, rate=30.0):
    return number_people(track_people(detections(frames, rate), info()), [])


def back(keypoints):
    """Somebody who shows their back: left and right change places."""
    order = [
        MEDIAPIPE_33.index(name.replace("left", "-").replace("right", "left").replace("-", "right"))
        for name in MEDIAPIPE_33
    ]
    return keypoints[order]


def test_who_fills_the_middle_goes_before_a_bystander_who_is_longer_in_view():
    bystander, woman = figure(190, 190, 230), figure(700, 170, 330)
    tracks = people([[bystander, *([woman] if n >= 20 else [])] for n in range(50)])
    assert 30 * 330 < 50 * 230, "by size and time alone it is the bystander"
    assert [len(track.timestamps) for track in tracks] == [30, 50]


def test_a_child_in_the_middle_does_not_hide_a_large_person_at_the_side():
    tracks = people([[figure(640, 300, 120), figure(300, 100, 500)]] * 30)
    assert tracks[0].boxes[0, 0] < 400


def test_those_who_stand_side_by_side_are_rivals():
    tracks = people([[figure(500, 150, 400), figure(780, 150, 400), figure(1200, 300, 100)]] * 30)
    (other,) = rivals(tracks)
    assert other == 2
    assert describe_rivals(1, [2]).startswith("Person 2 is nearly as large")
    assert describe_rivals(1, [2, 4, 3]).startswith("People 2, 4 and 3 are nearly")


def test_one_alone_has_no_rival():
    assert rivals(people([[figure(640, 150, 400)]] * 30)) == []
    assert rivals([]) == []


def test_a_back_taken_for_a_front_is_reported():
    frames = [[figure(640, 150, 400)] if n < 25 else [back(figure(640, 150, 400))] for n in range(50)]
    (track,) = people(frames)
    assert flips_s(track) == [pytest.approx(25 / 30, abs=0.04)]
    assert "at 0.83 s" in describe_flips(1, [0.833])


def test_somebody_who_turns_round_is_not():
    (track,) = people([[figure(640, 150, 400)]] * 50)
    middle = track.keypoints[:, :, 0].mean(1, keepdims=True)
    turned = np.cos(np.linspace(0, np.pi, 20))[:, None]  # half a turn in 0.66 s
    factor = np.concatenate([np.ones((15, 1)), turned, -np.ones((15, 1))])
    keypoints = track.keypoints.copy()
    keypoints[:, :, 0] = middle + (keypoints[:, :, 0] - middle) * factor
    assert flips_s(replace(track, keypoints=keypoints)) == []
    assert flips_s(track) == []


def moved(track, pixels):
    """The track with its keypoints moved to the right by (T,) pixels."""
    keypoints = track.keypoints.copy()
    keypoints[..., 0] += np.asarray(pixels)[:, None]
    return replace(track, keypoints=keypoints)


def test_a_leap_onto_somebody_else_and_back_is_reported():
    """As where two people overlap: for a moment the other one's trunk had been taken, without a warning."""
    (track,) = people([[figure(640, 150, 400)]] * 50)
    length = np.linalg.norm(np.diff(track.keypoints[0, [11, 23], :2], axis=0))
    aside = np.where((np.arange(50) >= 20) & (np.arange(50) < 30), 0.9 * length, 0.0)
    assert jumps_s(moved(track, aside)) == [pytest.approx(20 / 30), pytest.approx(30 / 30)]
    assert "at 0.67, 1.00 s" in describe_jumps(1, [0.667, 1.0])


def test_a_sprint_is_no_leap():
    (track,) = people([[figure(640, 150, 400)]] * 30)
    length = np.linalg.norm(np.diff(track.keypoints[0, [11, 23], :2], axis=0))
    assert jumps_s(moved(track, np.arange(30) * 15 * length / 30)) == []
    assert jumps_s(track) == []
