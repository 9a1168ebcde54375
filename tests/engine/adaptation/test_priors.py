"""The networks that ship beside the pose network, as adaptation uses them."""

import numpy as np
import torch

from engine.adaptation.alignment import Alignment
from engine.adaptation.priors import load_priors, priors_key
from engine.adaptation.sampler import cut
from engine.body.rotations import axis_angle_to_matrix, six_to_matrix
from engine.runtime.progress import Silent
from engine.weights.model_settings import ModelSettings

PRIORS = load_priors(ModelSettings(), "cpu", True, Silent())


def similarity(motion, label):
    """Of a motion (60, 24, 3, 3) and a label, as the loop measures it."""
    segments = cut(np.arange(60) / 30, np.array([label] * 60), 2.0, 2.0)
    with torch.no_grad():
        return float(Alignment(segments, PRIORS.space, PRIORS.dictionary, False, torch.device("cpu")).of_track(motion))


def exemplar(label):
    return six_to_matrix(torch.as_tensor(PRIORS.dictionary.exemplar(label)))


def test_actions_are_like_their_own_label_and_unlike_others():
    chosen = [label for label in PRIORS.dictionary.labels if label in PRIORS.space.labels][::12]
    assert len(chosen) > 4
    right = [similarity(exemplar(label), label) for label in chosen]
    wrong = [similarity(exemplar(one), other) for one, other in zip(chosen, chosen[1:] + chosen[:1], strict=True)]
    assert np.mean(right) > np.mean(wrong) + 0.4
    assert np.median(right) > 0.6


def test_gradients_point_towards_the_label():
    label = PRIORS.dictionary.labels[0]
    segments = cut(np.arange(60) / 30, np.array([label] * 60), 2.0, 2.0)
    align = Alignment(segments, PRIORS.space, PRIORS.dictionary, False, torch.device("cpu"))
    angles = torch.zeros(60, 24, 3, requires_grad=True)
    motion = torch.eye(3).expand(60, 24, 3, 3)
    before = align.of_track(motion)
    for _ in range(5):
        loss = align.loss((motion @ axis_angle_to_matrix(angles))[None], torch.tensor([0]), torch.ones(1))
        (gradient,) = torch.autograd.grad(loss, angles)
        with torch.no_grad():
            angles -= 0.05 * gradient / gradient.abs().max()
    assert align.of_track(motion @ axis_angle_to_matrix(angles.detach())) > before
    assert not any(weight.requires_grad for weight in PRIORS.space.parameters()), "it is frozen"


def test_without_labels_only_the_denoiser_is_there():
    bare = load_priors(ModelSettings(), "cpu", False, Silent())
    assert bare.space is None
    assert bare.dictionary is None
    assert bare.denoiser is not None
    assert set(priors_key(ModelSettings(), True)) > set(priors_key(ModelSettings(), False))
