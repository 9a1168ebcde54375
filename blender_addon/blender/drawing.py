"""Text in panels and dialogs, and having windows drawn again."""

from __future__ import annotations

import bpy

from .. import messages
from . import compat


def draw_text(layout, text: str, width: float, icon: str = "NONE") -> None:
    """A sentence over as many lines as it needs, with an icon before the first."""
    column = layout.column(align=True)
    column.scale_y = 0.8
    for number, line in enumerate(messages.wrap(messages.tr(text), width, icon != "NONE")):
        column.label(text=line, icon="NONE" if number else icon)


def redraw() -> None:
    """Have everything drawn again that shows how a run goes."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in ("VIEW_3D", "PREFERENCES", "CLIP_EDITOR"):
                area.tag_redraw()
    compat.redraw_status_bar()


def whole_width(layout):
    """A column for properties whose names are cut where a sidebar of the usual width gives half of it to the value."""
    column = layout.column()
    column.use_property_split = False
    return column
