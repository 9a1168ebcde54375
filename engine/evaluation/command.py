"""The command `adapt-motion bench`. Heavy imports wait until it is known what is measured."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TextIO

import typer

from engine.errors import UsageError
from engine.protocol import ExitCode
from engine.runtime.streams import clean_stdout

if TYPE_CHECKING:
    from engine.evaluation.measures import Common, CorpusChoice, DataFiles

_CORPUS, _OTHERS, _REAL, _SPEED = "On the corpus", "On data sets of others", "On real footage", "Speed"
_EVERY_KIND = "desk,cut,pillar,side,limb"
_EVERY_TABLE = "methods,ablation,label-use,labels,fill-in,ema,presets"
_HIDE = "On real footage, a part of it hidden"
_SCENES = "On generated scenes with moving cameras"
_CHOICE = (
    "Choose one of --corpus FILE, --dataset NAME with --root FOLDER, --yardstick FOLDER, --hide FOOTAGE, "
    "--scenes FOLDER, --speed, --blender, or --list."
)


def bench(
    motions: Annotated[
        list[str] | None,
        typer.Argument(help="Motion files to score with --yardstick, or more footage for --hide."),
    ] = None,
    corpus: Annotated[
        str,
        typer.Option(
            help="Corpus file; build it with `adapt-motion train corpus`. Clips of held-out performers are scored.",
            rich_help_panel=_CORPUS,
        ),
    ] = "",
    quick: Annotated[
        bool, typer.Option("--quick", help="A few clips and the first table.", rich_help_panel=_CORPUS)
    ] = False,
    clips: Annotated[int, typer.Option(min=1, help="How many clips.", rich_help_panel=_CORPUS)] = 33,
    every_condition: Annotated[
        bool, typer.Option("--every-condition", help="Each clip under each occlusion.", rich_help_panel=_CORPUS)
    ] = False,
    authored: Annotated[
        bool, typer.Option("--authored", help="Authored actions in place of captured ones.", rich_help_panel=_CORPUS)
    ] = False,
    never_leaked: Annotated[
        bool,
        typer.Option(
            "--never-leaked",
            help="Only performers of whom the networks of version 1 saw nothing under any name.",
            rich_help_panel=_CORPUS,
        ),
    ] = False,
    tables: Annotated[str, typer.Option(help="Which tables.", rich_help_panel=_CORPUS)] = _EVERY_TABLE,
    plots: Annotated[
        str, typer.Option(help="Folder for the paper's Figures 3 and 4 as PNGs.", rich_help_panel=_CORPUS)
    ] = "",
    dataset: Annotated[
        str, typer.Option(help="3dpw, 3dhp, egobody, emdb1, emdb2 or rich.", rich_help_panel=_OTHERS)
    ] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only read it, and say what is missing.", rich_help_panel=_OTHERS)
    ] = False,
    root: Annotated[str, typer.Option(help="Folder that it was unpacked to.", rich_help_panel=_OTHERS)] = "",
    bodies: Annotated[
        str, typer.Option(help="Folder with SMPL_MALE and SMPL_FEMALE (.npz, .pkl).", rich_help_panel=_OTHERS)
    ] = "",
    regressor: Annotated[str, typer.Option(help="J_regressor_h36m.npy.", rich_help_panel=_OTHERS)] = "",
    keypoints: Annotated[
        str, typer.Option(help="Folder with OpenPose's JSON files for each sequence.", rich_help_panel=_OTHERS)
    ] = "",
    labels: Annotated[
        str, typer.Option(help="Folder with a labels file for each person, <person>.json.", rich_help_panel=_OTHERS)
    ] = "",
    yardstick: Annotated[str, typer.Option(help="Folder with true joints, <clip>_gt.npz.", rich_help_panel=_REAL)] = "",
    footage: Annotated[
        list[str] | None, typer.Option(help="Footage to run first, once for each preset.", rich_help_panel=_REAL)
    ] = None,
    presets: Annotated[str, typer.Option(help="Presets for --footage.", rich_help_panel=_REAL)] = "fast,balanced,paper",
    hide: Annotated[
        list[str] | None,
        typer.Option(metavar="FOOTAGE", help="Footage in full view; a part of it is hidden.", rich_help_panel=_HIDE),
    ] = None,
    label: Annotated[str, typer.Option(help="What is done in it, such as 'walk'.", rich_help_panel=_HIDE)] = "",
    wrong_label: Annotated[
        str, typer.Option(help="A wrong label; one of the dictionary if left out.", rich_help_panel=_HIDE)
    ] = "",
    hide_kinds: Annotated[str, typer.Option(help="What is hidden.", rich_help_panel=_HIDE)] = _EVERY_KIND,
    hide_at: Annotated[
        float, typer.Option(help="Where desk and cut begin, in parts of the height.", rich_help_panel=_HIDE)
    ] = 0.47,
    hide_limb: Annotated[
        str,
        typer.Option(help="left_arm, right_arm, left_leg or right_leg, for the kind limb.", rich_help_panel=_HIDE),
    ] = "left_leg",
    hide_rows: Annotated[
        str, typer.Option(help="Which rows, such as fit,right_label; all adds Table 3.", rich_help_panel=_HIDE)
    ] = "",
    focal_px: Annotated[
        float | None, typer.Option(help="Focal length of the footage in pixels.", rich_help_panel=_HIDE)
    ] = None,
    strips: Annotated[str, typer.Option(help="Folder for pictures of the results.", rich_help_panel=_HIDE)] = "",
    scenes: Annotated[
        str, typer.Option(help="Folder with scenes whose camera and motion are known.", rich_help_panel=_SCENES)
    ] = "",
    scenes_from: Annotated[
        str,
        typer.Option(help="Corpus file: make the scenes that the folder lacks, with Blender.", rich_help_panel=_SCENES),
    ] = "",
    speed: Annotated[
        bool,
        typer.Option(
            "--speed", help="Time and memory of each stage; with --device, time of each method.", rich_help_panel=_SPEED
        ),
    ] = False,
    clip: Annotated[str, typer.Option(help="Footage; the demo clip if left out.", rich_help_panel=_SPEED)] = "",
    repeats: Annotated[int, typer.Option(min=2, help="How often the clip is repeated.", rich_help_panel=_SPEED)] = 10,
    blender: Annotated[
        str,
        typer.Option(
            metavar="PROGRAM", help="A Blender, or a Python with bpy, to time the add-on in.", rich_help_panel=_SPEED
        ),
    ] = "",
    frames: Annotated[int, typer.Option(min=2, help="Frames of the motion.", rich_help_panel=_SPEED)] = 10_000,
    run_options: Annotated[
        str, typer.Option(help="Options of `run` for --speed, --scenes and --footage, such as '--label walk'.")
    ] = "",
    preset: Annotated[str, typer.Option(help="Settings that rows start from.")] = "balanced",
    backbone: Annotated[str, typer.Option(help="Pose network.")] = "landmark",
    body: Annotated[str, typer.Option(help="Your SMPL file in place of the open body.")] = "",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    overrides: Annotated[
        list[str] | None, typer.Option("--set", help="A setting, as section.name=value; repeat it.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of everything random.")] = 0,
    results: Annotated[
        str,
        typer.Option(
            help="File (for --hide a folder) that keeps each finished result; what it holds is not done again."
        ),
    ] = "",
    jobs: Annotated[int, typer.Option(min=1, help="Processes at a time for --corpus; needs --results.")] = 1,
    list_rows: Annotated[
        bool, typer.Option("--list", help="Say what each row is, its source and its cost, and measure nothing.")
    ] = False,
    share: Annotated[str, typer.Option(hidden=True)] = "",
    json_file: Annotated[str, typer.Option("--json", help="Also write the figures to this file.")] = "",
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    """Measure: --corpus FILE, --dataset NAME, --yardstick DIR, --hide FOOTAGE, --scenes DIR, --speed, or --blender."""
    chosen = [bool(one) for one in (corpus, dataset, yardstick, hide, scenes, speed, blender, list_rows)]
    alone = (bool(root) == bool(dataset), bool(footage or (motions and not hide)) == bool(yardstick))
    _check_choice(sum(chosen), alone, bool(plots) <= bool(corpus) and dry_run <= bool(dataset))
    code = ExitCode.DONE
    with clean_stdout() as stream:
        if list_rows:
            figures = _rows(stream)
        elif speed:
            figures = _speed(clip, repeats, run_options, device, stream)
        elif scenes:
            figures = _scenes(scenes, scenes_from, seed, run_options, results, stream)
        elif blender:
            figures = _blender(blender, frames, stream)
        elif yardstick:
            figures = _yardstick(yardstick, motions or [], footage or [], presets, run_options, body, stream)
        else:
            from engine.evaluation import measures

            common = measures.Common(
                preset, backbone, _path(body), device, tuple(overrides or ()), seed, _path(results), stream
            )
            if hide:
                parts = _Hidden(hide_kinds, hide_at, hide_limb, hide_rows, label, wrong_label, focal_px, strips)
                figures, code = _hide([*hide, *(motions or ())], parts, common)
            elif corpus:
                choice = (clips, every_condition, authored, _words(tables), quick, share, never_leaked)
                wanted = measures.CorpusChoice(Path(corpus), *choice)
                figures = _on_corpus(wanted, common, jobs, _path(plots))
            else:
                files = (_path(bodies), _path(regressor), _path(keypoints))
                figures, code = _on_data_set(dataset, Path(root), files, _path(labels), common, dry_run)
        if json_file and not share:
            from engine.output.folders import write_json

            write_json(Path(json_file), figures)
    raise typer.Exit(code)


class _Hidden(NamedTuple):
    """Options of --hide, as on the command line."""

    kinds: str
    at: float
    limb: str
    rows: str
    label: str
    wrong: str
    focal_px: float | None
    strips: str


def _hide(footage: list[str], parts: _Hidden, common: Common) -> tuple[dict[str, Any], ExitCode]:
    from engine.evaluation.hide import HideChoice, on_footage
    from engine.evaluation.hide_footage import Hiding

    if not _words(parts.kinds):
        raise UsageError("--hide-kinds is empty.", f"Choose from {_EVERY_KIND}.")
    hidings = tuple(Hiding(kind, parts.at, parts.limb) for kind in dict.fromkeys(_words(parts.kinds)))
    choice = HideChoice(
        tuple(footage), hidings, _words(parts.rows), parts.label.strip(), parts.wrong.strip(), parts.focal_px,
        _path(parts.strips),
    )  # fmt: skip
    return on_footage(choice, common)


def _speed(clip: str, repeats: int, run_options: str, device: str, stream: TextIO) -> dict[str, Any]:
    from engine.evaluation import tables

    if device != "auto":
        return tables.method_speed(_path(clip), device, stream)
    return tables.speed(_path(clip), repeats, shlex.split(run_options), stream)


def _scenes(folder: str, corpus: str, seed: int, run_options: str, results: str, stream: TextIO) -> dict[str, Any]:
    from engine.evaluation import tables
    from engine.evaluation.measures import Counter
    from engine.evaluation.scenes import bench as scenes
    from engine.evaluation.scenes import build

    if corpus:
        build.make_scenes(Path(corpus), Path(folder), seed, Counter())
    scores = scenes.run_scenes(Path(folder), shlex.split(run_options), _path(results), Counter())
    return tables.scenes(scores, stream)


def _rows(stream: TextIO) -> dict[str, Any]:
    from engine.evaluation import tables
    from engine.evaluation.row_list import listed

    return tables.row_list(listed(), stream)


def _check_choice(chosen: int, alone: tuple[bool, bool], belongs: bool) -> None:
    """Raise UsageError where options do not go together."""
    if chosen != 1 or not alone[0]:
        raise UsageError("It is not clear what to measure.", _CHOICE)
    if not alone[1]:
        raise UsageError("--yardstick takes motion files or --footage, and nothing else does.", _CHOICE)
    if not belongs:
        raise UsageError("--plots belongs to --corpus, and --dry-run to --dataset.", _CHOICE)


def _on_corpus(wanted: CorpusChoice, common: Common, jobs: int, plots: Path | None) -> dict[str, Any]:
    from engine.evaluation import measures
    from engine.evaluation.plots import draw

    figures = measures.on_corpus(wanted, common, jobs)
    for path in draw(figures, plots) if plots and not wanted.share else ():
        common.stream.write(f"{path}\n")
    return figures


def _on_data_set(
    name: str, root: Path, files: DataFiles, labels: Path | None, common: Common, dry_run: bool
) -> tuple[dict[str, Any], ExitCode]:
    from engine.evaluation import measures

    if dry_run:
        return measures.checked(name, root, files, labels, common)
    return measures.on_data_set(name, root, files, labels, common), ExitCode.DONE


def _blender(program: str, frames: int, stream: TextIO) -> dict[str, Any]:
    from engine.evaluation import tables

    return tables.blender(program, frames, stream)


def _yardstick(
    folder: str,
    motions: list[str],
    footage: list[str],
    presets: str,
    run_options: str,
    body: str,
    stream: TextIO,
) -> dict[str, Any]:
    from engine.evaluation import footage_runs, tables

    scores = {motion: footage_runs.score_file(Path(folder), Path(motion)) for motion in motions}
    for clip in footage:
        options = tuple(shlex.split(run_options))
        scores |= footage_runs.run_and_score(Path(folder), Path(clip), _words(presets), options, _path(body))
    return tables.show_scores(Path(folder), scores, stream)


def _words(text: str) -> tuple[str, ...]:
    return tuple(filter(None, map(str.strip, text.split(","))))


def _path(text: str) -> Path | None:
    return Path(text) if text else None
