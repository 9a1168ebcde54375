"""A run: many clips, one after the other. What is heavy is imported once the first event is out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from engine.errors import CancelledError, EngineError
from engine.files.folder_lock import LOCK, only_run_in
from engine.output import folders as outputs
from engine.protocol import ExitCode
from engine.run_options import RunOptions, choose_device
from engine.runtime.cache import FOLDER
from engine.runtime.crash_log import explain
from engine.runtime.reporter import Reporter


def run_clips(
    clips: Sequence[tuple[Path, EngineError | None]], out: Path, options: RunOptions, reporter: Reporter
) -> ExitCode:
    """Work through the clips, going on after one that fails. What is finished stays, whatever happens.

    Args:
        clips: footage, or the reason why it is none.
        out: folder that takes a folder for each clip.
        options: the same for all the clips.
        reporter: takes events and says when to stop.

    Returns:
        The code of the first clip that failed, CANCELLED if the run was cancelled, else DONE.

    Raises:
        EngineError: nothing can be done at all: the output folder, the device, the body.
    """
    outputs.prepare_folder(out)
    folders = outputs.clip_folders(out, [path for path, _ in clips])
    reporter.start([folder.name for folder in folders])
    from engine.body.model import load_body
    from engine.pipeline import ClipRun

    options = replace(options, device=choose_device(options.device))
    body = load_body(options.body, options.device)
    first_failure = ExitCode.DONE
    for (path, trouble), folder in zip(clips, folders, strict=True):
        reporter.begin_clip(folder.name)
        is_new = not folder.exists()
        try:
            reporter.cancel.check()
            if trouble is not None:
                raise trouble
            with only_run_in(folder, folder / FOLDER / LOCK):
                ClipRun(path, folder, options, body, reporter).run()
            reporter.succeeded += 1
            continue
        except CancelledError as error:
            reporter.error(error)
            return ExitCode.CANCELLED
        except EngineError as error:
            failure = error
        except Exception as error:
            failure = explain(error, folder if folder.is_dir() else out)
        if is_new:
            outputs.remove_empty(folder)
        reporter.failed += 1
        reporter.error(failure)
        first_failure = first_failure or failure.exit_code
    return first_failure
