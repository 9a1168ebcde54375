"""A run: many clips, side by side where there are cores and memory. What is heavy is imported after the first event."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import CancelledError, EngineError
from engine.files.folder_lock import LOCK, only_run_in
from engine.output import folders as outputs
from engine.protocol import ExitCode
from engine.run_options import RunOptions, choose_device
from engine.runtime.cache import FOLDER
from engine.runtime.cancel import Cancel
from engine.runtime.crash_log import explain
from engine.runtime.machine import cores, free_bytes
from engine.runtime.reporter import Reporter
from engine.runtime.workers import Tell, Workers

if TYPE_CHECKING:
    from engine.body.model import BodyModel

_CLIP_BYTES = 1800 * 2**20
"""What a clip takes whose motion is adapted while another one's people are detected."""
_ON_ONE_GPU = 2
"""Clips at a time: one is detected on the processor while the other is adapted."""


@dataclass(frozen=True)
class _Clip:
    """Footage or the reason why it is none, and its folder."""

    path: Path
    trouble: EngineError | None
    folder: Path


def run_clips(
    clips: Sequence[tuple[Path, EngineError | None]], out: Path, options: RunOptions, reporter: Reporter
) -> ExitCode:
    """Work through the clips, going on after one that fails. What is finished stays, whatever happens.

    Args:
        clips: footage, or the reason why it is none.
        out: folder that takes a folder for each clip.
        options: the same for all the clips.
        reporter: takes events, in the order of the clips, and says when to stop.

    Returns:
        The code of the first clip that failed, CANCELLED if the run was cancelled, else DONE.

    Raises:
        EngineError: nothing can be done at all: the output folder, the device, the body.
    """
    outputs.prepare_folder(out)
    folders = outputs.clip_folders(out, [path for path, _ in clips])
    reporter.start([folder.name for folder in folders])
    from engine.body.model import load_body

    options = replace(options, device=choose_device(options.device))
    body = load_body(options.body, options.device)
    _share_cores(options.cores)
    all_clips = [_Clip(*clip, folder) for clip, folder in zip(clips, folders, strict=True)]
    at_a_time = _at_a_time(sum(clip.trouble is None for clip in all_clips), options)
    if at_a_time > 1:
        return _side_by_side(all_clips, at_a_time, options, reporter)
    codes = []
    for clip in all_clips:
        codes.append(_run_clip(clip, options, body, reporter))
        if codes[-1] == ExitCode.CANCELLED:
            return ExitCode.CANCELLED
    return _first_failure(codes)


def _share_cores(count: int) -> None:
    """Have PyTorch use so many cores in this process; 0 leaves it as it is."""
    import torch

    if count:
        torch.set_num_threads(count)


def _first_failure(codes: Sequence[ExitCode]) -> ExitCode:
    return next((code for code in codes if code != ExitCode.DONE), ExitCode.DONE)


def _at_a_time(count: int, options: RunOptions) -> int:
    """How many clips are worked on at a time."""
    if options.labeler == "openai" and not options.allow_upload:  # one process asks the user
        return 1
    most = _ON_ONE_GPU if options.device != "cpu" else count
    if options.performer:  # each begins where the one before it has ended
        return 1
    return min(count, most, options.cores or cores(), free_bytes() // _CLIP_BYTES)


def _run_clip(clip: _Clip, options: RunOptions, body: BodyModel, reporter: Reporter) -> ExitCode:
    """One clip, and what is reported of it."""
    from engine.pipeline import ClipRun

    folder = clip.folder
    reporter.begin_clip(folder.name)
    is_new = not folder.exists()
    try:
        reporter.cancel.check()
        if clip.trouble is not None:
            raise clip.trouble
        with only_run_in(folder, folder / FOLDER / LOCK):
            ClipRun(clip.path, folder, options, body, reporter).run()
        reporter.succeeded += 1
        return ExitCode.DONE
    except CancelledError as error:
        reporter.error(error)
        return ExitCode.CANCELLED
    except EngineError as error:
        failure = error
    except Exception as error:
        failure = explain(error, folder if folder.is_dir() else folder.parent)
    if is_new:
        outputs.remove_empty(folder)
    reporter.failed += 1
    reporter.error(failure)
    return failure.exit_code


def _side_by_side(clips: Sequence[_Clip], count: int, options: RunOptions, reporter: Reporter) -> ExitCode:
    """Several clips at a time, each in one of `count` processes; a clip's events wait for those of the clips before."""
    codes: dict[int, ExitCode] = {}
    line = _Line(len(clips), reporter)

    try:
        with Workers(count, Path(os.devnull), _clip_worker, options, count) as workers:
            for number, result in workers.work(clips, line.noted, reporter.cancel.check, independent=True):
                if isinstance(result, EngineError):
                    values = {"code": result.code, "message": result.message, "hint": result.hint}
                    line.noted(number, ("error", {**values, "clip": clips[number].folder.name}))
                    result = result.exit_code
                codes[number] = result
                reporter.succeeded += result == ExitCode.DONE
                reporter.failed += result != ExitCode.DONE
                line.done(number)
    except CancelledError as error:
        reporter.begin_clip(clips[line.first].folder.name)
        reporter.error(error)
        return ExitCode.CANCELLED
    return _first_failure([codes[number] for number in range(len(clips))])


class _Line:
    """Passes events on clip by clip: those of the first clip that is not done at once, the others' when it is their
    turn, without the progress of the past."""

    def __init__(self, count: int, reporter: Reporter) -> None:
        self._events: list[list[tuple[str, dict[str, Any]]]] = [[] for _ in range(count)]
        self._done, self._reporter = [False] * count, reporter
        self.first = 0

    def noted(self, number: int, event: tuple[str, dict[str, Any]]) -> None:
        """An event of a clip."""
        name, values = event
        if number == self.first:
            self._reporter.send(name, **values)
        elif name != "progress":
            self._events[number].append(event)

    def done(self, number: int) -> None:
        """A clip has no more events."""
        self._done[number] = True
        while self._done[self.first] and self.first + 1 < len(self._done):
            self.first += 1
            for name, values in self._events[self.first]:
                self._reporter.send(name, **values)


@dataclass(frozen=True)
class _Teller:
    """Where a clip's events go in a process of its own: to the one that made it."""

    tell: Tell

    def send(self, name: str, **values: Any) -> None:
        """Pass one event on."""
        self.tell((name, values))

    def close(self) -> None:
        """Nothing to tidy."""


@contextlib.contextmanager
def _clip_worker(options: RunOptions, count: int) -> Iterator[Callable[[_Clip, Tell], ExitCode]]:
    """Runs clips in one of `count` processes, with its share of the cores."""
    from engine.body.model import load_body
    from engine.runtime.memory import give_back_large_blocks

    give_back_large_blocks()
    share = max((options.cores or cores()) // count, 1)
    _share_cores(share)
    own = replace(options, cores=share)
    body = load_body(own.body, own.device)

    def work(clip: _Clip, tell: Tell) -> ExitCode:
        return _run_clip(clip, own, body, Reporter(_Teller(tell), Cancel()))

    yield work
