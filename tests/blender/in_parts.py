"""Run Blender's tests in parts, two at a time, each in a Blender of its own.

    python tests/blender/in_parts.py --parts 5 COMMAND [arguments]

runs the command with `--part 0/5`, `--part 1/5` and so on (see run.py). One Blender that lives through hundreds of
files and registrations is at times brought down by itself: by a signal, in its exporters or while Python collects
garbage, each time elsewhere, and valgrind finds nothing in those tests. So a part whose Blender is brought down by a
signal is run once more, and that is reported; a test that fails is not. With `-m short` a part may have no test.
"""

from __future__ import annotations

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
    for attempt in range(2):
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        sys.stdout.buffer.write(done.stdout)
        sys.stdout.flush()
        if done.returncode >= 0:
            break
        again = "This part runs once more." if attempt == 0 else "This part failed twice."
        print(f"in_parts: {command[-1]}: Blender was brought down by signal {-done.returncode}. {again}", flush=True)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[2]), sys.argv[3:]))
