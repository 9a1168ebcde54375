"""How much a call does, counted and not timed: the same on a busy machine as on an idle one."""

import contextlib
import sys


@contextlib.contextmanager
def counted_calls():
    """Counts the calls of functions, Python's and C's, in a block; the number is `[0]` of what it gives."""
    count = [0]

    def note(_frame, event, _argument):
        if event in ("call", "c_call"):
            count[0] += 1

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        yield count
    finally:
        sys.setprofile(before)
