"""Adapt Motion in Blender: footage of somebody moving becomes a moving character. The work is done by the engine."""

from __future__ import annotations

from . import batch, engine_operators, operators, panels, preferences, properties, running

_MODULES = (preferences, properties, running, engine_operators, operators, panels, batch)  # what others use first


def register() -> None:
    """Switch the add-on on."""
    for module in _MODULES:
        module.register()


def unregister() -> None:
    """Undo `register`; a run that goes on is ended."""
    for module in reversed(_MODULES):
        module.unregister()
