"""How a run learns that it should stop: signals, a line on stdin, or the end of stdin.

A stop is requested once. Work notices it at its next progress call and unwinds. Should that take longer than `GRACE_S`
(a long call into C++, say), the process ends at once: everything on disk is written atomically, so nothing is lost.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

from engine.errors import CancelledError
from engine.protocol import CANCEL_LINE, ExitCode
from engine.runtime import early_stop

GRACE_S = 1.4
"""Seconds from the request to the hard end; Cancel has to take effect within 2 s."""

CANCELLED = (early_stop.MESSAGE, early_stop.HINT)
"""What the user reads then, and what to do next."""

_LAST_WORDS_S = 0.4


class Cancel:
    """Whether the user cancelled.

    Args:
        last_words: called just before the process ends hard, from another thread; must not block for long.
        grace_s: seconds from the request to the hard end.
    """

    def __init__(self, last_words: Callable[[], None] = lambda: None, grace_s: float = GRACE_S) -> None:
        self.last_words = last_words
        self._grace_s = grace_s
        self._requested = threading.Event()
        self._code = int(ExitCode.CANCELLED)

    @property
    def requested(self) -> bool:
        """True once a stop is requested."""
        return self._requested.is_set()

    def request(self) -> None:
        """Ask to stop. The process ends in `grace_s` seconds at the latest, plus a moment for the last words.

        Not to be called by a signal's handler: that may run while the very locks are held that a new thread needs.
        """
        if not self._requested.is_set():
            self._requested.set()
            threading.Thread(target=self._end_hard, daemon=True, name="hard-end").start()

    def check(self) -> None:
        """Raise CancelledError if a stop is requested."""
        if self._requested.is_set():
            raise CancelledError(*CANCELLED)

    def settle(self, code: int) -> None:
        """All is done and reported: whatever ends the process from here on, it ends with this code."""
        self._code = int(code)
        early_stop.settle(int(code))

    def _end_hard(self) -> None:
        threading.Event().wait(self._grace_s)
        words = threading.Thread(target=self._write_last_words, daemon=True, name="last-words")
        words.start()
        words.join(_LAST_WORDS_S)  # the work may be stuck in writing and hold the lock that they need
        os._exit(self._code)

    def _write_last_words(self) -> None:
        with contextlib.suppress(Exception):
            self.last_words()

    @contextlib.contextmanager
    def listening(self, watch_stdin: bool) -> Iterator[None]:
        """While the body runs, signals and the stop line or end of stdin become a request (main thread only)."""
        if watch_stdin:
            threading.Thread(target=self._read_stdin, daemon=True, name="stdin").start()
        # Python's own handlers run when the main thread leaves C++, wherever in Python it is then, and so do nothing.
        # The wake-up socket is written to straight away, and its thread, which holds no lock, asks to stop.
        reader, writer = socket.socketpair()
        writer.setblocking(False)
        numbers = [getattr(signal, name) for name in early_stop.NAMES if hasattr(signal, name)]
        threading.Thread(target=self._read_signals, args=(reader, set(numbers)), daemon=True, name="signals").start()
        old_fd = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        before: dict[int, Any] = {number: signal.signal(number, _nothing) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(old_fd)
            writer.close()

    def _read_stdin(self) -> None:
        rest = b""
        while True:
            try:
                block = os.read(0, 4096)
            except OSError:
                block = b""
            *lines, rest = (rest + block).split(b"\n")
            if not block or any(line.strip() == CANCEL_LINE.encode() for line in lines):
                return self.request()

    def _read_signals(self, reader: socket.socket, numbers: set[int]) -> None:
        with reader, contextlib.suppress(OSError):
            while block := reader.recv(16):
                if numbers.intersection(block):
                    return self.request()


def _nothing(*_: Any) -> None:
    """Takes a signal, so that Python neither ends nor raises."""
