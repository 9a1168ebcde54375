"""What keypoints weigh, on walks whose true motion is known."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from synthetic_people import seen, unseen, walk

from engine.adaptation.agreement import distance, keypoint_weight
from engine.adaptation.evidence import Seen
from engine.backbones.evidence import SIDES
from engine.backbones.fit import FitBackbone
from engine.backbones.fit_settings import FitSettings
from engine.body.landmarks import JOINT_NAMES
from engine.body.rotations import axis_angle_to_matrix
from engine.runtime.progress import Part, Silent


@pytest.fixture(scope="module")
def person(body):
    return walk(body, seconds=8.0)


def with_arms_up(prediction, rows):
    """The prediction with both arms elsewhere in some rows."""
    rotations = prediction.rotations.copy()
    arms = [JOINT_NAMES.index(f"{side}_shoulder") for side in ("left", "right")]
    rotations[rows, arms[0] : arms[1] + 1] = axis_angle_to_matrix(torch.tensor([0.0, 0.0, 2.5])).numpy()
    return replace(prediction, rotations=rotations)


def weight_of(body, person, first, track=None):
    track = track or seen(body, person)
    evidence = Seen.of(track, person.camera, body, torch.device("cpu"))
    fitted = FitBackbone(FitSettings(iterations=100)).predict(track, person.camera, body, Silent())
    return keypoint_weight(first, fitted, evidence, body)


def test_keypoints_weigh_in_full_where_the_network_agrees_with_a_fit_and_least_where_it_does_not(body, person):
    half = with_arms_up(person.prediction, slice(0, 120))
    weight = weight_of(body, person, half)
    assert weight.shape == (240,)
    assert (weight[:55] < 0.02).all(), "far enough from where they agree"
    assert (weight[185:] == 1).all()
    assert (weight.diff() >= 0).all(), "no jump between"


def test_joints_that_are_not_seen_are_not_compared(body, person):
    arms = [f"{side}_{part}" for side in SIDES for part in ("elbow", "wrist", "index", "pinky", "thumb")]
    hidden = unseen(seen(body, person), names=arms)
    raised = with_arms_up(person.prediction, slice(None))
    assert weight_of(body, person, raised, hidden).mean() > weight_of(body, person, raised).mean() + 0.3


@pytest.mark.parametrize(("confidence", "least", "most"), [(0.95, 1, 1), (0.91, 0.4, 0.6), (0.85, 0, 0.02)])
def test_keypoints_of_which_mediapipe_is_less_sure_weigh_less(body, person, confidence, least, most):
    track = seen(body, person)
    track.keypoints[..., 2] = confidence
    weight = weight_of(body, person, person.prediction, track)
    assert least <= weight.min() <= weight.max() <= most


def test_confidence_of_other_detectors_means_something_else(body, person):
    track = seen(body, person)
    track.keypoints[..., 2] = 0.6
    columns = [place for place, name in enumerate(track.keypoint_names) if "index" not in name]
    names = tuple(track.keypoint_names[place] for place in columns)
    other = replace(
        track, keypoint_names=names, keypoints=track.keypoints[:, columns], landmarks3d=track.landmarks3d[:, columns]
    )
    assert weight_of(body, person, person.prediction, other).min() == 1


def test_nobody_to_be_seen_weighs_least(body, person):
    track = seen(body, person)
    nobody = replace(track, detected=np.zeros_like(track.detected), keypoints=np.zeros_like(track.keypoints))
    evidence = Seen.of(nobody, person.camera, body, torch.device("cpu"))
    assert (keypoint_weight(person.prediction, person.prediction, evidence, body) < 0.02).all()


def test_distance_does_not_mind_where_somebody_stands_or_which_way_they_face(body, person):
    turn = axis_angle_to_matrix(torch.tensor([0.3, 1.0, -0.2])).numpy()
    rotations = person.prediction.rotations.copy()
    rotations[:, 0] = turn @ rotations[:, 0]
    elsewhere = replace(person.prediction, rotations=rotations, transl=person.prediction.transl + 5)
    every = torch.ones(240, 12)
    assert distance(elsewhere, person.prediction, every, body).max() < 1e-4
    nothing = every.clone()
    nothing[3] = 0
    assert distance(elsewhere, person.prediction, nothing, body).isnan().nonzero().flatten().tolist() == [3]
    assert distance(with_arms_up(person.prediction, slice(None)), person.prediction, every, body).min() > 0.1
    rotations = person.prediction.rotations.copy()
    rotations[3] = np.nan
    apart = distance(replace(person.prediction, rotations=rotations), person.prediction, every, body)
    assert apart[3].isnan()
    assert apart[np.r_[:3, 4:240]].abs().max() < 1e-4


def test_a_part_of_some_work_counts_from_where_it_begins():
    reply = []
    part = Part(reply.append, 100, 200)
    for done in range(4):
        part(done, 3)
    part(0, 0)
    assert reply == [100, 166, 233, 300, 100]
