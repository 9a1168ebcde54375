"""The `adapt-motion` command. Heavy imports wait until a command needs them, so that `--help` is quick."""

from __future__ import annotations

import contextlib
import functools
import inspect
import logging
import os
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

from engine.body.command import body_app
from engine.errors import CancelledError, EngineError, UsageError
from engine.evaluation.command import bench
from engine.output.review_command import review
from engine.protocol import ExitCode, Job, format_event
from engine.runtime import early_stop
from engine.runtime.streams import clean_stdout, quiet_stderr
from engine.semantics.actions_command import actions_app
from engine.training.commands import train_app

app = typer.Typer(
    help="Video of a person in, SMPL motion out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(train_app, name="train")
app.add_typer(body_app, name="body")
app.add_typer(actions_app, name="actions")
app.command()(bench)
app.command()(review)
_RUN, _WHO, _HOW = "Files", "What is in the footage", "How it is done"


def _as_run(command: Callable[..., None]) -> Callable[..., None]:
    """The command with the options of `run` beside its own; it gets them by name, and a job file takes their place."""
    named = inspect.signature(command, eval_str=True).parameters.values()
    own = [one for one in named if one.kind is not one.VAR_KEYWORD]
    of_run = inspect.signature(run, eval_str=True).parameters
    left_out = {"footage": [], "out": ""}
    shared = [one.replace(default=left_out.get(name, one.default)) for name, one in of_run.items()]
    command.__signature__ = inspect.Signature([*shared, *own])  # type: ignore[attr-defined]
    command.__annotations__ = {one.name: one.annotation for one in (*shared, *own)}
    return command


@app.command()
def run(
    footage: Annotated[list[str], typer.Argument(help="Videos, patterns such as 'shots/*.mp4', folders of images.")],
    out: Annotated[str, typer.Option("-o", "--out", help="Folder that takes a folder for each clip.")],
    preset: Annotated[str, typer.Option(help="fast, balanced or paper.", rich_help_panel=_HOW)] = "balanced",
    label: Annotated[str, typer.Option(help="What is done throughout, such as 'walk'.", rich_help_panel=_WHO)] = "",
    labels: Annotated[
        str, typer.Option(help='JSON file: [{"start": s, "end": s, "label": "walk"}, …].', rich_help_panel=_WHO)
    ] = "",
    labeler: Annotated[
        str, typer.Option(help="Who labels what has no label: none, retrieval or openai.", rich_help_panel=_WHO)
    ] = "none",
    allow_upload: Annotated[
        bool,
        typer.Option("--allow-upload", help="--labeler openai may send pictures of the person.", rich_help_panel=_WHO),
    ] = False,
    person: Annotated[
        str, typer.Option(help="main (largest and most central), all, or numbers: 1,3.", rich_help_panel=_WHO)
    ] = "main",
    merge: Annotated[
        list[str] | None,
        typer.Option(help="People who are one: 2=4; repeat it. `--only people` tells numbers.", rich_help_panel=_WHO),
    ] = None,
    split: Annotated[
        list[str] | None,
        typer.Option(help="A person who is several: each time 2, from a second on 2@3.5.", rich_help_panel=_WHO),
    ] = None,
    shots: Annotated[
        str, typer.Option(help="Where footage is cut, split or join each person's motion.", rich_help_panel=_WHO)
    ] = "split",
    only: Annotated[
        str,
        typer.Option(
            help="people or labels: stop when that is known and print it; takes: propose them again.",
            rich_help_panel=_HOW,
        ),
    ] = "",
    at_s: Annotated[
        float | None,
        typer.Option(help="With --only takes: for the hidden stretch at this second.", rich_help_panel=_HOW),
    ] = None,
    backbone: Annotated[
        str, typer.Option(help="First pose estimate: landmark, fit, hmr or hmr2.", rich_help_panel=_HOW)
    ] = "landmark",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.", rich_help_panel=_HOW)] = "auto",
    body: Annotated[str, typer.Option(help="Your SMPL, SMPL-H or SMPL-X file in place of the open body.")] = "",
    focal_px: Annotated[
        float | None, typer.Option(help="Focal length in pixels, if you know it.", rich_help_panel=_WHO)
    ] = None,
    height_m: Annotated[
        float | None,
        typer.Option(help="How tall the person stands, in metres, if you know it.", rich_help_panel=_WHO),
    ] = None,
    camera: Annotated[
        str,
        typer.Option(
            help="auto: followed if it turns; still; or a JSON file: its lens, and its poses if it moves.",
            rich_help_panel=_WHO,
        ),
    ] = "auto",
    mirror: Annotated[
        bool, typer.Option("--mirror", help="The footage is mirrored, as selfies are.", rich_help_panel=_WHO)
    ] = False,
    start_s: Annotated[float | None, typer.Option(help="Use the footage from this second on.")] = None,
    end_s: Annotated[float | None, typer.Option(help="Use the footage up to this second.")] = None,
    keypoints: Annotated[
        str, typer.Option(help="Folder with OpenPose's JSON files, in place of detection.", rich_help_panel=_WHO)
    ] = "",
    corrections: Annotated[
        str, typer.Option(help="corrections.json: pins and edits, met in the result.", rich_help_panel=_WHO)
    ] = "",
    performer: Annotated[
        str, typer.Option(help="Name: their last clip here is where this one begins.", rich_help_panel=_WHO)
    ] = "",
    fbx: Annotated[bool, typer.Option("--fbx", help="Also write FBX.")] = False,
    bvh: Annotated[bool, typer.Option("--bvh", help="Also write BVH.")] = False,
    glb: Annotated[bool, typer.Option("--glb", help="Also write GLB.")] = False,
    usd: Annotated[bool, typer.Option("--usd", help="Also write USD.")] = False,
    blend: Annotated[bool, typer.Option("--blend", help="Also write a .blend with the footage behind it.")] = False,
    preview: Annotated[bool, typer.Option("--preview", help="Also draw the body over the footage.")] = False,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", help="A setting, as section.name=value; repeat it.", rich_help_panel=_HOW),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of everything random.", rich_help_panel=_HOW)] = 0,
    cores: Annotated[
        int,
        typer.Option(min=0, max=4096, help="To be used; 0: all. Results stay the same.", rich_help_panel=_HOW),
    ] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Use what earlier runs left.", rich_help_panel=_HOW)] = False,
    events: Annotated[str, typer.Option(help="jsonl: one JSON object a line on stdout.", rich_help_panel=_HOW)] = "",
    watch_stdin: Annotated[
        bool, typer.Option("--watch-stdin", help="Stop at the line 'cancel' or the end of stdin.", rich_help_panel=_HOW)
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.", rich_help_panel=_HOW)] = False,
) -> None:
    """Turn footage into SMPL motion: OUT/<clip>/person_<N>.npz and report.json."""
    job = _job({name: value for name, value in locals().items() if name != "job"})
    raise typer.Exit(_run(functools.partial(_clips, job, keypoints, preview, cores), out, events, watch_stdin, debug))


