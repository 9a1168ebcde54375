"""Memory of frames that are done with goes back to the system."""

import subprocess
import sys

import pytest

# Frames of 6 MB, and after each a few kilobytes that are kept, as detections are
PROGRAM = """
import os, sys
import numpy as np
from engine.evaluation.speed import resident_mib
from engine.runtime.memory import give_back_large_blocks
if sys.argv[1] == "ours":
    give_back_large_blocks()
def frame():
    return np.ones((1920, 1080, 3), np.uint8)
frame()
before = resident_mib(os.getpid())
frames, kept = [], []
for _ in range(30):
    frames.append(frame())
    kept.append(np.ones(3000))
del frames
print(resident_mib(os.getpid()) - before)
"""


def growth_mib(how):
    done = subprocess.run([sys.executable, "-c", PROGRAM, how], capture_output=True, text=True, check=True)
    return float(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="the allocator is Linux's")
def test_frames_that_are_done_with_leave_nothing_behind():
    if growth_mib("theirs") < 100:
        pytest.skip("this C library gives large blocks back by itself")
    assert growth_mib("ours") < 20
