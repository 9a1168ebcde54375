"""One shape for all of a person's stretches."""

import numpy as np
import pytest
import torch
from synthetic_people import hip_centred

from engine.backbones.one_body import in_one_body, with_betas
from engine.backbones.types import Prediction
from engine.body.stature import standing_height
from engine.keypoints.types import PersonTrack

ROWS = 6


def prediction_of(betas, rows=ROWS):
    rotations = np.tile(np.eye(3, dtype=np.float32), (rows, 24, 1, 1))
    rotations[:, 0] = np.diag([1.0, -1.0, -1.0])
    return Prediction(
        rotations=rotations,
        betas=np.array(betas, np.float32),
        transl=np.tile(np.float32([0.2, 0.1, 4.0]), (rows, 1)),
        joint_confidence=np.ones((rows, 24), np.float32),
        residual_px=np.ones(rows, np.float32),
    )


def track_of(person, rows=ROWS, height_m=None):
    return PersonTrack(
        person, np.arange(rows), np.arange(rows) / 10, np.zeros((rows, 1, 3), np.float32),
        np.zeros((rows, 1, 3), np.float32), np.zeros((rows, 4), np.float32), np.ones(rows, bool), ("nose",), (64, 48),
        height_m,
    )  # fmt: skip


def joints_of(prediction, body):
    arguments = (torch.as_tensor(part) for part in (prediction.rotations, prediction.betas, prediction.transl))
    return body.joints_and_landmarks(*arguments)[0]


def seen(joints):
    return (joints[..., :2] / joints[..., 2:]).numpy()


def test_another_shape_looks_the_same_from_the_camera(body):
    before = prediction_of([1.0] + [0.0] * 9)
    after = with_betas(before, np.float32([-1.0] + [0.0] * 9), body)
    assert not np.allclose(before.transl, after.transl, atol=1e-2)
    np.testing.assert_allclose(seen(joints_of(before, body)), seen(joints_of(after, body)), atol=5e-3)
    sizes = [float(hip_centred(joints_of(one, body)).norm(dim=-1).max()) for one in (before, after)]
    assert sizes[0] != pytest.approx(sizes[1], rel=0.02)


def test_all_stretches_of_a_person_have_the_mean_shape(body):
    predictions = [prediction_of([1.0] + [0.0] * 9, 6), prediction_of([-1.0] + [0.0] * 9, 2), prediction_of([2.0] * 10)]
    tracks = [track_of(1, 6), track_of(1, 2), track_of(2)]
    before, after = in_one_body(tracks, predictions, predictions, body)
    assert [float(one.betas[0]) for one in before] == [0.5, 0.5, 2.0]
    assert all(one is its for one, its in zip(after, before, strict=True)), "not adapted is not adapted"
    assert before[2] is predictions[2]


def test_what_was_adapted_keeps_its_beginning(body):
    first = [prediction_of([0.2] + [0.0] * 9), prediction_of([0.4] + [0.0] * 9)]
    last = [prediction_of([1.0] + [0.0] * 9)] * 2
    before, after = in_one_body([track_of(1), track_of(1)], first, last, body)
    assert all(one is not its for one, its in zip(after, before, strict=True))
    assert all(float(one.betas[0]) == 1.0 for one in before)


def test_a_known_height_stays(body):
    predictions = [prediction_of([1.0] + [0.0] * 9), prediction_of([-1.0] + [0.0] * 9)]
    before, _ = in_one_body([track_of(1, height_m=1.9)] * 2, predictions, predictions, body)
    assert float(standing_height(body, torch.from_numpy(before[0].betas))) == pytest.approx(1.9, abs=1e-3)
    np.testing.assert_array_equal(before[0].betas, before[1].betas)
