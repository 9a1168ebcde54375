"""The `adapt-motion body` commands. Heavy imports wait until a command runs, so that `--help` is quick."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from engine.runtime.streams import clean_stdout

body_app = typer.Typer(
    help="Body files of SMPL's family.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@body_app.callback()
def body() -> None:
    """Body files of SMPL's family."""


@body_app.command("import")
def import_body(
    source: Annotated[str, typer.Argument(metavar="FILE", help="The official .pkl, or an .npz.")],
    out: Annotated[str, typer.Argument(metavar="OUT.npz", help="The file to write: plain arrays, nothing else.")],
) -> None:
    """Turn a body file, such as the official .pkl, into an .npz of plain arrays, once and for all."""
    with clean_stdout() as stream:
        from engine.body.smpl_file import body_of, read_body_arrays
        from engine.files.atomic import write_arrays

        arrays = read_body_arrays(Path(source))
        found = body_of(arrays, Path(source))
        write_arrays(Path(out), arrays)
        stream.write(f"{out}: {len(found.v_template)} vertices, {found.surface_model_type}, {found.gender}\n")
