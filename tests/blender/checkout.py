"""The bpy-free modules of the add-on, for tests that need no Blender."""

from __future__ import annotations

import importlib
import sys
import types
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


def addon_module(name: str) -> types.ModuleType:
    """A module such as `blender_addon.job`, in a package of its own name so that the real one can be there too."""
    for package, folder in (("adapt_motion_files", ""), ("adapt_motion_files.blender_addon", "blender_addon")):
        if package not in sys.modules:
            sys.modules[package] = types.ModuleType(package)
            sys.modules[package].__path__ = [str(REPOSITORY / folder)]
    return importlib.import_module(f"adapt_motion_files.{name}")
