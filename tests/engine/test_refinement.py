"""The curves at the end, on a walk whose true motion is known."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from synthetic_people import seen, walk

from engine.adaptation.refinement import refined
from engine.adaptation.settings import AdaptationSettings
from engine.backbones.evidence import gather
from engine.backbones.summary import joint_confidence, residual_px
from engine.body.landmarks import JOINT_NAMES
from engine.body.rotations import axis_angle_to_matrix
from engine.progress import Silent

SETTINGS = AdaptationSettings(refine_steps=40)


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
    confidence = joint_confidence(evidence)
    return replace(
        person.prediction,
        rotations=rotations,
        residual_px=residual_px(evidence, body, *pose),
        joint_confidence=confidence,
    )


def curves(prediction, person, body, doubt, settings=SETTINGS):
    """The prediction drawn to the keypoints, `doubt` a number or one a row."""
    doubts = torch.as_tensor(doubt, dtype=torch.float32).expand(len(person.times))
    return refined(prediction, seen(body, person), person.camera, body, settings, doubts, Silent())


def turned(result, prediction, rows=slice(None), joints=slice(None)):
    """How far joints are turned: mean over the entries of their matrices."""
    return np.abs(result.rotations - prediction.rotations)[rows, joints].mean()


def test_keypoints_that_are_believed_are_followed_and_doubted_ones_less(person, body):
    prediction = off(person, body, 0.1)
    moved = [turned(curves(prediction, person, body, doubt), prediction) for doubt in (0.0, 0.2, 1.0)]
    assert moved[0] > moved[1] > moved[2] > 0
    assert moved[0] > 1.3 * moved[2]
    near = curves(prediction, person, body, 0.0)
    assert near.residual_px.mean() < curves(prediction, person, body, 1.0).residual_px.mean()


def test_each_row_has_a_doubt_of_its_own(person, body):
    prediction = off(person, body, 0.1)
    doubt = torch.cat((torch.zeros(30), torch.ones(30)))
    both = curves(prediction, person, body, doubt)
    believed, doubted = (turned(both, prediction, rows) for rows in (slice(0, 25), slice(35, 60)))
    assert believed > 1.2 * doubted


def test_joints_that_nobody_saw_stay_near_even_if_keypoints_are_believed(person, body):
    legs = [JOINT_NAMES.index(f"{side}_{part}") for side in ("left", "right") for part in ("knee", "ankle")]
    prediction = off(person, body, 0.1)
    confidence = prediction.joint_confidence.copy()
    confidence[:, legs] = 0.0
    unseen = curves(replace(prediction, joint_confidence=confidence), person, body, 0.0)
    assert turned(unseen, prediction, joints=legs) < turned(
        curves(prediction, person, body, 0.0), prediction, joints=legs
    )
