"""The one run that goes on beside Blender, watched by a timer of Blender's.

An application timer, not a modal operator: a modal operator that lasts for minutes keeps Blender from saving its
automatic backups, dies when another file is opened or its window closed, and would take every press of Esc for Cancel.
"""

from __future__ import annotations

import atexit
import contextlib
import time
from collections.abc import Callable, Generator
from typing import Any

import bpy

from ..blender import compat, drawing
from ..errors import UserError
from . import paces, prefs
from .run_state import RunState

TICK_S = 0.15
DRAIN_S = 0.01
"""How often events are looked at, and the most time that takes, so that Blender stays smooth."""

STEP_TICK_S, STEPS_S = 0.02, 0.012
"""The same for bringing in a result: steps are taken for so much of the processor's time, then Blender draws."""

MOST_FOR_STEPS_S = 0.03
"""But for no longer than this, where other programs take the processor."""

AtEnd = Callable[[RunState], "Generator[None, None, None] | None"]

_latest: RunState | None = None
_at_end: AtEnd | None = None
_steps: Generator[None, None, None] | None = None
_when_idle: list[Callable[[], None]] = []
_file_before_load = ""
longest_step_s = 0.0
"""The longest that a tick has kept Blender waiting since the last run began, for measuring."""


def latest() -> RunState | None:
    """The run that goes on or, if none does, the last one until it is dismissed."""
    return _latest


def busy() -> bool:
    """Whether a run goes on or its result is being brought in."""
    return _latest is not None and (not _latest.finished or _at_end is not None)


def when_idle(function: Callable[[], None]) -> None:
    """Have `function` called whenever a run has ended and another may begin, until this module is unregistered."""
    _when_idle.append(function)


def start(state: RunState, at_end: AtEnd) -> None:
    """Watch a run.

    `at_end` is called on the main thread; it may give back a generator, whose steps are then taken a few at a time. If
    undo comes between two of them, it is called again. A UserError of it is shown as the run's. Without windows
    (`blender -b`, the bpy module) no timer fires, so this waits for the end.
    """
    global _latest, _at_end, longest_step_s
    _latest, _at_end, longest_step_s = state, at_end, 0.0
    if state.of_engine:
        paces.keep_in(compat.user_folder(prefs.PACKAGE))
    if bpy.app.background:
        for event in state.source.stream():
            state.feed(event)
        _begin_steps(state)
        while _steps is not None:
            _take_steps(state, float("inf"))
        _notify_idle()
    elif not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick, first_interval=TICK_S, persistent=True)


def dismiss() -> None:
    """Forget the last run, if it has ended."""
    global _latest
    if not busy():
        _latest = None
    drawing.redraw()


def _tick() -> float | None:
    global longest_step_s
    before = time.perf_counter()
    again = _work()
    longest_step_s = max(longest_step_s, time.perf_counter() - before)
    if again is None:
        _notify_idle()
        return TICK_S if busy() else None
    return again


def _work() -> float | None:
    """What is done in a tick; gives back when the next is wanted, None if nothing is left to do."""
    state = _latest
    if state is None or _at_end is None:
        return None
    if not state.finished:
        until = time.perf_counter() + DRAIN_S
        while time.perf_counter() < until and (events := state.source.drain(50)):
            for event in events:
                state.feed(event)
        drawing.redraw()
        return TICK_S
    if not state.failed and any(compat.in_modal_operator(window) for window in bpy.context.window_manager.windows):
        return TICK_S  # the user drags something: results come in when that is done
    if _steps is None:
        _begin_steps(state)
    else:
        _take_steps(state, STEPS_S)
    return STEP_TICK_S if _steps is not None else None


def take_some(steps: Generator[None, None, Any], seconds: float) -> None:
    """Take steps for so much of the processor's time. Raises StopIteration after the last."""
    until, worked_until = time.perf_counter() + MOST_FOR_STEPS_S, time.thread_time() + seconds
    while time.thread_time() < worked_until and (time.perf_counter() < until or bpy.app.background):
        next(steps)


def _begin_steps(state: RunState) -> None:
    global _steps
    try:
        _steps = _at_end(state)
    except UserError as error:
        state.fail(error)
    state.bringing_in = _steps is not None
    if _steps is None:
        _end()


def _take_steps(state: RunState, seconds: float) -> None:
    """Go on with bringing in for so long."""
    try:
        take_some(_steps, seconds)
        return
    except StopIteration:
        pass
    except UserError as error:
        state.fail(error)
    except BaseException:
        _end()  # a bug keeps its traceback, but does not come again at every tick
        raise
    _end()


def _end() -> None:
    global _at_end, _steps
    _at_end = _steps = None
    if _latest is not None:
        _latest.bringing_in = False
    drawing.redraw()


def _notify_idle() -> None:
    for function in _when_idle:
        if not busy():
            function()


@bpy.app.handlers.persistent
def _before_load(*_arguments) -> None:
    global _file_before_load
    _file_before_load = bpy.data.filepath


@bpy.app.handlers.persistent
def _after_load(*_arguments) -> None:
    """Another file is open: the run goes on, but its result is not put into a file that it was not made for."""
    global _steps
    if _latest is not None and (not bpy.data.filepath or bpy.data.filepath != _file_before_load):
        _latest.context["other_file"] = True
    _steps = None  # what it was building is gone with the file


@bpy.app.handlers.persistent
def _after_undo(*_arguments) -> None:
    """What was being brought in is gone or out of date: begin again."""
    global _steps
    if _steps is not None:
        from ..character import scene

        _steps = None
        scene.sweep()


_HANDLERS = (
    ("load_pre", _before_load),
    ("load_post", _after_load),
    ("undo_post", _after_undo),
    ("redo_post", _after_undo),
)


def stop() -> None:
    """End the run, if one goes on, and wait until its process is gone."""
    global _latest, _at_end, _steps
    state, _latest, _at_end, _steps = _latest, None, None, None
    if state is not None and not state.finished:
        state.source.close()


def register() -> None:
    """Watch files being opened, undo, and Blender being left."""
    for name, handler in _HANDLERS:
        getattr(bpy.app.handlers, name).append(handler)
    atexit.register(stop)


def unregister() -> None:
    """End the run and undo `register`."""
    stop()
    _when_idle.clear()
    atexit.unregister(stop)
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    for name, handler in _HANDLERS:
        with contextlib.suppress(ValueError):
            getattr(bpy.app.handlers, name).remove(handler)
