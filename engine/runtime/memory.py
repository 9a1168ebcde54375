"""Memory that does not grow with the length of the footage."""

from __future__ import annotations

import contextlib
import ctypes
import sys

_M_MMAP_THRESHOLD = -3  # malloc.h
_LARGE_BYTES = 2**20


def give_back_large_blocks() -> None:
    """Have Linux's allocator return large blocks to the system as soon as they are freed. Elsewhere that is usual.

    By default glibc learns to keep blocks as large as a frame. What is kept of each frame (keypoints) then settles in
    the gap that the last frame left, the next frame fits no longer, and the process grows by a frame for every frame.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):  # another C library has no mallopt
            ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
