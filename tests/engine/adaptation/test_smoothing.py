"""The denoiser in turn: what it learns, what it hands back, at any rate and length."""

import copy

import pytest
import torch

from engine.adaptation.denoiser import MotionDenoiser, denoise_track
from engine.adaptation.mdnet import MdNet
from engine.adaptation.smoothing import MdNetDenoiser, Smoother, windowed_mean
from engine.adaptation.track_inference import Estimate
from engine.body.rotations import axis_angle_to_matrix


def small():
    """A small denoiser of the shipped kind."""
    return MotionDenoiser(width=32, blocks=1)


def motion(rows, rate=30.0, seed=0):
    """Joints that swing at their own paces."""
    generator = torch.Generator().manual_seed(seed)
    pace, size = (torch.rand(24, 3, generator=generator) for _ in range(2))
    at = torch.arange(rows)[:, None, None] / rate
    return axis_angle_to_matrix(size * torch.sin(at * (1 + 4 * pace)))


def estimate_of(rotations):
    rows = len(rotations)
    return Estimate(rotations, torch.zeros(rows, 10), torch.zeros(rows, 3))


@pytest.mark.parametrize("rows", [1, 5, 48, 49, 130])
def test_targets_of_tracks_of_any_length(rows):
    smoother = Smoother(small(), torch.ones(rows), 1, 8)
    targets = smoother.targets(estimate_of(motion(rows)))
    assert targets.rotations.shape == (rows, 24, 3, 3)
    assert targets.finite()
    loss = smoother.adapt(motion(rows), 1e-4, torch.Generator().manual_seed(0), lambda: None)
    assert loss.isfinite()


def test_long_tracks_in_pieces_are_the_same_as_in_one_go(monkeypatch):
    monkeypatch.setattr("engine.adaptation.smoothing._ROWS_AT_ONCE", 70)
    denoiser, rotations, seen = small(), motion(210), torch.ones(210)
    seen[100:120] = 0
    pieces = Smoother(denoiser, seen, 1, 8).targets(estimate_of(rotations)).rotations
    assert torch.allclose(pieces, denoise_track(denoiser, rotations, seen), atol=1e-5)


def test_fast_footage_is_denoised_at_the_rate_the_network_knows():
    slow = Smoother(small(), torch.ones(100), 1, 8).targets(estimate_of(motion(100, 30)))
    fast = Smoother(small(), torch.ones(199), 2, 8).targets(estimate_of(motion(199, 60)))
    assert torch.allclose(fast.rotations[::2], slow.rotations, atol=1e-4)
    between = fast.rotations[1::2] - (slow.rotations[:-1] + slow.rotations[1:]) / 2
    assert between.abs().max() < 0.02


def test_a_row_that_was_not_seen_does_not_matter():
    rotations, seen = motion(80), torch.ones(80)
    seen[40] = 0
    spoilt = rotations.clone()
    spoilt[40] = axis_angle_to_matrix(torch.full((24, 3), 1.0))
    denoiser = small()
    targets = [Smoother(denoiser, seen, 1, 8).targets(estimate_of(one)).rotations for one in (rotations, spoilt)]
    assert torch.allclose(*targets, atol=1e-5)


@pytest.mark.parametrize("make", [small, lambda: MdNetDenoiser(MdNet())])
def test_it_learns_to_reproduce_the_sequence(make):
    torch.manual_seed(0)
    denoiser = make()
    weights = copy.deepcopy(denoiser.state_dict())
    smoother = Smoother(denoiser, torch.ones(120), 1, 4)
    rotations = motion(120)
    losses = [  # the same frames hidden every time
        float(smoother.adapt(rotations, 1e-3, torch.Generator().manual_seed(0), lambda: None)) for _ in range(5)
    ]
    assert losses[-1] < losses[0]
    assert any(not torch.equal(value, weights[name]) for name, value in denoiser.state_dict().items())


def test_the_windowed_mean_by_hand():
    betas = torch.arange(5.0)[:, None].expand(5, 10)
    mean = windowed_mean(betas, 3)[:, 0].tolist()
    assert mean == pytest.approx([0.5, 1.0, 2.0, 3.0, 3.5])
    assert windowed_mean(betas)[:, 0].tolist() == pytest.approx([2.0] * 5)
    assert torch.equal(windowed_mean(betas[:1]), betas[:1])
