"""Motion files to character files in a Blender of our own: `blender -b -P export_motion.py -- --kinds fbx,blend FILE…`.

The engine starts this script (`engine/output/blender_export.py`) in Blender or in a Python that has `bpy`. Each line of
stdout that starts with `REPLY` is meant for it: `{"wrote": path}` for every file, then `{"done": true}`, or
`{"error": sentence, "hint": sentence}`. Batch mode runs `write_people` in its own Blender.
"""

from __future__ import annotations

import sys

if not __package__:  # run as a script
    import importlib
    import types
    from pathlib import Path

    package = types.ModuleType("adapt_motion")
    package.__path__ = [str(Path(__file__).resolve().parents[2])]
    sys.modules["adapt_motion"] = package
    script = importlib.import_module("adapt_motion.blender_addon.scripts.export_motion")
    script.compat.leave(script.main(sys.argv))

import argparse
import json
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import bpy

from ..blender import compat
from ..character import scene
from ..errors import UserError
from ..export import files

REPLY = "ADAPT_MOTION "
KINDS = (*files.WRITERS, "blend")


def write_people(
    motions: Sequence[Path],
    kinds: Sequence[str],
    footage: Path | None = None,
    wrote: Callable[[Path], None] = lambda path: None,
) -> list[str]:
    """Write the people of one clip beside their motion files. The open file is replaced by an empty one.

    Args:
        motions: motion files of one clip.
        kinds: of `KINDS`; `blend` writes one file, named after the clip, with all of them and the camera.
        footage: the clip, to be shown behind them in the `.blend`.
        wrote: called with each path that is written.

    Returns:
        Warnings, plain sentences.

    Raises:
        UserError: a motion file is damaged or a file cannot be written.
    """
    compat.empty_file()
    ours = bpy.context.scene
    imported = scene.import_people(motions, ours, footage=footage, look="DRESSED")
    scene.match_scene(ours, imported)
    for person in imported.people:
        for kind in kinds:
            if kind != "blend":
                wrote(files.export(person.armature, person.motion.path.with_suffix(f".{kind}"), kind))
    if "blend" in kinds:
        motion = imported.people[0].motion
        wrote(files.save_blend(motion.path.with_name(f"{motion.clip_name}.blend")))
    return imported.warnings


def main(argv: list[str]) -> int:
    """Run as a script on the words after `--`; gives back the exit code."""
    parser = argparse.ArgumentParser(prog="export_motion.py", description=__doc__.splitlines()[0])
    parser.add_argument("--kinds", required=True, help=f"comma-separated, of {', '.join(KINDS)}")
    parser.add_argument("--footage", type=Path, help="the clip, shown behind the character in the .blend")
    parser.add_argument("motions", nargs="+", type=Path, help="motion files of one clip")
    parser.add_argument("--watch-stdin", action="store_true", help="end when stdin does, as it does with the engine")
    options = parser.parse_args(argv[argv.index("--") + 1 :] if "--" in argv else argv[1:])
    if options.watch_stdin:
        threading.Thread(target=_end_with_stdin, daemon=True, name="stdin").start()
    try:
        write_people(options.motions, options.kinds.split(","), options.footage, lambda path: _reply(wrote=str(path)))
    except UserError as error:
        _reply(error=error.message, hint=error.hint)
        return 1
    _reply(done=True)
    return 0


def _end_with_stdin() -> None:
    while os.read(0, 4096):
        pass
    os._exit(1)


def _reply(**values: object) -> None:
    print(REPLY + json.dumps(values), flush=True)
