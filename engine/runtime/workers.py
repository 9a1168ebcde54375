"""Processes that share work: for libraries that use one core, however many there are."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from engine.errors import EngineError

Tell = Callable[[Any], None]
Work = Callable[[Any, Tell], Any]
Make = Callable[..., contextlib.AbstractContextManager[Work]]

_LOOK_S = 0.1
_HINT = "Close other programs, as the memory may have run out, and run it again with --resume."


class Workers:
    """A few processes that do the same kind of job, until the context ends; then, or when this process ends, they end.

    Args:
        count: of processes.
        log: file that takes what they, and the C++ libraries in them, write to their output.
        make: called in each process with `arguments`; the value of the context it gives does a job. It is a function
            of a module, and what goes to and fro is plain data.
        arguments: of `make`.
    """

    def __init__(self, count: int, log: Path, make: Make, *arguments: Any) -> None:
        self._count, self._log, self._make, self._arguments = count, log, make, arguments
        self._processes: dict[Any, Any] = {}

    def __enter__(self) -> Workers:
        for _ in range(self._count):
            self._started()
        return self

    def _started(self) -> Any:
        """The connection to one more process."""
        spawn = multiprocessing.get_context("spawn")
        ours, theirs = spawn.Pipe()
        process = spawn.Process(target=_serve, args=(theirs, self._log, self._make, self._arguments), name="worker")
        process.start()
        theirs.close()
        self._processes[ours] = process
        return ours

    def __exit__(self, *_: object) -> None:
        for connection, process in self._processes.items():
            connection.close()
            process.kill()  # what they hold is only memory
        for process in self._processes.values():
            process.join()
        self._processes.clear()

    def work(
        self,
        jobs: Sequence[Any],
        noted: Callable[[int, Any], None],
        beat: Callable[[], None],
        independent: bool = False,
    ) -> Iterator[tuple[int, Any]]:
        """Each job's number and result, as they are done.

        Args:
            jobs: each is sent to a process.
            noted: called with the number of a job and what it tells meanwhile.
            beat: called at least five times a second.
            independent: jobs are begun in their order, and one whose process ended has an EngineError for its result
                while another process goes on with the others. Otherwise jobs that follow one another go to one process
                where that costs no time, and a process that ended ends the work.

        Raises:
            EngineError: a process ended before its work was done; and whatever a job raises.
        """
        waiting, busy = list(range(len(jobs))), dict[Any, int]()

        def give(connection: Any, place: int) -> None:
            number = busy[connection] = waiting.pop(place)
            with contextlib.suppress(OSError):  # it is dead, which is noticed below
                connection.send(jobs[number])

        for share, connection in enumerate(list(self._processes)[: len(jobs)]):
            give(connection, 0 if independent else len(waiting) * share // len(self._processes))
        while busy:
            for connection in wait(list(busy), _LOOK_S):
                kind, value = self._received(connection, independent)
                if kind == "noted":
                    noted(busy[connection], value)
                    continue
                if kind == "failed":
                    raise value
                number = busy.pop(connection)
                yield number, value
                if waiting:
                    place = 0 if independent else _next_place(waiting, number)
                    give(connection if kind == "done" else self._replaced(connection), place)
            beat()

    def _received(self, connection: Any, independent: bool) -> tuple[str, Any]:
        try:
            message: tuple[str, Any] = connection.recv()
            return message
        except (EOFError, OSError):
            process = self._processes[connection]
            process.join(1)
            code = process.exitcode
        error = EngineError(f"A process that shared the work ended before it was done (code {code}).", _HINT)
        return "lost" if independent else "failed", error

    def _replaced(self, connection: Any) -> Any:
        """A new process in place of one that ended."""
        del self._processes[connection]
        connection.close()
        return self._started()


def _next_place(waiting: Sequence[int], last: int) -> int:
    """Which of the waiting jobs comes after job `last`: the one behind it, else the middle of the longest row."""
    if last + 1 in waiting:
        return waiting.index(last + 1)
    starts = [place for place, number in enumerate(waiting) if not place or waiting[place - 1] != number - 1]
    lengths = [stop - start for start, stop in zip(starts, [*starts[1:], len(waiting)], strict=True)]
    longest = max(range(len(starts)), key=lambda row: lengths[row])
    return starts[longest] + lengths[longest] // 2


def _serve(connection: Any, log: Path, make: Make, arguments: tuple[Any, ...]) -> None:
    """What a process does: jobs, until it is ended or the one that made it is gone."""
    with contextlib.suppress(ValueError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all; the parent ends its workers
    threading.Thread(target=_end_with_parent, daemon=True, name="parent").start()
    _write_to(log)

    def tell(value: Any) -> None:
        connection.send(("noted", value))

    try:
        with make(*arguments) as work:
            while True:
                connection.send(("done", work(connection.recv(), tell)))
    except EOFError:
        return
    except Exception as error:
        with contextlib.suppress(OSError):
            connection.send(("failed", _sendable(error)))


def _sendable(error: Exception) -> Exception:
    """The error with where it was raised; another one in place of those that cannot be sent."""
    error.add_note("In a process that shared the work:\n" + "".join(traceback.format_exception(error)))
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError("".join(traceback.format_exception_only(error)))
    return error


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
    os._exit(1)


def _write_to(log: Path) -> None:
    """Both outputs of this process, also those of C++ libraries, go to the end of a file, or nowhere."""
    try:
        file = open(log, "ab")  # noqa: SIM115
    except OSError:
        file = open(os.devnull, "ab")  # noqa: SIM115
    with file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
