"""What a machine of the farm does: one step of a clip, with its result put into the clip's cache.

Nothing is raised: a task reports its error, and whether that is the clip's or the machine's.
"""

from __future__ import annotations

import shutil
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from engine import detection, stages
from engine.adaptation import stage as adaptation
from engine.body.model import BodyModel, load_body
from engine.errors import EngineError, FootageError, OutputError
from engine.farm.graph import Step
from engine.farm.luggage import Packed, footage_files, packed_cache, unpacked
from engine.footage.clip import Clip
from engine.footage.decoding import fingerprint, probe
from engine.output.folders import CLAIM, FREE_BYTES
from engine.pipeline import ClipRun
from engine.run_options import RunOptions
from engine.runtime.cache import FOLDER, Cache
from engine.runtime.cancel import Cancel
from engine.runtime.crash_log import explain
from engine.runtime.reporter import Reporter
from engine.runtime.versions import versions
from engine.stages import Estimated


@dataclass(frozen=True)
class Order:
    """A clip, as every machine has to know it.

    Attributes:
        name: of the clip's folder.
        footage: where it lies.
        folder: of the clip's results.
        options: of its run.
        versions: of the engine and what it depends on, on the machine that sends the order.
    """

    name: str
    footage: Path
    folder: Path
    options: RunOptions
    versions: dict[str, str | None]


@dataclass(frozen=True)
class Report:
    """How a task went.

    Attributes:
        machine, node: name of the machine, and its number in Ray.
        seconds, cpu_s: that it took, and of the processor.
        parts: what the next step of the clip has to do.
        handed_on: what it is given.
        back: the step that comes next, where that is an earlier one.
        events: for the user, each an event of `engine.protocol` with its name.
        error: why nothing came of it; a `MachineError` where another machine may do it.
        files: what the clip's cache has got, by name, where no folder is shared.
    """

    machine: str
    node: str
    seconds: float
    cpu_s: float = 0.0
    parts: tuple[int, ...] = (0,)
    handed_on: Any = None
    back: Step | None = None
    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    error: EngineError | None = None
    files: Packed = field(default_factory=dict)


@dataclass(frozen=True)
class _Done:
    """What a step leaves, as in `Report`."""

    parts: tuple[int, ...] = (0,)
    handed_on: Any = None
    back: Step | None = None


class MachineError(EngineError):
    """Trouble of one machine of the farm: another may do the work."""

    code = "machine"


class _Events:
    """Keeps what the user is to read; how far a task is, only the one who sent it says."""

    def __init__(self) -> None:
        self.kept: list[tuple[str, dict[str, Any]]] = []

    def send(self, name: str, **values: Any) -> None:
        if name not in ("stage", "progress"):
            self.kept.append((name, values))

    def close(self) -> None:
        """Nothing to tidy."""


def work(
    order: Order, step: Step, part: int, given: Any, footage: Packed | None = None, cache: Packed | None = None
) -> Report:
    """Do one part of a step.

    Args:
        order: whose.
        step, part: which.
        given: what the step before has handed on.
        footage, cache: files of the footage and of the clip's cache, where no folder is shared.

    Returns:
        How it went.
    """
    import ray

    begun, cpu_begun = time.monotonic(), time.process_time()
    machine, events = socket.gethostname(), _Events()
    node = ray.get_runtime_context().get_node_id()
    done, failed, files = _Done(), None, {}
    try:
        _check_versions(order, machine)
        if footage is None:
            _check_folders(order, machine)
        else:
            order = _relocated(order, footage, cache or {})
        reporter = Reporter(events, Cancel())
        reporter.begin_clip(order.name)
        done = _WORK[step](order, part, given, reporter)
        if footage is not None:
            files = {name: one for name, one in packed_cache(order.folder).items() if name not in (cache or {})}
    except EngineError as error:
        failed = _of_machine(error, order.folder, machine)
    except Exception as error:
        failed = explain(error, order.folder if footage is None and order.folder.is_dir() else None)
    return Report(
        machine=machine,
        node=node,
        seconds=time.monotonic() - begun,
        cpu_s=time.process_time() - cpu_begun,
        parts=done.parts,
        handed_on=done.handed_on,
        back=done.back,
        events=events.kept,
        error=failed,
        files=files,
    )


