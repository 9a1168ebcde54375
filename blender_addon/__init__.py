"""Adapt Motion in Blender: footage of somebody moving becomes a moving character. The work is done by the engine."""

from __future__ import annotations

from . import (
    batch,
    character_operators,
    cleanup_operators,
    clip_queue,
    engine_operators,
    export_operators,
    footage,
    labels,
    motion_panels,
    operators,
    overlay,
    panels,
    people,
    preferences,
    properties,
    results,
    retarget_operators,
    retarget_properties,
    running,
    solved_camera,
    translations,
)

_MODULES = (  # what others use first
    translations,
    preferences,
    retarget_properties,
    properties,
    running,
    engine_operators,
    footage,
    people,
    labels,
    results,
    solved_camera,
    clip_queue,
    operators,
    character_operators,
    cleanup_operators,
    retarget_operators,
    export_operators,
    overlay,
    panels,
    motion_panels,
    batch,
)


def register() -> None:
    """Switch the add-on on."""
    for module in _MODULES:
        module.register()


def unregister() -> None:
    """Undo `register`; a run that goes on is ended."""
    for module in reversed(_MODULES):
        module.unregister()