@app.command()
@_as_run
def farm(
    address: Annotated[
        str, typer.Option(help="auto: the Ray of this machine; or HOST:PORT. A Ray for this run alone if left out.")
    ] = "",
    ship_footage: Annotated[
        bool, typer.Option("--ship-footage", help="The machines share no folder: footage travels with the tasks.")
    ] = False,
    job: Annotated[
        list[str] | None, typer.Option(help="A job file with options of its own, such as Blender writes; repeat it.")
    ] = None,
    **of_run: Any,
) -> None:
    """Turn footage of many clips into SMPL motion on many machines, by Ray: as `run`, and OUT/farm.json."""
    from engine.farm.jobs import read_jobs

    jobs = read_jobs(job) if job else [_job(of_run)]
    machines = (address, of_run["cores"], ship_footage)
    work = functools.partial(_farm, jobs, of_run["keypoints"], of_run["preview"], machines)
    raise typer.Exit(_run(work, jobs[0].out, of_run["events"], of_run["watch_stdin"], of_run["debug"], farm=True))


@app.command()
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON instead of a table.")] = False,
    body: Annotated[str, typer.Option(help="Your SMPL, SMPL-H or SMPL-X file, to check it.")] = "",
    overrides: Annotated[
        list[str] | None, typer.Option("--set", help="Where a model lies, such as models.hmr=FILE; repeat it.")
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    """List what is installed, which devices and model files are there, what is missing and how to get it."""
    with clean_stdout() as stream:
        from engine.config import load_settings
        from engine.doctor import checks

        found = checks.examine(load_settings(overrides=overrides or []).models, body)
        checks.show(found, stream, as_json)
    raise typer.Exit(ExitCode.DONE if found.usable else ExitCode.MODEL_FILE)


def main() -> None:
    """Run the command line and end the process with its exit code."""
    arguments = sys.argv[1:]
    if not early_stop.is_run(arguments):
        early_stop.release()
    try:
        code = app(arguments, standalone_mode=False)
    except EngineError as error:
        code = _fail(error, arguments)
    except Exception as error:
        if "--debug" in arguments:
            raise
        code = _fail(_explain(error), arguments)
    sys.stdout.flush()
    sys.exit(int(code or 0))


Work = Callable[[Any], ExitCode]
"""What a command does with a reporter."""


def _job(values: dict[str, Any]) -> Job:
    """The job that the options of `run` describe."""
    exports = [kind for kind in ("fbx", "bvh", "glb", "usd", "blend") if values[kind]]
    lists = {name: values[name] or [] for name in ("footage", "overrides", "split", "merge")}
    names = [item.name for item in fields(Job) if item.name in values]
    return Job(**{**{name: values[name] for name in names}, **lists, "exports": exports})


def _run(work: Work, out: str, events: str, watch_stdin: bool, debug: bool, farm: bool = False) -> ExitCode:
    from engine.runtime.cancel import Cancel
    from engine.runtime.memory import give_back_large_blocks
    from engine.runtime.reporter import JsonLines, Reporter, Sink, Terminal

    if events not in ("", "jsonl"):
        raise UsageError(f"--events does not know '{events}'.", "Use --events jsonl.")
    logging.basicConfig(level=logging.DEBUG if debug else logging.ERROR, stream=sys.stderr)
    give_back_large_blocks()
    quiet = not events and not debug and sys.stderr.isatty()
    with quiet_stderr() if quiet else contextlib.nullcontext(), clean_stdout() as stream:
        cancel = Cancel()
        sink: Sink = JsonLines(stream) if events else _farm_table(stream) if farm else Terminal(stream)
        reporter = Reporter(sink, cancel)
        cancel.last_words = reporter.last_words
        with cancel.listening(watch_stdin):
            try:
                code = _work(work, out, reporter)
                reporter.end(code)
                cancel.settle(code)
            finally:
                sink.close()
        if cancel.requested:
            stream.flush()
            os._exit(code)  # threads of C++ libraries may take long to end
    return code


def _farm_table(stream: TextIO) -> Any:
    from engine.farm.table import FarmTable

    return FarmTable(stream)


def _clips(job: Job, keypoints: str, preview: bool, cores: int, reporter: Any) -> ExitCode:
    from engine.clips import run_clips
    from engine.run_options import check_options, expand_footage

    options = check_options(job, keypoints, preview, cores, find_device=False)
    return run_clips(expand_footage(job.footage), Path(job.out), options, reporter)


def _farm(jobs: list[Job], keypoints: str, preview: bool, machines: tuple[str, int, bool], reporter: Any) -> ExitCode:
    from engine.farm.command import run_farm

    return run_farm(jobs, keypoints, preview, *machines, reporter)


def _work(work: Work, out: str, reporter: Any) -> ExitCode:
    """Check the options and run the clips; errors that concern no single clip are reported here."""
    from engine.runtime.crash_log import explain

    try:
        reporter.cancel.check()
        return work(reporter)
    except EngineError as error:
        failure = error
    except Exception as error:
        failure = explain(error, Path(out))
    reporter.error(failure, clip=False)
    return failure.exit_code


def _explain(error: Exception) -> EngineError:
    """An error of the command line itself is the user's; anything else is ours."""
    if hasattr(error, "format_message"):  # typer's usage errors, whatever package they come from
        return UsageError(error.format_message().rstrip(".") + ".", "See `adapt-motion run --help`.")
    if type(error).__name__ == "Abort":  # what typer makes of Ctrl-C
        return CancelledError("The command was cancelled.", "Nothing was changed.")
    from engine.runtime.crash_log import explain

    return explain(error, None)


def _fail(error: EngineError, arguments: list[str]) -> ExitCode:
    """Say why the command line could not be followed, as the caller wants to hear it."""
    from engine.runtime.reporter import sentence

    values = {"message": error.message, "hint": error.hint}
    sys.stderr.write(f"Error: {sentence(values)}\n")
    if "jsonl" in arguments or "--events=jsonl" in arguments:
        print(format_event("error", code=error.code, **values))
        print(format_event("end", exit_code=int(error.exit_code), succeeded=0, failed=0))
    return error.exit_code
