"""One run at a time in a clip's folder. The system keeps the lock: it ends with the process, however that ends."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from engine.errors import OutputError

LOCK = "lock"
"""Name of the file; that it is there means nothing."""


@contextlib.contextmanager
def only_run_in(folder: Path, lock: Path) -> Iterator[None]:
    """While the body runs no other run works in `folder`.

    Where the file system knows no locks (some network drives), nothing is kept apart.

    Args:
        folder: the clip's folder, for the message.
        lock: the file that is locked; its folder is made.

    Raises:
        OutputError: another run works there, or the file cannot be made.
    """
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        # For reading, so that the disk can be made read-only meanwhile; where that does not do, for writing.
        number = os.open(lock, os.O_RDONLY | os.O_CREAT if os.name == "posix" else os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise OutputError(
            f"The output folder {folder} cannot be written: {error.strerror or error}.",
            "Free some space or choose another output folder.",
        ) from error
    try:
        if not _locked(number):
            raise OutputError(
                f"Another run is working in {folder}.", "Wait for it, cancel it, or choose another output folder."
            )
        yield
    finally:
        os.close(number)


def _locked(number: int) -> bool:
    """Whether the file is ours now; also where there are no locks. False if another process has it."""
    if sys.platform == "win32":
        import msvcrt

        try:
            msvcrt.locking(number, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    import fcntl

    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True
