import torch
from torch.utils.flop_counter import FlopCounterMode

from engine.backbones.landmark_network import FEATURES, LandmarkNetwork, NetworkShape

SMALL = NetworkShape(width=32, layers=2, heads=4)


def inputs(frames: int = 12, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    features = torch.randn(2, frames, FEATURES, generator=torch.Generator().manual_seed(seed))
    times = (torch.arange(frames) / 30).expand(2, frames)
    return features, times, torch.ones(2, frames, dtype=torch.bool)


def network(shape: NetworkShape = SMALL) -> LandmarkNetwork:
    """Untrained, but with limbs that depend on everything."""
    torch.manual_seed(0)
    made = LandmarkNetwork(shape).eval()
    with torch.no_grad():
        made.limb_head.weight.normal_(0, 0.1)
    return made


def test_untrained_network_says_about_a_person_at_rest_who_faces_the_camera(body):
    torch.manual_seed(0)
    output = LandmarkNetwork(SMALL).eval()(*inputs()[:2], body)
    upright = torch.diag(torch.tensor([1.0, -1, -1]))
    assert (output.rotations[:, :, 0] - upright).abs().max() < 0.5
    assert (output.rotations[:, :, 1:] - torch.eye(3)).abs().max() < 0.5
    orthogonal = output.rotations @ output.rotations.mT
    torch.testing.assert_close(orthogonal, torch.eye(3).expand_as(orthogonal), atol=1e-5, rtol=0)


def test_padding_changes_nothing(body):
    model, (features, times, real) = network(), inputs()
    alone = model(features[:, :8], times[:, :8], body, real[:, :8])
    real = real.clone()
    real[:, 8:] = False
    padded = model(features, times, body, real)
    torch.testing.assert_close(padded.rotations[:, :8], alone.rotations, atol=1e-5, rtol=0)
    torch.testing.assert_close(padded.betas, alone.betas, atol=1e-5, rtol=0)


def test_only_time_differences_count(body):
    model, (features, times, real) = network(), inputs()
    now, later = model(features, times, body, real), model(features, times + 100, body, real)
    torch.testing.assert_close(now.rotations, later.rotations, atol=1e-4, rtol=0)
    slower = model(features, times * 2, body, real)
    assert (slower.rotations - now.rotations).abs().max() > 1e-6  # but they do count


def test_gradients_reach_every_weight(body):
    model = network()
    output = model(*inputs()[:2], body)
    loss = sum(part.square().sum() for part in (output.rotations * torch.randn(3), output.betas, output.log_depth))
    (loss + output.offset.square().sum() + output.contact_logits.square().sum() + output.log_error.sum()).backward()
    without = [name for name, weight in model.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert not without


def test_a_window_of_the_full_size_takes_half_a_billion_operations(body):
    """80 ms of one core; what it took is in the benchmark."""
    model = network(NetworkShape())
    features, times, real = (item[:1] for item in inputs(60))
    with torch.no_grad(), FlopCounterMode(display=False) as operations:
        model(features, times, body, real)
    assert 1e8 < operations.get_total_flops() < 5e8
