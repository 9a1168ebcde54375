"""The Doctor box of the preferences."""

from __future__ import annotations

from .. import texts
from ..blender import drawing
from ..run import health
from ..run.run_state import RunState
from . import run_box

WIDTH = 600
"""Of the preferences, pixels at scale 1."""

ICONS = {"ok": "CHECKMARK", "missing": "CANCEL", "refused": "ERROR", "optional": "RADIOBUT_OFF"}


def draw(layout, state: RunState | None, preferences) -> None:
    """The Doctor box: a button, how the examination that `state` may be goes, and what it found, the troubles first.

    What is optional is listed only where the preferences want it: with where to have it from it is long.
    """
    row = layout.row()
    row.label(text="Doctor", icon="HEART")
    row.operator("adapt_motion.doctor", text="Examine", icon="VIEWZOOM")
    if state is not None and state.kind == "doctor" and (not state.finished or state.finding is None):
        run_box.draw_run(layout, state, WIDTH)
        return
    finding = health.finding()
    if finding is None:
        drawing.draw_text(layout, texts.NOT_EXAMINED, WIDTH)
        return
    text, hint = health.summary(finding)
    drawing.draw_text(layout, text, WIDTH, "CHECKMARK" if not hint else "ERROR")
    order = {"missing": 0, "refused": 1, "optional": 3, "ok": 2}
    shown = [check for check in finding["checks"] if check["section"] not in ("packages",) or check["state"] != "ok"]
    if any(check["state"] == "optional" for check in shown):
        layout.prop(preferences, "show_optional")
    if not preferences.show_optional:
        shown = [check for check in shown if check["state"] != "optional"]
    for check in sorted(shown, key=lambda one: order.get(one["state"], 2)):
        column = layout.column(align=True)
        drawing.draw_text(column, f"{check['name']}: {check['found']}", WIDTH, ICONS.get(check["state"], "DOT"))
        if check["hint"] and check["state"] != "ok":
            drawing.draw_text(column, check["hint"], WIDTH)
