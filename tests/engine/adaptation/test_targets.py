"""How 2D targets change between epochs: the cases of eq. 8, one by one."""

import pytest
import torch

from engine.adaptation.targets import Targets, fill_in, move, updated

SEEN, UNSEEN = (10.0, 20.0), (0.0, 0.0)
PROJECTED = torch.tensor([[[20.0, 40.0], [30.0, 60.0]]])


def start():
    return Targets.detected(torch.tensor([[SEEN, UNSEEN]]), torch.tensor([[True, False]]))


def test_a_detected_keypoint_moves_towards_the_projection():
    after = updated(start(), PROJECTED, torch.tensor([False]), ema=0.9)
    assert after.points[0, 0].tolist() == pytest.approx([0.9 * 10 + 0.1 * 20, 0.9 * 20 + 0.1 * 40])
    assert after.valid.tolist() == [[True, False]]
    assert not after.filled.any()


def test_one_not_detected_is_filled_in_where_the_segment_is_aligned():
    after = updated(start(), PROJECTED, torch.tensor([True]), ema=0.9)
    assert after.points[0, 1].tolist() == [30.0, 60.0]
    assert after.valid.all()
    assert after.filled.tolist() == [[False, True]]


def test_one_not_detected_stays_without_a_target_where_it_is_not():
    after = updated(start(), PROJECTED, torch.tensor([False]), ema=0.9)
    assert not after.valid[0, 1]
    assert after.points[0, 1].tolist() == list(UNSEEN)


def test_once_filled_in_it_follows_the_average_whatever_the_similarity_is_later():
    after = updated(start(), PROJECTED, torch.tensor([True]), ema=0.9)
    later = updated(after, PROJECTED + 10, torch.tensor([False]), ema=0.9)
    assert later.points[0, 1].tolist() == pytest.approx([0.9 * 30 + 0.1 * 40, 0.9 * 60 + 0.1 * 70])
    assert later.filled[0, 1]
    assert later.valid[0, 1]


def test_without_fill_in_and_without_average_nothing_changes():
    after = updated(start(), PROJECTED, None, ema=torch.tensor([1.0]))
    assert torch.equal(after.points, start().points)
    assert torch.equal(after.valid, start().valid)


def test_an_average_that_keeps_nothing_is_the_projection():
    assert move(start(), PROJECTED, 0.0).points[0, 0].tolist() == [20.0, 40.0]


def test_what_is_not_finite_never_becomes_a_target():
    broken = PROJECTED.clone()
    broken[0, 1, 0], broken[0, 0, 1] = torch.inf, torch.nan
    after = updated(start(), broken, torch.tensor([True]), ema=0.9)
    assert after.points[0, 0].tolist() == list(SEEN)
    assert after.valid.tolist() == [[True, False]]
    assert after.points.isfinite().all()


def test_the_targets_that_come_in_stay_as_they_are():
    before = start()
    fill_in(before, PROJECTED, torch.tensor([True]))
    updated(before, PROJECTED, torch.tensor([True]), 0.5)
    assert torch.equal(before.points, start().points)
    assert torch.equal(before.valid, start().valid)
