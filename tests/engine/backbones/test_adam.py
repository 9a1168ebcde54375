"""Adam against PyTorch's own: the same bytes."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from engine.backbones.adam import Adam

ROOT = Path(__file__).resolve().parents[3]
BETAS = (0.9, 0.98)


def start():
    torch.manual_seed(3)
    return [torch.nn.Parameter(torch.randn(shape)) for shape in ((7, 5), (11,), (2, 3), (4,))]


def loss(parameters, step):
    first, second, third, _ = parameters
    value = (first.square().sum() - 1).square() + (second * torch.arange(11.0)).sin().sum()
    return value + third.abs().sum() if step >= 2 else value  # the third has no gradient at first, the last never


def steps(parameters, optimiser, numbers, set_rate):
    for number in numbers:
        optimiser.zero_grad()
        loss(parameters, number).backward()
        set_rate(0.1 / (1 + number))
        optimiser.step()


@pytest.mark.parametrize("scales", [None, (1.0, 0.2, 0.3, 2.0)])
def test_steps_are_those_of_pytorch(scales):
    ours, theirs = start(), start()
    mine = Adam(ours, BETAS, scales)
    groups = [
        {"params": [one], "lr": 0.0, "scale": scale} for one, scale in zip(theirs, scales or [1.0] * 4, strict=True)
    ]
    other = torch.optim.Adam(groups, betas=BETAS)

    def set_theirs(rate):
        for group in other.param_groups:
            group["lr"] = rate * group["scale"]

    steps(ours, mine, range(9), lambda rate: setattr(mine, "rate", rate))
    steps(theirs, other, range(9), set_theirs)
    for one, two in zip(ours, theirs, strict=True):
        assert torch.equal(one, two)
    state = other.state_dict()["state"]
    assert {name: value.tolist() for name, value in mine.moments().items()} == {
        f"{place}.{name}": value.tolist() for place, values in state.items() for name, value in values.items()
    }


def test_it_goes_on_from_its_moments():
    whole, parts = start(), start()
    one, first = Adam(whole, BETAS), Adam(parts, BETAS)
    steps(whole, one, range(6), lambda rate: setattr(one, "rate", rate))
    steps(parts, first, range(4), lambda rate: setattr(first, "rate", rate))
    second = Adam(parts, BETAS)
    second.put_moments(first.moments())
    steps(parts, second, range(4, 6), lambda rate: setattr(second, "rate", rate))
    assert all(torch.equal(one, two) for one, two in zip(whole, parts, strict=True))


def test_the_compiler_stays_unloaded():
    source = (
        "import sys, torch; from engine.backbones.adam import Adam;"
        "p = torch.nn.Parameter(torch.ones(3)); o = Adam([p], (0.9, 0.99)); p.sum().backward(); o.step();"
        "sys.exit('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", source], cwd=ROOT).returncode == 0
