"""Jobs in threads: results in order, steps summed, and an end to all of them where one fails."""

import threading
import time

import pytest
import torch

from engine.backbones.threads import side_by_side


def job(number, seconds=0.0):
    def work(step):
        for count in range(1, 4):
            step(count)
            time.sleep(seconds)
        return number, torch.get_num_threads()

    return work


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_results_come_in_order_from_threads_of_one_pytorch_thread(threads):
    assert side_by_side([job(number) for number in range(5)], threads, lambda _: None) == [(n, 1) for n in range(5)]
    assert side_by_side([], threads, lambda _: None) == []


def test_steps_are_summed():
    seen = []
    side_by_side([job(0, 0.15), job(1, 0.15)], 2, seen.append)
    assert seen == sorted(seen)
    assert 2 <= seen[0] <= 4
    assert seen[-1] <= 6


def endless(ended):
    def work(step):
        try:
            while True:
                step(0)
                time.sleep(0.01)
        finally:
            ended.set()

    return work


def test_what_a_job_raises_ends_the_others():
    def fails(step):
        time.sleep(0.1)
        raise ValueError("of no use")

    ended = threading.Event()
    with pytest.raises(ValueError, match="of no use"):
        side_by_side([endless(ended), fails], 2, lambda _: None)
    assert ended.is_set()


def test_a_cancelled_beat_ends_all():
    class StopError(Exception):
        pass

    def beat(_):
        raise StopError

    ended, begun = threading.Event(), time.monotonic()
    with pytest.raises(StopError):
        side_by_side([endless(ended), *(job(n) for n in range(3))], 1, beat)
    assert ended.is_set()
    assert time.monotonic() - begun < 1
