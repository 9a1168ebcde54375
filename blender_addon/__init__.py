"""Adapt Motion in Blender: footage of somebody moving becomes a moving character. The work is done by the engine."""

from __future__ import annotations

from .character import layers as character_layers
from .character import pins as character_pins
from .character import proposed as character_proposed
from .character import review as character_review
from .operators import (
    actions,
    adapt,
    camera,
    character,
    cleanup,
    engine,
    export,
    footage,
    labels,
    layers,
    match,
    people,
    pins,
    properties,
    proposed,
    queue,
    retarget,
    review,
)
from .retarget import properties as retarget_properties
from .run import clip_queue, results, running
from .run import people as people_pictures
from .scripts import batch
from .ui import (
    ghost_overlay,
    keypoint_drag,
    layer_panel,
    lists,
    motion_panels,
    overlay,
    panels,
    people_overlay,
    pin_overlay,
    pin_panel,
    preferences,
    translations,
)

_MODULES = (  # what others use first
    translations,
    preferences,
    retarget_properties,
    properties,
    character_pins,
    character_review,
    character_proposed,
    character_layers,
    running,
    people_pictures,
    results,
    clip_queue,
    engine,
    footage,
    match,
    people,
    labels,
    camera,
    queue,
    adapt,
    actions,
    character,
    pins,
    proposed,
    review,
    layers,
    cleanup,
    retarget,
    export,
    lists,
    overlay,
    people_overlay,
    keypoint_drag,
    pin_overlay,
    ghost_overlay,
    panels,
    pin_panel,
    motion_panels,
    layer_panel,
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
