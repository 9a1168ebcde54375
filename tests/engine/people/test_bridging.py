"""Somebody out of sight for a while, of whom the user says what they do meanwhile."""

from dataclasses import replace

import numpy as np
import pytest
from stick_figures import detections, figure, info

from engine.keypoints.tracking import track_people
from engine.people.bridging import bridged


def seen_in(spans):
    """One person's tracks, seen in some spans of frames at 30 frames a second."""
    count = spans[-1][1]
    there = [any(first <= n < last for first, last in spans) for n in range(count)]
    found = detections([[figure(300 + n, 150, 300)] if seen else [] for n, seen in enumerate(there)])
    tracks = sorted(track_people(found, info()), key=lambda one: int(one.frame_indices[0]))
    assert len(tracks) == len(spans)
    times = {frame.index: frame.time_s for frame in found}
    return [replace(one, person=1) for one in tracks], times


def always(when):
    return np.ones(len(when), bool)


def test_stretches_with_a_label_between_them_are_one_with_nothing_detected_there():
    tracks, times = seen_in([(0, 30), (120, 150)])
    (one,) = bridged(tracks, times, always)
    assert one.frame_indices.tolist() == list(range(150))
    assert (np.diff(one.timestamps) > 0).all()
    assert one.detected[:30].all()
    assert one.detected[120:].all()
    assert not one.detected[30:120].any()
    assert not one.keypoints[30:120, :, 2].any()
    assert (np.diff(one.boxes[:, 0]) >= 0).all(), "the box goes straight to where the person is seen again"


@pytest.mark.parametrize(
    ("spans", "labelled"),
    [
        ([(0, 30), (120, 150)], lambda when: when < 3.0),  # the label ends while nobody is seen
        ([(0, 30), (660, 690)], always),  # gone for 21 s
    ],
)
def test_who_has_no_label_or_has_gone_stays_in_stretches(spans, labelled):
    tracks, times = seen_in(spans)
    assert len(bridged(tracks, times, labelled)) == 2


def test_nobody_is_followed_over_a_cut():
    (first, second), times = seen_in([(0, 30), (120, 150)])
    assert len(bridged([first, replace(second, shot=2)], times, always)) == 2
