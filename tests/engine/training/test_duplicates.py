import numpy as np
import pytest

from engine.training.authored import author, performers
from engine.training.duplicates import find_duplicates
from engine.training.figure import vectors

PEOPLE = performers(2, np.random.default_rng(0))


def poses(action, seed, person=PEOPLE[0]):
    motion = author(action, person, np.random.default_rng(seed))
    return vectors(motion.rotations).reshape(-1, 72).astype(np.float32)


@pytest.fixture(scope="module")
def takes():
    return [poses(action, seed) for action in ("clap", "walk upstairs", "drink", "push-up") for seed in (0, 1)]


def pairs(found):
    return {(one.first, one.second) for one in found}


def test_takes_of_one_action_and_person_are_no_duplicates(takes):
    assert find_duplicates(takes) == []


def test_a_take_that_is_cut_turned_and_on_another_skeleton_is_found(takes):
    copy = takes[3][20:].copy()
    copy[:, :3] += 0.4  # another heading
    copy[:, 4 * 3] += 0.05  # another skeleton's knee
    found = find_duplicates([*takes, copy])
    assert pairs(found) == {(3, len(takes))}
    assert found[0].shift == 20
    assert found[0].degrees < 1


def test_samples_between_the_frames_are_found_as_well(takes):
    between = (takes[2][:-1] + takes[2][1:]) / 2
    assert pairs(find_duplicates([*takes, between[3:]])) == {(2, len(takes))}


def test_a_small_part_of_a_take_twice_as_long_is_found_and_a_short_overlap_is_not(takes):
    whole = takes[6]
    third = len(whole) // 3
    assert pairs(find_duplicates([whole, whole[third : 2 * third]])) == {(0, 1)}
    assert find_duplicates([whole[: 2 * third - 10], whole[2 * third - 20 :]]) == []


def test_still_and_short_clips_are_never_found():
    still = np.zeros((90, 72), np.float32)
    assert find_duplicates([still, still.copy(), poses("clap", 0)[:10]]) == []
    assert find_duplicates([]) == []
