"""A clip of the farm, from its order to how it ended."""

from __future__ import annotations

import contextlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from engine.errors import EngineError
from engine.farm.graph import ClipGraph, Task
from engine.farm.tasks import Order


@dataclass
class ClipState:
    """A clip of the farm.

    Attributes:
        order: what machines know of it.
        graph: how far it is.
        trouble: why it is no footage, if it is none.
        status: `waiting`, `running`, `done`, `failed` or `stopped`.
        error: why it failed.
        seconds, cpu_s: of each step, summed over its tasks, and of the processor.
        tasks: that were done, of each step.
        again: tasks that were begun once more.
        machines: that worked on it.
        wall_s: from its first task to its end.
    """

    order: Order
    graph: ClipGraph
    trouble: EngineError | None
    status: str = "waiting"
    error: EngineError | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    cpu_s: dict[str, float] = field(default_factory=dict)
    tasks: dict[str, int] = field(default_factory=dict)
    again: int = 0
    machines: set[str] = field(default_factory=set)
    wall_s: float = 0.0
    begun: float = 0.0
    is_new: bool = False
    sent: dict[str, Any] = field(default_factory=dict)
    """What lies in Ray's store: `order`, `given`, and where it ships `footage` and `cache`."""
    tries: Counter[Task] = field(default_factory=Counter)
    lock: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
