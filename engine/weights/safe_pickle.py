"""The door for pickles of arrays, such as the official SMPL `.pkl`: they are read by another process, within limits.

That process (`engine/weights/pickle_reader.py`) looks nothing up that the file names. Should it crash or hang all the
same, or take too much memory or time, it is ended, and the file is refused; this process sees plain arrays alone.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.files.array_file import Array, ArrayFileError, read_all
from engine.files.json_file import JsonFileError, parse_json
from engine.files.plain_zip import shown
from engine.files.programs import without_keys
from engine.weights.pickle_reader import MOST_BYTES

_ROOT = Path(__file__).resolve().parents[2]
_PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
from engine.weights.pickle_reader import main
main(int(sys.argv[2]), int(sys.argv[3]))
"""
_MEMORY_BYTES = 2**29
_SECONDS = 6
_LONGER = 100 if os.name == "posix" else 10
"""Times as long by the clock as by the processor's time, since other programs may be busy. Where the system limits the
processor's time, only that counts: the process has nothing to wait for."""

_BYTES_A_SECOND = 2**24
_ONE_THREAD = {name: "1" for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")}


class UnsafePickleError(Exception):
    """The file is damaged, or names something that body files have no use for."""


def read_pickle(content: bytes) -> dict[str, Any]:
    """The dictionary in a pickle (protocols 0 to 5): arrays, numbers, text, and lists and tables of them.

    chumpy and sparse objects come as arrays, tuples and sets as lists, anything else as None. Raises UnsafePickleError.
    """
    seconds = _SECONDS + len(content) // _BYTES_A_SECOND
    memory = _MEMORY_BYTES + 4 * len(content)
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-c", _PROGRAM, str(_ROOT), str(memory), str(seconds)],
            input=content,
            capture_output=True,
            timeout=_LONGER * seconds,
            env={**without_keys(), **_ONE_THREAD},
        )
    except subprocess.TimeoutExpired as error:
        raise UnsafePickleError("reading it takes too long") from error
    except OSError as error:
        raise UnsafePickleError(f"the process that reads it cannot be started: {error.strerror or error}") from error
    if done.returncode == 1:
        last = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:] or ["it is damaged"]
        raise UnsafePickleError(shown(last[0], 200))
    if done.returncode:
        raise UnsafePickleError(f"reading it broke down or took too much (code {done.returncode})")
    return _rebuilt(done.stdout)


def _rebuilt(archive: bytes) -> dict[str, Any]:
    try:
        arrays = read_all(io.BytesIO(archive), 8 * MOST_BYTES)
        tree = parse_json(arrays.pop("tree").tobytes().decode("ascii"), most_depth=40)
        return {name: _value(one, arrays) for name, one in tree["table"].items()}
    except (ArrayFileError, JsonFileError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise UnsafePickleError("what was read of it makes no sense") from error


def _value(node: Mapping[str, Any], arrays: Mapping[str, Array]) -> Any:
    ((kind, held),) = node.items()
    if kind == "array":
        return arrays[f"a{held}"]
    if kind == "list":
        return [_value(one, arrays) for one in held]
    if kind == "table":
        return {name: _value(one, arrays) for name, one in held.items()}
    return held
