"""Sums in a fixed order, and PyTorch's switches as they were afterwards."""

import contextlib

import pytest
import torch

from engine.adaptation.repeatable import repeatable


@pytest.mark.parametrize("before", [False, True])
def test_the_switches_are_as_they_were(before):
    torch.use_deterministic_algorithms(before)
    try:
        with contextlib.suppress(ValueError), repeatable(torch.device("cuda")):
            assert torch.are_deterministic_algorithms_enabled()
            assert torch.is_deterministic_algorithms_warn_only_enabled()
            raise ValueError
        assert torch.are_deterministic_algorithms_enabled() == before
        with repeatable(torch.device("cpu"), weights=10**6):
            assert torch.are_deterministic_algorithms_enabled() == before, "a CPU needs no switch"
    finally:
        torch.use_deterministic_algorithms(False)


def test_small_networks_run_on_one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with repeatable(torch.device("cpu"), weights=10**6):
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
        with repeatable(torch.device("cpu"), weights=10**8):
            assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_sums_on_a_cuda_device_are_the_same_each_time():
    place = torch.randint(0, 50, (200000,), device="cuda")
    values = torch.randn(200000, device="cuda")
    with repeatable(torch.device("cuda")):
        sums = [torch.zeros(50, device="cuda").index_add_(0, place, values) for _ in range(4)]
    assert all(torch.equal(one, sums[0]) for one in sums)
