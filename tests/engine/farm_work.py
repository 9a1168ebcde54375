"""Tasks without an engine, which do what the name of their clip says, and note in its folder that they were there."""

import os
import time
import uuid
from pathlib import Path

import ray

from engine.farm.graph import Step
from engine.farm.tasks import MachineError, Report

PIECES, PEOPLE = 3, 2


class Seconds(float):
    """That a task sleeps, in place of the options of a run."""

    device = "cpu"


def note(folder, words):
    (Path(folder) / f"{words} {uuid.uuid4().hex[:6]}").touch()


def work(order, step, part, given, footage=None, cache=None):
    """As `engine.farm.tasks.work`."""
    node = ray.get_runtime_context().get_node_id()
    note(order.folder, f"begun {step.name} {part}")
    if order.name == "poison" and step is Step.DETECT and part == 1:
        os._exit(9)
    if order.versions.get("broken") in (node, "all"):
        return Report("broken", node, 0.0, error=MachineError("The machine broken has no disk.", "Buy one."))
    time.sleep(order.options)
    parts = {Step.LOOK: range(PIECES), Step.ESTIMATE: range(PEOPLE)}.get(step, (0,))
    note(order.folder, f"done {step.name} {part}")
    return Report(node[:6], node, order.options, parts=tuple(parts), handed_on=f"from {step.name}")


def sleep(seconds):
    """Other work than ours."""
    time.sleep(seconds)
