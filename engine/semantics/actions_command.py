"""The commands `adapt-motion actions`. Heavy imports wait until a command runs, so that `--help` is quick."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from engine.errors import UsageError
from engine.protocol import ExitCode, format_event
from engine.runtime.streams import clean_stdout

actions_app = typer.Typer(
    help="The actions that labels may name, and a studio's own.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_Dictionary = Annotated[str, typer.Option(help="A studio's dictionary of actions (.json); the user's own if left out.")]
_Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks.")]


@actions_app.command("list")
def list_actions(dictionary: _Dictionary = "", debug: _Debug = False) -> None:
    """List what is known: place in the tree, label, style."""
    with clean_stdout() as stream:
        from engine.semantics.studio import listed

        for place, label, style in listed(_file(dictionary)):
            stream.write(f"{place}\t{label}\t{style}\n".rstrip("\t\n") + "\n")
    raise typer.Exit(ExitCode.DONE)


@actions_app.command()
def add(
    label: Annotated[str, typer.Argument(help="Name of the action, such as 'swagger'.")],
    motion: Annotated[str, typer.Argument(help="A motion of it: .bvh, a motion file or an AMASS file (.npz).")],
    sentence: Annotated[str, typer.Option(help="Other words for it.")] = "",
    start_s: Annotated[float | None, typer.Option(help="Use the motion from this second on.")] = None,
    end_s: Annotated[float | None, typer.Option(help="Use the motion up to this second.")] = None,
    skeletons: Annotated[str, typer.Option(help="Table of joint maps (.json) for a .bvh of unknown joints.")] = "",
    dictionary: _Dictionary = "",
    events: Annotated[str, typer.Option(help="jsonl: one JSON object a line on stdout.")] = "",
    debug: _Debug = False,
) -> None:
    """Add an action: label, sentence, exemplar motion and nearest neighbours, without training."""
    path = Path(os.path.expanduser(motion))
    if not path.is_file():
        raise UsageError(f"There is no file {motion}.", "Give a .bvh or a motion file.")
    with clean_stdout() as stream:
        from engine.semantics.studio import add_action

        stretch = None if start_s is None and end_s is None else (start_s or 0.0, 1e9 if end_s is None else end_s)
        table = Path(os.path.expanduser(skeletons)) if skeletons else None
        added = add_action(label, path, _file(dictionary), sentence, stretch, table)
        if events == "jsonl":
            values = {**asdict(added), "dictionary": str(added.dictionary)}
            stream.write(format_event("action", **values) + "\n")
            raise typer.Exit(ExitCode.DONE)
        stream.write(f"Added '{added.label}' to {added.dictionary}.\n")
        stream.write(f"Exemplar: seconds {added.window_s[0]:.2f} to {added.window_s[1]:.2f} of the motion.\n")
        near = ", ".join(f"{name} ({value:.2f})" for name, value in added.nearest)
        stream.write(f"Nearest by motion: {near}\n")
        stream.write(f"Nearest by words: {', '.join(added.nearest_by_words) or 'none'}\n")
    raise typer.Exit(ExitCode.DONE)


def _file(dictionary: str) -> Path:
    if dictionary:
        return Path(os.path.expanduser(dictionary))
    from engine.files.user_folder import studio_file

    return studio_file()
