"""Work in small steps, so that Blender's window stays alive meanwhile: generators, run a little at a time.

A step is what a generator does up to its next `yield`. Whoever runs one decides how many steps fit into a tick; scripts
and batch mode take them all at once with `finish`. No `bpy` in here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from typing import Any, TypeVar

UNFINISHED = "adapt_motion_unfinished"
"""Custom property of data-blocks that are not all there yet, so that they are found if the steps are not all taken."""

Result = TypeVar("Result")
Steps = Generator[None, None, Result]


def finish(steps: Steps[Result]) -> Result:
    """Take all the steps; gives back what the generator returns."""
    outcome: list[Result] = []

    def outer() -> Steps[None]:
        outcome.append((yield from steps))

    for _ in outer():
        pass
    return outcome[0]


def beside(function: Callable[[], Result]) -> Steps[Result]:
    """Run `function`, which must not touch Blender, in a thread; each step waits a moment for it.

    Raises what `function` raises.
    """
    outcome: dict[str, Any] = {}

    def work() -> None:
        try:
            outcome["result"] = function()
        except BaseException as error:  # handed on to the calling thread
            outcome["error"] = error

    thread = threading.Thread(target=work, name="adapt-motion reader", daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(0.004)
        yield
    if "error" in outcome:
        raise outcome["error"]
    return outcome["result"]
