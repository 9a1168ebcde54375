"""Programs by name, for engine and add-on: only from the folders of the path, never from the working folder.

On Windows the system looks into the working folder first, which may be a stranger's folder of footage. Standard library
only.
"""

from __future__ import annotations

import os
from pathlib import Path

KEY_VARIABLES = ("OPENAI_API_KEY",)
"""What programs that have no use for it do not get to see."""


def find_program(name: str) -> str | None:
    """Path of a program that `name` is, or that the path has under that name; None if there is none."""
    if Path(name).name != name:
        return name if _is_program(Path(name)) else None
    endings = ("", ".exe") if os.name == "nt" else ("",)
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        for ending in endings if os.path.isabs(folder) else ():
            found = Path(folder, name + ending)
            if _is_program(found):
                return str(found)
    return None


def without_keys() -> dict[str, str]:
    """The environment without what is secret."""
    return {name: value for name, value in os.environ.items() if name not in KEY_VARIABLES}


def _is_program(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK) and (os.name != "nt" or path.suffix.lower() in (".exe", ".com"))
