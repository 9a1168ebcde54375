"""stdout holds what is meant for it, also where C++ writes past Python."""

import subprocess
import sys

PROGRAM = """
import os
from engine.runtime.streams import clean_stdout
print("before")
with clean_stdout() as stream:
    os.write(1, b"chatter of C++\\n")
    print("chatter of Python")
    os.system("echo chatter of a child")
    stream.write("meant für stdout\\n")
print("after")
"""


def test_only_what_is_meant_for_stdout_gets_there():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, encoding="utf-8", check=True)
    assert done.stdout.splitlines() == ["before", "meant für stdout", "after"]
    assert sorted(done.stderr.splitlines()) == ["chatter of C++", "chatter of Python", "chatter of a child"]
