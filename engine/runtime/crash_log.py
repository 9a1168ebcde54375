"""What the user reads when something goes wrong that nobody expected, and the file that they can send."""

from __future__ import annotations

import errno
import json
import logging
import os
import platform
import tempfile
import traceback
from pathlib import Path

from engine.errors import EngineError, OutOfMemoryError, UsageError
from engine.files.plain_zip import shown
from engine.runtime.versions import versions

log = logging.getLogger(__name__)

LOG = "error.log"

_OF_THE_SYSTEM = {errno.EACCES, errno.EPERM, errno.ENAMETOOLONG, errno.ELOOP, errno.EIO, getattr(errno, "ESTALE", -1)}
"""What only the user can change: permissions, names, and disks that fail."""


def explain(error: Exception, folder: Path | None) -> EngineError:
    """A bug as a sentence; its traceback goes to `error.log` in `folder`, or to a temporary file of the user's own."""
    log.debug("unexpected error", exc_info=error)
    if _out_of_memory(error):
        return OutOfMemoryError("The memory ran out.", "Close other programs, shorten the clip or scale it down.")
    if isinstance(error, ImportError):
        return EngineError(
            f"A part of the engine is not installed: {error}.", "Install it again, or run `adapt-motion doctor`."
        )
    if isinstance(error, OSError) and error.errno in _OF_THE_SYSTEM and error.filename is not None:
        return _of_the_system(error)
    message = f"Something unexpected went wrong: {type(error).__name__}: {error}".rstrip(".") + "."
    text = "".join([*traceback.format_exception(error), json.dumps(versions()), "\n", platform.platform(), "\n"])
    path = folder / LOG if folder is not None else None
    if path is None or not _written(path, text):
        path = _temporary(text)
    if path is None:
        return EngineError(message, "Run it again with --debug to see where.")
    return EngineError(message, f"Please report it with the file {path}.")


def _of_the_system(error: OSError) -> EngineError:
    name = shown(str(error.filename))
    if error.errno == errno.ENAMETOOLONG:
        return UsageError(f"The name {name} is longer than this system takes.", "Use a shorter one.")
    return EngineError(
        f"{name} cannot be used: {error.strerror}.", "Check the permissions, and that the disk is still there."
    )


def _temporary(text: str) -> Path | None:
    """A new file under a name that nobody else can have put there."""
    try:
        number, name = tempfile.mkstemp(prefix="adapt-motion-error-", suffix=".log", dir=tempfile.gettempdir())
    except OSError:
        return None
    os.close(number)
    return Path(name) if _written(Path(name), text) else None


def _written(path: Path, text: str) -> bool:
    try:
        path.write_text(text, encoding="utf-8")
    except (OSError, ValueError):
        return False
    return True


def _out_of_memory(error: Exception) -> bool:
    # PyTorch has a class of its own on GPUs and none on the CPU; naming it here would import PyTorch
    named = any(kind.__name__ == "OutOfMemoryError" for kind in type(error).__mro__)
    return named or isinstance(error, MemoryError) or "can't allocate memory" in str(error)
