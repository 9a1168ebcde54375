"""Opens files that users give: ordinary ones alone, never a pipe or a device, which could be waited for without end.

Standard library only; Blender imports it.
"""

from __future__ import annotations

import errno
import io
import os
import stat
from pathlib import Path
from typing import BinaryIO

_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


def open_plain(path: str | Path) -> BinaryIO:
    """An ordinary file, for reading bytes. Raises OSError, whose `strerror` is part of a sentence, for any other."""
    try:
        number = os.open(path, _FLAGS)
    except ValueError as error:  # a NUL, or half of a surrogate pair
        raise OSError(errno.EINVAL, "its name holds a character that no file name has") from error
    try:
        found = os.fstat(number)
        if stat.S_ISDIR(found.st_mode):
            raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "it is a pipe or a device, no ordinary file")
        if found.st_size == 0:  # what the system itself makes up (/proc, /sys) states no size, and may not answer
            os.close(number)
            return io.BytesIO()
        return os.fdopen(number, "rb")
    except OSError:
        os.close(number)
        raise
