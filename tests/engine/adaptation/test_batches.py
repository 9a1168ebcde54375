"""What happens when memory runs out in the middle of a batch."""

import pytest
import torch

from engine.adaptation.batches import Batches, ran_out_of_memory
from engine.errors import OutOfMemoryError
from engine.runtime.progress import Silent


class Notes(Silent):
    def __init__(self):
        self.warned = []

    def warn(self, code, message):
        self.warned.append(message)


def device_with_room_for(most):
    """Work with gradients of a parameter, on a device that holds so many segments."""
    weight = torch.ones(3, requires_grad=True)

    def work(part):
        if len(part) > most:
            torch.empty(2**47)  # a real allocation that fails
        loss = (part.float()[:, None] * weight).sum()
        loss.backward()
        return loss.detach()[None]

    def clear():
        weight.grad = None

    return weight, clear, work


def test_the_gradient_is_the_same_in_parts():
    weight, clear, work = device_with_room_for(9)
    whole = Batches(8, Notes()).run(torch.arange(5), clear, work)
    gradient = weight.grad.clone()
    notes = Notes()
    weight, clear, work = device_with_room_for(2)
    batches = Batches(8, notes)
    parts = batches.run(torch.arange(5), clear, work)
    assert torch.equal(weight.grad, gradient)
    assert torch.equal(parts, whole)
    assert batches.size == 2
    assert len(notes.warned) == 2
    assert "2 segments at a time" in notes.warned[-1]
    batches.run(torch.arange(5), clear, work)
    assert len(notes.warned) == 2, "it stays with the smaller parts"


def test_a_segment_that_does_not_fit_ends_it():
    _, clear, work = device_with_room_for(0)
    with pytest.raises(OutOfMemoryError, match="ran out during adaptation"):
        Batches(4, Notes()).run(torch.arange(4), clear, work)


def test_other_trouble_passes_through():
    def work(part):
        raise RuntimeError("shapes do not fit")

    with pytest.raises(RuntimeError, match="shapes"):
        Batches(4, Notes()).run(torch.arange(4), lambda: None, work)


@pytest.mark.parametrize(
    ("error", "memory"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 5.77 GB)"), True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"), True),
        (MemoryError(), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_what_counts_as_running_out(error, memory):
    assert ran_out_of_memory(error) == memory