def _check_versions(order: Order, machine: str) -> None:
    """Raise MachineError for other versions; builds of one version, for cards or processors, are the same."""

    def numbers(found: dict[str, str | None]) -> dict[str, str | None]:
        return {name: version and version.partition("+")[0] for name, version in found.items()}

    here, wanted = numbers(versions()), numbers(order.versions)
    other = [f"{name} {here.get(name)} in place of {wanted[name]}" for name in wanted if here.get(name) != wanted[name]]
    if other:
        raise MachineError(
            f"The machine {machine} has other versions: {', '.join(other)}.",
            "Install the same versions on all machines.",
        )


def _check_folders(order: Order, machine: str) -> None:
    """Raise MachineError where this machine does not see what the one that sends the order does."""
    if not (order.folder / FOLDER / CLAIM).is_file():
        raise MachineError(
            f"The machine {machine} does not see the output folder {order.folder.parent}.",
            "Put it on a drive that all machines have under the same path.",
        )
    try:
        footage_files(order.footage)
    except FootageError as error:
        raise MachineError(
            f"The machine {machine} does not see the footage {order.footage}.",
            "Put it on a drive that all machines have under the same path, or use --ship-footage.",
        ) from error
    for path in (order.options.body, order.options.keypoints):
        if path is not None and not path.exists():
            raise MachineError(
                f"The machine {machine} does not see {path}.",
                "Put it on a drive that all machines have under the same path.",
            )


def _relocated(order: Order, footage: Packed, cache: Packed) -> Order:
    path, folder = unpacked(str(order.folder), order.footage, footage, cache)
    return replace(order, footage=path, folder=folder)


def _of_machine(error: EngineError, folder: Path, machine: str) -> EngineError:
    """The error, as one of this machine where its disk is full."""
    try:
        full = isinstance(error, OutputError) and shutil.disk_usage(folder).free < FREE_BYTES
    except OSError:
        full = False
    return MachineError(f"A disk of the machine {machine} is full: {error.message}", error.hint) if full else error


def _look(order: Order, part: int, given: None, reporter: Reporter) -> _Done:
    """Cuts, and which pieces are still to be detected."""
    options = order.options
    info = probe(order.footage, options.settings.footage.image_rate)
    clip = Clip(order.footage, info, fingerprint(order.footage), mirrored=options.mirrored)
    return _left(stages.find_cuts(clip, options, _cache(order, reporter), reporter), order, reporter)


def _left(clip: Clip, order: Order, reporter: Reporter) -> _Done:
    """The pieces that are still to be detected, and how."""
    cache = _cache(order, reporter)
    options, numbers = detection.missing(clip, detection.as_known(clip, order.options, cache), cache, reporter)
    return _Done(tuple(numbers), (clip, options.everybody))


def _detect(order: Order, part: int, given: tuple[Clip, bool], reporter: Reporter) -> _Done:
    clip, everybody = given
    clip = replace(clip, path=order.footage, info=replace(clip.info, path=order.footage))
    detection.detect_one(clip, part, replace(order.options, everybody=everybody), _cache(order, reporter))
    return _Done()


def _estimate(order: Order, part: int, given: Any, reporter: Reporter) -> _Done:
    """The people, or pieces in which the main person was perhaps overlooked: they are detected first, side by side."""
    again = _look(order, part, None, reporter)
    if again.parts:
        return replace(again, back=Step.DETECT)
    estimated = _run(order, reporter).estimate()
    if estimated is None or not adaptation.wanted(order.options):
        return _Done(())
    return _Done(tuple(range(len(estimated.tracks))), replace(estimated, found=[], predictions=[]))


def _adapt(order: Order, part: int, given: Estimated, reporter: Reporter) -> _Done:
    clip = replace(given.clip, path=order.footage, info=replace(given.clip.info, path=order.footage))
    _run(order, reporter).adapt(replace(given, clip=clip), part)
    return _Done()


def _finish(order: Order, part: int, given: Any, reporter: Reporter) -> _Done:
    _run(order, reporter).run()
    return _Done(())


def _cache(order: Order, reporter: Reporter) -> Cache:
    return Cache(order.folder, True, reporter.warn)


def _run(order: Order, reporter: Reporter) -> ClipRun:
    options = order.options
    return ClipRun(order.footage, order.folder, options, _body(options.body, options.device), reporter)


@lru_cache(maxsize=1)
def _body(path: Path | None, device: str) -> BodyModel:
    """The body, which a process reads once."""
    return load_body(path, device)


_WORK: dict[Step, Callable[[Order, int, Any, Reporter], _Done]] = {
    Step.LOOK: _look,
    Step.DETECT: _detect,
    Step.ESTIMATE: _estimate,
    Step.ADAPT: _adapt,
    Step.FINISH: _finish,
}
