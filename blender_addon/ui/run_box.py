"""Pieces that the sidebar and the preferences both draw."""

from __future__ import annotations

from .. import messages
from ..blender import compat, drawing
from ..run.run_state import RunState


def draw_run(layout, state: RunState, width: float) -> None:
    """Progress of a run with *Cancel*, or how it ended with *Open Log*; `width` in pixels at scale 1."""
    if state.bringing_in:
        layout.label(text=state.title, icon="IMPORT")
        return
    if not state.finished:
        if state.clip:
            layout.label(text=state.clip, icon="FILE_MOVIE", translate=False)
        layout.label(text=state.title, icon="TIME")
        compat.draw_progress(layout, state.share, state.progress_text)
        layout.operator("adapt_motion.cancel", icon="CANCEL")
        return
    box = layout.box().column(align=True)
    drawing.draw_text(box, state.message, width, "ERROR" if state.failed else "INFO")
    lines = [
        state.hint,
        *state.warnings[:3],
        *([messages.tr("{count} more in the log.", count=len(state.warnings) - 3)] * (len(state.warnings) > 3)),
    ]
    for text in filter(None, lines):
        drawing.draw_text(box, text, width)
    box.separator(factor=0.5)
    row = box.row(align=True)
    row.operator("adapt_motion.open_log", icon="TEXT")
    row.operator("adapt_motion.dismiss", text="", icon="X")
