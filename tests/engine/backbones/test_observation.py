import math

import pytest
import torch

from engine.backbones.observation import look_at, observe
from engine.body.rotations import axis_angle_to_matrix
from engine.camera.pinhole import project

K = torch.tensor([[1500.0, 0, 960], [0, 1500, 540], [0, 0, 1]])
TIMES = torch.arange(8)[None] / 30


def seen(points: torch.Tensor) -> torch.Tensor:
    """Keypoints of camera points (B, T, K, 3), all with confidence 1."""
    return torch.cat((project(points, K), torch.ones_like(points[..., :1])), -1)


def person(seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    points = torch.rand(1, 1, 33, 3, generator=generator) * torch.tensor([0.6, 1.7, 0.4]) - torch.tensor([0.3, 0.85, 0])
    return (points + torch.tensor([0.0, 0, 4])).expand(1, 8, 33, 3)


def test_virtual_camera_looks_at_the_middle_without_roll():
    centre = torch.tensor([[0.5, -0.3], [0.0, 0.0], [-1.0, 0.8]])
    turn = look_at(centre)
    ahead = turn @ torch.tensor([0.0, 0, 1])
    torch.testing.assert_close(ahead[:, :2] / ahead[:, 2:], centre)
    torch.testing.assert_close(turn @ turn.mT, torch.eye(3).expand(3, 3, 3), atol=1e-6, rtol=0)
    assert torch.linalg.det(turn).min() > 0.999
    assert turn[:, 1, 0].abs().max() == 0  # the virtual camera's x axis stays level


def test_turning_the_camera_changes_nothing_that_the_network_sees_of_the_person():
    """The same person at the edge of the picture, turned with the viewing direction, is the same observation."""
    points = person()
    straight = observe(seen(points), torch.full_like(points, math.nan), K, TIMES)
    yaw = axis_angle_to_matrix(torch.tensor([0.0, 0.4, 0.0]))
    aside = observe(seen(points @ yaw.T), torch.full_like(points, math.nan), K, TIMES)
    # the box of a turned person is a slightly other box; what is compared is free of it
    one, other = (item.features[..., :198].reshape(1, 8, 33, 6)[..., :2] for item in (straight, aside))
    spread = lambda xy: (xy - xy.mean(-2, keepdim=True)) / xy.std((-2, -1), keepdim=True)  # noqa: E731
    assert (spread(one) - spread(other)).abs().max() < 0.06


def test_nothing_seen_gives_finite_features_and_zero_points():
    keypoints = torch.zeros(1, 8, 33, 3)
    features = observe(keypoints, torch.full((1, 8, 33, 3), math.nan), K, TIMES).features
    assert torch.isfinite(features).all()
    assert (features[..., :198] == 0).all()
    assert (features[..., -1] == 0).all()


@pytest.mark.parametrize("gap", [1, 4])
def test_box_bridges_frames_without_detection(gap: int):
    keypoints = seen(person()).clone()
    whole = observe(keypoints, torch.zeros(1, 8, 33, 3), K, TIMES)
    keypoints[:, 2 : 2 + gap, :, 2] = 0
    holed = observe(keypoints, torch.zeros(1, 8, 33, 3), K, TIMES)
    torch.testing.assert_close(holed.scale, whole.scale, rtol=1e-3, atol=0)
    torch.testing.assert_close(holed.turn, whole.turn, rtol=0, atol=1e-3)
