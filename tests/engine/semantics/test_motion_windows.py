import numpy as np
import pytest
import torch

from engine.semantics.motion_windows import centred_window, resample, window_at


def ramp(frames, rate):
    times = torch.arange(frames, dtype=torch.float64) / rate
    six = torch.zeros(frames, 24, 6, dtype=torch.float64)
    six[:, 5, 2] = times
    return six, times


@pytest.mark.parametrize("rate", [24, 29.97, 60])
def test_motion_of_any_rate_is_read_at_the_times_that_are_requested(rate):
    six, times = ramp(200, rate)
    wanted = window_at(torch.tensor([0.3, 1.1], dtype=torch.float64))
    out = resample(six, times, wanted)
    assert out.shape == (2, 60, 24, 6)
    np.testing.assert_allclose(out[..., 5, 2], wanted, atol=1e-9)
    assert float(out[..., 4, :].abs().max()) == 0


def test_ends_are_held():
    six, times = ramp(31, 30)
    out = resample(six, times, centred_window(0.0, 1.0))[:, 5, 2]
    np.testing.assert_allclose(out[:14], 0, atol=1e-9)
    np.testing.assert_allclose(out[-14:], 1, atol=1e-9)
    assert float(out.diff().min()) >= 0
    assert resample(six[:1], times[:1], centred_window(0.0, 0.0)).shape == (60, 24, 6)


def test_gradients_reach_the_motion():
    six, times = ramp(100, 25)
    six.requires_grad_()
    resample(six, times, window_at(torch.tensor(1.0, dtype=torch.float64))).sum().backward()
    assert float(six.grad.abs().sum()) == pytest.approx(60 * 144)
