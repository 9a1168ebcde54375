"""Adapt Motion in Blender: footage of somebody moving becomes a moving character. The work is done by the engine."""

from __future__ import annotations

from .character import footage, solved_camera
from .operators import adapt, character, cleanup, engine, export, properties, retarget
from .retarget import properties as retarget_properties
from .run import clip_queue, labels, people, results, running
from .scripts import batch
from .ui import motion_panels, overlay, panels, preferences, translations

_MODULES = (  # what others use first
    translations,
    preferences,
    retarget_properties,
    properties,
    running,
    engine,
    footage,
    people,
    labels,
    results,
    solved_camera,
    clip_queue,
    adapt,
    character,
    cleanup,
    retarget,
    export,
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
