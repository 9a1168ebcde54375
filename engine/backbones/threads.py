"""Work side by side in threads of one PyTorch thread each: the same numbers for any number of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import TypeVar

import torch

Result = TypeVar("Result")
Step = Callable[[int], None]

_LOOK_S = 0.1


class _StoppedError(Exception):
    """Nobody waits for the result any more."""


@contextmanager
def one_thread() -> Iterator[int]:
    """Sharing tensors this small among threads takes several times as long as the work itself. Gives how many there
    were."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield before
    finally:
        torch.set_num_threads(before)


def side_by_side(jobs: Sequence[Callable[[Step], Result]], threads: int, beat: Callable[[int], None]) -> list[Result]:
    """The jobs' results, in their order.

    Args:
        jobs: each is called with what it calls, often, with the number of its steps that are done; there it is stopped
            where another one or `beat` fails.
        threads: how many work at a time.
        beat: called at least five times a second, from here, with the sum of all steps; may raise.
    """
    done, stop = [0] * len(jobs), threading.Event()

    def run(number: int) -> Result:
        def step(count: int) -> None:
            if stop.is_set():
                raise _StoppedError
            done[number] = count

        return jobs[number](step)

    with ThreadPoolExecutor(max(threads, 1), "torch", torch.set_num_threads, (1,)) as pool:
        running = [pool.submit(run, number) for number in range(len(jobs))]
        try:
            while True:
                ended, waiting = wait(running, _LOOK_S, FIRST_EXCEPTION)
                for job in ended:
                    job.result()
                if not waiting:
                    return [job.result() for job in running]
                beat(sum(done))
        finally:
            stop.set()
            for job in running:
                job.cancel()
