"""Paths of properties."""

from __future__ import annotations

import os

import bpy


def absolute(path: str) -> str:
    """A path of a property as the system knows it: `//` is the folder of the .blend file."""
    return os.path.normpath(os.path.abspath(bpy.path.abspath(path)))
