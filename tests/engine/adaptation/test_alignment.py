"""Segments against their labels: what is compared, and what gradients reach."""

import numpy as np
import pytest
import torch
from small_networks import SmallDictionary, SmallSpace

from engine.adaptation.alignment import Alignment
from engine.adaptation.baselines.discriminator import Adversary
from engine.adaptation.sampler import cut
from engine.body.rotations import axis_angle_to_matrix, six_to_matrix

DICTIONARY = SmallDictionary()


def alignment(labels, rate=30, use="alignment"):
    times = np.arange(len(labels)) / rate
    return Alignment(
        cut(times, np.array(labels), 2.0, 2.0), SmallSpace(DICTIONARY), DICTIONARY, use, torch.device("cpu")
    )


def performed(label, rows=60):
    return six_to_matrix(torch.from_numpy(DICTIONARY.exemplar(label)))[:rows]


def test_a_label_agrees_with_its_own_motion_and_less_with_another():
    align = alignment(["swing"] * 60)
    assert align.of_track(performed("swing")).tolist() == pytest.approx([1.0], abs=1e-5)
    assert float(align.of_track(performed("stand"))) < 0.95


def test_the_global_rotation_does_not_matter():
    align, motion = alignment(["swing"] * 60), performed("swing")
    turned = motion.clone()
    turned[:, 0] = axis_angle_to_matrix(torch.tensor([0.3, 2.0, -1.0])) @ motion[:, 0]
    assert torch.equal(align.of_track(turned), align.of_track(motion))


def test_segments_without_a_label_have_no_similarity():
    align = alignment(["swing"] * 60 + [""] * 60)
    motion = torch.cat((performed("swing"), performed("swing")))
    assert align.of_track(motion).tolist() == pytest.approx([1.0, 0.0], abs=1e-5)


@pytest.mark.parametrize("use", ["alignment", "unpaired", "discriminator"])
def test_gradients_reach_the_local_poses_and_nothing_else(use):
    align = alignment(["swing"] * 60, use=use)
    motion = performed("stand")[None].clone().requires_grad_()
    loss = align.loss(motion, torch.tensor([0]), torch.ones(1))
    loss.backward()
    assert loss.item() > 0
    assert not motion.grad[0, :, 0].any()
    assert motion.grad[0, :, 16].any()
    assert motion.grad.isfinite().all()
    assert not align.space.mix.requires_grad


def test_the_discriminator_learns_which_motion_is_made_from_the_label():
    """After some steps it takes the label's motion for real, and a motion that is drawn to it passes better."""
    adversary = Adversary(SmallSpace(DICTIONARY), torch.device("cpu"))
    text = SmallSpace(DICTIONARY).encode_labels(["swing"])
    fake, real = (torch.from_numpy(DICTIONARY.exemplar(label))[None].float() for label in ("stand", "swing"))
    losses = [adversary.loss(fake, text, torch.ones(1)).item() for _ in range(150)]
    assert losses[-1] > losses[0], "the fake is found out"
    with torch.no_grad():
        assert adversary.network(real) > adversary.network(fake) + 0.2
    assert all(weight.requires_grad for weight in adversary.network.parameters())


def test_segments_without_a_label_have_no_adversary():
    adversary = Adversary(SmallSpace(DICTIONARY), torch.device("cpu"))
    motion = performed("stand")[None].clone()
    before = [weight.clone() for weight in adversary.network.parameters()]
    assert adversary.loss(motion, torch.zeros(1, 16), torch.zeros(1)).item() == 0
    assert all(torch.equal(one, other) for one, other in zip(before, adversary.network.parameters(), strict=True))


def test_a_step_along_the_gradient_raises_the_similarity():
    align = alignment(["swing"] * 60)
    angles = torch.zeros(60, 24, 3, requires_grad=True)
    motion = performed("stand")
    before = align.of_track(motion)
    for _ in range(20):
        loss = align.loss((motion @ axis_angle_to_matrix(angles))[None], torch.tensor([0]), torch.ones(1))
        (gradient,) = torch.autograd.grad(loss, angles)
        with torch.no_grad():
            angles -= gradient
    assert align.of_track(motion @ axis_angle_to_matrix(angles.detach())) > before + 0.02
