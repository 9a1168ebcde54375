"""People put together and taken apart by the user."""

from dataclasses import replace

import numpy as np
import pytest
from stick_figures import detections, figure, info

from engine.errors import UsageError
from engine.keypoints.tracking import choose, track_people
from engine.people.merging import Split, arranged, merges, splits


@pytest.fixture
def tracks():
    """Person 1 from 0 to 1 s and from 4 to 5 s, person 2 from 2 to 3 s, person 3 all the while."""
    there = {1: ((0, 30), (120, 150)), 2: ((60, 90),)}
    frames = []
    for n in range(150):
        at = [100 * one for one, spans in there.items() for first, last in spans if first <= n < last]
        frames.append([figure(200 + 4 * x, 150, 300) for x in at] + [figure(1100, 100, 150)])
    found = track_people(detections(frames), info())
    assert len(found) == 4
    number = {(0, 300): 1, (120, 300): 1, (60, 300): 2, (0, 150): 3}
    sides = [round(float((one.boxes[0, 3] - one.boxes[0, 1]) / 150)) * 150 for one in found]
    return [
        replace(one, person=number[int(one.frame_indices[0]), side]) for one, side in zip(found, sides, strict=True)
    ]


def seen(people):
    return [(one.person, int(one.frame_indices[0])) for one in people]


def test_nothing_requested_is_nothing_done(tracks):
    assert seen(arranged(tracks, (), ())) == [(1, 0), (1, 120), (2, 60), (3, 0)]


def test_two_who_are_one(tracks):
    assert seen(arranged(tracks, (), [(1, 2)])) == [(1, 0), (1, 60), (1, 120), (3, 0)]
    assert seen(arranged(tracks, (), [(2, 1)])) == [(2, 0), (2, 60), (2, 120), (3, 0)]


def test_one_who_is_two(tracks):
    assert seen(arranged(tracks, splits(["1"]), ())) == [(1, 0), (2, 60), (3, 0), (4, 120)]


def test_one_who_is_two_from_a_time_on(tracks):
    found = arranged(tracks, [Split(1, 3.0)], ())
    assert seen(found) == [(1, 0), (2, 60), (3, 0), (4, 120)], "in a gap"
    found = arranged(tracks, [Split(3, 2.0)], ())
    assert seen(found) == [(1, 0), (1, 120), (2, 60), (3, 0), (4, 60)], "in the middle of a stretch"
    before, after = (one for one in found if one.person in (3, 4))
    (whole,) = (one for one in tracks if one.person == 3)
    for name in ("frame_indices", "timestamps", "keypoints", "landmarks3d", "boxes", "detected"):
        both = np.concatenate([getattr(before, name), getattr(after, name)])
        np.testing.assert_array_equal(both, getattr(whole, name))


def test_what_is_split_off_begins_where_it_is_seen(tracks):
    (whole,) = (one for one in tracks if one.person == 3)
    hidden = replace(whole, detected=np.where(np.abs(np.arange(150) - 60) < 10, False, whole.detected))
    before, after = arranged([hidden], [Split(3, 2.0)], ())
    assert (before.frame_indices[-1], after.frame_indices[0]) == (50, 70)


def test_splits_come_one_after_the_other(tracks):
    found = arranged(tracks, splits(["3@4", "1", "3@2"]), ())
    assert seen(found) == [(1, 0), (2, 60), (3, 0), (4, 120), (5, 120), (6, 60)], "an earlier one keeps its numbers"


@pytest.mark.parametrize("at_s", [0.0, 5.0, 99.0])
def test_nobody_is_split_off_where_nobody_is(tracks, at_s):
    with pytest.raises(UsageError, match=f"person 3 is not seen both before and after {at_s:g} s"):
        arranged(tracks, [Split(3, at_s)], ())


def test_apart_and_together_again_otherwise(tracks):
    assert seen(arranged(tracks, [Split(1)], [(4, 2)])) == [(1, 0), (3, 0), (4, 60), (4, 120)]


def test_those_seen_at_the_same_time_stay_two(tracks):
    with pytest.raises(UsageError, match=r"People 2 and 3 cannot be one: they are seen at the same time, at 2\.00 s"):
        arranged(tracks, (), [(2, 3)])


@pytest.mark.parametrize(("split", "merge"), [([Split(9)], ()), ((), [(1, 9)]), ((), [(9, 1)])])
def test_numbers_that_nobody_has(tracks, split, merge):
    with pytest.raises(UsageError, match="names person 9, who is not in the footage"):
        arranged(tracks, split, merge)


def test_main_is_the_first_that_is_left(tracks):
    together = arranged(tracks, (), [(2, 1)])
    assert {one.person for one in choose(together, "main")} == {2}


def test_what_may_be_written():
    assert merges(["2=4", " 1 = 3=5"]) == ((2, 4), (1, 3, 5))
    assert splits(["2", "3,4", "5@3.5"]) == (Split(2), Split(3), Split(4), Split(5, 3.5))
    for wrong in ("", "2", "2=", "2=2", "0=1", "a=b", "2-4", "main=1", "2=4=2"):
        with pytest.raises(UsageError, match="--merge does not understand"):
            merges([wrong])
    for wrong in ("", "all", "x", "2@", "@2", "2@x", "2@nan", "2@-1", "2@1e999"):
        with pytest.raises(UsageError, match="--split does not understand"):
            splits([wrong])
