"""Files that are never half written."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from engine.errors import OutputError

_HINT = "Free some space or choose another output folder."


def is_half_written(name: str) -> bool:
    """Whether a file of this name is what `replacing` leaves when its process is killed."""
    return re.fullmatch(r"\..+-[0-9a-f]{8}\.tmp", name, re.DOTALL) is not None


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file under a temporary name (`.<stem>-….tmp` beside `path`) that takes the place of `path` when the body ends.

    If the body or the disk fails, what was at `path` stays as it was. Raises OutputError if the disk refuses.
    """
    temporary = path.with_name(f".{path.stem}-{secrets.token_hex(4)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as file:
            yield file
        os.replace(temporary, path)
    except OSError as error:
        raise OutputError(
            f"{path} could not be written: {error.strerror or error}.",
            "Free some space or choose another output folder.",
        ) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_arrays(path: Path, arrays: dict[str, NDArray[Any]]) -> None:
    """Write plain arrays as a compressed `.npz`, atomically. Raises OutputError if the disk refuses."""
    with replacing(path) as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
