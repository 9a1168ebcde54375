"""How far keypoints are believed, on walks whose true motion is known."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from synthetic_people import seen, walk

from engine.adaptation.agreement import STEPS, agreement, between, distance
from engine.adaptation.whole_track import Estimate
from engine.body.landmarks import JOINT_NAMES
from engine.body.rotations import axis_angle_to_matrix
from engine.errors import CancelledError
from engine.progress import Part, Silent

AGREED, DISAGREED = 0.055, 0.08


@pytest.fixture(scope="module")
def person(body):
    return walk(body, seconds=8.0)


def with_arms_up(prediction, rows):
    """The prediction with both arms elsewhere in some rows."""
    rotations = prediction.rotations.copy()
    arms = [JOINT_NAMES.index(f"{side}_shoulder") for side in ("left", "right")]
    rotations[rows, arms[0] : arms[1] + 1] = axis_angle_to_matrix(torch.tensor([0.0, 0.0, 2.5])).numpy()
    return replace(prediction, rotations=rotations)


def test_keypoints_are_believed_where_the_network_agrees_with_a_fit_and_doubted_where_it_does_not(body, person):
    track = seen(body, person)
    half = with_arms_up(person.prediction, slice(0, 120))
    believed = agreement(half, track, person.camera, body, AGREED, DISAGREED, Silent())
    assert believed.shape == (240,)
    assert (believed[:55] == 0).all(), "far enough from where they agree"
    assert (believed[185:] == 1).all()
    assert (believed.diff() >= 0).all(), "no jump between"


def test_a_single_row_is_compared_as_well(body, person):
    track = seen(body, person)
    rows = {name: getattr(track, name)[:1] for name in ("frame_indices", "timestamps", "keypoints", "landmarks3d")}
    alone = replace(track, **rows, boxes=track.boxes[:1], detected=track.detected[:1])
    parts = {name: getattr(person.prediction, name)[:1] for name in ("rotations", "transl", "joint_confidence")}
    first = replace(person.prediction, **parts, residual_px=person.prediction.residual_px[:1])
    assert agreement(first, alone, person.camera, body, AGREED, DISAGREED, Silent()).tolist() == [1.0]


def test_nobody_to_be_seen_is_nothing_to_believe(body, person):
    track = seen(body, person)
    nobody = replace(track, detected=np.zeros_like(track.detected), keypoints=np.zeros_like(track.keypoints))
    assert (agreement(person.prediction, nobody, person.camera, body, AGREED, DISAGREED, Silent()) == 0).all()


def test_a_prediction_that_is_not_finite_is_nothing_to_compare_with(body, person):
    rotations = person.prediction.rotations.copy()
    rotations[3] = np.nan
    apart = distance(replace(person.prediction, rotations=rotations), person.prediction, body)
    assert apart[3].isnan()
    assert apart[np.r_[:3, 4:240]].abs().max() < 1e-4


def test_distance_does_not_mind_where_somebody_stands_or_which_way_they_face(body, person):
    turn = axis_angle_to_matrix(torch.tensor([0.3, 1.0, -0.2])).numpy()
    rotations = person.prediction.rotations.copy()
    rotations[:, 0] = turn @ rotations[:, 0]
    elsewhere = replace(person.prediction, rotations=rotations, transl=person.prediction.transl + 5)
    assert distance(elsewhere, person.prediction, body).max() < 1e-4
    assert distance(with_arms_up(person.prediction, slice(None)), person.prediction, body).min() > 0.1


def test_it_can_be_stopped_and_tells_how_far_it_is(body, person):
    track, told = seen(body, person), []

    class Stop(Silent):
        def __call__(self, done, total):
            told.append(done / total)
            if len(told) == 20:
                raise CancelledError("stopped")

    with pytest.raises(CancelledError):
        agreement(person.prediction, track, person.camera, body, AGREED, DISAGREED, Stop())
    assert told == sorted(told)


def test_between_goes_from_the_one_to_the_other_row_by_row():
    one = Estimate(torch.eye(3).repeat(3, 24, 1, 1), torch.zeros(3, 10), torch.zeros(3, 3))
    turned = axis_angle_to_matrix(torch.full((3, 24, 3), 0.3))
    other = Estimate(turned, torch.ones(3, 10), torch.ones(3, 3))
    mean = between(one, other, torch.tensor([0.0, 0.5, 1.0]))
    torch.testing.assert_close(mean.rotations[0], one.rotations[0])
    torch.testing.assert_close(mean.rotations[2], turned[2], atol=1e-5, rtol=0)
    torch.testing.assert_close(mean.transl[:, 0], torch.tensor([0.0, 0.5, 1.0]))
    torch.testing.assert_close(mean.betas[:, 0], torch.tensor([0.0, 0.5, 1.0]))


def test_a_part_of_some_work_counts_from_where_it_begins():
    told = []
    part = Part(told.append, 100, STEPS)
    for done in range(4):
        part(done, 3)
    part(0, 0)
    assert told == [100, 166, 233, 300, 100]
