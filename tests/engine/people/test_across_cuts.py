"""Which possible cuts are cuts: the people in them say."""

import pytest
from stick_figures import detections, figure

from engine.footage.shots import Cuts
from engine.people.across_cuts import confirmed, describe_cuts

HERE, NEAR, FAR = (figure(300 + 4 * n, 200, 300) for n in (0, 1, 40))


def people(*frames):
    return detections(list(frames))


def test_what_the_picture_is_sure_of_stands():
    found = people(*[[HERE]] * 10)
    assert confirmed(Cuts(sure=(4,)), found) == (4,)


def test_a_possible_cut_is_one_if_everybody_jumps():
    assert confirmed(Cuts(possible=(5,)), people(*[[HERE]] * 5, *[[FAR]] * 5)) == (5,)
    assert confirmed(Cuts(sure=(8,), possible=(5,)), people(*[[HERE]] * 5, *[[FAR]] * 5)) == (5, 8)


def test_a_possible_cut_is_none_if_somebody_goes_on():
    assert confirmed(Cuts(possible=(5,)), people(*[[HERE]] * 5, *[[NEAR]] * 5)) == ()
    other = figure(900, 100, 300)
    assert confirmed(Cuts(possible=(5,)), people(*[[HERE, other]] * 5, *[[FAR, other]] * 5)) == ()


@pytest.mark.parametrize("frames", [[[]] * 10, [[HERE]] * 5 + [[]] * 5, [[]] * 5 + [[HERE]] * 5])
def test_a_possible_cut_is_none_where_nobody_can_tell(frames):
    assert confirmed(Cuts(possible=(5,)), people(*frames)) == ()


def test_whoever_is_missed_for_a_frame_still_tells():
    assert confirmed(Cuts(possible=(5,)), people(*[[HERE]] * 4, [], [], *[[FAR]] * 4)) == (5,)


def test_cuts_beyond_the_footage_do_no_harm():
    assert confirmed(Cuts(possible=(50,)), people([HERE])) == ()


def test_cuts_are_reported_in_a_sentence():
    assert describe_cuts([1.5]).startswith("The footage is cut once, at 1.50 s.")
    assert "cut 2 times, at 1.50 and 2.00 s." in describe_cuts([1.5, 2])
    assert "cut 3 times, at 1.50, 2.00 and 3.25 s." in describe_cuts([1.5, 2, 3.25])
    assert "cut 9 times, at 0.00, 1.00, 2.00, 3.00, 4.00, 5.00 s and so on." in describe_cuts(list(range(9)))
