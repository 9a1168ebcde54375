"""What was seen, as adaptation compares with it: what each keypoint counts."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from synthetic_people import seen, walk

from engine.adaptation.evidence import Seen
from engine.body.model import load_body


@pytest.fixture(scope="module")
def evidence():
    body = load_body()
    person = walk(body, seconds=1.0)
    track = seen(body, person)
    keypoints = track.keypoints.copy()
    keypoints[:, 5, 2], keypoints[:, 6, 2] = 0.5, 0.1
    return Seen.of(replace(track, keypoints=keypoints), person.camera, body, torch.device("cpu"))


def test_the_paper_counts_all_that_is_seen_alike(evidence):
    assert (evidence.weights(False) == 1).all()


def test_keypoints_count_as_much_as_the_detector_is_sure(evidence):
    weights = evidence.weights(True)
    less, full = weights[:, evidence.columns.index(5)], weights[:, evidence.columns.index(7)]
    torch.testing.assert_close(less / full, evidence.confidence[:, 5] / evidence.confidence[:, 7])
    assert float(weights[evidence.valid].mean()) == pytest.approx(1)
    assert not evidence.valid[:, evidence.columns.index(6)].any()
    assert (weights[~evidence.valid] == 1).all(), "what is filled in later counts in full"


def test_joints_are_as_sure_as_the_keypoints_that_show_them(evidence):
    assert evidence.joints.shape == (len(evidence.points), 24)
    assert np.isfinite(evidence.joints.numpy()).all()
    assert float(evidence.joints.max()) <= 1
