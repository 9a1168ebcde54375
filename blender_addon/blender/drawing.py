"""Text in panels and dialogs, drawing over footage, and having windows drawn again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bpy

from .. import messages
from . import compat


def draw_text(layout, text: str, width: float, icon: str = "NONE") -> None:
    """A sentence over as many lines as it needs, with an icon before the first."""
    column = layout.column(align=True)
    column.scale_y = 0.8
    for number, line in enumerate(messages.wrap(messages.tr(text), width, icon != "NONE", text_width)):
        column.label(text=line, icon="NONE" if number else icon)


def text_width(text: str) -> float:
    """Width of a text in the panels' font, in pixels at scale 1."""
    import blf

    compat.set_font_size(0, bpy.context.preferences.ui_styles[0].widget.points)
    return blf.dimensions(0, text)[0]


def redraw() -> None:
    """Have everything drawn again that shows how a run goes."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in ("VIEW_3D", "PREFERENCES", "CLIP_EDITOR"):
                area.tag_redraw()
    compat.redraw_status_bar()


def camera_of_view(scene, space, region_data) -> bpy.types.Object | None:
    """The camera that a 3D View looks through; None if it looks through none."""
    if region_data is None or region_data.view_perspective != "CAMERA":
        return None
    camera = space.camera if space.use_local_camera else scene.camera
    return camera if camera is not None and camera.type == "CAMERA" else None


def begin_over_footage(in_view: Callable[[], None], in_clip_editor: Callable[[], None]) -> list[tuple[Any, Any]]:
    """Have 3D Views and Movie Clip Editors draw, in pixels. Gives back what `end_over_footage` takes."""
    spaces = ((bpy.types.SpaceView3D, in_view), (bpy.types.SpaceClipEditor, in_clip_editor))
    return [(space, space.draw_handler_add(function, (), "WINDOW", "POST_PIXEL")) for space, function in spaces]


def end_over_footage(handles: list[tuple[Any, Any]]) -> None:
    """Undo `begin_over_footage`; the list is empty afterwards."""
    while handles:
        space, handle = handles.pop()
        space.draw_handler_remove(handle, "WINDOW")


def whole_width(layout):
    """A column for properties whose names are cut where a sidebar of the usual width gives half of it to the value."""
    column = layout.column()
    column.use_property_split = False
    return column
