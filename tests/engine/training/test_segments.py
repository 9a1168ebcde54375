from itertools import pairwise

import cv2
import numpy as np
import pytest
from training_clips import corpus_clip

from engine.training.authored import author, performers
from engine.training.corpus import LabelRow
from engine.training.figure import plain_figure
from engine.training.segments import MOVEMENT, PAUSE, draw_proposals, propose, propose_for, unlabelled
from engine.training.transitions import join

PERSON = performers(1, np.random.default_rng(0), [plain_figure()])[0]


def performed(action, seed=0):
    return author(action, PERSON, np.random.default_rng(seed))


def z_up(clip):
    joints, _ = PERSON.figure.pose(clip.rotations, clip.pelvis)
    return joints @ np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]).T


@pytest.fixture(scope="module")
def take():
    """Walking, jumping jacks, walking again."""
    first = join(performed("walk happily"), performed("jumping jack"), PERSON.figure)
    both = join(first.clip, performed("walk happily", 1), PERSON.figure)
    return both.clip, (first.end, both.start)


def test_proposals_cover_the_take_in_order(take):
    found = propose(z_up(take[0]), 30.0)
    assert found[0].start == 0
    assert found[-1].end == len(take[0].pelvis)
    assert all(a.end == b.start for a, b in pairwise(found))
    assert all(one.end > one.start for one in found)


def test_changes_of_rhythm_are_near_the_joints_of_a_take(take):
    cuts = [one.start for one in propose(z_up(take[0]), 30.0)[1:]]
    for border in take[1]:
        assert min(abs(cut - border) for cut in cuts) < 30
    assert len(cuts) <= 10


def test_a_stretch_without_movement_is_a_pause():
    joints = z_up(performed("crouch"))
    still = np.repeat(joints[-1:], 60, 0)
    found = propose(np.concatenate([joints, still, joints]), 30.0)
    pause = next(one for one in found if one.kind == PAUSE and one.end > len(joints) + 30)
    assert abs(pause.start - len(joints)) < 25
    assert abs(pause.end - len(joints) - 60) < 25
    assert found[0].kind in (MOVEMENT, PAUSE)


def test_short_takes_are_one_piece():
    joints = z_up(performed("crouch"))
    assert propose(joints[:0], 30.0) == []
    assert len(propose(joints[:2], 30.0)) == 1


def test_only_what_has_no_label_is_proposed_and_drawn(take, tmp_path):
    clip = corpus_clip("long", take[0], "p", False, False, (LabelRow(0, 100, "walk", "walk"),))
    assert unlabelled(clip) == [(100, len(take[0].pelvis))]
    assert unlabelled(corpus_clip("x", take[0], "p", False, False, (LabelRow(0, 9999, "walk", "walk"),))) == []
    found = propose_for(clip, PERSON.figure)
    assert found[0].start == 100
    draw_proposals(clip, found[:2], PERSON.figure, tmp_path / "sheet.png")
    assert cv2.imread(str(tmp_path / "sheet.png")).shape[0] == 2 * 2 * 110
