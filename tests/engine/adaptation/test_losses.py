"""Each term of the objective against values worked out by hand, and where its gradients go."""

import math

import pytest
import torch

from engine.adaptation import losses


def test_eq_3_is_the_cosine():
    motion = torch.tensor([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]])
    text = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, -1.0]])
    assert losses.motion_text_similarity(motion, text).tolist() == pytest.approx([1.0, 0.6, -1.0])


def test_eq_4_is_one_minus_the_similarity_of_the_segments_that_count():
    similarity = torch.tensor([0.5, 0.9, -0.2])
    assert float(losses.alignment_loss(similarity, torch.tensor([0.5, 0.5, 0.0]))) == pytest.approx(0.3)
    assert float(losses.alignment_loss(similarity, torch.zeros(3))) == 0


def test_eq_4_sees_the_exemplars_root_and_the_predicted_rest():
    predicted, exemplar = torch.zeros(2, 60, 24, 6, requires_grad=True), torch.ones(2, 60, 24, 6)
    motion = losses.with_root_of(predicted, exemplar)
    assert (motion[:, :, 0] == 1).all()
    assert (motion[:, :, 1:] == 0).all()
    motion.sum().backward()
    assert not predicted.grad[:, :, 0].any(), "the global rotation gets no gradient"
    assert predicted.grad[:, :, 1:].all()


def test_eq_5_by_hand():
    projected = torch.tensor([[[[100.0, 50.0], [10.0, 10.0]]]])
    targets = torch.tensor([[[[103.0, 46.0], [90.0, 90.0]]]])
    valid = torch.tensor([[[1.0, 0.0]]])
    box = torch.tensor([[448.0]])  # twice the crop: an error of 3 and 4 pixels is one of 1.5 and 2 in the crop
    assert float(losses.keypoint_loss(projected, targets, valid, box)) == pytest.approx((1.5 + 2) / 4)


def test_eq_5_does_not_know_the_resolution():
    generator = torch.Generator().manual_seed(0)
    projected, targets = torch.rand(2, 3, 4, 5, 2, generator=generator) * 500
    valid, box = torch.ones(3, 4, 5), torch.full((3, 4), 300.0)
    small = losses.keypoint_loss(projected, targets, valid, box)
    assert float(losses.keypoint_loss(4 * projected, 4 * targets, valid, 4 * box)) == pytest.approx(float(small))


def test_eq_5_gives_no_gradient_to_what_was_not_seen():
    projected = torch.zeros(1, 1, 2, 2, requires_grad=True)
    losses.keypoint_loss(projected, torch.ones(1, 1, 2, 2), torch.tensor([[[1.0, 0.0]]]), torch.ones(1, 1)).backward()
    assert projected.grad[0, 0, 0].all()
    assert not projected.grad[0, 0, 1].any()


def test_eq_9_by_hand():
    eye = torch.eye(3).expand(2, 24, 3, 3)
    turned = eye.clone()
    turned[0, 5] = torch.diag(torch.tensor([1.0, -1.0, -1.0]))  # two entries of 24 x 9 are off by 2
    betas, steady = torch.zeros(2, 10), torch.full((2, 10), 0.5)
    everywhere = torch.ones(2)
    value = losses.smoothing_loss(eye, turned, betas, steady, everywhere, 0.1)
    assert float(value) == pytest.approx(4 / (2 * 216) + 0.1 * 0.5)
    first_only = losses.smoothing_loss(eye, turned, betas, steady, torch.tensor([0.0, 1.0]), 0.1)
    assert float(first_only) == pytest.approx(0.1 * 0.25)


def test_eq_10_by_hand():
    terms = losses.Terms(*(torch.tensor(value) for value in (2.0, 0.5, 0.25)))
    weights = losses.Weights(projection=0.1, alignment=3.0, smoothing=2.0, shape=0.001)
    assert float(losses.objective(terms, weights)) == pytest.approx(0.2 + 1.5 + 0.5)


def test_unpaired_poses_by_hand():
    local, decoded = torch.zeros(2, 60, 24, 6), torch.zeros(2, 60, 24, 6)
    decoded[0, :, 0] = 5.0  # the root does not count
    decoded[0, :, 3] = 1.0
    decoded[1] = math.pi
    value = losses.unpaired_loss(local, decoded, torch.tensor([1.0, 0.0]))
    assert float(value) == pytest.approx(1 / 23)
