"""What the engine's doctor found, in words, and what is known of the key of the labelling service."""

from __future__ import annotations

from typing import Any

from .. import messages, texts
from ..run.run_state import RunState
from . import drawing

KEY_VARIABLE = "OPENAI_API_KEY"
WIDTH = 600
"""Of the preferences, pixels at scale 1."""

ICONS = {"ok": "CHECKMARK", "missing": "CANCEL", "refused": "ERROR", "optional": "RADIOBUT_OFF"}

_finding: dict[str, Any] | None = None
_key: dict[str, Any] | None = None


def remember(finding: dict[str, Any]) -> None:
    """Keep what the doctor found, for drawing."""
    global _finding
    _finding = finding


def remember_key(told: dict[str, Any]) -> None:
    """Keep what the key store said."""
    global _key
    _key = told


def forget() -> None:
    """Nothing is known any more."""
    global _finding, _key
    _finding = _key = None


def summary(finding: dict[str, Any]) -> tuple[str, str]:
    """What the doctor found in a sentence, and what to do about it."""
    bad = [check for check in finding["checks"] if check["state"] in ("missing", "refused")]
    if not bad:
        return "Everything that the engine needs is there.", ""
    names = ", ".join(check["name"] for check in bad[:3])
    return f"{'Missing' if bad[0]['state'] == 'missing' else 'Of no use'}: {names}.", bad[0]["hint"]


def key_text() -> str:
    """What is known of the key."""
    if _key is None:
        return texts.KEY_UNKNOWN
    if not _key["keyring"]:
        return messages.NO_KEYRING
    return texts.KEY_STORED if _key["stored"] else messages.KEY_MISSING


def draw(layout, state: RunState | None, preferences) -> None:
    """The Doctor box: a button, how the examination that `state` may be goes, and what it found, the troubles first.

    What is optional is listed only where the preferences want it: with where to have it from it is long.
    """
    row = layout.row()
    row.label(text="Doctor", icon="HEART")
    row.operator("adapt_motion.doctor", text="Examine", icon="VIEWZOOM")
    if state is not None and state.kind == "doctor" and (not state.finished or state.finding is None):
        drawing.draw_run(layout, state, WIDTH)
        return
    if _finding is None:
        drawing.draw_text(layout, texts.NOT_EXAMINED, WIDTH)
        return
    text, hint = summary(_finding)
    drawing.draw_text(layout, text, WIDTH, "CHECKMARK" if not hint else "ERROR")
    order = {"missing": 0, "refused": 1, "optional": 3, "ok": 2}
    shown = [check for check in _finding["checks"] if check["section"] not in ("packages",) or check["state"] != "ok"]
    if any(check["state"] == "optional" for check in shown):
        layout.prop(preferences, "show_optional")
    if not preferences.show_optional:
        shown = [check for check in shown if check["state"] != "optional"]
    for check in sorted(shown, key=lambda one: order.get(one["state"], 2)):
        column = layout.column(align=True)
        drawing.draw_text(column, f"{check['name']}: {check['found']}", WIDTH, ICONS.get(check["state"], "DOT"))
        if check["hint"] and check["state"] != "ok":
            drawing.draw_text(column, check["hint"], WIDTH)
