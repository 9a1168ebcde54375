"""The measured detector: what it draws is what was measured."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch
from drawn_scenes import BODY, FRAMES, WINDOWS, scene

from engine.errors import ModelFileError
from engine.training.detector_model import (
    NUMBERS,
    DetectorModel,
    Fitted,
    back_to_pixels,
    rays_of,
    see,
    turned_flat,
)

del BODY


def exact(memory: tuple[float, ...] = (1, 0, 0, 0, 0), log_sigma: float = -9.0, missed: float = 1e-6) -> Fitted:
    """A detector that reports the truth with the least spread."""
    last_bias = torch.zeros(2 * NUMBERS)
    last_bias[NUMBERS:] = log_sigma
    last_bias[66:99] = 3.0
    return Fitted(
        torch.zeros(8, 199), torch.zeros(8), torch.zeros(8, 8), torch.zeros(8), torch.zeros(2 * NUMBERS, 8), last_bias,
        torch.eye(NUMBERS), torch.tensor([memory]).repeat(NUMBERS, 1), torch.ones(11),
        torch.zeros(1),
        torch.tensor([[missed, 1 - missed]]).repeat(5, 1), torch.tensor([[0.0, 0.1], [0.0, 0.1]]),
    )  # fmt: skip


def observed(fitted: Fitted, seed: int = 0, windows: int = WINDOWS) -> tuple[torch.Tensor, torch.Tensor]:
    made = scene(windows=windows)
    return DetectorModel(fitted).observe(
        made.keypoints, made.landmarks, made.hidden, made.intrinsics, made.image_size, made.times_s,
        torch.Generator().manual_seed(seed),
    )  # fmt: skip


def test_the_view_leads_back_to_the_pixels() -> None:
    made = scene()
    view = see(made.keypoints, made.landmarks, made.hidden, made.intrinsics)
    assert torch.allclose(back_to_pixels(view.flat, view, made.intrinsics), made.keypoints, atol=0.02)
    flat = turned_flat(rays_of(made.keypoints, made.intrinsics), view.turn) / view.half
    assert torch.allclose(flat, view.flat, atol=1e-5)
    assert view.inputs.shape == (WINDOWS, FRAMES, 199)
    # distances between landmarks do not depend on where the camera looks
    true = (made.landmarks[:, :, 0] - made.landmarks[:, :, 30]).norm(dim=-1)
    assert torch.allclose((view.body[:, :, 0] - view.body[:, :, 30]).norm(dim=-1), true, atol=1e-5)


def test_a_detector_without_errors_reports_the_truth() -> None:
    made = scene()
    points, landmarks = observed(exact())
    # half-boxes of some hundred pixels, times the least spread of exp(-6)
    assert float((points[..., :2] - made.keypoints).abs().mean()) < 1.0
    hips = made.landmarks[:, :, [23, 24]].mean(2, keepdim=True)
    view = see(made.keypoints, made.landmarks, made.hidden, made.intrinsics)
    assert torch.allclose(landmarks, (made.landmarks - hips) @ view.turn, atol=0.02)
    inside = ((points[..., :2] >= 0) & (points[..., :2] <= made.image_size[:, None, None])).all(-1)
    assert torch.equal(points[..., 2] > 0.5, inside)


def test_errors_last_as_long_as_they_were_measured_to() -> None:
    steady, fresh = (observed(exact(memory, log_sigma=-2.0)) for memory in ((0, 0, 0, 0, 1), (1, 0, 0, 0, 0)))
    truth = scene().keypoints
    errors = [points[..., :2] - truth for points, _ in (steady, fresh)]
    change, size = [[float(f.abs().mean()) for f in (e.diff(dim=1), e)] for e in errors], 0.0
    del size
    assert change[0][0] < 0.3 * change[0][1]
    assert change[1][0] > 1.2 * change[1][1]


def test_people_are_missed_as_often_as_measured() -> None:
    points, landmarks = observed(exact(missed=0.25), windows=300)
    lost = landmarks.isnan().all(-1).all(-1)
    assert 0.2 < float(lost.float().mean()) < 0.3
    assert torch.equal(lost, (points == 0).all(-1).all(-1))


def test_sides_are_exchanged_for_a_while() -> None:
    fitted = exact()
    whole = Fitted(**{**vars(fitted), "swapped": torch.tensor([[1e3, 10.0], [0.0, 0.1]])})
    points, _ = observed(whole)
    truth = scene().keypoints
    shoulders = (points[:, :, 11, :2] - truth[:, :, 12]).abs().mean((1, 2))
    assert float((shoulders < 2).float().mean()) > 0.5
    assert float((points[:, :, 0, :2] - truth[:, :, 0]).abs().mean()) < 1.5


def test_a_seed_fixes_what_is_seen() -> None:
    first, second, other = (observed(exact(log_sigma=-2.0), seed)[0] for seed in (1, 1, 2))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def test_the_shipped_model_can_be_read() -> None:
    model = DetectorModel.from_file()
    made = scene()
    mean, sigma = model.spread(see(made.keypoints, made.landmarks, made.hidden, made.intrinsics).inputs)
    assert mean.shape == sigma.shape == (WINDOWS, FRAMES, NUMBERS)
    # someone upright, in full view, is seen to a few hundredths of the box
    assert float(sigma[..., :66].median()) < 0.15
    shares = model.memory.sum(1)
    assert torch.allclose(shares, torch.ones_like(shares), atol=0.02)


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.npz"
    with pytest.raises(ModelFileError, match="measured detector"):
        DetectorModel.from_file(path)
    arrays = {item.name: getattr(exact(), item.name).numpy() for item in fields(Fitted)}
    np.savez(path, **{**arrays, "last_bias": np.full(2 * NUMBERS, np.nan)})
    with pytest.raises(ModelFileError, match="measured detector"):
        DetectorModel.from_file(path)
    np.savez(path, **arrays)
    assert isinstance(DetectorModel.from_file(path), DetectorModel)
