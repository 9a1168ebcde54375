"""Somebody whose height is known, in the fit and in a network's prediction."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from synthetic_people import seen, stand

from engine.backbones.fit import FitBackbone
from engine.backbones.fit_settings import FitSettings
from engine.backbones.known_height import at_height
from engine.body.stature import standing_height, with_height
from engine.camera.pinhole import project
from engine.runtime.progress import Silent


@pytest.fixture(scope="module")
def person(body):
    return stand(body, seconds=1.5)


def projected(prediction, body, person):
    rotations, betas, transl = (
        torch.from_numpy(getattr(prediction, name)) for name in ("rotations", "betas", "transl")
    )
    camera = torch.from_numpy(person.camera.intrinsics).float()
    return project(body.landmarks(rotations, betas, transl), camera)


@pytest.mark.parametrize("height_m", [1.2, 1.65, 2.05])
def test_a_body_of_a_height_stands_that_tall(body, height_m):
    betas = with_height(body, torch.zeros(10), height_m)
    assert float(standing_height(body, betas)) == pytest.approx(height_m, abs=1e-4)


@pytest.mark.parametrize("height_m", [1.5, 1.9])
def test_a_prediction_at_another_height_looks_the_same_from_farther_or_nearer(body, person, height_m):
    before = person.prediction
    after = at_height(before, body, height_m)
    assert float(standing_height(body, torch.from_numpy(after.betas))) == pytest.approx(height_m, abs=1e-3)
    tall = float(standing_height(body, torch.from_numpy(before.betas)))
    assert (after.transl[:, 2] / before.transl[:, 2]).mean() == pytest.approx(height_m / tall, rel=0.02)
    far = (projected(after, body, person) - projected(before, body, person)).norm(dim=-1)
    size = float((lambda p: (p[..., 1].amax(1) - p[..., 1].amin(1)).mean())(projected(before, body, person)))
    assert float(far.median()) < 0.02 * size
    assert at_height(before, body, None) is before


@pytest.mark.parametrize("height_m", [1.55, 1.85])
def test_the_fit_keeps_the_height_and_scales_depth(body, person, height_m):
    track = seen(body, person)
    plain = FitBackbone(FitSettings(iterations=150)).predict(track, person.camera, body, Silent())
    known = FitBackbone(FitSettings(iterations=150)).predict(
        replace(track, height_m=height_m), person.camera, body, Silent()
    )
    assert float(standing_height(body, torch.from_numpy(known.betas))) == pytest.approx(height_m, abs=2e-3)
    usual = float(standing_height(body, torch.from_numpy(plain.betas)))
    assert np.median(known.transl[:, 2] / plain.transl[:, 2]) == pytest.approx(height_m / usual, rel=0.04)
