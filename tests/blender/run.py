"""Run pytest inside a Blender, or in a Python that has the `bpy` module.

    blender -b --factory-startup --python-exit-code 1 -P tests/blender/run.py -- --site DIR [pytest's arguments]
    python tests/blender/run.py [pytest's arguments]

`--site` names the site-packages of a Python that has pytest, for a Blender that has none. It goes to the end of the
path, so that Blender's own NumPy is used. Without files among the arguments everything beside this script is run.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main() -> int:
    words = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else sys.argv[1:]
    if words[:1] == ["--site"]:
        sys.path.append(words[1])
        words = words[2:]
    import pytest

    os.chdir(HERE.parents[1])
    return int(pytest.main(["-p", "no:cacheprovider", "-rs", "-o", "testpaths=tests/blender", *words]))


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # the bpy module may crash on leaving Python, which is not what is tested here
