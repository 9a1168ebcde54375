import torch

from engine.body.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from engine.training.figure import INDEX
from engine.training.motion_noise import Noise, masks, spoiled


def still(count):
    generator = torch.Generator().manual_seed(0)
    return axis_angle_to_matrix(torch.randn(count, 1, 24, 3, generator=generator) * 0.5).expand(-1, 49, -1, -1, -1)


def angles(clean, noisy):
    return matrix_to_axis_angle(clean.transpose(-1, -2) @ noisy).norm(dim=-1)


def test_noise_is_as_strong_as_reported_and_repeats_with_its_seed():
    clean = still(40)
    noise = Noise(white=0.1, wander=0, burst_share=0)
    noisy = spoiled(clean, noise, torch.Generator().manual_seed(1))
    assert 0.02 < float(angles(clean, noisy).mean()) < 0.1
    torch.testing.assert_close(noisy, spoiled(clean, noise, torch.Generator().manual_seed(1)))
    quiet = Noise(white=0, wander=0, burst_share=0)
    torch.testing.assert_close(spoiled(clean, quiet, torch.Generator().manual_seed(1)), clean)


def test_masks_leave_something_to_see():
    shown = masks(500, Noise(hidden=1.0, longest_gap=49), torch.Generator().manual_seed(0))
    assert (shown.sum(1) >= 1).all()
    assert float(shown.mean()) < 0.7


def test_level_scales_the_noise_of_each_window():
    clean = still(3)
    full, scaled = (
        spoiled(clean, Noise(burst_share=0), torch.Generator().manual_seed(2), level)
        for level in (1.0, torch.tensor([1.0, 0.5, 0.0]))
    )
    torch.testing.assert_close(scaled[0], full[0])
    torch.testing.assert_close(angles(clean, scaled)[1], angles(clean, full)[1] / 2, atol=1e-3, rtol=0)
    torch.testing.assert_close(scaled[2], clean[2])


def test_drift_lasts_and_bursts_are_rare():
    clean = still(50)
    drift = angles(clean, spoiled(clean, Noise(white=0, burst_share=0), torch.Generator().manual_seed(0)))
    assert float((drift[:, 1:] - drift[:, :-1]).abs().mean()) < 0.5 * float(drift.mean())
    bursts = angles(clean, spoiled(clean, Noise(white=0, wander=0), torch.Generator().manual_seed(0))) > 1e-3
    assert 0 < float(bursts.float().mean()) < 0.01


def test_parts_of_the_body_are_hidden_together():
    shown = masks(200, Noise(unhidden=1.0, parts=1.0), torch.Generator().manual_seed(0))
    assert shown.shape == (200, 49, 24)
    hidden = shown == 0
    assert hidden.any(1).any(1).float().mean() > 0.7
    assert not hidden[..., INDEX["pelvis"]].any()
    torch.testing.assert_close(hidden[..., INDEX["left_knee"]], hidden[..., INDEX["left_ankle"]])
    both = hidden[..., INDEX["left_knee"]] & hidden[..., INDEX["right_knee"]]
    assert 0.1 < float(both.float().mean()) < 0.4
    assert float(masks(200, Noise(unhidden=1.0, parts=0.0), torch.Generator().manual_seed(0)).min()) == 1
