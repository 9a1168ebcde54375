"""The one run that goes on beside Blender, watched by a timer of Blender's.

An application timer, not a modal operator: a modal operator that lasts for minutes keeps Blender from saving its
automatic backups, dies when another file is opened or its window closed, and would take every press of Esc for Cancel.
"""

from __future__ import annotations

import atexit
import contextlib
import time
from collections.abc import Callable

import bpy

from . import compat
from .errors import UserError
from .run_state import RunState

TICK_S = 0.15
DRAIN_S = 0.01
"""How often events are looked at, and the most time that takes, so that Blender stays smooth."""

AtEnd = Callable[[RunState], None]

_latest: RunState | None = None
_at_end: AtEnd | None = None
_file_before_load = ""


def latest() -> RunState | None:
    """The run that goes on or, if none does, the last one until it is dismissed."""
    return _latest


def busy() -> bool:
    """Whether a run goes on."""
    return _latest is not None and not _latest.finished


def start(state: RunState, at_end: AtEnd) -> None:
    """Watch a run. `at_end` is called once on the main thread; a UserError of it is shown as the run's.

    Without windows (`blender -b`, the bpy module) no timer fires, so this waits for the end.
    """
    global _latest, _at_end
    _latest, _at_end = state, at_end
    if bpy.app.background:
        for event in state.source.stream():
            state.feed(event)
        _finish(state)
    elif not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick, first_interval=TICK_S, persistent=True)


def dismiss() -> None:
    """Forget the last run, if it has ended."""
    global _latest
    if not busy():
        _latest = None
    _redraw()


def _tick() -> float | None:
    state = _latest
    if state is None or _at_end is None:
        return None
    if not state.finished:
        until = time.perf_counter() + DRAIN_S
        while time.perf_counter() < until and (events := state.source.drain(50)):
            for event in events:
                state.feed(event)
        _redraw()
    if not state.finished:
        return TICK_S
    if not state.failed and any(compat.in_modal_operator(window) for window in bpy.context.window_manager.windows):
        return TICK_S  # the user drags something: results come in when that is done
    _finish(state)
    return None


def _finish(state: RunState) -> None:
    global _at_end
    at_end, _at_end = _at_end, None
    try:
        at_end(state)
    except UserError as error:
        state.message, state.hint, state.failed = error.message, error.hint, True
    _redraw()


def _redraw() -> None:
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in ("VIEW_3D", "PREFERENCES"):
                area.tag_redraw()


@bpy.app.handlers.persistent
def _before_load(*_arguments) -> None:
    global _file_before_load
    _file_before_load = bpy.data.filepath


@bpy.app.handlers.persistent
def _after_load(*_arguments) -> None:
    """Another file is open: the run goes on, but its result is not put into a file that it was not made for."""
    if _latest is not None and (not bpy.data.filepath or bpy.data.filepath != _file_before_load):
        _latest.context["other_file"] = True


def stop() -> None:
    """End the run, if one goes on, and wait until its process is gone."""
    global _latest, _at_end
    state, _latest, _at_end = _latest, None, None
    if state is not None and not state.finished:
        state.source.close()


def register() -> None:
    """Watch files being opened and Blender being left."""
    bpy.app.handlers.load_pre.append(_before_load)
    bpy.app.handlers.load_post.append(_after_load)
    atexit.register(stop)


def unregister() -> None:
    """End the run and undo `register`."""
    stop()
    atexit.unregister(stop)
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    for handlers, handler in ((bpy.app.handlers.load_pre, _before_load), (bpy.app.handlers.load_post, _after_load)):
        with contextlib.suppress(ValueError):
            handlers.remove(handler)
