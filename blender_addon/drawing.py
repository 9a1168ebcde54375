"""Pieces that the sidebar and the preferences both draw."""

from __future__ import annotations

from . import compat, messages
from .run_state import RunState


def draw_run(layout, state: RunState, width: float) -> None:
    """Progress of a run with *Cancel*, or how it ended with *Open Log*; `width` in pixels at scale 1."""
    if not state.finished:
        layout.label(text=state.title, icon="TIME")
        compat.draw_progress(layout, state.share, state.progress_text)
        layout.operator("adapt_motion.cancel", icon="CANCEL")
        return
    box = layout.box().column(align=True)
    icon = "ERROR" if state.failed else "INFO"
    for number, line in enumerate(messages.wrap(state.message, width)):
        box.label(text=line, icon="NONE" if number else icon)
    lines = [
        state.hint,
        *state.warnings[:3],
        *([f"{len(state.warnings) - 3} more in the log."] * (len(state.warnings) > 3)),
    ]
    for text in filter(None, lines):
        for line in messages.wrap(text, width):
            box.label(text=line)
    row = box.row(align=True)
    row.operator("adapt_motion.open_log", icon="TEXT")
    row.operator("adapt_motion.dismiss", text="", icon="X")
