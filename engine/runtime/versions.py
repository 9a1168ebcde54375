"""Versions of what a result depends on."""

from __future__ import annotations

import importlib.metadata
import platform

from engine import __version__

_PACKAGES = ("av", "mediapipe", "numpy", "pydantic", "scipy", "torch")


def versions() -> dict[str, str | None]:
    """Versions of the engine, Python and the packages whose results we depend on; None for what is not installed."""
    found: dict[str, str | None] = {"engine": __version__, "python": platform.python_version()}
    return found | {name: version_of(name) for name in _PACKAGES}


def version_of(package: str) -> str | None:
    """The installed version of a package, None if it is not there."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
