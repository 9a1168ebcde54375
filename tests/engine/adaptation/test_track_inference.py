"""A pose network over a whole track, and its keypoints in the picture."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from small_networks import WavesNetwork
from synthetic_people import seen, walk

from engine.adaptation.track_inference import Estimate, _windows, estimate, projected

EVERYWHERE = torch.ones(150, dtype=torch.bool)


@pytest.fixture(scope="module")
def person(body):
    return walk(body, seconds=5.0)


def test_windows_that_agree_leave_the_motion_as_it_is(person):
    network, ticks = WavesNetwork(person.prediction, person.times), []
    whole = estimate(network, torch.from_numpy(person.times), EVERYWHERE, torch.device("cpu"), lambda: ticks.append(1))
    assert np.abs(whole.rotations.numpy() - person.prediction.rotations).max() < 1e-5
    assert np.abs(whole.transl.numpy() - person.prediction.transl).max() < 1e-4
    assert len(ticks) == 3
    assert whole.finite()


def test_a_network_that_sees_frame_by_frame_has_its_gaps_bridged(person):
    network = WavesNetwork(person.prediction, person.times)
    network.frame_by_frame = True
    found = EVERYWHERE.clone()
    found[:5] = found[60:70] = found[-3:] = False
    network.transl[~found] = 99.0
    whole = estimate(network, torch.from_numpy(person.times), found, torch.device("cpu")).transl.numpy()
    true = person.prediction.transl
    assert np.abs(whole[found] - true[found]).max() < 1e-4
    assert np.abs(whole[:5] - true[5]).max() < 1e-4
    assert np.abs(whole[-3:] - true[-4]).max() < 1e-4
    assert np.abs(whole[60:70] - np.linspace(true[59], true[70], 12)[1:-1]).max() < 1e-4
    nobody = estimate(network, torch.from_numpy(person.times), ~EVERYWHERE, torch.device("cpu"))
    assert nobody.finite()


def test_what_is_not_finite_is_seen(person):
    spoilt = person.prediction.transl.copy()
    spoilt[70] = np.nan
    network = WavesNetwork(replace(person.prediction, transl=spoilt), person.times)
    assert not estimate(network, torch.from_numpy(person.times), EVERYWHERE, torch.device("cpu")).finite()


def test_keypoints_of_the_true_motion_are_the_true_ones(body, person):
    track = seen(body, person)
    motion = Estimate(
        torch.from_numpy(person.prediction.rotations),
        torch.from_numpy(person.prediction.betas).expand(len(person.times), 10),
        torch.from_numpy(person.prediction.transl),
    )
    places = torch.tensor([body.landmark_names.index(name) for name in track.keypoint_names])
    points = projected(motion, body, places, torch.as_tensor(person.camera.intrinsics))
    assert np.abs(points.numpy() - track.keypoints[..., :2]).max() < 0.05


@pytest.mark.parametrize("frame_by_frame", [True, False])
def test_a_track_of_one_frame_is_one_window(frame_by_frame):
    assert _windows(torch.zeros(1), frame_by_frame) == [slice(0, 1)]
