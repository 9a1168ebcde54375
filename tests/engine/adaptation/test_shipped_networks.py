"""The networks that ship give what they gave when their cards were written: code and weights belong together.

The numbers are theirs. They change where weights are trained anew, and nowhere else.
"""

import torch

from engine.adaptation.denoiser import load_denoiser
from engine.adaptation.infiller import INFILLER, UPPER, MotionEvidence, MotionInfiller, upper_of
from engine.body.rotations import axis_angle_to_matrix, matrix_to_axis_angle

FRAMES = 49
TIMES = torch.arange(FRAMES) / 30


def swinging(noise=0.0):
    """(1, 49, 24, 3, 3) every joint turns to and fro at a pace of its own, with what looks like noise."""
    joint = torch.arange(24.0)
    axes = torch.stack((torch.sin(joint), torch.cos(joint), torch.sin(2 * joint)), -1)
    pace = 2 + joint / 6
    angle = 0.3 * torch.sin(TIMES[:, None] * pace + joint) + noise * torch.sin(1e3 * TIMES[:, None] * (1 + joint))
    return axis_angle_to_matrix(axes * angle[..., None])[None]


def some(rotations):
    """Turns of three joints in three frames, radians."""
    return matrix_to_axis_angle(rotations[0, [4, 24, 45]][:, [0, 5, 18]]).flatten()


def test_the_denoiser():
    shown = torch.ones(1, FRAMES, 24)
    shown[:, 20:30, [4, 5, 7, 8]] = 0
    with torch.no_grad():
        clean = load_denoiser()(swinging(0.05), shown)
    torch.testing.assert_close(some(clean), torch.tensor(DENOISED), atol=2e-5, rtol=0)


def evidence(**changed):
    confidence = torch.ones(1, FRAMES, 24)
    confidence[:, :, [1, 2, 4, 5, 7, 8, 10, 11]] = 0
    network = MotionInfiller.from_file(INFILLER)
    parts = {
        "rotations": swinging(),
        "shown": confidence,
        "confidence": confidence,
        "pelvis": torch.stack((0.4 * TIMES, 0.02 * torch.sin(9 * TIMES), 3 + 0.1 * TIMES), -1)[None],
        "upper": torch.cat((0.02 * torch.sin(9 * TIMES[:, None, None] + torch.arange(4.0).view(2, 2)),
                            torch.ones(FRAMES, 2, 1)), -1)[None],
        "velocity": torch.ones(1),
        "times_s": TIMES[None],
        "sentence": network.sentence_of("walk").expand(1, FRAMES, 384),
    }  # fmt: skip
    return network, MotionEvidence(**{**parts, **changed})


def answer(network, evidence):
    condition = network.condition(evidence)
    with torch.no_grad():
        made, touch = network(condition, network.usual.expand(1, FRAMES, 24, 6), torch.zeros(1))
    return torch.cat((made[0, [4, 24, 45]][:, [0, 5, 18], 1].flatten(), touch[0, 24]))


def test_the_in_filler():
    torch.testing.assert_close(answer(*evidence()), torch.tensor(IN_FILLED), atol=2e-4, rtol=0)


def test_the_in_filler_does_not_ask_when_it_began():
    network, seen = evidence()
    _, later = evidence(times_s=TIMES[None] + 5)
    torch.testing.assert_close(answer(network, later), answer(network, seen), atol=1e-3, rtol=0)


def test_head_and_shoulders_are_about_their_mean():
    names = sorted({name for group in UPPER for name in group})
    points = torch.zeros(1, 3, len(names), 2)
    points[..., 0] = torch.tensor([100.0, 110.0, 150.0])[:, None]
    points[..., 1] = 40.0
    confidence = torch.ones(1, 3, len(names))
    confidence[:, 2] = 0
    camera = torch.tensor([[500.0, 0, 50], [0, 500, 50], [0, 0, 1]])
    upper = upper_of(points, confidence, names, camera, torch.full((1, 3), 2.0))
    assert upper.shape == (1, 3, 2, 3)
    for group in range(2):
        torch.testing.assert_close(upper[0, :, group, 0], torch.tensor([-0.02, 0.02, 0.0]))
        torch.testing.assert_close(upper[0, :, group, 1], torch.zeros(3))
        torch.testing.assert_close(upper[0, :, group, 2], torch.tensor([1.0, 1.0, 0.0]))


DENOISED = [
    -0.00026,
    0.09905,
    -8e-05,
    0.21458,
    -0.05843,
    0.11025,
    0.00941,
    -0.0251,
    0.01358,
    0.00011,
    0.28482,
    -0.00011,
    -0.20033,
    0.06705,
    -0.11623,
    -0.00617,
    -0.01419,
    -0.00645,
    -0.00048,
    0.06515,
    -5e-05,
    -0.08207,
    0.02482,
    -0.05204,
    -0.05094,
    0.02969,
    -0.06661,
]
IN_FILLED = [
    0.0029,
    -0.2091,
    0.0307,
    -0.0119,
    -0.1763,
    -0.0589,
    0.0019,
    -0.1709,
    -0.0994,
    2.9404,
    1.9869,
    -4.9874,
    -1.0892,
]
