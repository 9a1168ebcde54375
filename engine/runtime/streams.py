"""Keeps stdout, and on a terminal stderr too, for what is meant for it."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import TextIO


@contextlib.contextmanager
def clean_stdout() -> Iterator[TextIO]:
    """The real stdout; while the body runs, all else that is written to stdout goes to stderr.

    The C++ libraries under mediapipe and PyAV write to file descriptor 1 past Python, so the descriptor itself moves.
    """
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    stream = os.fdopen(os.dup(kept), "w", encoding="utf-8", errors="backslashreplace", buffering=1)
    try:
        yield stream
    finally:
        sys.stdout.flush()
        with contextlib.suppress(OSError):  # the reader may be gone
            stream.close()
        os.dup2(kept, 1)
        os.close(kept)


@contextlib.contextmanager
def quiet_stderr() -> Iterator[None]:
    """While the body runs, stderr takes what Python writes; the chatter of C++ libraries, past Python, is dropped.

    MediaPipe has no quiet mode, and its lines would tear a progress bar apart.
    """
    before = sys.stderr
    before.flush()
    kept = os.dup(2)
    with open(os.devnull, "wb") as nothing:
        os.dup2(nothing.fileno(), 2)
    sys.stderr = os.fdopen(os.dup(kept), "w", encoding="utf-8", errors="backslashreplace", buffering=1)
    try:
        yield
    finally:
        sys.stderr.close()
        sys.stderr = before
        os.dup2(kept, 2)
        os.close(kept)
