import pytest
import torch

from engine.camera.pinhole import NEAREST_M, default_focal_px, intrinsics, project


def test_a_focal_length_of_the_diagonal():
    assert default_focal_px(3, 4) == 5
    assert default_focal_px(1920, 1080) == pytest.approx(2202.9, abs=0.1)


def test_projection_is_right_down_and_shrinks_with_depth():
    camera = intrinsics(1000, 1920, 1080)
    points = torch.tensor([[0.0, 0, 2], [0.5, 0, 2], [0, 0.5, 2], [0.5, 0.5, 4]])
    assert project(points, camera).tolist() == [[960, 540], [1210, 540], [960, 790], [1085, 665]]
    assert project(points[None, None], camera).shape == (1, 1, 4, 2)


def test_skew_and_two_focal_lengths():
    camera = torch.tensor([[1000.0, 10, 500], [0, 900, 300], [0, 0, 1]])
    found = project(torch.tensor([0.2, 0.4, 2.0], dtype=torch.float64), camera)
    assert found.tolist() == pytest.approx([500 + 100 + 2, 300 + 180])


def test_behind_the_camera_all_stays_finite():
    points = torch.tensor([[0.1, 0.1, 0.0], [0.1, 0.1, -3.0]], requires_grad=True)
    pixels = project(points, intrinsics(1000, 1920, 1080))
    assert pixels[0].tolist() == pytest.approx([960 + 100 / NEAREST_M, 540 + 100 / NEAREST_M])
    pixels.sum().backward()
    assert points.grad is not None
    assert points.grad.isfinite().all()
