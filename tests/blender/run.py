"""Run pytest inside a Blender, or in a Python that has the `bpy` module.

    blender -b --factory-startup --python-exit-code 1 -P tests/blender/run.py -- --site DIR [pytest's arguments]
    python tests/blender/run.py [pytest's arguments]

`--site` names the site-packages of a Python that has pytest, for a Blender that has none. It goes to the end of the
path, so that Blender's own NumPy is used. Without files among the arguments everything beside this script is run;
with `--part 1/5` every fifth file, from the second on.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


class _Leave:
    """Leaves the process as soon as pytest has reported everything. What follows, pytest's collecting of garbage among
    it, may crash in the bpy module, as leaving Python does, and neither is what is tested here."""

    def __init__(self) -> None:
        self._code: int | None = None

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        self._code = int(exitstatus)

    def pytest_unconfigure(self) -> None:
        if self._code is not None:
            leave(self._code)


class _Part:
    """Keeps the tests of some files, of those in which `-m` has left any."""

    def pytest_addoption(self, parser) -> None:
        parser.addoption("--part", default="0/1", help="every which file, from which on")

    def pytest_collection_modifyitems(self, config, items: list) -> None:
        number, of = map(int, config.getoption("--part").split("/"))
        files = sorted({item.path for item in items})
        chosen = set(files[number::of])
        config.hook.pytest_deselected(items=[item for item in items if item.path not in chosen])
        items[:] = [item for item in items if item.path in chosen]


def leave(code: int) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def main() -> int:
    words = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else sys.argv[1:]
    if words[:1] == ["--site"]:
        sys.path.append(words[1])
        words = words[2:]
    import pytest  # here, as `--site` may have brought it

    _Part.pytest_collection_modifyitems = pytest.hookimpl(trylast=True)(_Part.pytest_collection_modifyitems)
    os.chdir(HERE.parents[1])
    options = ["-p", "no:cacheprovider", "-rs", "-o", "testpaths=tests/blender"]
    return int(pytest.main([*options, *words], plugins=[_Leave(), _Part()]))


if __name__ == "__main__":
    leave(main())
