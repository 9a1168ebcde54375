"""The curves at the end, on a walk whose true motion is known."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from synthetic_people import seen, walk

from engine.adaptation.refinement import doubt_of, miss, refined
from engine.adaptation.settings import AdaptationSettings
from engine.backbones.evidence import gather
from engine.backbones.summary import residual_px
from engine.body.model import load_body
from engine.body.rotations import axis_angle_to_matrix

SETTINGS = AdaptationSettings(refine_steps=40)


@pytest.fixture(scope="module")
def body():
    return load_body()


@pytest.fixture(scope="module")
def person(body):
    return walk(body, seconds=2.0)


def off(person, body, by):
    """A prediction whose joints are all turned away from the truth by some angle, throughout."""
    turn = torch.randn(1, 24, 3, generator=torch.Generator().manual_seed(3)) * by
    rotations = person.prediction.rotations @ axis_angle_to_matrix(turn).numpy()
    track, camera = seen(body, person), person.camera
    evidence = gather(track, camera.intrinsics, body.landmark_names)
    pose = (torch.from_numpy(part) for part in (rotations, person.prediction.betas, person.prediction.transl))
    return replace(person.prediction, rotations=rotations, residual_px=residual_px(evidence, body, *pose))


def moved(prediction, person, body, usual):
    """How far joints are turned by the curves: mean over the entries of their matrices."""
    track = seen(body, person)
    doubt = doubt_of(prediction, track, usual)
    result = refined(prediction, track, person.camera, body, SETTINGS, doubt, lambda done, total: None)
    return np.abs(result.rotations - prediction.rotations).mean()


def test_the_miss_is_a_share_of_the_box_and_unknown_where_nobody_is_seen(person, body):
    track = seen(body, person)
    near, far = (miss(off(person, body, by), track) for by in (0.03, 0.2))
    assert 0 < near < 0.02 < far < 0.2
    larger = replace(track, boxes=track.boxes * 2)
    assert miss(off(person, body, 0.2), larger) == pytest.approx(far / 2)
    assert np.isnan(miss(off(person, body, 0.2), replace(track, detected=np.zeros_like(track.detected))))


def test_keypoints_that_hardly_miss_the_motion_are_followed_and_others_are_not(person, body):
    precise, doubtful = off(person, body, 0.03), off(person, body, 0.2)
    usual = SETTINGS.refine_miss
    assert moved(precise, person, body, usual) > 1.3 * moved(precise, person, body, 0.0)
    assert moved(doubtful, person, body, usual) == moved(doubtful, person, body, 0.0)
    assert doubt_of(doubtful, seen(body, person), usual) == 1.0
