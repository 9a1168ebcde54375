"""Run Blender's tests a part at a time, each in a Blender of its own.

    python tests/blender/in_parts.py COMMAND [arguments]

runs the command with `--part 0/5`, then `--part 1/5` and so on (see run.py). One Blender that lives through hundreds of
files and registrations is at times brought down by itself: by a signal, in its exporters or while Python collects
garbage, each time elsewhere, and valgrind finds nothing in those tests. So a part whose Blender is brought down by a
signal is run once more, and that is reported; a test that fails is not.
"""

from __future__ import annotations

import subprocess
import sys

PARTS = 5


def main(command: list[str]) -> int:
    """The exit status of the first part that fails; 0 if none does."""
    crashed: list[str] = []
    for number in range(PARTS):
        part = [*command, "--part", f"{number}/{PARTS}"]
        code = subprocess.call(part)
        if code < 0:
            crashed.append(f"part {number} of {PARTS}: signal {-code}")
            _say(f"Blender was brought down by signal {-code}. This part runs once more.")
            code = subprocess.call(part)
        if code:
            return abs(code)
    if crashed:
        _say(f"All passed, but Blender was brought down: {'; '.join(crashed)}.")
    return 0


def _say(text: str) -> None:
    print(f"in_parts: {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
