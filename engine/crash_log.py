"""What the user reads when something goes wrong that nobody expected, and the file that they can send."""

from __future__ import annotations

import json
import logging
import platform
import tempfile
import traceback
from pathlib import Path

from engine.errors import EngineError, OutOfMemoryError
from engine.versions import versions

log = logging.getLogger(__name__)

LOG = "error.log"


def explain(error: Exception, folder: Path) -> EngineError:
    """A bug as a sentence; its traceback goes to `error.log` in `folder`, or where temporary files go."""
    log.debug("unexpected error", exc_info=error)
    if _out_of_memory(error):
        return OutOfMemoryError("The memory ran out.", "Close other programs, shorten the clip or scale it down.")
    if isinstance(error, ImportError):
        return EngineError(
            f"A part of the engine is not installed: {error}.", "Install it again, or run `adapt-motion doctor`."
        )
    message = f"Something unexpected went wrong: {type(error).__name__}: {error}".rstrip(".") + "."
    text = "".join([*traceback.format_exception(error), json.dumps(versions()), "\n", platform.platform(), "\n"])
    for path in (folder / LOG, Path(tempfile.gettempdir()) / f"adapt-motion-{LOG}"):
        if _written(path, text):
            return EngineError(message, f"Please report it with the file {path}.")
    return EngineError(message, "Run it again with --debug to see where.")


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
