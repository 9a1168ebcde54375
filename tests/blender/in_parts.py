"""Run Blender's tests in parts, two at a time, each in a Blender of its own.

    python tests/blender/in_parts.py --parts 5 COMMAND [arguments]

runs the command with `--part 0/5`, `--part 1/5` and so on (see run.py). A part whose Blender is brought down by a
signal has failed, and its Python frames are shown. With `-m short` a part may have no test.
"""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

AT_ONCE = 2
NO_TESTS = 5  # pytest's exit status


def main(parts: int, command: list[str]) -> int:
    """The exit status of the first part that fails; 0 if none does, pytest's "no tests" if no part has any."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        codes = list(pool.map(lambda number: _run([*command, "--part", f"{number}/{parts}"]), range(parts)))
    return next((abs(code) for code in codes if code not in (0, NO_TESTS)), min(codes))


def _run(command: list[str]) -> int:
    """The exit status of one part, whose output is shown at its end."""
    environment = {**os.environ, "PYTHONFAULTHANDLER": "1"}
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment, check=False)
    sys.stdout.buffer.write(done.stdout)
    sys.stdout.flush()
    if done.returncode < 0:
        print(f"in_parts: {command[-1]}: Blender was brought down by signal {-done.returncode}.", flush=True)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[2]), sys.argv[3:]))
