"""Results that earlier runs left in the output folder, to attach again after a crash or in another file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import bpy

from ...engine.files.json_file import read_json
from ..blender import paths
from ..character import clip_times, run_files
from . import run_settings


@dataclass(frozen=True)
class Left:
    """What there is of a clip.

    Attributes:
        folder: of the clip's results.
        motions: finished motion files.
        names: of them, and of the files that takes with the same motions refer to.
        interrupted: whether a run began and did not come to its end.
    """

    folder: Path
    motions: tuple[Path, ...]
    names: frozenset[str]
    interrupted: bool


_left: dict[tuple[str, str], Left | None] = {}
"""By footage and output folder, so that drawing touches no disk."""


def find(footage: str, out: Path) -> Left | None:
    """What earlier runs left of `footage` in `out`; None if nothing. Looks at the disk."""
    wanted = os.path.normcase(os.path.abspath(footage))
    for claim in sorted(out.glob(f"*/{run_files.CLAIM.as_posix()}")):
        try:
            owner = read_json(claim)["footage"]
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if owner != wanted:
            continue
        folder = claim.parent.parent
        motions = tuple(sorted(path for path in folder.glob("person_*.npz") if run_files.is_result(path)))
        finished = (folder / "report.json").is_file() and bool(motions)
        began = any(claim.parent.glob("detect-*.npz"))
        names = frozenset(str(path) for motion in motions for path in (motion, run_files.kept(motion)) if path)
        return Left(folder, motions if finished else (), names, began and not finished)
    return None


def look(scene) -> Left | None:
    """Look at the disk for the scene's footage and remember it for drawing."""
    key = _key(scene)
    _left[key] = find(key[0], Path(key[1])) if scene.adapt_motion.footage else None
    return _left[key]


def changed(settings, _context: bpy.types.Context) -> None:
    """Called by Blender when footage or output folder have changed."""
    _follow_moved(settings.id_data)
    if settings.footage:
        look(settings.id_data)


def _follow_moved(scene) -> None:
    """Motion files that were moved with the output folder are the characters' again, for keypoints and exports."""
    folder = run_settings.output_folder(scene.adapt_motion)
    actions = [item.animation_data.action for item in scene.objects if item.animation_data]
    for one in (*(item for item in scene.objects if item.type == "ARMATURE"), *filter(None, actions)):
        path = Path(paths.absolute(one.get(clip_times.PERSON) or ""))
        moved = folder / path.parent.name / path.name
        if one.get(clip_times.PERSON) and one.library is None and not path.is_file() and moved.is_file():
            one[clip_times.PERSON] = str(moved)


def known(scene) -> Left | None:
    """What `look` found last for the scene's footage; touches no disk."""
    return _left.get(_key(scene))


def forget() -> None:
    """Nothing is known any more."""
    _left.clear()


def _key(scene) -> tuple[str, str]:
    settings = scene.adapt_motion
    return paths.absolute(settings.footage) if settings.footage else "", str(run_settings.output_folder(settings))


@bpy.app.handlers.persistent
def _after_load(*_arguments) -> None:
    forget()
    for scene in bpy.data.scenes:
        if scene.adapt_motion.footage:
            look(scene)


def register() -> None:
    """Look when a file is opened."""
    bpy.app.handlers.load_post.append(_after_load)


def unregister() -> None:
    """Undo `register`."""
    bpy.app.handlers.load_post.remove(_after_load)
    forget()
