"""The file that an interrupted adaptation goes on from."""

import pytest
import torch

from engine.adaptation.schedule import make_optimiser
from engine.adaptation.state import Snapshot, StateFile
from engine.adaptation.targets import Targets
from engine.adaptation.track_inference import Estimate
from engine.runtime.progress import Silent


class Notes(Silent):
    def __init__(self):
        self.warned = []

    def warn(self, code, message):
        self.warned.append((code, message))


def snapshot(smooth=True):
    motion = Estimate(torch.rand(4, 24, 3, 3), torch.rand(4, 10), torch.rand(4, 3), torch.rand(4, 24))
    targets = Targets(torch.rand(4, 5, 2), torch.rand(4, 5) > 0.5, torch.zeros(4, 5, dtype=torch.bool))
    history = [{"epoch": 1, "loss": 0.1 + 0.2, "similarity": None}]
    weights = {"layer.weight": torch.rand(2, 3)}
    return Snapshot(weights, {"0.step": torch.tensor(3.0)}, {}, {}, targets, motion, motion if smooth else None,
                    torch.rand(2), history)  # fmt: skip


def pairs(a, b):
    for name in ("network", "optimiser", "denoiser"):
        assert getattr(a, name).keys() == getattr(b, name).keys()
        yield from ((getattr(a, name)[key], getattr(b, name)[key]) for key in getattr(a, name))
    for name in ("targets", "motion", "smooth"):
        if getattr(a, name) is not None:
            yield from zip(vars(getattr(a, name)).values(), vars(getattr(b, name)).values(), strict=True)
    yield a.similarity, b.similarity


@pytest.mark.parametrize("smooth", [True, False])
def test_what_is_written_is_read_to_the_bit(tmp_path, smooth):
    file, saved = StateFile(tmp_path / "a b" / "state.safetensors", "k"), snapshot(smooth)
    file.write(saved)
    read = file.read(Notes())
    assert all(torch.equal(a, b) for a, b in pairs(saved, read))
    assert read.history == saved.history
    assert (read.smooth is None) == (not smooth)
    file.remove()
    assert file.read(Notes()) is None
    file.remove()


def test_the_file_of_something_else_is_not_used(tmp_path):
    StateFile(tmp_path / "state", "one").write(snapshot())
    assert StateFile(tmp_path / "state", "another").read(Notes()) is None


@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b"\x80\x04pickle"])
def test_a_damaged_file_is_reported_and_made_again(tmp_path, damage):
    file = StateFile(tmp_path / "state", "one")
    file.write(snapshot())
    file.path.write_bytes(damage(file.path.read_bytes()))
    notes = Notes()
    assert file.read(notes) is None
    assert "is damaged" in notes.warned[0][1]


def test_adam_goes_on_as_if_it_had_never_stopped():
    def steps(weight, optimiser, count):
        for _ in range(count):
            optimiser.zero_grad()
            (weight * torch.arange(3.0)).square().sum().backward()
            optimiser.step()

    one, other = (torch.ones(3, requires_grad=True) for _ in range(2))
    optimiser = make_optimiser([one])
    optimiser.rate = 0.1
    steps(one, optimiser, 2)
    with torch.no_grad():
        other.copy_(one)
    fresh = make_optimiser([other])
    fresh.rate = 0.1
    fresh.put_moments(optimiser.moments())
    steps(one, optimiser, 2)
    steps(other, fresh, 2)
    assert torch.equal(one, other)
