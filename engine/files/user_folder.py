"""Where the engine keeps what belongs to the user, whichever clip it is for. Blender looks there too."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def data_folder() -> Path:
    """The user's folder. It may not be there yet."""
    if sys.platform == "win32":
        folder = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        folder = Path.home() / "Library" / "Application Support"
    else:
        folder = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return folder / "adapt-motion"


def studio_file() -> Path:
    """The user's own dictionary of actions, exemplar motions beside it."""
    return data_folder() / "actions.json"
