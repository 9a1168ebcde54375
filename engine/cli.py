"""The `adapt-motion` command. Heavy imports wait until a command needs them, so that `--help` is quick."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from engine.body.command import body_app
from engine.errors import CancelledError, EngineError, UsageError
from engine.evaluation.command import bench
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
_RUN, _WHO, _HOW = "Files", "What is in the footage", "How it is done"


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
        str, typer.Option(help="people or labels: stop when that is known and print it.", rich_help_panel=_HOW)
    ] = "",
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
    if events not in ("", "jsonl"):
        raise UsageError(f"--events does not know '{events}'.", "Use --events jsonl.")
    kinds = {"fbx": fbx, "bvh": bvh, "glb": glb, "usd": usd, "blend": blend}
    job = Job(
        footage=footage,
        out=out,
        preset=preset,
        label=label,
        labels=labels,
        labeler=labeler,
        allow_upload=allow_upload,
        person=person,
        only=only,
        backbone=backbone,
        device=device,
        body=body,
        focal_px=focal_px,
        height_m=height_m,
        camera=camera,
        start_s=start_s,
        end_s=end_s,
        exports=[kind for kind, wanted in kinds.items() if wanted],
        resume=resume,
        seed=seed,
        overrides=overrides or [],
        mirror=mirror,
        shots=shots,
        split=split or [],
        merge=merge or [],
    )
    raise typer.Exit(_run(job, (keypoints, preview, cores), events == "jsonl", watch_stdin, debug))


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
    if arguments[:1] != ["run"]:
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


def _run(job: Job, beside: tuple[str, bool, int], as_events: bool, watch_stdin: bool, debug: bool) -> ExitCode:
    from engine.runtime.cancel import Cancel
    from engine.runtime.memory import give_back_large_blocks
    from engine.runtime.reporter import JsonLines, Reporter, Terminal

    logging.basicConfig(level=logging.DEBUG if debug else logging.ERROR, stream=sys.stderr)
    give_back_large_blocks()
    quiet = not as_events and not debug and sys.stderr.isatty()
    with quiet_stderr() if quiet else contextlib.nullcontext(), clean_stdout() as stream:
        cancel = Cancel()
        sink = JsonLines(stream) if as_events else Terminal(stream)
        reporter = Reporter(sink, cancel)
        cancel.last_words = reporter.last_words
        with cancel.listening(watch_stdin):
            try:
                code = _work(job, beside, reporter)
                reporter.end(code)
                cancel.settle(code)
            finally:
                sink.close()
        if cancel.requested:
            stream.flush()
            os._exit(code)  # threads of C++ libraries may take long to end
    return code


def _work(job: Job, beside: tuple[str, bool, int], reporter: Any) -> ExitCode:
    """Check the options and run the clips; errors that concern no single clip are reported here.

    `beside` the job are the folder of keypoints, whether to draw a preview, and the number of cores.
    """
    from engine.runtime.crash_log import explain

    try:
        reporter.cancel.check()
        from engine.clips import run_clips
        from engine.run_options import check_options, expand_footage

        options = check_options(job, *beside, find_device=False)
        return run_clips(expand_footage(job.footage), Path(job.out), options, reporter)
    except EngineError as error:
        failure = error
    except Exception as error:
        failure = explain(error, Path(job.out))
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
