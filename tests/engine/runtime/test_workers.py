"""Processes that share work: real ones, that fail, die and are left behind."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from worker_jobs import nothing, squares

from engine.errors import EngineError, FootageError
from engine.runtime.workers import Workers, _next_place

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def log(tmp_path):
    return tmp_path / "libraries.log"


@pytest.mark.parametrize("count", [1, 2, 3])
def test_every_job_is_done_once(log, count):
    seen = []
    with Workers(count, log, squares, 5) as workers:
        done = dict(workers.work(list(range(7)), lambda *noted: seen.append(noted), nothing))
    assert {number: result for number, (result, _) in done.items()} == {n: n * n + 5 for n in range(7)}
    assert len({process for _, process in done.values()}) <= count
    assert os.getpid() not in {process for _, process in done.values()}
    assert sorted(seen) == [(n, n) for n in range(7)]
    assert log.read_text().count("from C++") == 7


def test_the_processes_are_kept_between_lists_of_jobs(log):
    with Workers(1, log, squares, 0) as workers:
        first, second = ([process for _, (_, process) in workers.work([job], nothing, nothing)] for job in (1, 2))
    assert first == second


@pytest.mark.parametrize(("job", "code"), [("die", 3), ("killed", -9)])
def test_a_process_that_dies_gives_a_sentence(log, job, code):
    with Workers(2, log, squares, 0) as workers, pytest.raises(EngineError, match=rf"ended before .* \(code {code}\)"):
        list(workers.work([1, job, 2, 3], nothing, nothing))


def test_a_process_that_died_is_replaced_where_its_job_may_be_lost(log):
    with Workers(2, log, squares, 0) as workers:
        found = dict(workers.work([2, "die", "killed", 3, 4], nothing, nothing, independent=True))
    assert [found[number][0] for number in (0, 3, 4)] == [4, 9, 16]
    assert "code 3" in found[1].message
    assert "code -9" in found[2].message


def test_what_a_job_raises_is_raised_with_its_hint_and_place(log):
    with Workers(1, log, squares, 0) as workers, pytest.raises(FootageError, match="cannot be read") as caught:
        list(workers.work(["refuse"], nothing, nothing))
    assert caught.value.hint == "Take another."
    with Workers(1, log, squares, 0) as workers, pytest.raises(ValueError, match="of no use") as caught:
        list(workers.work(["bug"], nothing, nothing))
    assert "in work" in "".join(caught.value.__notes__)


def test_leaving_ends_the_processes_at_once(log):
    class StopError(Exception):
        pass

    begun = None

    def beat():
        nonlocal begun
        if log.exists() and "job sleep" in log.read_text():
            begun = time.monotonic()
            raise StopError

    with Workers(2, log, squares, 0) as workers:
        processes = list(workers._processes.values())
        with pytest.raises(StopError):
            list(workers.work(["sleep", "sleep"], nothing, beat))
    assert time.monotonic() - begun < 1
    assert not any(process.is_alive() for process in processes)


LEFT = """
import os, sys
sys.path.insert(0, {tests!r})
from pathlib import Path
from engine.runtime.workers import Workers
from worker_jobs import nothing, squares
with Workers(2, Path({log!r}), squares, 0) as workers:
    print(*(process.pid for process in workers._processes.values()), flush=True)
    list(workers.work(["sleep", "sleep"], nothing, nothing))
"""


def alive(process):
    status = Path(f"/proc/{process}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_processes_end_with_the_one_that_made_them(log):
    source = LEFT.format(tests=str(ROOT / "tests" / "engine"), log=str(log))
    with subprocess.Popen([sys.executable, "-c", source], cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        workers = [int(word) for word in parent.stdout.readline().split()]
        assert len(workers) == 2
        while not log.exists() or "job sleep" not in log.read_text():
            time.sleep(0.05)
        parent.kill()
    deadline = time.monotonic() + 5
    while any(alive(process) for process in workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(alive(process) for process in workers)


@pytest.mark.parametrize(
    ("waiting", "last", "number"),
    [([3, 4, 5], 2, 3), ([1, 2, 8, 9, 10, 11], 6, 10), ([5], 0, 5), ([0, 7], 3, 0)],
)
def test_a_process_goes_on_with_the_neighbour_of_what_it_did(waiting, last, number):
    assert waiting[_next_place(waiting, last)] == number
