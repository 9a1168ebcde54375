"""`adapt-motion farm`: jobs to clips, machines to tasks, and what is left of it all on disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.errors import CancelledError, UsageError
from engine.farm.clip_state import ClipState
from engine.farm.driver import Driver
from engine.farm.graph import ClipGraph
from engine.farm.session import Session, connected
from engine.farm.summary import write_summary
from engine.farm.tasks import Order
from engine.output import folders as outputs
from engine.protocol import ExitCode, Job
from engine.run_options import RunOptions, check_options, choose_device, expand_footage
from engine.runtime.reporter import Reporter
from engine.runtime.versions import versions

_ANSWERS = ".labels"
"""Folder in the output folder for what a vision-language model has answered."""


def run_farm(
    jobs: Sequence[Job], keypoints: str, preview: bool, address: str, cores: int, ships: bool, reporter: Reporter
) -> ExitCode:
    """Work through the clips of all jobs on many machines. What is finished stays, whatever happens.

    Args:
        jobs: each with options of its own.
        keypoints, preview: as `run` takes them, for all jobs.
        address, cores: of the Ray to use, as `connected` takes them.
        ships: whether footage travels with the tasks, since the machines share no folder.
        reporter: takes events and says when to stop.

    Returns:
        The code of the first clip that failed, else DONE.

    Raises:
        CancelledError: the user cancelled.
        EngineError: nothing can be done at all: the options, the output folder, the address, the machines.
    """
    out = Path(jobs[0].out)
    clips = _clips(out, [(job, _options(job, keypoints, preview, ships)) for job in jobs])
    if not clips:
        raise UsageError("There is no footage to work on.", "Name videos, folders of images, patterns, or job files.")
    names = [clip.order.name for clip in clips]
    with connected(address, cores, ships) as session:
        _check_cards(clips, session, ships)
        reporter.start(names, dashboard=session.dashboard)
        driver = Driver(session, clips, ships, reporter)
        cancelled = None
        try:
            driver.work()
        except CancelledError as error:
            cancelled = error
        finally:
            write_summary(out, clips, driver.wall_s, driver.cores, driver.machines)
        if cancelled is not None:
            raise cancelled
    return next((one.error.exit_code for one in clips if one.error is not None), ExitCode.DONE)


def _options(job: Job, keypoints: str, preview: bool, ships: bool) -> RunOptions:
    """Options of a job, checked. Raises EngineError."""
    # cards are those of the machines that work, each task has one core, and hands its result on through the cache
    options = check_options(job, keypoints, preview, find_device=False)
    if options.performer:
        raise UsageError(
            "--performer has each clip begin where the one before it has ended, and a farm does them side by side.",
            "Leave it out, or use `adapt-motion run`.",
        )
    device = "cuda" if job.device == "cuda" else choose_device(job.device)
    whole: dict[str, Any] = {
        name: path.absolute() for name in ("body", "keypoints") if (path := getattr(options, name)) is not None
    }
    if options.labeler == "openai":
        _check_upload(options, ships)
        cache = options.settings.labeler.cache or str((Path(job.out) / _ANSWERS).absolute())
        labeler = options.settings.labeler.model_copy(update={"cache": cache})  # machines share the answers
        whole["settings"] = options.settings.model_copy(update={"labeler": labeler})
    return replace(options, device=device, resume=True, cores=1, **whole)


def _check_upload(options: RunOptions, ships: bool) -> None:
    """Raise UsageError where pictures would be sent without consent, or twice."""
    if not options.allow_upload:
        raise UsageError(
            "--labeler openai sends pictures of the person to a server, and a farm cannot ask whether it may.",
            "Add --allow-upload if they may be sent, or use another labeler.",
        )
    if ships:
        raise UsageError(
            "--ship-footage and --labeler openai exclude each other: machines could not share what was answered.",
            "Put the output folder on a drive that all machines have, or use another labeler.",
        )


def _clips(out: Path, jobs: Sequence[tuple[Job, RunOptions]]) -> list[ClipState]:
    """The clips of all jobs, none begun. Raises EngineError."""
    if any(Path(job.out) != out for job, _ in jobs):
        raise UsageError("The jobs have several output folders.", "Start a farm for each of them.")
    outputs.prepare_folder(out)
    found = [(path, trouble, options) for job, options in jobs for path, trouble in expand_footage(job.footage)]
    folders = outputs.clip_folders(out, [path for path, _, _ in found])
    return [
        ClipState(
            Order(folder.name, path.absolute(), folder.absolute(), options, versions()),
            ClipGraph(number),
            trouble,
        )
        for number, ((path, trouble, options), folder) in enumerate(zip(found, folders, strict=True))
    ]


def _check_cards(clips: Sequence[ClipState], session: Session, ships: bool) -> None:
    """Raise UsageError where tasks would wait for ever for a graphics card."""
    if all(clip.order.options.device != "cuda" for clip in clips):
        return
    with_cards = {node for node, resources in session.nodes.items() if resources.get("GPU", 0) > 0}
    if not with_cards:
        raise UsageError("No machine of the farm has a graphics card.", "Use --device cpu.")
    if ships and session.node not in with_cards:
        raise UsageError(
            "--ship-footage writes the results here, and this machine has no graphics card.",
            "Use --device cpu, or start the farm on a machine with a card.",
        )
